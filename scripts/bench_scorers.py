"""Time and memory of every scorer on ResNet-32 and VGG-16.

    python -m scripts.bench_scorers [--networks resnet32 vgg16] [--scorers snip grasp ...]

Networks of ten classes at initialisation, random images of CIFAR's size, one scoring each with the options of conf/scorer, in a process
of its own; `rounds` is how often a mask asks for it. Memory is the process's peak resident set less that before scoring.
Prints a table and writes results/benchmarks/scorers.{json,md}.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import OmegaConf
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.pruning.scoring import score
from pruneexp.records.provenance import git_commit
from pruneexp.seeding import stream
from pruneexp.sweep import named
from pruneexp.system import files
from pruneexp.system.shipped import conf_dir

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
SHAPE = (3, 32, 32)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet32": lambda: resnet_cifar(10, SHAPE, 32),
    "vgg16": lambda: vgg(10, SHAPE, 16),
}


def bench(network: str, name: str, threads: int) -> dict[str, Any]:
    """One scorer on one network."""
    torch.set_num_threads(threads)
    model = NETWORKS[network]()
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    images = torch.randn(1000, *SHAPE, generator=stream(0, "images"))
    batches = Batches(images, torch.arange(1000) % 10, SHAPE)
    scorer = named("scorer", name).make()
    rounds = OmegaConf.select(OmegaConf.load(conf_dir() / "scorer" / f"{name}.yaml"), "rounds", default=1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)
    before = _peak()
    start = time.perf_counter()
    scores = score(model, scorer, batches, 0)
    total = sum(float(value.sum()) for value in scores.values())  # waits for a GPU
    seconds = time.perf_counter() - start
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else (_peak() - before) / 2**10
    return {
        "network": network, "scorer": name, "rounds": rounds, "seconds": seconds, "memory_MiB": memory,
        "sum": total, "device": device,
    }  # fmt: skip


def _peak() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    names = sorted(path.stem for path in (conf_dir() / "scorer").glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--scorers", nargs="+", choices=names, default=names)
    arguments = parser.parse_args()
    threads = torch.get_num_threads()
    rows = []
    for network in arguments.networks:
        for name in arguments.scorers:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(bench, (network, name, threads)))
            print(json.dumps(rows[-1]), flush=True)
    table = pd.DataFrame(rows)
    made = f"made by: python -m scripts.bench_scorers; commit {git_commit()}; {platform.machine()}, {threads} threads"
    shown = table.drop(columns="sum").to_markdown(index=False, floatfmt=".3g")
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "scorers.json", json.dumps({"made": made, "rows": rows}, indent=1) + "\n")
    files.write(
        OUT / "scorers.md",
        f"<!-- {made} -->\n{shown}\n\nSeconds and memory of one scoring; rounds multiply the seconds.\n",
    )
    print(shown)


if __name__ == "__main__":
    main()
