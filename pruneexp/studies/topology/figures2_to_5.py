"""Figures 2 to 5 of Cunegatti et al. from the published pool, 3 and 4 also from our own records.

    python -m pruneexp.studies.topology.figures2_to_5 [fig2 fig3 fig4 fig5] [--report-dir results]
        [--pool FILE | --records FILE.jsonl]

Writes figures/topology_<figure>.{png,svg}. 2 and 5 are of the pool's layers (the shipped mge_pool_layers.csv.gz).
"""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from pruneexp.errors import UserError
from pruneexp.studies import report
from pruneexp.studies.prediction.figures import density_figure, importance_figure, layers_figure
from pruneexp.studies.prediction.importance import importances
from pruneexp.studies.topology import source
from pruneexp.system.shipped import published_dir

BY = {"fig3": "sparsity", "fig4": "model"}
TITLES = {
    "fig3": "What goes with the accuracy drop, by sparsity",
    "fig4": "What goes with the accuracy drop, by network",
}
OF_LAYERS = ("fig2", "fig5")
SHOWN = {"conv6": 0.9, "resnet32": 0.8}  # as the paper


def of_networks(name: str, frame: pd.DataFrame) -> Figure:
    """Figure 3 or 4 of networks in the form of `pruneexp.studies.prediction.pool`.

    Raises:
        UserError: too few networks of a sparsity or model.
    """
    found = {how: importances(frame, BY[name], how) for how in ("regressors", "drop")}
    return importance_figure(found, TITLES[name])


def of_layers(name: str, layers: pd.DataFrame) -> Figure:
    """Figure 2 or 5 of layers in the form of the shipped mge_pool_layers.csv.gz."""
    return layers_figure(layers, SHOWN) if name == "fig2" else density_figure(layers)


def main(arguments: Sequence[str] | None = None) -> None:
    known = sorted((*BY, *OF_LAYERS))
    parser = source.parser(__doc__)
    parser.add_argument("figures", nargs="*", metavar="figure", help=f"some of {', '.join(known)}; default all")
    options = parser.parse_args(arguments)
    made = report.made_by("topology.figures2_to_5", arguments)
    names = options.figures or (known if options.records is None else [*BY])
    for name in names:
        if name not in known:
            raise UserError(f"there is no figure {name!r}; available: {', '.join(known)}.")
    # what is wrong with them is told before a figure is drawn
    networks = source.networks(options) if BY.keys() & {*names} else pd.DataFrame()
    for name in names:
        if name in BY:
            figure = of_networks(name, networks)
        elif options.records is not None:
            raise UserError(f"{name} is drawn from the published pool's layers only.")
        else:
            figure = of_layers(name, pd.read_csv(published_dir() / "mge_pool_layers.csv.gz"))
        report.write_figure(options.report_dir, source.named(f"topology_{name}", options), figure, made)


if __name__ == "__main__":
    report.run(main)
