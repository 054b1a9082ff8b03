"""Corrupt what a sweep leaves, at random, and see what the user's commands make of it.

    python -m scripts.corruptions [--count 300] [--seed 0] [--log FILE] [--only TARGET:KIND ...] FOLDER

makes a small digits sweep in FOLDER, and a training that was killed at a checkpoint. Then, time after time, one file of a fresh copy is
corrupted, and the commands that read it are run. A corruption is

* refused: exit code 2, or 1 where a cell could not be made, and one sentence that names the file or the cell;
* told missing: a report or plan says that cells are missing, and what it shows is right;
* remade: what was lost is trained again, to the same numbers;
* named: the same numbers, times aside, and mode=check names the file;
* harmless: the same numbers, of a file that says what it said before, or is no finished cell's.

It is a fault if numbers differ without a word (SILENT), if mode=check does not name the file (UNNAMED), if a refusal names nothing or is no
single sentence (VAGUE), if doing what it advises does not bring back the numbers (STUCK), if there is a TRACEBACK or a HANG of a minute.
Each target meets each kind of damage before any does so again; which file, which place and which value follow from the seed.
"""

import argparse
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

from pruneexp.system import files
from scripts.corruptions_of.commands import warm
from scripts.corruptions_of.sweep import Sweep
from scripts.corruptions_of.verdicts import FAULTS, WORST_FIRST, Judge

Pair = tuple[str, str]  # target and kind


def pairs(sweep: Sweep, only: list[str], count: int, seed: int) -> list[Pair]:
    """So many targets and kinds of damage, all of them in random order before any comes again."""
    every = [(target, kind) for target, (kinds, _) in sweep.cases().items() for kind in kinds]
    chosen = [pair for pair in every if not only or ":".join(pair) in only or pair[0] in only]
    if not chosen:
        raise SystemExit(f"--only takes of these: {' '.join(':'.join(pair) for pair in every)}")
    draw, found = random.Random(seed), list[Pair]()
    while len(found) < count:
        found += draw.sample(chosen, len(chosen))
    return found[:count]


def summary(words: Counter[tuple[Pair, str]]) -> list[str]:
    """A table of kinds and verdicts, and one of targets."""
    verdicts = [word for word in WORST_FIRST[::-1] if any(w == word for _, w in words)]
    lines = []
    for title, of in (("kind", 1), ("target", 0)):
        rows = sorted({pair[of] for pair, _ in words})
        lines.append("".join([f"{title:12}", *(f"{word:>14}" for word in verdicts)]))
        for row in rows:
            counts = [sum(n for (pair, w), n in words.items() if pair[of] == row and w == word) for word in verdicts]
            lines.append("".join([f"{row:12}", *(f"{n or '':>14}" for n in counts)]))
    totals = [sum(n for (_, w), n in words.items() if w == word) for word in verdicts]
    return [*lines, "".join([f"{'all':12}", *(f"{n:>14}" for n in totals)])]


def main() -> int:
    parser = argparse.ArgumentParser(description="corrupt what a sweep leaves, at random")
    parser.add_argument("folder", type=Path, help="where the sweep and its corrupted copy go; made anew")
    parser.add_argument("--count", type=int, default=300, help="of corruptions (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--log", type=Path, help="a file that gets what is printed, too")
    parser.add_argument("--only", nargs="+", default=[], metavar="TARGET:KIND", help="such as record:bit, or record")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    if folder.exists() and any(folder.iterdir()):
        parser.error(f"{folder} is not empty")
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line.replace(str(folder), "FOLDER"))
        print(lines[-1], flush=True)

    warm()
    from pruneexp.records.provenance import git_commit

    only = f" --only {' '.join(arguments.only)}" if arguments.only else ""
    command = f"python -m scripts.corruptions --count {arguments.count} --seed {arguments.seed}{only} FOLDER"
    say(f"made by: {command}; commit {git_commit()}")
    begin = time.monotonic()
    sweep = Sweep(folder / "sweep")
    judge, words = Judge(sweep, folder), Counter[tuple[Pair, str]]()
    for number, (target, kind) in enumerate(pairs(sweep, arguments.only, arguments.count, arguments.seed), start=1):
        draw = random.Random(f"{arguments.seed} {number} {target} {kind}")
        kinds, cases = sweep.cases()[target]
        case = draw.choice(cases)
        verdict = judge.judge(case, kinds[kind], draw)
        words[(target, kind), verdict.word] += 1
        alone = ", nothing else recorded" if case.alone else ""
        say(f"{number:3d} {verdict.word:12} {target}:{kind} of {case.file}{alone}")
        if verdict.word in FAULTS:
            for line in verdict.lines:
                say(f"    {line}")
    for line in summary(words):
        say(line)
    bad = sum(n for (_, word), n in words.items() if word in FAULTS)
    say(f"{'FAIL' if bad else 'PASS'}: {arguments.count} corruptions, {bad} faults; {time.monotonic() - begin:.0f} s")
    if arguments.log:
        files.write(arguments.log, "\n".join(lines) + "\n")
    if not bad:
        shutil.rmtree(folder)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
