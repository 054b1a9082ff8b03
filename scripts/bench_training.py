"""Training: images a second, time of a cell, cells an hour and memory, against plain Lightning and a plain loop.

    python -m scripts.bench_training [--networks digits resnet20 vgg16 resnet18] [--batches 128 256] [--members 5]
        [--images N] [--epochs 3] [--repeats 5] [--workers 0 2] [--threads N] [--growth [5 100]]

Ways: ours; ours with so many members at once; plain Lightning and a plain PyTorch loop (training_bench/plain.py), each with a DataLoader of
so many workers. All train the same network under the same random masks of density 0.1 on the same random images, each in a process of
its own, the ways in turn within each repeat. Without options: on CUDA every network, on a CPU the small ones on few images.
Writes results/benchmarks/training.{json,md}; --growth measures sweeps of so many cells instead and writes its part of these files.
"""

import argparse
import json
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

import torch

from pruneexp.records.provenance import git_commit
from pruneexp.training.device import Device
from scripts.training_bench.cases import SETTINGS, Case, all_ways
from scripts.training_bench.growth import growth
from scripts.training_bench.measure import alone, measure, summary
from scripts.training_bench.profile import bound
from scripts.training_bench.report import write

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"


def options() -> argparse.Namespace:
    cuda, cores = torch.cuda.is_available(), len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(SETTINGS)
    parser.add_argument("--networks", nargs="+", choices=names, default=names if cuda else ["digits", "resnet20"])
    parser.add_argument("--batches", nargs="+", type=int, default=[128, 256] if cuda else [128], help="digits: 64")
    parser.add_argument("--members", nargs="*", type=int, default=[2, 4, 8] if cuda else [5])
    parser.add_argument("--images", type=int, default=0, help="of an epoch; 0: the data set's on CUDA, few on a CPU")
    parser.add_argument("--epochs", type=int, default=3, help="of which the first is start-up")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--workers", nargs="+", type=int, default=[min(8, cores)] if cuda else [0, cores])
    parser.add_argument("--threads", type=int, default=0, help="of a CPU, 0: torch's choice")
    parser.add_argument("--growth", nargs="*", type=int, metavar="CELLS", help="default 5 100")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    if chosen.epochs < 2 or chosen.repeats < 1:
        parser.error("--epochs must be at least 2 and --repeats at least 1")
    return chosen


def ways(chosen: argparse.Namespace, made: str) -> None:
    """Measure, and write after each repeat, so that what is done is kept."""
    rows: list[dict[str, Any]] = []
    for network in chosen.networks:
        setting = SETTINGS[network]
        images = chosen.images or (setting.images if torch.cuda.is_available() else setting.few)
        for batch in [setting.recipe.batch_size] if network == "digits" else chosen.batches:
            cases = all_ways(
                Case(network, batch, images, chosen.epochs, chosen.threads), chosen.members, chosen.workers
            )
            measured: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
            bounds = {"bound": alone(bound, cases[0])} if torch.cuda.is_available() else {}
            found: list[dict[str, Any]] = []
            for _ in range(chosen.repeats):
                for case, repeats in measured.items():
                    repeats.append(alone(measure, case))
                    print(network, batch, case.name, json.dumps(repeats[-1]), flush=True)
                found = [summary(case, repeats) for case, repeats in measured.items()]
                found[0] |= bounds
                write(chosen.out, "ways", made, rows + found)
            rows += found


def main() -> None:
    chosen = options()
    threads = chosen.threads or torch.get_num_threads()
    device = Device("auto").name if torch.cuda.is_available() else f"{platform.machine()} CPU, {threads} threads"
    command = shlex.join(["python", "-m", "scripts.bench_training", *sys.argv[1:]])
    made = f"made by: {command}; commit {git_commit()}; torch {torch.__version__}; {device}"
    if chosen.growth is None:
        ways(chosen, made)
    else:
        write(chosen.out, "growth", made, [alone(growth, cells, chosen.threads) for cells in chosen.growth or (5, 100)])


if __name__ == "__main__":
    main()
