"""Time of ``mode=report`` on ten thousand records.

    python -m scripts.bench_report [--seeds 1000] [--repeats 3]

One real cell of the digits is trained in a temporary folder; its record is copied for every cell of a grid (two maskers,
five densities, `--seeds` seeds) under the cell's own key and names, with another accuracy. Then the report's command
runs in processes of its own. Prints the seconds and writes results/benchmarks/report.{json,md}.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pruneexp.records.provenance import git_commit
from pruneexp.records.record import sealed
from pruneexp.sweep import expand
from pruneexp.system import files

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "benchmarks"
SMALL = ["recipe=smoke", "recipe.train_images=64", "recipe.test_images=64", "logger=none", "trainer.accelerator=cpu"]


def pruneexp(folder: Path, *arguments: str) -> tuple[float, float]:
    """Run the command in `folder`; its seconds, and its processor's."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    begin, before = time.perf_counter(), processor()
    subprocess.run(
        [sys.executable, "-m", "pruneexp", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin, processor() - before


def processor() -> float:
    """Processor seconds of all processes that were started from here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def multiply(folder: Path, sweep: list[str]) -> int:
    """Write a record for every cell of the sweep, made from the one that is there; how many there are."""
    runs = folder / "results" / "runs"
    (path,) = runs.glob("*/record.json")
    record, draw = json.loads(path.read_text()), random.Random(0)
    slots = expand([*sweep, f"results_dir={runs}"]).slots
    for slot in slots:
        cell = slot.job.cell(slot.density, record["precision"])
        (runs / cell.key).mkdir(exist_ok=True)
        own = {"key": cell.key, "names": cell.names, "description": cell.description, "seed": cell.seed}
        own |= {"asked_density": cell.density, "density": cell.density, "accuracy": draw.gauss(50, 2)}
        files.write(runs / cell.key / "record.json", json.dumps(sealed(record | own), indent=1))
    return len(slots)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sweep = [*SMALL, "densities=[0.5,0.2,0.1,0.05,0.02]", f"seed=range({arguments.seeds})"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pruneexp(folder, *SMALL, "seed=0", "masker=greedy", "densities=[0.1]")
        records = multiply(folder, sweep)
        times = [pruneexp(folder, *sweep, "mode=report") for _ in range(arguments.repeats)]
    seconds, cpu = [list(column) for column in zip(*times, strict=True)]
    command = f"python -m scripts.bench_report --seeds {arguments.seeds} --repeats {arguments.repeats}"
    made = f"made by: {command}; commit {git_commit()}; {platform.machine()}, {os.cpu_count()} cores"
    row = {"records": records, "jobs": 2 * arguments.seeds, "seconds": seconds, "cpu_seconds": cpu}
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "report.json", json.dumps({"made": made, **row}, indent=1) + "\n")
    text = f"{records} records of {2 * arguments.seeds} jobs, the start of Python included: `mode=report` takes"
    text += f" {statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f} in {len(seconds)} runs),"
    text += f" and {statistics.median(cpu):.1f} s of one processor"
    files.write(OUT / "report.md", f"<!-- {made} -->\n{text}\n")
    print(text)


if __name__ == "__main__":
    main()
