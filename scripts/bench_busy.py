"""Seconds a cell of the default experiment takes, alone and beside other busy processes, by how long waiting threads spin.

    python -m scripts.bench_busy [--busy 0 1 2] [--cells 3]

runs ``python -m pruneexp densities=[...] seed=0 masker=greedy`` with as many densities as cells, beside so many processes that do
nothing but count, each way in turn:

* ``spinning``: GNU OpenMP's own spin count, as it was where nobody set one;
* ``ours``: as pruneexp sets it (`pruneexp.system.threads.spin_less`);
* ``passive``: OMP_WAIT_POLICY=passive, threads that sleep at once;
* ``one thread``: OMP_NUM_THREADS=1.

A cell's seconds are those of its record, scoring to testing. Writes results/benchmarks/busy.{json,md}.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pruneexp.records.provenance import git_commit
from pruneexp.system import files
from pruneexp.system.threads import SPINS
from scripts.bench_sweep import OUT, ROOT

DENSITIES = (0.2, 0.1, 0.05, 0.02, 0.01)
DEFAULT_SPINS = "300000"  # https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
WAYS = {
    "spinning": {"GOMP_SPINCOUNT": DEFAULT_SPINS},
    "ours": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


@contextlib.contextmanager
def beside(number: int) -> Iterator[None]:
    """So many processes that are busy while the block runs."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def cells(way: str, count: int) -> list[float]:
    """Seconds of each cell but the first, which waits for what is loaded on first use.

    Raises:
        SystemExit: the command failed.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    }
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    densities = f"densities={list(DENSITIES[: count + 1])}".replace(" ", "")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pruneexp", densities, "seed=0", "masker=greedy", "logger=none", "figure=[]"],
            cwd=folder, env={**inherited, "PYTHONPATH": path, **WAYS[way]}, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{way}: exit code {done.returncode}\n{done.stderr}")
        records = sorted(Path(folder).glob("results/runs/*/record.json"), key=lambda path: path.stat().st_mtime)
        found = [json.loads(path.read_text(encoding="utf-8"))["seconds"] for path in records]
    return [sum(seconds.values()) for seconds in found[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--cells", type=int, default=3, choices=range(1, len(DENSITIES)))
    arguments = parser.parse_args()
    found: dict[str, dict[int, list[float]]] = {way: {} for way in WAYS}
    for number in arguments.busy:
        for way in WAYS:
            with beside(number):
                found[way][number] = cells(way, arguments.cells)
            print(f"{way}, {number} busy beside: {' '.join(f'{s:.2f}' for s in found[way][number])}", flush=True)
    made = (
        "made by: python -m scripts.bench_busy"
        + f" --busy {' '.join(map(str, arguments.busy))} --cells {arguments.cells};"
    )
    made += f" commit {git_commit()}; {platform.machine()}, {os.cpu_count()} cores"
    titles = [{0: "alone"}.get(number, f"beside {number}") for number in arguments.busy]
    lines = [
        f"<!-- {made} -->",
        "Seconds of a cell of the default experiment (median, least and most), alone and beside processes that do nothing but count."
        f" `ours` is GOMP_SPINCOUNT={SPINS}, which `python -m pruneexp` sets unless the user has; `spinning` is how long GNU OpenMP's"
        " waiting threads spin where nobody sets it.",
        "",
        f"| waiting threads | {' | '.join(titles)} |",
        "|---" * (1 + len(titles)) + "|",
    ]
    for way, by_number in found.items():
        figures = [f"{statistics.median(one):.1f} ({min(one):.1f} to {max(one):.1f})" for one in by_number.values()]
        lines.append(f"| {way} | {' | '.join(figures)} |")
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "busy.json", json.dumps({"made": made, "seconds": found}, indent=1) + "\n")
    files.write(OUT / "busy.md", "\n".join(lines) + "\n")
    print("\n".join(lines[1:]))


if __name__ == "__main__":
    main()
