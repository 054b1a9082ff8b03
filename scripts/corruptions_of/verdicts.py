"""What became of a corruption."""

import csv
import random
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.corruptions_of.commands import Outcome, composed, forked
from scripts.corruptions_of.damages import GONE, Damage, content, copied
from scripts.corruptions_of.sweep import RUNS, Case, Sweep

REFUSED, MISSING, REMADE, NAMED, HARMLESS = "refused", "told missing", "remade", "named", "harmless"
SILENT, UNNAMED, VAGUE, STUCK, TRACEBACK, HANG = "SILENT", "UNNAMED", "VAGUE", "STUCK", "TRACEBACK", "HANG"
FAULTS = (HANG, TRACEBACK, SILENT, UNNAMED, VAGUE, STUCK)
WORST_FIRST = (*FAULTS, REFUSED, MISSING, REMADE, NAMED, HARMLESS)
ADVICE = re.compile(r"delete the folder (to|\S+)")
GOES_ON = "goes on after epoch"
Rows = list[dict[str, str]]
Sound = tuple[Outcome, Rows]

OF_THE_DENSE = ("drop", "drop_ci95", "drops", "pairs")  # columns that say nothing where the dense network is missing
OF_THE_PROCESS = ("_seconds", "peak_memory_bytes")  # columns


@dataclass(frozen=True)
class Verdict:
    """The worst of what each command made of a corruption, with a line about each."""

    word: str
    lines: list[str]


