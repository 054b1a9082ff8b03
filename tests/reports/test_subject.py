"""What a report is of: the declared grid whatever part was asked for, one file for each grid, and several put together."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pruneexp.cell import Cell
from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.reports.report import write_report
from pruneexp.reports.subject import of_file, of_grid, together
from pruneexp.sweep import Grid, expand
from tests.reports.made_records import fill, record

RUNS = Path("results/runs")


def grid(runs: Path, *words: str) -> Grid:
    return expand([*([] if runs == RUNS else [f"results_dir={runs}"]), "figure=[]", *words])


def filled(runs: Path, *words: str, accuracy: float = 50.0) -> Grid:
    made = grid(runs, *words)
    fill(made, runs, lambda cell: record(cell, accuracy))
    return made


def tables(runs: Path) -> list[str]:
    return sorted(path.stem for path in (runs / "reports" / "tables").glob("*.csv"))


def origin(runs: Path, stem: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((runs / "reports" / "tables" / f"{stem}.json").read_text())
    return found


def accuracies(runs: Path, stem: str) -> list[float]:
    return [float(value) for value in pd.read_csv(runs / "reports" / "tables" / f"{stem}.csv")["accuracy"]]


# parts


def test_parts_add_to_the_report_of_the_whole(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = filled(runs, "seed=0", "masker=greedy", "densities=[0.1]")
    assert write_report(first, "one") == 0
    assert "quickstart, 1 of 27 cells" in capsys.readouterr().out
    second = filled(runs, "seed=1", "densities=[1.0,0.1]")
    assert write_report(second, "two") == 0
    assert tables(runs) == ["quickstart"]
    told = origin(runs, "quickstart")
    assert (told["cells"], told["cells_asked_for"], told["command"], told["name"]) == (4, 27, "two", "quickstart")
    rows = pd.read_csv(runs / "reports" / "tables" / "quickstart.csv").set_index(["masker", "asked_density"])
    assert rows["n"].to_dict() == {("dense", 1.0): 1, ("sparsify", 0.1): 1, ("greedy", 0.1): 2}
    text = (runs / "reports" / "tables" / "quickstart.md").read_text()
    assert "4 of 27 cells" in text
    assert "4 of 27 cells" in (runs / "reports" / "tables" / "quickstart.tex").read_text()


def test_what_is_missing_is_counted_of_the_part_that_was_asked_for(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = grid(runs, "seed=0,1", "masker=greedy", "densities=[0.1,0.02]")
    fill(part, runs, lambda cell: record(cell, 50.0) if cell.seed == 0 else None)
    assert write_report(part, "command") == 2
    assert "2 of 4 cells are missing" in capsys.readouterr().out
    assert write_report(grid(runs, "seed=0", "masker=greedy", "densities=[0.02]"), "command") == 0
    assert "cells are missing" not in capsys.readouterr().out
    # nothing of the part is there, and something of the whole
    assert write_report(grid(runs, "seed=2", "densities=[0.2]"), "command") == 2
    assert tables(runs) == ["quickstart"]


def test_a_part_in_one_precision_is_reported_with_the_other(runs: Path) -> None:
    made, store = grid(runs, "seed=0,1", "masker=greedy", "densities=[1.0,0.1]"), Store(runs)
    better = {"float32": 10, "bf16": 0}
    for slot in made.slots:
        for cell in slot.cells:
            store.write(cell.key, record(cell, (80 if cell.density == 1 else 70) + better[cell.precision]), {}, [])
    part = grid(runs, "seed=0", "masker=greedy", "densities=[1.0,0.1]", "trainer.precision=float32,bf16")
    assert write_report(part, "command") == 0
    rows = pd.read_csv(runs / "reports" / "tables" / "quickstart.csv").set_index(["precision", "asked_density"])
    assert rows["n"].to_dict() == {(p, d): 2 for p in better for d in (1.0, 0.1)}
    assert rows["accuracy"].to_dict() == {
        ("float32", 1.0): 90, ("bf16", 1.0): 80, ("float32", 0.1): 80, ("bf16", 0.1): 70
    }  # fmt: skip
    assert rows["drop"].dropna().tolist() == [10, 10]


def test_narrowing_that_means_something_else_is_reported_by_itself_with_all_its_words(runs: Path) -> None:
    made = filled(
        runs, "+experiment=ramanujan_compare", "masker=ramanujan", "masker.p=5", "seed=0", "densities=[0.058]"
    )
    assert write_report(made, "command") == 0
    (stem,) = tables(runs)
    assert origin(runs, stem)["name"] == "ramanujan_compare[masker=ramanujan,masker.p=5,densities=[0.058],seed=0]"
    assert origin(runs, stem)["cells_asked_for"] == 1


# one file for each grid


def test_a_trial_with_other_words_leaves_the_report_as_it_is(runs: Path) -> None:
    words = ("seed=0", "masker=greedy", "densities=[0.1]")
    write_report(filled(runs, *words), "first")
    before = {path: path.read_bytes() for path in (runs / "reports").rglob("quickstart.*")}
    write_report(filled(runs, *words, "recipe.epochs=1", accuracy=10.0), "second")
    assert tables(runs) == ["quickstart", "quickstart-recipe.epochs=1"]
    assert {path: path.read_bytes() for path in before} == before
    assert accuracies(runs, "quickstart-recipe.epochs=1") == [10.0]


def own_experiment(folder: Path, name: str, densities: str) -> list[str]:
    """An experiment called `twin`, in a file of any name."""
    (folder / "experiment").mkdir(parents=True, exist_ok=True)
    (folder / "experiment" / f"{name}.yaml").write_text(
        f"# @package _global_\nname: twin\ndensities: [{densities}]\nhydra:\n  sweeper:\n    params:\n      masker: greedy\n"
        "      seed: 0\n"
    )
    return [f"hydra.searchpath=[file://{folder}]", f"+experiment={name}"]


def test_two_experiments_of_one_name_have_two_reports_and_the_same_grid_replaces_its_own(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        own_experiment(tmp_path / "conf", name, density) for name, density in (("a", "0.5"), ("b", "0.25"))
    )
    write_report(filled(runs, *first, accuracy=50.0), "first")
    kept = (runs / "reports" / "tables" / "twin.csv").read_bytes()
    capsys.readouterr()
    write_report(filled(runs, *second, accuracy=60.0), "second")
    assert "twin.csv is of another grid of that name and stays: this one is called twin-" in capsys.readouterr().out
    assert (runs / "reports" / "tables" / "twin.csv").read_bytes() == kept
    stem, own = tables(runs)
    assert {stem, own} > {"twin"}
    own = next(one for one in (stem, own) if one != "twin")
    assert accuracies(runs, own) == [60.0]
    # each again, under the same names
    write_report(grid(runs, *second), "third")
    write_report(grid(runs, *first), "fourth")
    assert sorted(tables(runs)) == sorted(["twin", own])
    assert (origin(runs, "twin")["command"], origin(runs, own)["command"]) == ("fourth", "third")


def test_files_of_a_report_that_cannot_be_read_are_replaced(runs: Path) -> None:
    made = filled(runs, "seed=0", "masker=greedy", "densities=[0.1]")
    (runs / "reports" / "tables").mkdir(parents=True)
    for content in ("", "[1]", "{", "null"):
        (runs / "reports" / "tables" / "quickstart.json").write_text(content)
        assert write_report(made, "command") == 0
        assert origin(runs, "quickstart")["cells"] == 1


# several together


def test_several_subjects_are_one_in_their_order_and_a_common_cell_is_there_once(runs: Path, tmp_path: Path) -> None:
    first = filled(runs, "seed=0", "masker=greedy", "densities=[0.1,0.02]", "recipe.epochs=1", "name=a")
    second = filled(runs, "seed=0", "masker=greedy,sparsify", "densities=[0.1]", "recipe.epochs=1", "name=b")
    store = Store(runs)
    subjects = [of_grid(one, store) for one in (first, second)]
    whole = together(subjects)
    keys = [record["key"] for record, _ in whole.records]
    assert len(keys) == len(set(keys)) == 3
    assert keys[:2] == [record["key"] for record, _ in subjects[0].records][:2]
    assert whole.name == "a+b[recipe.epochs=1]"
    assert whole.stem == "a+b-recipe.epochs=1"
    assert whole.asked == 27  # the two grids are the same but for their names
    assert together(subjects).grid not in (subjects[0].grid, subjects[1].grid)
    assert together(subjects[:1]) == subjects[0]


def test_a_file_of_records_and_a_folder_of_cells_are_subjects(runs: Path, tmp_path: Path) -> None:
    made = filled(runs, "seed=0", "masker=greedy")
    write_report(made, "command")
    path = runs / "reports" / "records" / "quickstart.jsonl"
    from_file, from_folder = of_file(path), of_file(runs)
    assert (from_file.name, from_folder.name) == ("quickstart", "runs")
    assert sorted(r["key"] for r, _ in from_file.records) == sorted(r["key"] for r, _ in from_folder.records)
    assert from_file.asked == 5
    assert of_file(path.rename(tmp_path / "my räcords [1].jsonl")).stem == "my_r_cords_-1"
    with pytest.raises(UserError, match="there is no nowhere: name a folder of cells"):
        of_file(Path("nowhere"))


def test_the_report_of_a_file_replaces_its_earlier_one_wherever_a_checkout_lies(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(filled(runs, "seed=0", "masker=greedy"), "command")
    records, grids = (runs / "reports" / "records" / "quickstart.jsonl").read_bytes(), set[str]()
    for checkout in (tmp_path / "one", tmp_path / "two"):
        checkout.mkdir()
        (checkout / "my.jsonl").write_bytes(records)
        monkeypatch.chdir(checkout)
        grids.add(of_file(Path("my.jsonl")).grid)
    assert len(grids) == 1


def test_of_a_diverged_seed_nothing_is_silently_dropped(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "masker=greedy", "densities=[0.1]")

    def make(cell: Cell) -> dict[str, Any]:
        lost = {"diverged": True, "loss": None, "train_loss": None}
        return record(cell, None, **lost) if cell.seed == 1 else record(cell, 50.0 + cell.seed)

    fill(made, runs, make)
    write_report(made, "command")
    for text in (capsys.readouterr().out, (runs / "reports" / "tables" / "quickstart.md").read_text()):
        assert "2 of 3" in text
        assert "1 of 3 cells have no accuracy, since they diverged" in text
        assert "50.00, 52.00" in text
    row = pd.read_csv(runs / "reports" / "tables" / "quickstart.csv").iloc[0]
    assert (row["n"], row["seeds"], row["diverged"], row["accuracies"]) == (2, 3, 1, "50 52")
