"""What a command costs before it does its work: the import, a plan, the composing of jobs, the first cell, a report of many records.

    python -m scripts.bench_start [--seeds 1111] [--repeats 3]

Processor seconds, each of a process of its own, and beside them what they are measured by: the import of torch, and every job composed by
Hydra alone. The first cell is trained for one epoch on 64 images, so that its start is what is left, and W&B follows it as usual; the time
goes until its record is there. The records of the report are made as in `scripts.bench_sweep`, nine for each of `--seeds`. Prints the
seconds and writes results/benchmarks/start.{json,md}; about three minutes on two cores.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hydra import compose

from pruneexp.jobs.composing import Source, hydra
from pruneexp.records.provenance import git_commit
from pruneexp.sweep import expand
from pruneexp.system import files
from scripts.bench_sweep import OUT, SMALL, VARIABLES, multiply, processor, timed

GRID = "+experiment=laenen_fig2_resnet20"
REPORTED = [*SMALL, "densities=[1.0,0.2,0.1,0.05,0.02]"]
FIRST = ["masker=greedy", "seed=0", "densities=[1.0]", *(word for word in SMALL if word != "logger=none")]
COMPOSED = "import json; from scripts.bench_start import composed; print(json.dumps(composed()))"


def composed() -> tuple[float, float]:
    """Processor seconds for each job of the grid in a process that has composed none: ours, checked, and by Hydra alone."""
    start = time.process_time()
    grid = expand([GRID])
    ours = time.process_time() - start
    start = time.process_time()
    with hydra(Source()):
        for words in grid.overrides:
            compose(Source().name, words)
    return ours / len(grid.jobs), (time.process_time() - start) / len(grid.jobs)


def of_code(code: str) -> tuple[float, str]:
    """Processor seconds of Python with this code, and what it prints."""
    process = subprocess.Popen([sys.executable, "-c", code], env=VARIABLES, stdout=subprocess.PIPE, encoding="utf-8")
    assert process.stdout is not None
    text = process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    seconds = processor(process.pid)
    if process.wait():
        sys.exit(f"python -c {code!r}: exit code {process.returncode}")
    return seconds, text


def first_cell() -> float:
    """Processor seconds until the first record is there, of a command in an empty folder."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as output:
        words = [sys.executable, "-m", "pruneexp", *FIRST]
        process = subprocess.Popen(words, cwd=name, env=VARIABLES, stdout=output, stderr=output)
        seconds = 0.0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if not seconds and any(Path(name).glob("results/runs/*/record.json")):
                seconds = processor(process.pid)
            time.sleep(0.05)
        if process.wait() or not seconds:
            output.seek(0)
            sys.exit(f"{' '.join(words)}: exit code {process.returncode}\n{output.read().decode()}")
    return seconds


def measure(folder: Path, sweep: list[str], repeats: int) -> dict[str, list[float]]:
    """Processor seconds of everything, so often; what is compared is measured in turns."""
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        ours, alone = json.loads(of_code(COMPOSED)[1])
        once = {
            "import pruneexp": of_code("import pruneexp")[0],
            "import torch": of_code("import torch")[0],
            "mode=plan of 129 cells, nothing timed": timed(folder, GRID, "mode=plan", "plan.time=false", trains=False)[1],
            "a job of its grid, composed and checked": ours,
            "a job of its grid, composed by Hydra alone": alone,
            "the first cell, trained and recorded": first_cell(),
            "mode=report": timed(folder, *sweep, "mode=report", trains=False)[1],
        }  # fmt: skip
        for name, seconds in once.items():
            found.setdefault(name, []).append(seconds)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1111)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sweep = [*REPORTED, f"seed=range({arguments.seeds})"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed(folder, *SMALL, "seed=0", "masker=greedy", "densities=[0.1]")
        count = len(multiply(folder, sweep))
        found = measure(folder, sweep, arguments.repeats)
    made = f"made by: python -m scripts.bench_start --seeds {arguments.seeds} --repeats {arguments.repeats}; commit {git_commit()};"
    made += f" {platform.machine()}, {os.cpu_count()} cores"
    lines = [
        f"<!-- {made} -->",
        f"Processor seconds, the start of Python included but of composing; the report is of {count} records:",
        "",
        "| what | median | least | most |",
        "|---|---|---|---|",
    ]
    for what, seconds in found.items():
        figures = " | ".join(f"{value:.3f}" for value in (statistics.median(seconds), min(seconds), max(seconds)))
        lines.append(f"| {what} | {figures} |")
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "start.json", json.dumps({"made": made, "records": count, "cpu_seconds": found}, indent=1) + "\n")
    files.write(OUT / "start.md", "\n".join(lines) + "\n")
    print("\n".join(lines[1:]))


if __name__ == "__main__":
    main()
