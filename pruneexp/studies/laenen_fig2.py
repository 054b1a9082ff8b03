"""Figure 2 of Laenen (2023), whole: four networks as columns, three scores as rows.

    python -m pruneexp.studies.laenen_fig2 [--report-dir results] [--recipe laenen_cifar laenen_tiny_imagenet]

Each of the experiments laenen_fig2_* writes its own table and column; this puts those that are there side by side in
figures/laenen_fig2.{png,svg}. Of several recipes each is a column of its own, unless --recipe names the ones to show.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from pruneexp.reports.figures.accuracy import accuracy_figure

NETWORKS = ("vgg11", "resnet20", "vgg16", "resnet18")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report-dir", type=Path, default=Path("results"))
    parser.add_argument("--recipe", nargs="+", default=["*"])
    arguments = parser.parse_args()
    folder = arguments.report_dir
    patterns = [f"laenen_fig2_{name}-{recipe}.csv" for name in NETWORKS for recipe in arguments.recipe]
    paths = [path for pattern in patterns for path in sorted((folder / "tables").glob(pattern))]
    found = [path for path in paths if not path.stem.endswith("-layers")]
    if not found:
        sys.exit(
            f"no table {folder}/tables/laenen_fig2_*.csv: run the experiments laenen_fig2_* with report_dir={folder} first."
        )
    table = pd.concat([pd.read_csv(path, comment="#") for path in found])
    stem = folder / "figures" / "laenen_fig2"
    stem.parent.mkdir(parents=True, exist_ok=True)
    title = "pruned at initialisation: " + ", ".join(table["recipe"].unique())
    for path in accuracy_figure(
        table, stem, title, f"python -m pruneexp.studies.laenen_fig2, from {', '.join(map(str, found))}"
    ):
        print(path)


if __name__ == "__main__":
    main()
