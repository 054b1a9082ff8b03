"""Time and accuracy of Sparsify's masks: leverages, calibration and draw, against a dense pseudo-inverse.

    python -m scripts.bench_masks [--density 0.01] [--skip-naive]

VGG-16 (100 classes) and ResNet-20 (10 classes) at initialisation, magnitude scores. Both ways see the same scores in
the same run; the naive way forms each layer's (L+R) x (L+R) Laplacian and its pseudo-inverse, as the paper does.
Prints a table and writes results/benchmarks/masks.{json,md}.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pruneexp.graphs.bipartite import biadjacency
from pruneexp.graphs.inclusion import inclusion_probabilities, sampling_weight
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.sampling import systematic
from pruneexp.layers import prunable
from pruneexp.models.initialise import initialise
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.records.provenance import git_commit
from pruneexp.seeding import stream

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
PAPER_SECONDS = {"vgg16": 321, "resnet20": 61}  # Laenen 2023, Table 1, layerwise, on a GeForce RTX 2080 machine


def pseudo_inverse_leverages(scores: torch.Tensor) -> torch.Tensor:
    """The definition, literally: S_uv (e_u - e_v)^T (D - A)^+ (e_u - e_v), float64."""
    left, right = scores.shape
    adjacency = torch.zeros(left + right, left + right, dtype=torch.float64)
    adjacency[:left, left:] = scores
    adjacency[left:, :left] = scores.T
    inverse = torch.linalg.pinv(torch.diag(adjacency.sum(dim=1)) - adjacency, hermitian=True)
    diagonal = inverse.diagonal()
    return scores * (diagonal[:left, None] + diagonal[left:] - 2 * inverse[:left, left:])


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def bench(name: str, network: nn.Module, density: float, naive: bool) -> dict[str, Any]:
    """One network's row."""
    scores = [biadjacency(weight.detach().abs().double()) for weight in prunable(network).values()]
    repeats = [timed(lambda: [leverage_scores(score) for score in scores]) for _ in range(3)]
    leverage_seconds, leverages = min(repeats, key=lambda repeat: repeat[0])
    weights = np.concatenate([sampling_weight(leverage.numpy()).ravel() for leverage in leverages])
    count = round(density * len(weights))
    calibration_seconds, p = timed(lambda: inclusion_probabilities(weights, count))
    draw_seconds, chosen = timed(lambda: systematic(p, np.random.default_rng(0)))
    row: dict[str, Any] = {
        "network": name,
        "weights": len(weights),
        "density": density,
        "leverage_seconds": leverage_seconds,
        "calibration_seconds": calibration_seconds,
        "draw_seconds": draw_seconds,
        "total_seconds": leverage_seconds + calibration_seconds + draw_seconds,
        "paper_seconds": PAPER_SECONDS[name],
        "kept": int(chosen.sum()),
        "asked": count,
        "sum_error": max(
            abs(float(leverage.sum()) - (sum(score.shape) - 1))
            for leverage, score in zip(leverages, scores, strict=True)
        ),
    }
    if naive:
        seconds, oracle = timed(lambda: [pseudo_inverse_leverages(score) for score in scores])
        row["pseudo_inverse_seconds"] = seconds
        row["ratio"] = seconds / leverage_seconds
        row["max_error"] = max(float((a - b).abs().max()) for a, b in zip(leverages, oracle, strict=True))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--density", type=float, default=0.01)
    parser.add_argument("--skip-naive", action="store_true", help="leave the pseudo-inverse out")
    arguments = parser.parse_args()
    networks = {"resnet20": resnet_cifar(10, (3, 32, 32), 20), "vgg16": vgg(100, (3, 32, 32), 16)}
    rows = []
    for name, network in networks.items():
        initialise(network, "kaiming_normal", stream(0, "initialisation"))
        rows.append(bench(name, network, arguments.density, not arguments.skip_naive))
        print(json.dumps(rows[-1], indent=1), flush=True)
    machine = f"{platform.machine()} CPU, {torch.get_num_threads()} threads, torch {torch.__version__}"
    command = f"python -m scripts.bench_masks --density {arguments.density}"
    result = {"command": command, "machine": machine, "commit": git_commit(), "rows": rows}
    if arguments.skip_naive:
        return  # a quick look; the results folder keeps the whole comparison
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "masks.json").write_text(json.dumps(result, indent=1) + "\n")
    columns = [column for column in rows[0] if not isinstance(rows[0][column], str)]
    lines = [f"<!-- made by: {command}; {machine} -->"]
    lines.append("| | " + " | ".join(row["network"] for row in rows) + " |")
    lines.append("|---|" + "---|" * len(rows))
    lines += [f"| {column} | " + " | ".join(f"{row[column]:.4g}" for row in rows) + " |" for column in columns]
    (OUT / "masks.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
