"""Figure 2 of Laenen (2023), whole: four networks as columns, three scores as rows.

    python -m scripts.laenen_fig2 [--report-dir results]

Each of the experiments laenen_fig2_* writes its own table and column; this puts those that are there side by side, of each
network the table written last, in figures/laenen_fig2.{png,svg}.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from pruneexp.reports.figure import accuracy_figure

NETWORKS = ("vgg11", "resnet20", "vgg16", "resnet18")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report-dir", type=Path, default=Path("results"))
    folder = parser.parse_args().report_dir
    written = [sorted((folder / "tables").glob(f"laenen_fig2_{name}-*.csv"), key=_age) for name in NETWORKS]
    found = [tables[-1] for tables in written if tables]
    if not found:
        sys.exit(
            f"no table {folder}/tables/laenen_fig2_*.csv: run the experiments laenen_fig2_* with report_dir={folder} first."
        )
    table = pd.concat([pd.read_csv(path, comment="#") for path in found])
    stem = folder / "figures" / "laenen_fig2"
    stem.parent.mkdir(parents=True, exist_ok=True)
    title = "pruned at initialisation: " + ", ".join(table["recipe"].unique())
    for path in accuracy_figure(
        table, stem, title, f"python -m scripts.laenen_fig2, from {', '.join(map(str, found))}"
    ):
        print(path)


def _age(path: Path) -> float:
    return path.stat().st_mtime


if __name__ == "__main__":
    main()
