"""Fill the disk at many instants of what pruneexp writes, in bytes and in inodes, and see what becomes of it.

    python -m scripts.full_disks [--instants 10] [--only NAME ...] [--out FILE] FOLDER

mounts a small tmpfs in FOLDER (as root) for each instant: what is finished already lies on it, and beside that there is room for some
bytes or some inodes, from none to one less than all that the command writes. The command meets the end of the disk somewhere in its course.
It is a fault if

* there is a TRACEBACK, a HANG, or no single sentence where the exit code is not 0;
* a finished cell is LOST: it is not there any more, or cannot be believed;
* a scratch file or half a cell is LEFT;
* with room again the same command does not end well, or leaves other files, other tables, masks, weights, arrays or histories (UNEQUAL);
  times and what a record says of its process aside.

Of all commands it writes results/benchmarks/full_disks.md.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pruneexp.errors import UserError
from pruneexp.records.provenance import git_commit
from pruneexp.records.store import Store
from pruneexp.reports.markdown import made_by
from pruneexp.system import files
from scripts.corruptions_of.commands import Outcome, composed, forked, warm
from scripts.corruptions_of.verdicts import OF_THE_PROCESS
from scripts.kill_and_restart import listing, without_seconds

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks" / "full_disks.md"
DISK = Path("disk")
PAGE = 4096  # bytes that a tmpfs gives out at least
ROOM = "size=256M,nr_inodes=100000"
BASE = (
    "recipe=smoke", "recipe.train_images=64", "recipe.test_images=64", "trainer.accelerator=cpu", "trainer.threads=1", "seed=0",
    "results_dir=disk/runs", "masker=greedy",
)  # fmt: skip
QUIET = (*BASE, "logger=none", "figures=[]")
FIRST = (*QUIET, "densities=[0.5]", "name=first", "report_dir=reports")
FAULTS = ("TRACEBACK", "HANG", "NO SENTENCE", "LOST", "LEFT", "UNEQUAL")
OWN = (
    "history.csv",
    "masks.safetensors",
    "weights.safetensors",
    ".npy",
    ".sha256",
)  # the same bytes whenever they are made


@dataclass(frozen=True)
class Writers:
    """A command whose files are on the disk.

    Attributes:
        words: its command line.
        before: command lines that have left finished results on the disk.
    """

    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = (FIRST,)


WRITERS = {
    "data, records, report": Writers((*QUIET, "densities=[1.0,0.2]", "data_dir=disk/data")),
    "checkpoints, rewound": Writers(
        (
            *QUIET, "densities=[0.2]", "when=trained", "rewind=epoch", "rewind_epoch=1", "recipe.epochs=4",
            "trainer.checkpoint_seconds=0.000001",
        )
    ),
    "after training": Writers((*QUIET, "densities=[0.2]", "when=trained")),
    "measured later": Writers((*QUIET, "densities=[0.5]", "name=first", "topology=ramanujan")),
    "report, figures": Writers((*BASE, "logger=none", "densities=[0.5]", "name=first", "report_dir=disk/reports", "mode=report")),
    "csv": Writers((*BASE, "figures=[]", "densities=[0.2]", "logger=csv")),
    "tensorboard": Writers((*BASE, "figures=[]", "densities=[0.2]", "logger=tensorboard")),
}  # fmt: skip


class Disk:
    """A tmpfs at `place`, mounted in the block."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __enter__(self) -> "Disk":
        self.place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", ROOM, "tmpfs", self.place], check=True)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.place], check=True)

    @property
    def used(self) -> tuple[int, int]:
        """Bytes and inodes that are taken."""
        state = os.statvfs(self.place)
        return (state.f_blocks - state.f_bfree) * state.f_frsize, state.f_files - state.f_ffree

    def leave(self, options: str) -> None:
        """Have it be as large as the mount's options say."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.place], check=True)


class Trial:
    """A command on disks that fill, and what it leaves on one that does not."""

    def __init__(self, folder: Path, writers: Writers) -> None:
        self.folder, self.words = folder, list(writers.words)
        self.base, self.whole = folder / "base", folder / "whole"
        for path in (self.base, self.whole):
            shutil.rmtree(path, ignore_errors=True)
        with Disk(folder / DISK) as disk:
            for before in writers.before:
                _well(self.command(before))
            shutil.copytree(disk.place, self.base, symlinks=True)
            before_it = disk.used
            _well(self.command(self.words))
            self.takes = [after - before for after, before in zip(disk.used, before_it, strict=True)]
            shutil.copytree(disk.place, self.whole, symlinks=True)
        self.finished = sorted(path.parent.name for path in (self.base / "runs").glob("*/record.json"))

    def command(self, words: Sequence[str]) -> Outcome:
        """Run it in a forked process."""
        composed(self.folder, list(words))
        return forked(self.folder, list(words))

    def instants(self, count: int) -> Iterator[tuple[str, int, int]]:
        """What is short, and the bytes and inodes that are left: three of five instants are of bytes."""
        of_bytes = count * 3 // 5
        for room in np.linspace(0, self.takes[0] - PAGE, of_bytes):
            yield "bytes", int(room) // PAGE * PAGE, 10_000
        for inodes in np.linspace(0, self.takes[1] - 1, count - of_bytes):
            yield "inodes", 64 << 20, int(inodes)

    def at(self, room: int, inodes: int) -> tuple[Outcome, list[str]]:
        """How the command ends with so much room, and the faults."""
        with Disk(self.folder / DISK) as disk:
            shutil.copytree(self.base, disk.place, dirs_exist_ok=True, symlinks=True)
            taken = disk.used
            disk.leave(f"size={max(taken[0] + room, PAGE)},nr_inodes={taken[1] + inodes}")
            outcome = self.command(self.words)
            faults = [*_said(outcome), *self._kept(disk.place)]
            disk.leave(ROOM)
            again = self.command(self.words)
            if again.code != 0:
                faults.append(f"UNEQUAL: exit code {again.code} with room: {again.err.strip()[-200:]}")
            return outcome, [*faults, *_differences(self.whole, disk.place)]

    def _kept(self, place: Path) -> Iterator[str]:
        """What is wrong with the finished cells, and with what was not finished."""
        store = Store(place / "runs")
        there = sorted(path.name for path in store.folder.glob("[!.]*-s0-*"))
        yield from (f"LOST: {key}" for key in self.finished if key not in there)
        for key in there:
            try:
                for name in (store.read(key) or {"files": ["record.json"]})["files"]:
                    store.file(key, name)
            except UserError as error:
                yield f"{'LOST' if key in self.finished else 'LEFT'}: {error}"
        yield from (f"LEFT: {name}" for name in listing(place) if name.endswith(".partial"))


def _well(outcome: Outcome) -> None:
    if outcome.code != 0:
        raise RuntimeError(f"with room the command failed:\n{outcome.out}{outcome.err}")


def _said(outcome: Outcome) -> Iterator[str]:
    if outcome.code is None:
        yield "HANG"
    if "Traceback" in outcome.out + outcome.err:
        yield f"TRACEBACK: {(outcome.out + outcome.err).strip().splitlines()[-1]}"
    elif outcome.code not in (0, None) and not outcome.err.startswith("pruneexp: "):
        yield f"NO SENTENCE: exit code {outcome.code}, {outcome.err[-300:]}"
    elif outcome.code == 2 and outcome.err.count("\n") != 1:
        yield f"NO SENTENCE: {outcome.err}"


def _differences(expected: Path, found: Path) -> Iterator[str]:
    """What two disks hold that is not the same."""
    for name in sorted(listing(expected) ^ listing(found)):
        # the names of events are times, and shared artifacts are made again by whoever needs them
        if not Path(name).name.startswith("events.") and ".artifacts" not in Path(name).parts:
            yield f"UNEQUAL: only {'with' if (expected / name).exists() else 'after trouble without'} room there is {name}"
    for path in (path for path in expected.rglob("*") if path.name.endswith(OWN)):
        other = found / path.relative_to(expected)
        if other.exists() and path.read_bytes() != other.read_bytes():
            yield f"UNEQUAL: {path.relative_to(expected)}"
    for path in expected.rglob("reports/tables/*.csv"):
        other = found / path.relative_to(expected)
        if other.exists() and without_seconds(path) != without_seconds(other):
            yield f"UNEQUAL: {path.relative_to(expected)} (but for {', '.join(OF_THE_PROCESS)})"


def main() -> int:
    parser = argparse.ArgumentParser(description="fill the disk at many instants")
    parser.add_argument("folder", type=Path, help="where the disk is mounted; made anew")
    parser.add_argument("--instants", type=int, default=10, help="of each command (default 10)")
    parser.add_argument("--only", nargs="+", choices=WRITERS, default=list(WRITERS), help="commands by name")
    parser.add_argument("--out", type=Path, default=OUT, help="where the page of all commands goes")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root can mount the small disk that is filled")
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True)
    warm()
    heads = ("what is written", "instants", "exit 0", "exit 1", "exit 2", *FAULTS)
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    total: Counter[str] = Counter()
    for name in arguments.only:
        trial, counts = Trial(folder, WRITERS[name]), Counter[str]()
        for short, room, inodes in trial.instants(arguments.instants):
            outcome, faults = trial.at(room, inodes)
            left = f"{room:,} bytes" if short == "bytes" else f"{inodes} inodes"
            print(f"{name}, room for {left}: exit code {outcome.code}; {outcome.err.strip()[-160:]}", flush=True)
            for fault in faults:
                print(f"  {fault}", flush=True)
            counts.update(["instants", f"exit {outcome.code}", *(fault.partition(":")[0] for fault in faults)])
        lines.append(_row(name, counts))
        total += counts
    lines.append(_row("all", total))
    print("\n".join(lines))
    if arguments.only == list(WRITERS):
        command = f"python -m scripts.full_disks --instants {arguments.instants} FOLDER; commit {git_commit()}"
        told = "A disk that is full at many instants of what is written, and what was wrong with what was said, lost or left:"
        files.write(arguments.out, "\n".join([made_by(command), told, "", *lines]) + "\n")
    return int(any(total[fault] for fault in FAULTS))


def _row(name: str, counts: Counter[str]) -> str:
    cells = [counts[head] for head in ("instants", "exit 0", "exit 1", "exit 2", *FAULTS)]
    return f"| {name} | {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
