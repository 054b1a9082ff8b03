"""Time, memory and accuracy of Sparsify's masks: leverages, calibration and draw, against a dense pseudo-inverse.

    python -m scripts.bench_masks [--networks resnet20 ...] [--skip-naive]

ResNet-20 (10 classes, 3 %), VGG-16 (100 classes, 1 %), and torchvision's ResNet-50 and ViT-B/16 (1 %) at initialisation, magnitude
scores, layerwise and global, on the CPU and on a CUDA device where there is one. Each in a process of its own, one thread, after
compilation: the median of three calls, CPU seconds (of a CUDA device seconds), with the least and the most. The network is traced
once for all of its global masks, as a sweep does, which is `wiring`; the memory is what one call needs beside the network, its scores and
its trace.

Both ways see the same scores in the same run; the naive way forms each graph's Laplacian and its pseudo-inverse on the CPU, as the
paper does: one per layer, of equal layers the first one's seconds times their number, or one for the whole network's channel graph.
It is of the paper's two networks, as is Table 1 of Laenen (2023) beside them, measured on another machine and, for the global
masks, on another graph (of unfolded inputs): not like for like. ViT-B/16's whole network, of 75,499 vertices, is left out. At last
SynFlow's 100 rounds on ResNet-20 with Sparsify masking every round. Prints a table and, of all networks with the pseudo-inverse,
writes results/benchmarks/masks.{json,md}.
"""

import argparse
import functools
import json
import multiprocessing
import platform
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pruneexp.allocations.leverage import Scope, edge_weights, layer_leverages
from pruneexp.api import prune
from pruneexp.graphs.bipartite import biadjacency
from pruneexp.graphs.inclusion import inclusion_probabilities
from pruneexp.graphs.sampling import systematic
from pruneexp.layers import Layer, Layers
from pruneexp.maskers.sparsify import sparsify
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.torchvision_model import torchvision_model
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.network.plain import plain
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring, wiring_of
from pruneexp.records.provenance import git_commit
from pruneexp.seeding import stream
from pruneexp.system import files

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
PAPER_SECONDS = {
    ("vgg16", "layerwise"): 321, ("vgg16", "global"): 4321, ("resnet20", "layerwise"): 61, ("resnet20", "global"): 1620,
}  # fmt: skip
SMALL, LARGE = (3, 32, 32), (3, 224, 224)
NETWORKS: dict[
    str, tuple[Callable[[], nn.Module], tuple[int, int, int], float]
] = {  # with the input's shape and the density
    "resnet20": (lambda: resnet_cifar(10, SMALL, 20), SMALL, 0.03),
    "vgg16": (lambda: vgg(100, SMALL, 16), SMALL, 0.01),
    "resnet50": (lambda: torchvision_model(1000, LARGE, "resnet50"), LARGE, 0.01),
    "vit_b_16": (lambda: torchvision_model(1000, LARGE, "vit_b_16"), LARGE, 0.01),
}
REPEATS = 3


def resistances(laplacian: torch.Tensor) -> torch.Tensor:
    """Reff of all pairs by the pseudo-inverse: (e_u - e_v)^T Lap^+ (e_u - e_v), float64."""
    inverse = torch.linalg.pinv(laplacian, hermitian=True)
    diagonal = inverse.diagonal()
    return diagonal[:, None] + diagonal - 2 * inverse


def naive_layer(layer: Layer) -> torch.Tensor:
    """The definition, literally, on one layer's (L+R) x (L+R) Laplacian."""
    score = biadjacency(layer.score)
    left, right = score.shape
    adjacency = torch.zeros(left + right, left + right, dtype=torch.float64)
    adjacency[:left, left:] = score
    adjacency[left:, :left] = score.T
    resistance = resistances(torch.diag(adjacency.sum(dim=1)) - adjacency)
    return (score * resistance[:left, left:]).T.reshape(layer.score.shape)


def naive_global(layers: Layers) -> list[torch.Tensor]:
    """The definition, literally, on the Laplacian over all channels of the network."""
    wiring = layers.wiring()
    adjacency = torch.zeros(wiring.vertices, wiring.vertices, dtype=torch.float64)
    pairs = []
    for layer in layers:
        target, source = torch.broadcast_tensors(wiring.targets[layer.name][:, None], wiring.sources[layer.name])
        pairs.append((source, target))
        adjacency.index_put_(
            (source, target), layer.score.flatten(2).sum(dim=2) if layer.score.ndim > 2 else layer.score, True
        )
    adjacency += adjacency.T.clone()
    resistance = resistances(torch.diag(adjacency.sum(dim=1)) - adjacency)
    return [
        layer.score * resistance[pair].reshape(*layer.score.shape[:2], *[1] * (layer.score.ndim - 2))
        for layer, pair in zip(layers, pairs, strict=True)
    ]


def naive(layers: Layers, scope: Scope) -> tuple[float, dict[int, torch.Tensor]]:
    """CPU seconds of the pseudo-inverse's leverages, and of some layers, by number, what they are."""
    if scope == "global":
        seconds, found = timed(lambda: naive_global(layers), time.process_time)
        return seconds, dict(enumerate(found))
    times = Counter(layer.score.shape for layer in layers)
    firsts: dict[torch.Size, int] = {}
    for number, layer in enumerate(layers):
        firsts.setdefault(layer.score.shape, number)
    seconds, found = 0.0, {}
    for shape, number in firsts.items():
        once, found[number] = timed(functools.partial(naive_layer, layers[number]), time.process_time)
        seconds += times[shape] * once
    return seconds, found


