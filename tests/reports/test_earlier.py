"""A report of the same grid in the same folder is added to, also where the cells that it had lie in no folder any more."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.reports.report import write_report
from tests.reports.made_records import fill, record
from tests.reports.test_subject import grid


def report(runs: Path, seed: int, accuracy: float, *words: str) -> pd.DataFrame:
    """Of one more cell; the folder of cells starts empty."""
    shutil.rmtree(runs, ignore_errors=True)
    made = grid(runs, f"seed={seed}", "masker=greedy", "densities=[0.1]", "report_dir=kept", *words)
    fill(made, runs, lambda cell: record(cell, accuracy))
    assert write_report(made, "command") == 0
    return pd.read_csv("kept/tables/quickstart.csv")


def test_cells_of_an_earlier_report_stay_in_it_and_a_note_says_so(runs: Path) -> None:
    assert report(runs, 0, 50.0)["accuracies"].astype(str).tolist() == ["50"]
    rows = report(runs, 1, 60.0)
    assert rows["accuracies"].tolist() == ["50 60"]
    text = Path("kept/tables/quickstart.md").read_text()
    assert "1 cell is of an earlier report of this grid (records/quickstart.jsonl) and not in results/runs." in text
    assert len(Path("kept/records/quickstart.jsonl").read_text().splitlines()) == 2


def test_a_cell_that_is_made_again_takes_the_place_of_the_earlier_one(runs: Path) -> None:
    report(runs, 0, 50.0)
    rows = report(runs, 0, 70.0)
    assert rows["accuracies"].astype(str).tolist() == ["70"]
    assert "earlier report" not in Path("kept/tables/quickstart.md").read_text()


def test_a_damaged_file_of_an_earlier_report_is_one_sentence_and_stays(runs: Path) -> None:
    report(runs, 0, 50.0)
    Path("kept/records/quickstart.jsonl").write_text("{}\n")
    with pytest.raises(UserError, match=r"line 1 of .* is no record .* An earlier report has left it"):
        report(runs, 1, 60.0)
    assert Path("kept/records/quickstart.jsonl").read_text() == "{}\n"


def test_another_grid_has_nothing_of_it(runs: Path) -> None:
    report(runs, 0, 50.0)
    shutil.rmtree(runs)
    other = grid(runs, "seed=0", "masker=greedy", "densities=[0.1]", "report_dir=kept", "recipe.epochs=1")
    with pytest.raises(UserError, match="none of the 27 cells is recorded"):
        write_report(other, "command")
