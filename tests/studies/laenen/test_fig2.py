"""Figure 2 put together from the tables of its columns."""

from pathlib import Path

import pytest

from pruneexp.errors import UserError
from pruneexp.reports.report import write_report
from pruneexp.studies.laenen import fig2
from pruneexp.sweep import expand
from tests.reports.made_records import fill, record


def column(folder: Path, network: str, recipe: str) -> None:
    """The tables of one network's experiment, from made records."""
    runs = folder / "runs"
    grid = expand(
        [
            f"+experiment=laenen_fig2_{network}",
            f"recipe={recipe}",
            "seed=0",
            "densities=[1.0,0.1,0.02]",
            f"results_dir={runs}",
            f"report_dir={folder}",
        ]
    )
    fill(grid, runs, lambda cell: record(cell, 100 * cell.density))
    write_report(grid, "command")


def test_the_columns_that_are_there_are_drawn_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    column(tmp_path, "resnet20", "laenen_cifar_5")
    column(tmp_path, "vgg11", "laenen_cifar")
    fig2.main(["--report-dir", str(tmp_path)])
    figure = (tmp_path / "figures" / "laenen_fig2.svg").read_text()
    assert (tmp_path / "figures" / "laenen_fig2.png").stat().st_size > 1000
    assert str(tmp_path / "figures" / "laenen_fig2.png") in capsys.readouterr().out
    made = "python -m pruneexp.studies.laenen.fig2; commit "
    assert made in figure
    assert "from laenen_fig2_vgg11-laenen_cifar.csv, laenen_fig2_resnet20-laenen_cifar_5.csv" in figure
    assert str(tmp_path) not in figure
    for title in ("resnet20", "vgg11", "snip", "synflow", "laenen_cifar_5"):
        assert title in figure
    fig2.main(["--report-dir", str(tmp_path), "--recipe", "laenen_cifar"])
    figure = (tmp_path / "figures" / "laenen_fig2.svg").read_text()
    assert "vgg11" in figure
    assert "laenen_cifar_5" not in figure


def test_without_a_table_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^no table .*run the experiments laenen_fig2_\*"):
        fig2.main(["--report-dir", str(tmp_path)])
    assert not list(tmp_path.iterdir())
