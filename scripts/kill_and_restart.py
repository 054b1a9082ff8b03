"""Kill a sweep at random moments, start it again, and compare what it leaves with an uninterrupted one.

    python -m scripts.kill_and_restart --kills 20 --seed 0 FOLDER

runs a digits sweep once to its end in FOLDER/uninterrupted. Then the same command runs in FOLDER/killed-1, and at random
moments SIGKILL ends its whole process group; it is started again until it completes. If that took fewer kills than wanted,
another round follows in FOLDER/killed-2, and so on. At the end of each round

* the table equals the uninterrupted one byte for byte, its ``*_seconds`` columns aside;
* the masks and the training history of every cell are the same bytes;
* there is no file that the uninterrupted sweep has not: nothing half written is left.

Every fourth kill comes before the first cell of a start is finished, the others come at a random moment after it.
The sweep grows with the number of kills, so that a start gets a few cells further before it is killed.
"""

import argparse
import csv
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = Path("results") / "runs"
TABLE = RUNS / "reports" / "tables" / "quickstart-smoke.csv"
AT_START = 4  # every so many-th kill, the first one too, comes before the start's first cell is finished
HURRY = 1.5  # kills come within this many kill-th parts of the sweep's work


def sweep(kills: int) -> list[str]:
    """The command: the dense network and two maskers at four densities, more seeds for more kills."""
    seeds = ",".join(str(seed) for seed in range(1 + kills // 2))
    overrides = [
        "densities=[1.0,0.2,0.1,0.05,0.02]",
        f"seed={seeds}",
        "masker=sparsify,greedy",
        "recipe=smoke",
        "recipe.test_images=0",
    ]
    return [sys.executable, "-m", "pruneexp", *overrides, "logger=none", "trainer.accelerator=cpu", "trainer.threads=1"]


def start(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Run the command in `folder`, in a process group of its own, its output in output.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    with (folder / "output.txt").open("ab") as output:
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def finished(folder: Path) -> int:
    """Cells that are recorded."""
    return len(list((folder / RUNS).glob("*/record.json")))


def uninterrupted(command: list[str], folder: Path) -> tuple[float, float]:
    """Run to the end; seconds until the first cell was recorded and until the end."""
    begin, beginning = time.monotonic(), None
    process = start(command, folder)
    while process.poll() is None:
        if beginning is None and finished(folder):
            beginning = time.monotonic() - begin
        time.sleep(0.02)
    if process.returncode != 0 or beginning is None:
        sys.exit(f"the uninterrupted sweep failed:\n{(folder / 'output.txt').read_text()}")
    return beginning, time.monotonic() - begin


def moments(beginning: float, end: float, kills: int, draw: random.Random) -> Iterator[float]:
    """Seconds after which to kill, without end."""
    work = HURRY * (end - beginning) / kills
    for k in itertools.count():
        yield draw.uniform(0.1, beginning) if k % AT_START == 0 else beginning + draw.uniform(0, work)


def one_round(command: list[str], folder: Path, delays: Iterator[float], killed: int, kills: int, total: int) -> int:
    """Kill and restart until the sweep completes; the number of kills of this and earlier rounds.

    Once there were `kills` of them the sweep is left to end.
    """
    while True:
        process = start(command, folder)
        delay = next(delays)
        try:
            process.wait(None if killed >= kills else delay)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed += 1
            print(f"kill {killed:2d} after {delay:5.2f} s: {finished(folder)} of {total} cells finished", flush=True)
            continue
        if process.returncode != 0:
            sys.exit(f"FAIL: the restarted sweep ended with exit code {process.returncode}:\n{tail(folder)}")
        print(f"completed: {finished(folder)} of {total} cells, after {killed} kills so far", flush=True)
        return killed


def tail(folder: Path) -> str:
    """The last lines of a sweep's output, without this machine's paths."""
    lines = (folder / "output.txt").read_text().splitlines()[-20:]
    return "\n".join(lines).replace(str(ROOT), ".").replace(str(folder.resolve()), ".")


def without_seconds(table: Path) -> str:
    """The table, its comment included, without its time columns."""
    comment, *lines = table.read_text().splitlines()
    rows = list(csv.reader(lines))
    keep = [k for k, name in enumerate(rows[0]) if not name.endswith("_seconds")]
    return "\n".join([comment, *(repr([row[k] for k in keep]) for row in rows)])


def listing(folder: Path) -> set[str]:
    """Every file and folder below `folder`, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def differences(expected: Path, found: Path) -> list[str]:
    """What the two sweeps left that is not the same, one line each."""
    faults = [f"left over: {name}" for name in sorted(listing(found) - listing(expected))]
    faults += [f"missing: {name}" for name in sorted(listing(expected) - listing(found))]
    if faults:
        return faults
    if without_seconds(expected / TABLE) != without_seconds(found / TABLE):
        faults.append("the tables differ")
    for record in sorted((expected / RUNS).glob("*/record.json")):
        for name in ("masks.safetensors", "history.csv"):
            path = record.with_name(name).relative_to(expected)
            if (expected / path).read_bytes() != (found / path).read_bytes():
                faults.append(f"{path} differs")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 a digits sweep at random moments and restart it")
    parser.add_argument("folder", type=Path, help="where the sweeps run; made anew")
    parser.add_argument("--kills", type=int, default=20, help="at least so many (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    arguments = parser.parse_args()
    if arguments.kills < 1:
        parser.error("--kills must be at least 1")
    folder: Path = arguments.folder
    if folder.exists() and any(folder.iterdir()):
        parser.error(f"{folder} is not empty")
    command = sweep(arguments.kills)
    print(f"made by: python -m scripts.kill_and_restart --kills {arguments.kills} --seed {arguments.seed} FOLDER")
    print(" ".join(["command: python", *command[1:]]), flush=True)
    expected = folder / "uninterrupted"
    beginning, end = uninterrupted(command, expected)
    total = finished(expected)
    print(f"uninterrupted: {total} cells in {end:.1f} s, the first after {beginning:.1f} s", flush=True)
    delays = moments(beginning, end, arguments.kills, random.Random(arguments.seed))
    killed, rounds, faults = 0, 0, []
    while killed < arguments.kills:
        rounds += 1
        found = folder / f"killed-{rounds}"
        killed = one_round(command, found, delays, killed, arguments.kills, total)
        faults += [f"round {rounds}: {fault}" for fault in differences(expected, found)]
    for fault in faults:
        print(fault)
    print(
        f"{'FAIL' if faults else 'PASS'}: {killed} kills in {rounds} round{'s' * (rounds > 1)}; tables without their times, masks,"
        f" histories and the list of files {'are not' if faults else 'are'} those of the uninterrupted sweep"
    )
    if not faults:
        shutil.rmtree(folder)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
