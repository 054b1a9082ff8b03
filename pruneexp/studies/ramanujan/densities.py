"""Densities of the masks of "Deterministic Ramanujan graphs", Tables 4 and 5, counted, beside those printed.

    python -m pruneexp.studies.ramanujan.densities [--report-dir results]

Prints a table and writes tables/ramanujan_densities.{csv,md}; `LEGEND` says what its columns mean. Nothing is trained.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import pandas as pd
import torch
from torch import nn

from pruneexp.layers import Layer
from pruneexp.maskers.ramanujan import ramanujan
from pruneexp.models.alexnet import alexnet
from pruneexp.models.resnet import resnet_imagenet
from pruneexp.models.vgg import vgg_base
from pruneexp.network.prunable import prunable
from pruneexp.studies import report

INPUT = (10, (3, 32, 32))
Network = Callable[[int], nn.Module]  # neurons of the linear layers -> network


def _resnet(depth: Literal[18, 34], _: int) -> nn.Module:
    return resnet_imagenet(*INPUT, depth)


NETWORKS: dict[str, Network] = {f"vgg{depth}": partial(vgg_base, *INPUT, depth) for depth in (13, 16, 19)}
NETWORKS |= {"alexnet": partial(alexnet, *INPUT), "resnet18": partial(_resnet, 18), "resnet34": partial(_resnet, 34)}
PRINTED4 = {5: 0.08, 29: 0.43, 109: 1.6}
PRINTED5 = {"vgg13": 1.7, "vgg16": 1.7, "vgg19": 1.7, "alexnet": 2.3, "resnet18": 5.6, "resnet34": 5.2}
LEAST = {"vgg13": 256, "vgg16": 256, "vgg19": 256, "alexnet": 256, "resnet18": 64, "resnet34": 64}
LEGEND = (
    "All in percent. Table 4 divides the LPS graph of the square layer by the 4096 x 4096 layer that it replaces; Table 5 divides what "
    "is left of the whole network by the network with layers of 4096 (`of the 4096 network`), where there are any. `of its own network` "
    "is what pruneexp calls density: kept by prunable weights of the network that is trained. Printed for Table 5 is one number for all "
    "VGGs, AlexNet's is of its own network, and the ResNets' differ by 0.2 and 0.1: no count of ours (with or without the 1x1 shortcuts, "
    "the first convolution, the last layer, biases and BatchNorm) gives 5.6: 5.75 at least, or 4.4 at most."
)


def shapes(network: Network, hidden: int) -> dict[str, torch.Size]:
    """The prunable weights' shapes; nothing is allocated."""
    with torch.device("meta"):
        return {name: weight.shape for name, weight in prunable(network(hidden)).items()}


def masks(of: dict[str, torch.Size], **options: int | bool) -> dict[str, torch.Tensor]:
    """The paper's masks of weights of these shapes."""
    blank = torch.ones(1, dtype=torch.bool)
    layers = [Layer(name, torch.zeros(1).expand(shape), blank.expand(shape)) for name, shape in of.items()]
    return ramanujan(layers, 1.0, torch.Generator(), {}, **options)  # type: ignore[arg-type]


def kept(of: dict[str, torch.Size], **options: int | bool) -> dict[str, int]:
    """Weights that the paper's masks keep in each layer."""
    return {name: int(mask.sum()) for name, mask in masks(of, **options).items()}


def codes(name: str) -> list[tuple[int, int, int, int]]:
    """Of each layer of this network that has an array code B(q, l): rows and columns of its matrix, q and l, read off the mask."""
    of, found = shapes(NETWORKS[name], 2448), list[tuple[int, int, int, int]]()
    for mask in masks(of, least_channels=LEAST[name]).values():
        matrix = mask.flatten(1)
        if matrix.shape[0] != matrix.shape[1] and not bool(matrix.all()):  # a square one is an LPS graph
            degree_right, degree_left = (int(matrix.sum(dim).max()) for dim in (1, 0))
            found.append((*matrix.shape, degree_left, degree_right))
    return found


def row(table: int, network: str, count: int, printed: float, sizes: tuple[int, int]) -> dict[str, Any]:
    """`sizes`: weights with layers of 4096, and of the network that is trained."""
    shares = {"of the 4096 network": 100 * count / sizes[0], "of its own network": 100 * count / sizes[1]}
    return {"table": table, "network": network, "kept": count, "printed": printed, **shares}


def table4(p: int) -> dict[str, Any]:
    """The row of the LPS graph of this p in the square layer."""
    of = shapes(NETWORKS["vgg16"], 2448)
    (name,) = (name for name, shape in of.items() if shape == (2448, 2448))
    count = kept({name: of[name]}, p=p, convolutions=False)[name]
    return row(4, f"square layer, p = {p}", count, PRINTED4[p], (4096**2, 2448**2))


def table5(name: str) -> dict[str, Any]:
    """The row of this network."""
    of, wide = shapes(NETWORKS[name], 2448), shapes(NETWORKS[name], 4096)
    count = sum(kept(of, least_channels=LEAST[name]).values())
    before, after = (sum(shape.numel() for shape in layers.values()) for layers in (wide, of))
    return row(5, name, count, PRINTED5[name], (before, after))


def densities() -> pd.DataFrame:
    """Columns table, network, kept (weights), printed, and the shares in percent."""
    return pd.DataFrame([*map(table4, PRINTED4), *map(table5, NETWORKS)])


def main(arguments: Sequence[str] | None = None) -> None:
    options = report.parser(__doc__).parse_args(arguments)
    table = densities()
    text = f"{table.to_markdown(index=False, floatfmt='.5g')}\n\n{LEGEND}"
    made = report.made_by("ramanujan.densities", arguments)
    report.write_table(options.report_dir, "ramanujan_densities", table, text, made)


if __name__ == "__main__":
    report.run(main)
