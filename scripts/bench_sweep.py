"""What a large, finished sweep costs: processor time of ``mode=status``, ``plan``, ``report``, and of a run that lacks one cell.

    python -m scripts.bench_sweep [--seeds 2000] [--repeats 3] [--keep FOLDER]

One real cell of the digits is trained; its record is written for every cell of a grid (two maskers, four densities and the dense network,
`--seeds` seeds) under the cell's own key, through the store, with another accuracy. Then each command runs in processes of its own.
Of the run that lacks one cell the time until its training begins is taken, and all of it, the final report included. Prints the
seconds and writes results/benchmarks/sweep.{json,md}.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pruneexp.records.provenance import git_commit
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from pruneexp.system import files

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "benchmarks"
SMALL = ["recipe=smoke", "recipe.train_images=64", "recipe.test_images=64", "logger=none", "trainer.accelerator=cpu"]
TICKS = os.sysconf("SC_CLK_TCK")
VARIABLES = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))}
COMMANDS = ("mode=status", "mode=plan", "mode=report", "one missing, until it trains", "one missing, whole")


def timed(folder: Path, *arguments: str, trains: bool = True) -> tuple[float, float]:
    """Run the command in `folder`: processor seconds until a cell is worked on (0 where none is) and of all of it.

    Args:
        folder: where it runs.
        arguments: of the command.
        trains: whether it may work on a cell: only then the folder of thousands of cells is looked at all the while.

    Raises:
        SystemExit: it did not end well.
    """
    words = [sys.executable, "-m", "pruneexp", *arguments]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, cwd=folder, env=VARIABLES, stdout=output, stderr=output)
        until, whole, runs = 0.0, 0.0, folder / "results" / "runs"
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            with contextlib.suppress(FileNotFoundError):
                whole = processor(process.pid)
                if trains and not until and any(name.endswith(".working") for name in os.listdir(runs)):
                    until = whole
            time.sleep(0.05)
        whole = processor(process.pid)
        if process.wait():
            output.seek(0)
            sys.exit(f"{' '.join(words)}: exit code {process.returncode}\n{output.read().decode()}")
    return until, whole


def processor(number: int) -> float:
    """Processor seconds of a process, one that has just ended too, and of those that it has waited for."""
    fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def multiply(folder: Path, sweep: list[str]) -> list[str]:
    """Write a record for every cell of the sweep, made from the one that is there; the keys."""
    store = Store(folder / "results" / "runs")
    (path,) = store.folder.glob("*/record.json")
    record, draw = json.loads(path.read_text(encoding="utf-8")), random.Random(0)
    content = {"masks.safetensors": store.file(path.parent.name, "masks.safetensors")}
    history = [{"epoch": 0.0}]
    shutil.rmtree(path.parent)
    cells = [
        slot.job.cell(slot.density, record["precision"])
        for slot in expand([*sweep, f"results_dir={store.folder}"]).slots
    ]
    for cell in cells:
        own = {"key": cell.key, "names": cell.names, "description": cell.description, "seed": cell.seed}
        own |= {"asked_density": cell.density, "density": cell.density, "accuracy": draw.gauss(50, 2)}
        store.write(cell.key, record | own, content, history)
    return [cell.key for cell in cells]


def measure(folder: Path, sweep: list[str], missing: str, repeats: int) -> dict[str, list[float]]:
    """Processor seconds of each command, run so often."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name in COMMANDS[:3]:
            found[name].append(timed(folder, *sweep, name, trains=False)[1])
        shutil.rmtree(folder / "results" / "runs" / missing)
        until, whole = timed(folder, *sweep)
        found[COMMANDS[3]].append(until)
        found[COMMANDS[4]].append(whole)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for the records, used again where they are there")
    arguments = parser.parse_args()
    sweep = [*SMALL, "densities=[1.0,0.2,0.1,0.05,0.02]", f"seed=range({arguments.seeds})"]
    with tempfile.TemporaryDirectory() as name:
        folder: Path = arguments.keep or Path(name)
        if not (folder / "results").exists():
            folder.mkdir(exist_ok=True)
            timed(folder, *SMALL, "seed=0", "masker=greedy", "densities=[0.1]")
            multiply(folder, sweep)
        slots = expand([*sweep, f"results_dir={folder / 'results' / 'runs'}"]).slots
        missing = slots[len(slots) // 2].cell.key
        found = measure(folder, sweep, missing, arguments.repeats)
    made = f"made by: python -m scripts.bench_sweep --seeds {arguments.seeds} --repeats {arguments.repeats}; commit {git_commit()};"
    made += f" {platform.machine()}, {os.cpu_count()} cores"
    lines = [
        f"<!-- {made} -->",
        f"Processor seconds, the start of Python included, of a sweep with {len(slots)} records:",
        "",
    ]
    lines += ["| command | median | least | most |", "|---|---|---|---|"]
    for command, seconds in found.items():
        figures = " | ".join(f"{value:.1f}" for value in (statistics.median(seconds), min(seconds), max(seconds)))
        lines.append(f"| {command} | {figures} |")
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(
        OUT / "sweep.json", json.dumps({"made": made, "records": len(slots), "cpu_seconds": found}, indent=1) + "\n"
    )
    files.write(OUT / "sweep.md", "\n".join(lines) + "\n")
    print("\n".join(lines[1:]))


if __name__ == "__main__":
    main()
