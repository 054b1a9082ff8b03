"""Time and accuracy of Sparsify's masks: leverages, calibration and draw, against a dense pseudo-inverse.

    python -m scripts.bench_masks [--skip-naive]

VGG-16 (100 classes, 1 %) and ResNet-20 (10 classes, 3 %) at initialisation, magnitude scores, layerwise and global, on the
CPU and on a CUDA device where there is one. Both ways see the same scores in the same run; the naive way forms each
graph's Laplacian and its pseudo-inverse on the CPU, as the paper does: one per layer, or one for the whole network's
channel graph. Beside them Table 1 of Laenen (2023), measured on another machine and, for the global masks, on another
graph (of unfolded inputs): not like for like. At last SynFlow's 100 rounds on ResNet-20 with Sparsify masking every round.
Prints a table and writes results/benchmarks/masks.{json,md}.
"""

import argparse
import functools
import json
import platform
import time
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
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import wiring_of
from pruneexp.records.provenance import git_commit
from pruneexp.seeding import stream
from pruneexp.system import files

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
PAPER_SECONDS = {
    ("vgg16", "layerwise"): 321, ("vgg16", "global"): 4321, ("resnet20", "layerwise"): 61, ("resnet20", "global"): 1620,
}  # fmt: skip
DENSITY = {"vgg16": 0.01, "resnet20": 0.03}


def resistances(laplacian: torch.Tensor) -> torch.Tensor:
    """Reff of all pairs by the pseudo-inverse: (e_u - e_v)^T Lap^+ (e_u - e_v), float64."""
    inverse = torch.linalg.pinv(laplacian, hermitian=True)
    diagonal = inverse.diagonal()
    return diagonal[:, None] + diagonal - 2 * inverse


def naive_layerwise(layers: Layers) -> list[torch.Tensor]:
    """The definition, literally, on each layer's (L+R) x (L+R) Laplacian."""
    found = []
    for layer in layers:
        score = biadjacency(layer.score)
        left, right = score.shape
        adjacency = torch.zeros(left + right, left + right, dtype=torch.float64)
        adjacency[:left, left:] = score
        adjacency[left:, :left] = score.T
        resistance = resistances(torch.diag(adjacency.sum(dim=1)) - adjacency)
        found.append((score * resistance[:left, left:]).T.reshape(layer.score.shape))
    return found


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


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of one call; every call ends with its result on the CPU."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def bench(
    name: str, network: nn.Module, scope: Scope, device: str, oracle: list[torch.Tensor] | None
) -> dict[str, Any]:
    """One network's row for one scope and device; `oracle`: the pseudo-inverse's leverages."""
    ones = {key: torch.ones_like(weight, dtype=torch.bool, device=device) for key, weight in prunable(network).items()}
    scores = {key: weight.detach().abs().double().to(device) for key, weight in prunable(network).items()}
    layers = Layers((Layer(key, scores[key], ones[key]) for key in scores), functools.partial(wiring_of, network))
    repeats = [timed(lambda: layer_leverages(layers, scope, "channel", "none")) for _ in range(3)]
    leverage_seconds, leverages = min(repeats, key=lambda repeat: repeat[0])
    size = sum(layer.size for layer in layers)
    count = round(DENSITY[name] * size)
    weights = np.concatenate([weight.ravel() for weight in edge_weights(layers, leverages, count, {}, scope)])
    calibration_seconds, p = timed(lambda: inclusion_probabilities(weights, count))
    draw_seconds, _ = timed(lambda: systematic(p, np.random.default_rng(0)))
    mask_seconds, masks = timed(lambda: sparsify(layers, DENSITY[name], stream(0, "masker"), {}, scope=scope))
    kept = sum(int(mask.sum()) for mask in masks.values())
    if kept != count:
        raise AssertionError(f"{name}: {kept} weights kept, {count} asked for")
    row: dict[str, Any] = {
        "network": name,
        "scope": scope,
        "device": device,
        "weights": size,
        "density": DENSITY[name],
        "leverage_seconds": leverage_seconds,
        "calibration_seconds": calibration_seconds,
        "draw_seconds": draw_seconds,
        "mask_seconds": mask_seconds,
        "paper_seconds": PAPER_SECONDS[name, scope],
        "paper_ratio": PAPER_SECONDS[name, scope] / mask_seconds,
    }
    if oracle is not None:
        differences = (float((torch.from_numpy(a) - b).abs().max()) for a, b in zip(leverages, oracle, strict=True))
        row["max_error"] = max(differences)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-naive", action="store_true", help="leave the pseudo-inverse out; writes nothing")
    arguments = parser.parse_args()
    networks = {"resnet20": resnet_cifar(10, (3, 32, 32), 20), "vgg16": vgg(100, (3, 32, 32), 16)}
    rows = []
    scopes: dict[Scope, Callable[[Layers], list[torch.Tensor]]] = {"layerwise": naive_layerwise, "global": naive_global}
    for name, network in networks.items():
        initialise(network, "kaiming_normal", stream(0, "initialisation"))
        scores = {key: weight.detach().abs().double() for key, weight in prunable(network).items()}
        layers = Layers(
            (Layer(key, value, torch.ones_like(value, dtype=torch.bool)) for key, value in scores.items()),
            functools.partial(wiring_of, network),
        )
        for scope, naive in scopes.items():
            seconds, oracle = (None, None) if arguments.skip_naive else timed(functools.partial(naive, layers))
            for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
                row = bench(name, network, scope, device, oracle)
                if seconds is not None:
                    row |= {"pseudo_inverse_seconds": seconds, "ratio": seconds / row["leverage_seconds"]}
                rows.append(row)
                print(json.dumps(row, indent=1), flush=True)
    sample = torch.zeros(1, 3, 32, 32)
    synflow_seconds, _ = timed(
        lambda: prune(networks["resnet20"], 0.02, scorer="synflow", masker="sparsify", example_input=sample)
    )
    print(f"SynFlow's 100 rounds, Sparsify masking each, ResNet-20 at 2 %: {synflow_seconds:.1f} s")
    if arguments.skip_naive:
        return  # a quick look; the results folder keeps the whole comparison
    machine = f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
    command = "python -m scripts.bench_masks"
    result = {
        "command": command,
        "machine": machine,
        "commit": git_commit(),
        "rows": rows,
        "synflow_100_rounds_sparsify_resnet20_seconds": synflow_seconds,
    }
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "masks.json", json.dumps(result, indent=1) + "\n")
    columns = [column for column in rows[0] if column not in ("network", "scope", "device")]
    lines = [f"<!-- made by: {command}; {machine} -->"]
    lines.append("| | " + " | ".join(f"{row['network']} {row['scope']} {row['device']}" for row in rows) + " |")
    lines.append("|---|" + "---|" * len(rows))
    lines += [f"| {column} | " + " | ".join(f"{row[column]:.4g}" for row in rows) + " |" for column in columns]
    lines += ["", f"SynFlow's 100 rounds with Sparsify masking each, ResNet-20 at 2 %: {synflow_seconds:.1f} s."]
    files.write(OUT / "masks.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
