"""How many layers SynFlow's hundred rounds leave without a weight at 0.1 %, and whether a path is left.

    python -m pruneexp.studies.synflow_empty [--report-dir results] [--networks resnet20 resnet32 vgg16] [--seeds 3]

Prints a table and writes tables/synflow_empty.{csv,md}; `LEGEND` says what its columns mean. Nothing is trained.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from torch import nn

from pruneexp.components.options import checked
from pruneexp.components.values import Count
from pruneexp.data.batches import Batches
from pruneexp.measuring.layers import effective_density
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.network.wiring import wiring_of
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.seeding import stream
from pruneexp.studies import report
from pruneexp.sweep import setting_of

SHAPE = (3, 32, 32)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet20": lambda: resnet_cifar(10, SHAPE, 20),
    "resnet32": lambda: resnet_cifar(10, SHAPE, 32),
    "vgg16": lambda: vgg(10, SHAPE, 16),
}
DENSITY = 0.001
KEYS = ["network", "density", "layers"]
LEGEND = (
    "Networks of ten classes at initialisation, SynFlow as its preset has it (100 rounds), the highest scores of the whole network."
    " `layers` have weights to prune, `empty` keep none of them, `kept` is the number of all weights that are left, `effective` of those on"
    " a path from input to output, and `path` the percentage of seeds with which there is one. Means over seeds, with the largest deviation"
    " from them. The flow through every cut of a network is the same, so that no cut loses all weights before another; a layer of a chain"
    " is a cut, a layer beside a shortcut is not. Nothing is trained."
)


def row_of(name: str, seed: int) -> dict[str, Any]:
    """What is left of one network with one seed."""
    network = NETWORKS[name]()
    initialise(network, "kaiming_normal", stream(seed, "initialisation"))
    method = Method.of(setting_of("scorer=synflow", "masker=greedy_global"), seed)
    masks = pruned(method, network, DENSITY, seed, Batches(input_shape=SHAPE)).masks
    effective = effective_density(masks, wiring_of(network, SHAPE))
    assert effective is not None
    total = sum(mask.numel() for mask in masks.values())
    row = {
        "network": name, "density": DENSITY, "layers": len(masks), "seed": seed,
        "empty": sum(not bool(mask.any()) for mask in masks.values()),
        "kept": sum(int(mask.sum()) for mask in masks.values()), "effective": effective * total,
        "path": 100.0 * (effective > 0),
    }  # fmt: skip
    print(row, *(layer for layer, mask in masks.items() if not mask.any()), flush=True)
    return row


@checked
def synflow_empty(networks: Sequence[str], seeds: Count = 3) -> pd.DataFrame:
    """A row for each network: mean and ``_spread`` of each figure over `n` seeds.

    Raises:
        UserError: seeds below 1.
    """
    return report.over_seeds([row_of(name, seed) for name in networks for seed in range(seeds)], KEYS)


def readable(table: pd.DataFrame) -> str:
    """Counts and their spread in one column, and what they are."""
    shown = table[[*KEYS, "n"]].join(report.with_spread(table, {"empty": 1, "kept": 0, "effective": 0}))
    shown = shown.assign(path=table["path"].map("{:.0f} %".format))
    return f"{shown.to_markdown(index=False)}\n\n{LEGEND}"


def main(arguments: Sequence[str] | None = None) -> None:
    report.of_networks(__doc__, synflow_empty, list(NETWORKS), readable, arguments)


if __name__ == "__main__":
    report.run(main)
