"""Every oddity in the place of every file that pruneexp reads: each is one sentence, or made anew or left out with a line.

    python -m scripts.damaged_files [--only READER ...] [--out FILE]

A small sweep, its data and the tables of studies are made once (`scripts.damaged_files.sound`). Then for each reader and oddity a copy of
them is damaged, and the command that reads the file is run in a process that is forked from this one, with at most ten seconds of a
processor and six gigabytes (`scripts.bad_input.running`); one that may not read it runs as another user. Prints those in full that are
faults, and the table of how each ended; exit code 1 where there is a fault. Of all readers it writes
results/benchmarks/damaged_files.md.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from pruneexp.records.provenance import code_digest, git_commit
from pruneexp.reports.markdown import made_by
from pruneexp.system import files
from scripts.bad_input.folders import as_nobody
from scripts.bad_input.lines import Line
from scripts.bad_input.running import WRONG, Verdict, verdict
from scripts.corruptions_of.commands import warm
from scripts.damaged_files import oddities, sound
from scripts.damaged_files.readers import READERS, Reader

OUT = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "damaged_files.md"
HARMED, UNTOLD = "payload ran", "not told"
FAULTS = (*WRONG, HARMED, UNTOLD)
ANEW = ("anew", "made again", "left out")
SOUND = "none"  # in the place of an oddity: the command reads the file
TAKEN = "taken"
OTHER = "a sound file of other values: it has no seal, and its SHA-256 is part of the cell's key"
RIGHT = {  # what is taken, and why
    ("masks", "last byte"): "a sound file of other masks: whoever saved it has no seal on it",
    ("weights=, safetensors", "last byte"): OTHER,
    ("weights=, pickle", "last byte"): OTHER,
    ("records=", "empty"): "a file without records: the cells are made",
    ("conf YAML", "empty"): "a preset that says nothing",
    ("image of a folder", "last byte"): "its pixels are the same",
    ("study's records", "last byte"): "the same records: it ends the last line",
    ("study's table", "cut"): "a sound table of fewer rows: it has no seal",
    ("study's table", "last byte"): "the same rows: it ends the last line",
    ("study's IMDBs", "last byte"): "the same rows: it ends the last line",
    ("seal of the arrays", "last byte"): "the same digest: it ends the line",
    ("seal of the arrays", "dangling link"): "as none: arrays that people put in place have none",
    ("checkpoint", "dangling link"): "as none: the training starts at its begin",
    ("scores", "dangling link"): "as none: they are made, and take the link's place",
    ("rewound network", "dangling link"): "as none: it is made, and takes the link's place",
    ("network of a level", "dangling link"): "as none: it is made, and takes the link's place",
}


def line(reader: Reader, oddity: str, made: Path, harm: Path) -> Line:
    """The command that meets the oddity."""
    words = reader.words
    if oddity == oddities.LONG:
        words = tuple(word.replace(reader.file, "z" * 300) for word in words)

    def before(here: Path) -> None:
        shutil.copytree(made, here, dirs_exist_ok=True, symlinks=True)
        path = sorted(here.glob(reader.file))[0]
        if oddity == oddities.FORGED:
            assert reader.forge is not None
            reader.forge(path)
        elif oddity == oddities.LOCKED:
            oddities.open_to_all(here)
            oddities.put(oddity, path, harm)
        elif oddity not in (oddities.LONG, SOUND):
            oddities.put(oddity, path, harm)

    program = as_another(reader.program) if oddity == oddities.LOCKED else reader.program
    return Line(words, oddity, before=before, accepted="it may be", program=program, smallest=reader.program is None)


def as_another(program: Callable[[], None] | None) -> Callable[[], object]:
    """The program, ``python -m pruneexp`` for None, of a user who may not read everything."""
    return as_nobody if program is None else lambda: as_nobody(program)


def wanted(reader: Reader) -> list[str]:
    """The oddities that a reader can meet."""
    cannot = {
        oddities.FORGED: reader.forge is None,
        oddities.LONG: not any(reader.file in word for word in reader.words),
    }
    return [name for name in oddities.NAMES if not cannot.get(name)]


def ending(name: str, oddity: str, found: Verdict, harm: Path) -> str:
    """How it ended, in a word or two."""
    if harm.exists():
        harm.rmdir()
        return HARMED
    if found.kind == "accepted":
        if (name, oddity) in RIGHT or oddity == SOUND:
            return TAKEN
        told = any(word in found.said for word in ANEW)
        return "made anew" if told and READERS[name].taken else UNTOLD
    of_check = found.kind == "vague" and found.said.startswith("exit 1: ") and found.said.endswith(", 1 problem.")
    return "sentence" if of_check or found.kind in ("sentence", "failed", "wrote") else found.kind


def tried(name: str, oddity: str, made: Path) -> tuple[str, Verdict]:
    """What becomes of one oddity; `made` is the sound folder."""
    harm = made.parent / "harm"
    found = verdict(line(READERS[name], oddity, made, harm), made / "data")
    return ending(name, oddity, found, harm), found


def table(found: dict[tuple[str, str], str]) -> list[str]:
    """Reader by oddity, as Markdown."""
    names = [name for name in oddities.NAMES if any(oddity == name for _, oddity in found)]
    rows = {reader: [found.get((reader, name), "") for name in names] for reader, _ in found}
    head = [f"| reader | {' | '.join(names)} |", "|" + "---|" * (len(names) + 1)]
    return [*head, *(f"| {reader} | {' | '.join(ends)} |" for reader, ends in rows.items())]


def page(found: dict[tuple[str, str], str]) -> str:
    """The table, and how many ended how."""
    count = Counter(found.values())
    told = ", ".join(f"{count[end]} {end}" for end in sorted({*count, *FAULTS}))
    head = made_by(f"python -m scripts.damaged_files; commit {git_commit() or 'unknown'}")
    right = [f"- {reader}, {oddity}: {why}." for (reader, oddity), why in RIGHT.items()]
    return "\n".join([head, f"{len(found)} damaged files: {told}.", "", *table(found), "", "Taken is:", "", *right, ""])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(READERS), help="these readers alone; no page is written")
    parser.add_argument("--out", type=Path, default=OUT, help="where the page of all readers goes")
    options = parser.parse_args(arguments)
    warm()
    torch.set_num_threads(1)  # what is forged here must start no threads, which a fork would wait for
    code_digest()  # part of an artifact's name, whatever happens to the checkout meanwhile
    begin, found = time.monotonic(), dict[tuple[str, str], str]()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # another user reads the data
        made = Path(folder) / "made"
        made.mkdir()
        sound.make(made)
        for name in options.only or READERS:
            if (control := tried(name, SOUND, made))[0] != TAKEN and not name.endswith("archive"):
                raise SystemExit(f"{name} refuses a sound file: {control}")
            for oddity in wanted(READERS[name]):
                found[name, oddity], how = tried(name, oddity, made)
                if found[name, oddity] in FAULTS:
                    print(f"{found[name, oddity]}: {name}, {oddity}\n    {ascii(how.said)[1:-1][:1500]}", flush=True)
    faults = sum(end in FAULTS for end in found.values())
    print(*table(found), f"{len(found)} tried, {faults} faults, {time.monotonic() - begin:.0f} s", sep="\n")
    if not options.only:
        files.write(options.out, page(found))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
