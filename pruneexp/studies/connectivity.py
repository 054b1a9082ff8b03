"""What each way of choosing edges leaves connected, at densities where Greedy takes layers apart.

    python -m pruneexp.studies.connectivity [--report-dir results] [--networks vgg16 resnet18 resnet20] [--seeds 3]

Prints a table and writes tables/connectivity.{csv,md}; `LEGEND` says what its columns mean. Nothing is trained.
"""

import math
from collections.abc import Callable, Sequence

import pandas as pd
import torch
from torch import nn

from pruneexp.components.options import checked
from pruneexp.components.values import Count
from pruneexp.errors import UserError
from pruneexp.graphs.bipartite import biadjacency, components, sparse
from pruneexp.graphs.paths import reach
from pruneexp.graphs.spectrum import lambda2
from pruneexp.layers import Notes
from pruneexp.measuring.layers import collapsed, effective_density
from pruneexp.models.resnet import resnet_cifar, resnet_imagenet
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.network.structure import Structure
from pruneexp.network.wiring import Wiring
from pruneexp.pruning.masking import mask
from pruneexp.pruning.target import Target
from pruneexp.seeding import stream
from pruneexp.studies import report
from pruneexp.sweep import named
from pruneexp.treatments.repair import repair_paths

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "vgg16": lambda: vgg(100, (3, 32, 32), 16),
    "resnet18": lambda: resnet_imagenet(200, (3, 64, 64), 18),
    "resnet20": lambda: resnet_cifar(10, (3, 32, 32), 20),
}
# bss needs as many weights as vertices in every layer: only ResNet-20's first two densities leave it those
DENSITIES = {
    "vgg16": (0.02, 0.01, 0.005, 0.002),
    "resnet18": (0.02, 0.01, 0.005, 0.002),
    "resnet20": (0.1, 0.05, 0.02, 0.01, 0.005),
}
SHOWN = {"pieces": 1, "collapsed": 1, "dead_filters": 1, "dead_channels": 1, "effective": 4, "lambda2_min": 4}  # digits
KEYS = ["network", "density", "method"]
METHODS = ("greedy", "greedy_global", "greedy_matched", "sparsify", "sparsify_tree", "sparsify + repair")
LEGEND = (
    "Networks at initialisation, magnitude scores, the same budget for all. Per mask, over all layers: `pieces` (components beyond the "
    "first of each layer), `collapsed` (layers whose largest component is a star, a single edge or nothing), `dead_filters` (outputs "
    "without a weight), `dead_channels` (on no input-output path of the channel graph), `effective` (weights on such a path, in percent "
    "of all), and the smallest lambda_2 of the layers that have not collapsed. Means over seeds, with the largest deviation from them. "
    "Nothing is trained. bss is missing where a layer has fewer weights to keep than vertices."
)


def measure(masks: Masks, wiring: Wiring) -> dict[str, float]:
    """The figures of one mask."""
    matrices = [sparse(biadjacency(mask)) for mask in masks.values()]
    parts = [components(matrix) for matrix in matrices]
    down = [collapsed(*part) for part in parts]
    forward, backward = reach(masks, wiring)
    hidden = torch.zeros(wiring.vertices, dtype=torch.bool)
    for targets in wiring.targets.values():
        hidden[targets] = True
    effective = effective_density(masks, wiring)
    assert effective is not None
    return {
        "pieces": sum(max(number - 1, 0) for number, _, _ in parts),
        "collapsed": sum(down),
        "dead_filters": sum(int((right < 0).sum()) for _, _, right in parts),
        "dead_channels": int((hidden & ~(forward & backward)).sum()),
        "effective": 100 * effective,
        "lambda2_min": min((lambda2(m) for m, bad in zip(matrices, down, strict=True) if not bad), default=math.nan),
    }


def rows_of(name: str, seed: int) -> list[dict[str, object]]:
    """All methods at all densities on one network and seed."""
    network = NETWORKS[name]()
    initialise(network, "kaiming_normal", stream(seed, "initialisation"))
    scores = {key: weight.detach().abs() for key, weight in prunable(network).items()}
    structure, rows = Structure(network), []
    for density in DENSITIES[name]:
        found: dict[str, Masks] = {}
        for method in [*METHODS, *(["bss"] if name == "resnet20" else [])]:
            notes: Notes = {}
            masker, _, repaired = method.partition(" + ")
            try:
                if not repaired:
                    found[method] = mask(
                        Target(network, structure), scores, named("masker", masker).make(), density, seed, notes
                    )
            except UserError as error:
                print(f"{name} {density:g} {method}: {error}", flush=True)
                continue
            masks = repair_paths(found[masker], scores, structure.wiring, notes) if repaired else found[method]
            figures = measure(masks, structure.wiring)
            rows.append({"network": name, "density": density, "method": method, "seed": seed, **figures, **notes})
            print(f"{name} {density:g} {method} seed {seed}: {figures} {notes}", flush=True)
    return rows


@checked
def connectivity(networks: Sequence[str], seeds: Count = 3) -> pd.DataFrame:
    """A row for each network, density and method: mean and ``_spread`` of each figure over `n` seeds.

    Raises:
        UserError: seeds below 1.
    """
    rows = [row for name in networks for seed in range(seeds) for row in rows_of(name, seed)]
    return report.over_seeds(rows, KEYS)


def readable(table: pd.DataFrame) -> str:
    """Each figure's mean and spread in one column, and what they are."""
    shown = table[[*KEYS, "n"]].join(report.with_spread(table, SHOWN))
    return f"{shown.to_markdown(index=False)}\n\n{LEGEND}"


def main(arguments: Sequence[str] | None = None) -> None:
    report.of_networks(__doc__, connectivity, list(NETWORKS), readable, arguments)


if __name__ == "__main__":
    report.run(main)
