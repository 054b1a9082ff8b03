"""Figures 2 to 5 of Cunegatti et al. from the published pool, 3 and 4 also from our own records.

    python -m pruneexp.studies.topology_figures [fig2 fig3 fig4 fig5] [--pool FILE | --records FILE.jsonl]

Writes results/figures/topology_<figure>.{png,svg}. 2 and 5 need the pool's layers (results/published/mge_pool_layers.csv.gz).
"""

import sys

import pandas as pd

from pruneexp.errors import UserError
from pruneexp.studies.prediction.figures import density_figure, importance_figure, layers_figure
from pruneexp.studies.prediction.importance import importances
from pruneexp.studies.topology_source import command, networks, parser
from pruneexp.system.shipped import published_dir

FIGURES = ("fig2", "fig3", "fig4", "fig5")
BY = {"fig3": ("sparsity", "What goes with the accuracy drop, by sparsity"), "fig4": ("model", "... by network")}
SHOWN = {"conv6": 0.9, "resnet32": 0.8}  # as the paper


def main() -> None:
    arguments = parser(str(__doc__).splitlines()[0])
    arguments.add_argument("figures", nargs="*", metavar="figure", help=f"some of {', '.join(FIGURES)}; default all")
    options = arguments.parse_args()
    wanted = options.figures or (FIGURES if options.records is None else tuple(BY))
    folder = options.out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    made_by = command("topology_figures")
    try:
        for name in wanted:
            if name not in FIGURES:
                raise UserError(f"there is no figure {name!r}; available: {', '.join(FIGURES)}.")
            stem = folder / f"topology_{name}"
            if name in BY:
                by, title = BY[name]
                frame = networks(options)
                found = {how: importances(frame, by, how) for how in ("regressors", "drop")}
                title = title.replace("...", "What goes with the accuracy drop,")
                paths = importance_figure(found, stem, title, made_by)
            elif options.records is not None:
                raise UserError(f"{name} is drawn from the published pool's layers only.")
            else:
                layers = pd.read_csv(published_dir() / "mge_pool_layers.csv.gz")
                paths = (
                    layers_figure(layers, SHOWN, stem, made_by)
                    if name == "fig2"
                    else density_figure(layers, stem, made_by)
                )
            print(*paths, sep="\n")
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
