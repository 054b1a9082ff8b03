"""Densities of the masks of "Deterministic Ramanujan graphs", Tables 4 and 5, counted, beside those printed.

    python -m pruneexp.studies.ramanujan_densities

Table 4 divides the LPS graph of the square layer by the 4096 x 4096 layer that it replaces; Table 5 divides what is left of the
whole network by the network with layers of 4096 (`of the 4096 network`), where there are any. `of its own network` is what pruneexp
calls density: kept by prunable weights of the network that is trained. Printed for Table 5 is one number for all VGGs, AlexNet's is
of its own network, and the ResNets' differ by 0.2 and 0.1: no count of ours (with or without the 1x1 shortcuts, the first
convolution, the last layer, biases and BatchNorm) gives 5.6: 5.75 at least, or 4.4 at most.
Prints a table and writes results/tables/ramanujan_densities.{csv,md}.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import nn

from pruneexp.maskers.layer import Layer
from pruneexp.maskers.ramanujan import ramanujan
from pruneexp.models.alexnet import alexnet
from pruneexp.models.resnet import resnet_imagenet
from pruneexp.models.vgg import vgg_base
from pruneexp.network.prunable import prunable
from pruneexp.records.provenance import git_commit
from pruneexp.system import files

OUT = Path("results") / "tables"
INPUT = (10, (3, 32, 32))
Network = Callable[[int], nn.Module]  # neurons of the linear layers -> network


def _resnet(depth: Literal[18, 34], _: int) -> nn.Module:
    return resnet_imagenet(*INPUT, depth)


VGG: dict[str, Network] = {f"vgg{depth}": partial(vgg_base, *INPUT, depth) for depth in (13, 16, 19)}
ALEXNET: dict[str, Network] = {"alexnet": partial(alexnet, *INPUT)}
RESNET: dict[str, Network] = {"resnet18": partial(_resnet, 18), "resnet34": partial(_resnet, 34)}
PRINTED4 = {5: 0.08, 29: 0.43, 109: 1.6}
PRINTED5 = {"vgg13": 1.7, "vgg16": 1.7, "vgg19": 1.7, "alexnet": 2.3, "resnet18": 5.6, "resnet34": 5.2}
LEAST = {"vgg13": 256, "vgg16": 256, "vgg19": 256, "alexnet": 256, "resnet18": 64, "resnet34": 64}


def shapes(network: Network, hidden: int) -> dict[str, torch.Size]:
    """The prunable weights' shapes; nothing is allocated."""
    with torch.device("meta"):
        return {name: weight.shape for name, weight in prunable(network(hidden)).items()}


def kept(of: dict[str, torch.Size], **options: int | bool) -> dict[str, int]:
    """Weights that the paper's masks keep in each layer."""
    blank = torch.ones(1, dtype=torch.bool)
    layers = [Layer(name, torch.zeros(1).expand(shape), blank.expand(shape)) for name, shape in of.items()]
    masks = ramanujan(layers, 1.0, torch.Generator(), {}, **options)  # type: ignore[arg-type]
    return {name: int(mask.sum()) for name, mask in masks.items()}


def main() -> None:
    rows = []
    for p, printed in PRINTED4.items():
        of = shapes(VGG["vgg16"], 2448)
        square = kept(of, p=p, convolutions=False)
        (name,) = (name for name, shape in of.items() if shape == (2448, 2448))
        rows.append(
            {
                "table": 4, "network": f"square layer, p = {p}", "kept": square[name], "printed": printed,
                "of the 4096 network": 100 * square[name] / 4096**2, "of its own network": 100 * square[name] / 2448**2,
            }
        )  # fmt: skip
    for name, network in (VGG | ALEXNET | RESNET).items():
        of = shapes(network, 2448)
        count = sum(kept(of, least_channels=LEAST[name]).values())
        sizes = [sum(shape.numel() for shape in shapes(network, hidden).values()) for hidden in (4096, 2448)]
        rows.append(
            {
                "table": 5, "network": name, "kept": count, "printed": PRINTED5[name],
                "of the 4096 network": 100 * count / sizes[0], "of its own network": 100 * count / sizes[1],
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    made = f"made by: python -m pruneexp.studies.ramanujan_densities; commit {git_commit()}"
    legend = " ".join((__doc__ or "").split("\n\n")[2].split("Prints")[0].split())
    text = f"{table.to_markdown(index=False, floatfmt='.5g')}\n\nAll in percent. {legend}"
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "ramanujan_densities.csv", f"# {made}\n" + table.to_csv(index=False, float_format="%.6g"))
    files.write(OUT / "ramanujan_densities.md", f"<!-- {made} -->\n{text}\n")
    print(text)


if __name__ == "__main__":
    main()
