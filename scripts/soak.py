"""Does a process that makes thousands of cells stay as it was? A sweep of the smallest network, watched from outside.

    python -m scripts.soak [--cells 2000]

runs one command, digits on vgg_small for one epoch of 64 images, five cells to a job, in one process, and looks at it each time another
tenth of the cells is recorded: memory in use, open descriptors, threads, child processes, and processor seconds a cell, which a
busy machine does not change much. Between the second and the last tenth memory may grow by 2 % and 10 MiB, seconds a cell
by 10 %, and of descriptors, threads and children the later half may not always have more than the earlier: else the exit code is 1.
Writes results/benchmarks/soak.{json,md}.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pruneexp.records.provenance import git_commit
from pruneexp.system import files
from scripts.bench_sweep import OUT, ROOT, SMALL, processor

DENSITIES = (1.0, 0.2, 0.1, 0.05, 0.02)
TENTHS = 10


@dataclass(frozen=True)
class Look:
    """The process at one moment.

    Attributes:
        cells: recorded.
        seconds: of processor time since it began.
        wall: seconds since it began.
        memory: resident, in MiB.
        descriptors, threads, children: how many.
    """

    cells: int
    seconds: float
    wall: float
    memory: float
    descriptors: int
    threads: int
    children: int


def look(number: int, cells: int, begun: float) -> Look:
    """Now."""
    process = Path(f"/proc/{number}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text(encoding="utf-8").splitlines())
    children = "".join(path.read_text(encoding="utf-8") for path in process.glob("task/*/children"))
    return Look(
        cells, processor(number), time.monotonic() - begun, int(status["VmRSS"].split()[0]) / 2**10,
        len(os.listdir(process / "fd")), int(status["Threads"]), len(children.split()),
    )  # fmt: skip


def watched(cells: int, folder: Path) -> Iterator[Look]:
    """The sweep's process after each tenth of its cells.

    Raises:
        SystemExit: it did not end well.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    words = [
        sys.executable, "-m", "pruneexp", *SMALL, "masker=greedy", f"densities={list(DENSITIES)}".replace(" ", ""),
        f"seed=range({-(-cells // len(DENSITIES))})", "trainer.threads=1", "figure=[]",
    ]  # fmt: skip
    runs, begun, done = folder / "results" / "runs", time.monotonic(), 0
    with tempfile.TemporaryFile() as output:
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=output, stderr=output)
        for tenth in range(1, TENTHS + 1):
            while done < cells * tenth // TENTHS and process.poll() is None:
                time.sleep(0.2)
                done = sum(name.startswith("digits") for name in os.listdir(runs)) if runs.exists() else 0
            if process.poll() is None:
                yield look(process.pid, done, begun)
        if process.wait():
            output.seek(0)
            sys.exit(f"exit code {process.returncode}\n{output.read().decode()}")


def grown(looks: list[Look]) -> list[str]:
    """What is not as it was, of a look after each tenth."""
    (first, second), (before, last) = looks[:2], looks[-2:]
    early = (second.seconds - first.seconds) / (second.cells - first.cells)
    late = (last.seconds - before.seconds) / (last.cells - before.cells)
    found = []
    if last.memory > second.memory * 1.02 + 10:
        found.append(f"memory grew from {second.memory:.0f} to {last.memory:.0f} MiB")
    if late > early * 1.1:
        found.append(f"a cell takes {late:.3f} s of processor time where it took {early:.3f}")
    for name in ("descriptors", "threads", "children"):
        counts = [getattr(one, name) for one in looks[1:]]
        if (least := min(counts[len(counts) // 2 :])) > (most := max(counts[: len(counts) // 2])):
            found.append(f"there are {least} {name} where there were at most {most}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=2000)
    arguments = parser.parse_args()
    lines = [
        "| cells | processor seconds a cell | seconds a cell | memory, MiB | descriptors | threads | children |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    looks: list[Look] = []
    before = Look(0, 0, 0, 0, 0, 0, 0)
    with tempfile.TemporaryDirectory() as name:
        for one in watched(arguments.cells, Path(name)):
            made = one.cells - before.cells
            figures = f"{(one.seconds - before.seconds) / made:.3f} | {(one.wall - before.wall) / made:.3f} | {one.memory:.0f}"
            lines.append(f"| {one.cells} | {figures} | {one.descriptors} | {one.threads} | {one.children} |")
            print(lines[-1], flush=True)
            looks.append(one)
            before = one
    if len(looks) < 4:
        sys.exit("too few cells to compare their beginning with their end: --cells takes at least 100.")
    faults = grown(looks)
    verdict = f"Grown: {'; '.join(faults)}." if faults else "Nothing has grown between the second and the last tenth."
    made_by = f"made by: python -m scripts.soak --cells {arguments.cells}; commit {git_commit()}; {platform.machine()}"
    title = "One process makes one cell after another; the first tenth contains its start:"
    OUT.mkdir(parents=True, exist_ok=True)
    content = {"made": made_by, "looks": [asdict(one) for one in looks], "grown": faults}
    files.write(OUT / "soak.json", json.dumps(content, indent=1) + "\n")
    files.write(OUT / "soak.md", "\n".join([f"<!-- {made_by} -->", title, "", *lines, "", verdict]) + "\n")
    print(verdict)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
