"""Interrupt a sweep at random moments, start it again, and compare what it leaves with an uninterrupted one.

    python -m scripts.kill_and_restart --kills 60 --seed 0 FOLDER

runs a digits sweep once to its end in FOLDER/uninterrupted. Then the same command runs in each of the layouts ``one``,
``two`` and ``four`` (so many processes on one folder) and ``gpus`` (``launcher=gpus`` with two workers), and at random
moments one of the processes gets SIGTERM, SIGINT, SIGKILL, or SIGSTOP and a while later SIGCONT; one that ended of it is
started again, until all have completed. If a layout's sweep completes before its share of the signals came, it begins
anew in another folder. At the end of each round

* the table equals the uninterrupted one byte for byte, its ``*_seconds`` columns and its command aside;
* the masks, the trained weights and the training history of every cell are the same bytes;
* there is no file that the uninterrupted sweep has not, nothing in the folder of temporary files, and no process is left.

A process that SIGTERM ends has the exit code 143, of SIGINT 130; SIGKILL gives what shells show as 137.
"""

import argparse
import contextlib
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = Path("results") / "runs"
SHORT = ("recipe=smoke", "recipe.epochs=12", "recipe.train_images=64", "recipe.test_images=0")
TABLE = RUNS / "reports" / "tables" / f"quickstart-{'+'.join([SHORT[0], *sorted(SHORT[1:])])}.csv"
LAYOUTS = {"one": 1, "two": 2, "four": 4, "gpus": 1}
SIGNALS = {"TERM": 143, "INT": 130, "KILL": -signal.SIGKILL, "STOP": None}
LIMIT = 900.0  # seconds after which a process hangs
SOON = 8.0  # seconds after the first cell within which a signal comes