def table(folder: Path, words: list[str]) -> Rows:
    """The rows of the table that the command left, times and memory aside; none where it left none."""
    where = next((Path(w.partition("=")[2]) for w in words if w.startswith("results_dir=")), RUNS)
    rows: Rows = []
    for path in sorted((folder / where / "reports" / "tables").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as lines:
            rows += [{k: v for k, v in row.items() if not k.endswith(OF_THE_PROCESS)} for row in csv.DictReader(lines)]
    shutil.rmtree(folder / where / "reports", ignore_errors=True)
    return rows


class Judge:
    """Corrupts fresh copies of a sweep, and knows what its commands say of the sound one.

    Args:
        sweep: the sound one.
        scratch: where copies go.
    """

    def __init__(self, sweep: Sweep, scratch: Path) -> None:
        self.sweep, self.scratch = sweep, scratch
        self.known: dict[str, list[Sound]] = {}

    def sound(self, case: Case) -> list[Sound]:
        """What the case's commands say, one after another, and their tables, where nothing is corrupted."""
        known = str((case.commands, case.without))
        if known not in self.known:
            copy = self.scratch / "sound"
            self._copied(copy, case.without)
            self.known[known] = []
            for words in case.commands:
                composed(copy, words)
                outcome = forked(copy, words)
                if outcome.code != 0 or "Traceback" in outcome.err:
                    raise RuntimeError(f"{words} fails without any corruption:\n{outcome.out}{outcome.err}")
                self.known[known].append((outcome, table(copy, words)))
        return self.known[known]

    def judge(self, case: Case, damage: Damage, draw: random.Random) -> Verdict:
        """Corrupt a copy, run the commands one after another, and do what the last one says."""
        copy = self.scratch / "corrupted"
        self._copied(copy, case.without)
        before, beside = content(copy / case.file), content(copy / case.other)
        damage(copy / case.file, copy / case.other, draw)
        after = content(copy / case.file)
        if content(copy / case.other) != beside:  # a refusal may name either
            case = replace(case, names=[*case.names, str(case.other), case.other.parent.name])
        found = []
        for words, sound in zip(case.commands, self.sound(case), strict=True):
            outcome = forked(copy, words)
            verdict = word(case, words, (outcome, table(copy, words)), sound, before, after)
            found.append((verdict, words, outcome))
        if (advised := self._as_advised(case, copy, found[-1][2])) is not None:
            found.append((advised[0], [*case.commands[-1], "(as advised)"], advised[1]))
        worst = min((word for word, _, _ in found), key=WORST_FIRST.index)
        return Verdict(worst, [f"{word}: {_short(words)}: {_said(outcome)}" for word, words, outcome in found])

    def _as_advised(self, case: Case, copy: Path, last: Outcome) -> tuple[str, Outcome] | None:
        """Whether a refused command's advice, to delete a folder and make it again, brings back the sound table; each time it is given."""
        if not refuses(last) or not ADVICE.search(last.err):
            return None
        again, rows = last, Rows()
        while refuses(again) and (advice := ADVICE.search(again.err)):
            said = advice.group(1).rstrip(".,:")
            where = copy / (case.file.parent if said == "to" else said)
            if not where.exists():
                break
            shutil.rmtree(where)
            for words in (*case.makers, case.commands[-1]):
                again = forked(copy, words)
                rows = table(copy, words)
        good = again.code == 0 and rows == self.sound(case)[-1][1]
        return (REFUSED if good else STUCK), again

    def _copied(self, copy: Path, without: list[Path]) -> None:
        copied(self.sweep.folder, copy)
        (copy / "results" / "elsewhere").mkdir()
        for path in without:
            shutil.rmtree(copy / path)


def word(case: Case, words: list[str], left: Sound, expected: Sound, before: str, after: str) -> str:
    """What one command made of it, of a file with this content before it was corrupted and after."""
    (outcome, rows), (sound, sound_rows) = left, expected
    text, same = outcome.out + outcome.err, before == after
    if outcome.code is None:
        return HANG
    if "Traceback" in text or outcome.code not in (0, 1, 2):
        return TRACEBACK
    if refuses(outcome):
        told = [line for line in outcome.err.splitlines() if line.strip()]
        told_missing = re.search(r"none of the \d+ cells? (is|are) recorded", text)
        if told_missing and not same:
            return MISSING
        several = told[:1] != [] and told[0].endswith("could not be made:")  # cells, each with a line of its own
        reasons = told[1:] if several else told
        named = "".join(told).startswith("pruneexp: ") and (several or len(reasons) == 1)
        named = named and all(any(name in reason for name in case.names) for reason in reasons)
        return REFUSED if named else VAGUE
    if "mode=check" in words:
        if outcome.code == 1:
            return NAMED if any(Path(name).name in outcome.out for name in case.names) else VAGUE
        return HARMLESS if same or not case.of_a_cell else UNNAMED
    if "mode=plan" in words:
        return HARMLESS if _done(outcome) == _done(sound) else MISSING
    if rows != sound_rows:
        missing = "missing" in text and all(_in(row, sound_rows) for row in rows)
        return MISSING if missing else SILENT
    if outcome.code != 0:
        return SILENT
    if GOES_ON in sound.out and not same:
        anew = "starting anew" in text or (after in GONE and GOES_ON not in text)
        return REMADE if anew else SILENT
    return REMADE if trained(outcome) > trained(sound) else HARMLESS


def refuses(outcome: Outcome) -> bool:
    """Whether a command does nothing, or does not make a cell, and says why."""
    return outcome.code == 2 or (outcome.code == 1 and "could not be made:" in outcome.err)


def trained(outcome: Outcome) -> int:
    """How many cells were trained."""
    return len(re.findall(r": (?:accuracy [\d.]+ %|diverged).*, [\d.]+ s;", outcome.out))


def _done(outcome: Outcome) -> list[str]:
    return re.findall(r"\d+ done, \d+ missing", outcome.out)


def _in(row: dict[str, str], rows: Rows) -> bool:
    """Whether a row is among others; its drop is empty where the dense network's record is missing."""
    told = {name: value for name, value in row.items() if name not in OF_THE_DENSE}
    return any(
        all(one.get(name, "") == value for name, value in told.items())
        and all(row.get(name, "") in ("", one.get(name, "")) for name in OF_THE_DENSE[:-1])
        for one in rows
    )


def _short(words: list[str]) -> str:
    return (
        " ".join(word for word in words if word.startswith(("mode=", "name=", "topology=", "weights=", "("))) or "run"
    )


def _said(outcome: Outcome) -> str:
    """Its last line."""
    lines = [line for line in (outcome.out + outcome.err).splitlines() if line.strip()] or [""]
    return f"exit {outcome.code}, {lines[-1][:300]}"
