"""The frames that figures are given, made by hand: networks, methods, densities and seeds crossed."""

import itertools
import math
from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

SETTING = ["dataset", "model", "scorer", "masker", "recipe", "options", "precision", "asked_density"]
Network = tuple[str, str]  # dataset, model
Method = tuple[str, str, str]  # scorer, masker, options
ONE: Sequence[Network] = [("cifar10", "vgg11")]
TWO: Sequence[Method] = [("snip", "greedy", ""), ("snip", "sparsify", "")]
DENSE: Method = ("dense", "dense", "")


def titles(group: str, label: str) -> str:
    """Titles that tell which group was asked for."""
    return {"vgg11": "VGG-11", "cifar10": "CIFAR-10", "snip": "SNIP", "greedy": "Greedy"}.get(label, label)


def cells(
    networks: Sequence[Network] = ONE,
    methods: Sequence[Method] = TWO,
    densities: Sequence[float] = (0.2, 0.1, 0.05),
    seeds: int = 3,
    accuracy: Callable[[float, int], float] = lambda density, seed: 40 + 50 * density + seed,
) -> pd.DataFrame:
    """A row for each network that was trained; `accuracy` is of density and seed."""
    rows = [
        dict(zip(SETTING, (*network, *method[:2], "recipe_a", method[2], "float32", density), strict=True))
        | {"density": density, "seed": seed, "accuracy": accuracy(density, seed), "macs": 1e7 * density}
        for network in networks
        for density, method in [(1.0, DENSE), *itertools.product(densities, methods)]
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def table(cells: pd.DataFrame, **published: float) -> pd.DataFrame:
    """The cells aggregated; `published` accuracies by masker, each give or take one percent."""
    groups = cells.groupby(SETTING, sort=False)
    made = groups.agg(
        density=("density", "mean"), n=("accuracy", "count"), accuracy=("accuracy", "mean"), macs=("macs", "mean")
    )
    made = made.reset_index()
    made["ci95"] = [2.0 if n >= 3 else math.nan for n in made["n"]]
    made["accuracy_low"] = (made["accuracy"] - made["ci95"]).clip(0, 100)
    made["accuracy_high"] = (made["accuracy"] + made["ci95"]).clip(0, 100)
    made["published"] = made["masker"].map(published).astype(float)
    return made.assign(published_ci95=1.0, chance=10.0)


def layers(cells: pd.DataFrame) -> pd.DataFrame:
    """Three layers of each setting, the last of which has collapsed where few weights are left."""
    rows = [
        {
            **setting,
            "layer": f"layers.{k}.conv" if k < 2 else "fc",
            "n": 1,
            "collapsed": int(k == 2 and setting["asked_density"] < 0.1),
        }
        for setting in cells[SETTING].drop_duplicates().to_dict("records")
        for k in range(3)
    ]
    made = pd.DataFrame(rows)
    return made.assign(lambda2=made["asked_density"].where(made["collapsed"] == 0))


def lines(axis: Axes, name: str) -> list[Line2D]:
    """The lines of means that an entry has on an axis."""
    return [line for line in axis.get_lines() if line.get_label() == name]


def legend_names(figure: Figure) -> list[str]:
    """What the figure's one legend says."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def said(figure: Figure) -> list[str]:
    """The lines of the figure's heading."""
    return [text.get_text() for text in figure.texts]


def panels(figure: Figure) -> list[Axes]:
    """The axes that hold a panel."""
    return [axis for axis in figure.axes if axis.axison]