def sweep(kills: int) -> list[str]:
    """The command: the dense network and two maskers at two densities, more seeds for more signals."""
    seeds = ",".join(str(seed) for seed in range(2 + kills // 10))
    overrides = [
        "densities=[1.0,0.1,0.05]",
        f"seed={seeds}",
        "masker=sparsify,greedy",
        *SHORT,
    ]
    return [sys.executable, "-m", "pruneexp", *overrides, "logger=none", "trainer.accelerator=cpu", "trainer.threads=1"]


@dataclass
class Round:
    """One folder in which a layout's processes work on the sweep.

    Attributes:
        command: of each process.
        folder: where they run.
        count: processes.
    """

    command: list[str]
    folder: Path
    count: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start processes, each in a group of its own, their output in output.txt, until there are so many."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        words = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TMPDIR": str((self.folder / "tmp").resolve())}
        while len(self.processes) < self.count:
            with (self.folder / "output.txt").open("ab") as output:
                self.processes.append(
                    subprocess.Popen(
                        self.command, cwd=self.folder, env={**os.environ, **words}, stdout=output, stderr=output,
                        start_new_session=True,
                    )
                )  # fmt: skip

    def finished(self) -> int:
        """Cells that are recorded."""
        return len(list((self.folder / RUNS).glob("*/record.json")))

    def complete(self) -> bool:
        """Whether all processes have ended well; those that have not go on.

        Raises:
            SystemExit: one ended otherwise.
        """
        for process in list(self.processes):
            code = process.poll()
            if code == 0:
                self.processes.remove(process)
                self.count -= 1
            elif code is not None:
                sys.exit(f"FAIL: a process ended with exit code {code}:\n{self.tail()}")
        return not self.count

    def interrupt(self, name: str, draw: random.Random) -> int | None:
        """Send a signal to one of the processes; its exit code where it ended of it.

        Raises:
            SystemExit: it did not end in time, or with another exit code.
        """
        process = draw.choice(self.processes)
        os.killpg(process.pid, getattr(signal, f"SIG{name}"))
        if name == "STOP":
            time.sleep(draw.uniform(0.1, 3.0))
            os.killpg(process.pid, signal.SIGCONT)
            return None
        try:
            code = process.wait(60)
        except subprocess.TimeoutExpired:
            sys.exit(f"FAIL: a process goes on a minute after SIG{name}:\n{self.tail()}")
        if code not in (0, SIGNALS[name]):
            sys.exit(f"FAIL: exit code {code} after SIG{name}, expected {SIGNALS[name]}:\n{self.tail()}")
        self.processes.remove(process)
        if code == 0:  # it was at its end
            self.count -= 1
        return code

    def tail(self) -> str:
        """The last lines of the output, without this machine's paths."""
        lines = (self.folder / "output.txt").read_text(encoding="utf-8").splitlines()[-20:]
        return "\n".join(lines).replace(str(ROOT), ".").replace(str(self.folder.resolve()), ".")


def uninterrupted(command: list[str], folder: Path) -> tuple[int, float, float]:
    """Run to the end; the cells, the seconds until the first was recorded and until the end."""
    begin, beginning, only = time.monotonic(), 0.0, Round(command, folder, 1)
    only.start()
    while not only.complete():
        if not beginning and only.finished():
            beginning = time.monotonic() - begin
        time.sleep(0.02)
    return only.finished(), beginning, time.monotonic() - begin


def interruptions(draw: random.Random) -> Iterator[str]:
    """Names of signals, as many of each as of the others, in random order; without end."""
    while True:
        yield from draw.sample(list(SIGNALS), len(SIGNALS))


def one_layout(
    name: str, command: list[str], folder: Path, kills: int, times: tuple[float, float], draw: random.Random
) -> list[str]:
    """Rounds of one layout until so many signals have come; faults."""
    faults, came, rounds = [], 0, 0
    names = interruptions(draw)
    beginning, whole = times
    while came < kills:
        rounds += 1
        this = Round(command, folder / f"{name}-{rounds}", LAYOUTS[name])
        until = time.monotonic() + LIMIT
        this.start()
        while not this.complete():
            if time.monotonic() > until:
                sys.exit(f"FAIL: {name} does not end in {LIMIT:.0f} s:\n{this.tail()}")
            if came >= kills:
                time.sleep(0.1)
                continue
            early = draw.random() < 0.2
            delay = draw.uniform(0.5, beginning) if early else beginning + draw.uniform(0, min(SOON, whole - beginning))
            end = time.monotonic() + delay
            while time.monotonic() < end and not this.complete():
                time.sleep(0.02)
            if this.complete():
                break
            signal_name = next(names)
            code = this.interrupt(signal_name, draw)
            came += 1
            said = "goes on" if code is None else f"exit code {137 if code == -signal.SIGKILL else code}"
            print(
                f"{name:4} {came:2d}: SIG{signal_name} after {delay:5.2f} s, {said}; {this.finished()} cells",
                flush=True,
            )
            this.start()
        faults += [f"{this.folder.name}: {fault}" for fault in left_behind(folder / "uninterrupted", this.folder)]
    return faults


def left_behind(expected: Path, found: Path) -> list[str]:
    """What is not as an uninterrupted sweep leaves it, processes included."""
    end = time.monotonic() + 5  # workers of a killed process notice
    while (left := running_in(found)) and time.monotonic() < end:
        time.sleep(0.1)
    return [f"a process is left: {line}" for line in left] + differences(expected, found)


def running_in(folder: Path) -> list[str]:
    """The command lines of the processes whose working directory this is."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if Path(os.readlink(path / "cwd")) == folder.resolve():
                found.append((path / "cmdline").read_text(encoding="utf-8", errors="replace").replace("\0", " "))
    return found


def without_seconds(table: Path) -> str:
    """The table without what differs from run to run: times and the processes' memory."""
    rows = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))
    keep = [k for k, name in enumerate(rows[0]) if not name.endswith("_seconds") and name != "peak_memory_bytes"]
    return "\n".join(repr([row[k] for k in keep]) for row in rows)


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
        for name in ("masks.safetensors", "weights.safetensors", "history.csv"):
            path = record.with_name(name).relative_to(expected)
            if (expected / path).read_bytes() != (found / path).read_bytes():
                faults.append(f"{path} differs")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description="interrupt a digits sweep at random moments and restart it")
    parser.add_argument("folder", type=Path, help="where the sweeps run; made anew")
    parser.add_argument("--kills", type=int, default=60, help="signals, shared out among the layouts (default 60)")
    parser.add_argument("--layouts", default=",".join(LAYOUTS), help=f"of {', '.join(LAYOUTS)} (default all)")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    arguments = parser.parse_args()
    layouts = arguments.layouts.split(",")
    if arguments.kills < 1 or not set(layouts) <= LAYOUTS.keys():
        parser.error(f"--kills must be at least 1, --layouts some of {', '.join(LAYOUTS)}")
    folder: Path = arguments.folder
    if folder.exists() and any(folder.iterdir()):
        parser.error(f"{folder} is not empty")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # one that is ignored here would be ignored there
    command, draw = sweep(arguments.kills), random.Random(arguments.seed)
    words = ["--kills", arguments.kills, "--layouts", arguments.layouts, "--seed", arguments.seed, "FOLDER"]
    print("made by: python -m scripts.kill_and_restart", *words)
    print(" ".join(["command: python", *command[1:]]), flush=True)
    cells, *times = uninterrupted(command, folder / "uninterrupted")
    print(f"uninterrupted: {cells} cells in {times[1]:.1f} s, the first after {times[0]:.1f} s", flush=True)
    faults = []
    for k, name in enumerate(layouts):
        share = arguments.kills * (k + 1) // len(layouts) - arguments.kills * k // len(layouts)
        more = ["launcher=gpus", "launcher.devices=2"] if name == "gpus" else []
        faults += one_layout(name, [*command, *more], folder, share, (times[0], times[1]), draw)
    for fault in faults:
        print(fault)
    print(
        f"{'FAIL' if faults else 'PASS'}: {arguments.kills} signals; tables without their times, masks, histories and the list of files"
        f" {'are not' if faults else 'are'} those of the uninterrupted sweep, no exit code was another"
    )
    if not faults:
        shutil.rmtree(folder)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
