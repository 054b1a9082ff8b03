"""Figure 2 of Laenen (2023), whole: four networks as columns, three scores as rows.

    python -m pruneexp.studies.laenen.fig2 [--report-dir results] [--recipe laenen_cifar laenen_tiny_imagenet]

Each of the experiments laenen_fig2_* writes its own table and column; this puts those that are there side by side in
figures/laenen_fig2.{png,svg}. Of several recipes each is a column of its own, unless --recipe names the ones to show.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pruneexp.errors import UserError
from pruneexp.reports.figures.accuracy import accuracy_figure
from pruneexp.studies import report

NETWORKS = ("vgg11", "resnet20", "vgg16", "resnet18")


def columns(report_dir: Path, recipes: Sequence[str] = ("*",)) -> dict[str, pd.DataFrame]:
    """The tables of the experiments laenen_fig2_* under `report_dir`, by file name, in the order of the figure's columns.

    Args:
        recipes: names or patterns.

    Raises:
        UserError: there is none.
    """
    patterns = [f"laenen_fig2_{name}-{recipe}.csv" for name in NETWORKS for recipe in recipes]
    paths = [path for pattern in patterns for path in sorted((report_dir / "tables").glob(pattern))]
    found = {path.name: pd.read_csv(path, comment="#") for path in paths if not path.stem.endswith("-layers")}
    if not found:
        wanted = f"{report_dir}/tables/laenen_fig2_*.csv"
        raise UserError(f"no table {wanted}: run the experiments laenen_fig2_* with report_dir={report_dir} first.")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--recipe", nargs="+", default=["*"])
    options = parser.parse_args(arguments)
    found = columns(options.report_dir, options.recipe)
    table = pd.concat(found.values())
    made = f"{report.made_by('laenen.fig2', arguments)}; from {', '.join(found)}"
    title = "pruned at initialisation: " + ", ".join(table["recipe"].unique())
    stem = report.folder(options.report_dir, "figures") / "laenen_fig2"
    print(*accuracy_figure(table, stem, title, made), sep="\n")


if __name__ == "__main__":
    report.run(main)
