"""A CUDA GPU for ten minutes, spent well: what the machine is, the tests that need one, times of a training step, cells of papers' tables.

    python -m scripts.gpu_lease [--minutes 10] [--out FOLDER] [--data-dir data] [--results-dir results/lease] [--resume ARCHIVE ...]
        [--records FILE ...] [--rows "OVERRIDES" ...] [--skip STAGE ...]

Four stages have one deadline, so many minutes from the start. The first three (``machine``, ``tests``, ``steps``) take a quarter of what
is left at most, and 30, 90 and 90 seconds at most; one that fails, or hangs and is ended with all its processes, does not keep the next
from running. The last one, ``cells``, runs ``python -m pruneexp`` with each of the `--rows` in turn, by default rows of Cunegatti et al.,
Table 8, and Laenen (2023), Figure 2 (`scripts.lease.cells.SWEEPS`), without the cells in `--records`, by default all in results/records.
Shortly before the deadline it gets SIGTERM and leaves checkpoints. Every result is in `--out` ($OUT or lease/) as soon as it is there,
whatever ends the lease:

* ``summary.md``: all of it on one page, and what to type next; ``progress.log``: what is printed; ``output.log``: what commands said;
* ``machine.json``, ``tests.jsonl``, ``steps.jsonl``: answers, outcomes and times, one by one as they come;
* ``records.tar.gz``: the finished cells without their weights; ``checkpoints.tar.gz``: where the others go on.

The same command again, or one with these archives on another machine (``--resume``), goes on from there; a checkpoint only with the same
code and packages. Where there is no .git, say the commit: ``PRUNEEXP_COMMIT=$(git rev-parse HEAD)``. To try it on a CPU:

    python -m scripts.gpu_lease --minutes 1.5 --rows "recipe=smoke seed=0,1"
"""

import argparse
import os
import shlex
import traceback
from pathlib import Path

from pruneexp.records.provenance import git_commit
from pruneexp.system.ending import told_at_the_end
from pruneexp.system.signals import shielded
from scripts.lease import summary
from scripts.lease.archives import CHECKPOINTS, RECORDS, Archives, unpack
from scripts.lease.cells import SWEEPS, cells
from scripts.lease.clock import Clock
from scripts.lease.commands import ROOT
from scripts.lease.cuda_tests import cuda_tests
from scripts.lease.lease import Lease
from scripts.lease.stages import machine, steps

STAGES = {"machine": machine, "tests": cuda_tests, "steps": steps, "cells": cells}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or "lease"))
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument(
        "--results-dir", type=Path, default=Path("results/lease"), help="the cells of leases alone: all are packed"
    )
    parser.add_argument("--resume", type=Path, nargs="+", default=[], metavar="ARCHIVE")
    parser.add_argument(
        "--records", type=Path, nargs="*", default=sorted(ROOT.glob("results/records/*.jsonl")), metavar="FILE"
    )
    parser.add_argument("--rows", nargs="+", default=SWEEPS, metavar="OVERRIDES", help="of a command each")
    parser.add_argument("--skip", nargs="+", default=[], choices=STAGES, metavar="STAGE", help=", ".join(STAGES))
    chosen = parser.parse_args()
    if not 0 < chosen.minutes < 1e6:
        parser.error(f"--minutes must be above 0, got {chosen.minutes:g}")
    if missing := [str(path) for path in [*chosen.resume, *chosen.records] if not path.is_file()]:
        parser.error(f"there is no file {missing[0]}: --resume takes archives of a lease, --records files of records")
    return chosen


def begin(chosen: argparse.Namespace) -> Lease:
    """The lease, with what an earlier one has left in its place."""
    out, results = chosen.out.resolve(), chosen.results_dir.resolve()
    out.mkdir(parents=True, exist_ok=True)
    clock = Clock(chosen.minutes, out / "progress.log")
    commit = git_commit()
    clock.say(f"commit {commit or 'unknown: records will not say it; set PRUNEEXP_COMMIT'}")
    for archive in [*chosen.resume, *(path for name in (RECORDS, CHECKPOINTS) if (path := out / name).exists())]:
        clock.say(f"{unpack(archive, results)} cells and checkpoints from {archive}")
    archives = Archives(results, out)
    records = [path.resolve() for path in chosen.records]
    sweeps = [shlex.split(row) for row in chosen.rows]
    environment = {"PRUNEEXP_COMMIT": commit} if commit else {}
    lease = Lease(clock, out, archives, chosen.data_dir.resolve(), records, sweeps, environment)
    lease.before = archives.follow(at_once=True)
    return lease


def spend(lease: Lease, skip: list[str]) -> None:
    """The stages in turn; however they end, archives and summary are brought up to date."""
    try:
        for name, stage in STAGES.items():
            if name in skip or lease.clock.left() <= 0:
                lease.clock.say(f"{name}: left out")
                continue
            try:
                stage(lease)
            except Exception as error:  # what is wrong with one stage is no reason to leave out the next
                traceback.print_exc()
                lease.clock.say(f"{name}: failed: {error!r}")
            summary.write(lease)
    finally:
        with shielded():
            lease.follow(at_once=True)
            summary.write(lease)
            lease.clock.say(f"written: {lease.summary}")


def main() -> None:
    """Exit code 0 at the deadline or where nothing is left to do, 2 for a user's mistake, 143 and 130 for a signal."""
    chosen = options()
    with told_at_the_end("gpu_lease"):
        spend(begin(chosen), chosen.skip)


if __name__ == "__main__":
    main()