def timed(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> tuple[float, Any]:
    """Seconds and result of one call; every call ends with its result on the CPU."""
    start = clock()
    result = function()
    return clock() - start, result


def spread(part: str, clock: Callable[[], float], function: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Median, least and most seconds of the calls, by names of their own, and the last one's result."""
    calls = [timed(function, clock) for _ in range(REPEATS)]
    seconds = [one for one, _ in calls]
    row = {f"{part}_seconds": statistics.median(seconds), f"{part}_least": min(seconds), f"{part}_most": max(seconds)}
    return row, calls[-1][1]


def layers_of(network: nn.Module, wiring: Callable[[], Wiring], device: str) -> Layers:
    """With their magnitudes."""
    scores = {name: weight.detach().abs().to(device, torch.float64) for name, weight in prunable(network).items()}
    ones = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    return Layers((Layer(key, scores[key], ones[key]) for key in scores), wiring)


def bench(name: str, scope: Scope, device: str, against: bool) -> dict[str, Any]:
    """One network's row for one scope and device; `against` the pseudo-inverse too."""
    torch.set_num_threads(1)
    make, shape, density = NETWORKS[name]
    network = make()
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    network = plain(network)
    traced = functools.cache(lambda: wiring_of(network, shape))
    layers = layers_of(network, traced, device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    systematic(np.full(4, 0.5), np.random.default_rng(0))  # compiles
    size = sum(layer.size for layer in layers)
    count = round(density * size)
    row: dict[str, Any] = {"network": name, "scope": scope, "device": device, "weights": size, "density": density}
    if scope == "global":
        row["wiring_seconds"] = timed(traced, clock)[0]
    before = _peak()
    masks = sparsify(layers, density, stream(0, "masker"), {}, scope=scope)
    row["memory_GiB"] = (_peak() - before) / 2**20
    kept = sum(int(mask.sum()) for mask in masks.values())
    if kept != count:
        raise AssertionError(f"{name}: {kept} weights kept, {count} asked for")
    seconds, leverages = spread("leverage", clock, lambda: layer_leverages(layers, scope, "channel", "none"))
    row |= seconds
    weights = edge_weights(layers, leverages, count, {}, scope)
    seconds, p = spread("calibration", clock, lambda: inclusion_probabilities(weights, count))
    row |= seconds | spread("draw", clock, lambda: systematic(p, np.random.default_rng(0)))[0]
    row |= spread("mask", clock, lambda: sparsify(layers, density, stream(0, "masker"), {}, scope=scope))[0]
    if paper := PAPER_SECONDS.get((name, scope)):
        row |= {"paper_seconds": paper, "paper_ratio": paper / row["mask_seconds"]}
    if against and paper:
        whole, oracle = naive(layers_of(network, traced, "cpu"), scope)
        row["max_error"] = max(float((torch.from_numpy(leverages[k]) - oracle[k]).abs().max()) for k in oracle)
        row |= {"pseudo_inverse_seconds": whole, "ratio": whole / row["leverage_seconds"]}
    return row


def _peak() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def alone(*arguments: Any) -> dict[str, Any]:
    """`bench` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(bench, arguments)


def synflow_seconds() -> float:
    """Of SynFlow's 100 rounds on ResNet-20."""
    make, shape, _ = NETWORKS["resnet20"]
    network = make()
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    sample = torch.zeros(1, *shape)
    call = functools.partial(prune, network, 0.02, scorer="synflow", masker="sparsify", example_input=sample)
    return timed(call, time.process_time)[0]


def table(rows: list[dict[str, Any]]) -> str:
    """One column for each row, the spread behind the median."""
    names = list(dict.fromkeys(name for row in rows for name in row if name not in ("network", "scope", "device")))
    lines = ["| | " + " | ".join(f"{row['network']} {row['scope']} {row['device']}" for row in rows) + " |"]
    lines.append("|---|" + "---|" * len(rows))
    shown = (name for name in names if not name.endswith(("_least", "_most")))
    lines += [f"| {name} | " + " | ".join(_entry(row, name) for row in rows) + " |" for name in shown]
    return "\n".join(lines)


def _entry(row: dict[str, Any], name: str) -> str:
    part = name.removesuffix("_seconds")
    if name not in row:
        return ""
    ends = f" ({row[f'{part}_least']:.3g} to {row[f'{part}_most']:.3g})" if f"{part}_least" in row else ""
    return f"{row[name]:.4g}{ends}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--skip-naive", action="store_true", help="leave the pseudo-inverse out; writes nothing")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.networks:
        for scope in ("layerwise",) if name == "vit_b_16" else ("layerwise", "global"):
            for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
                rows.append(alone(name, scope, device, not arguments.skip_naive))
                print(json.dumps(rows[-1], indent=1), flush=True)
    seconds = synflow_seconds()
    last = f"SynFlow's 100 rounds with Sparsify masking each, ResNet-20 at 2 %: {seconds:.1f} s."
    print(f"{table(rows)}\n\n{last}")
    if arguments.skip_naive or len(arguments.networks) < len(NETWORKS):
        return  # a quick look; the results folder keeps the whole comparison
    machine = f"{platform.machine()} CPU, 1 thread, torch {torch.__version__}"
    commit = git_commit()
    command = "python -m scripts.bench_masks"
    result = {
        "command": command,
        "machine": machine,
        "commit": commit,
        "rows": rows,
        "synflow_100_rounds_sparsify_resnet20_seconds": seconds,
    }
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "masks.json", json.dumps(result, indent=1) + "\n")
    files.write(OUT / "masks.md", f"<!-- made by: {command}; commit {commit}; {machine} -->\n{table(rows)}\n\n{last}\n")


if __name__ == "__main__":
    main()
