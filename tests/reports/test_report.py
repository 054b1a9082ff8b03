"""Reports from records made by hand: rows, files, and what is missing."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from pruneexp.cell import Cell
from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.reports.frame import frame_of
from pruneexp.reports.report import write_report
from pruneexp.sweep import Grid, expand
from pruneexp.system.shipped import conf_dir
from tests.helpers import cells_of
from tests.reports.made_records import fill, layer, record

RUNS = Path("results/runs")
KINDS = {"tables": ("csv", "md", "tex", "json"), "figures": ("png", "svg"), "records": ("jsonl",)}


def grid(runs: Path, *arguments: str) -> Grid:
    return expand(
        [*([] if runs == RUNS else [f"results_dir={runs}"]), "densities=[1.0,0.1,0.02]", "figure=[]", *arguments]
    )


def table(runs: Path, stem: str = "quickstart") -> pd.DataFrame:
    return pd.read_csv(runs / "reports" / "tables" / f"{stem}.csv")


def test_every_file_is_written_and_names_the_command(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "figure=accuracy")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed))
    assert write_report(made, "python -m pruneexp seed=0,1") == 0
    reports = runs / "reports"
    written = {reports / kind / f"quickstart.{end}" for kind, endings in KINDS.items() for end in endings}
    there = {path for path in reports.rglob("*") if path.is_file()}
    assert written <= there
    assert {path.stem for path in there} == {"quickstart"}
    assert (reports / "tables" / "quickstart.md").read_text().splitlines()[0] == (
        "<!-- made by: python -m pruneexp seed=0,1 -->"
    )
    with Image.open(reports / "figures" / "quickstart.png") as image:
        assert image.text["Description"] == "python -m pruneexp seed=0,1"  # type: ignore[attr-defined]
        assert min(image.size) > 300
    drawn = reports / "figures" / "quickstart.svg"
    assert "python -m pruneexp seed=0,1" in drawn.read_text()
    assert ElementTree.parse(drawn).getroot().tag.endswith("svg")
    records = [json.loads(line) for line in (reports / "records" / "quickstart.jsonl").read_text().splitlines()]
    assert {row["key"] for row in records} == set(cells_of(made))


def test_where_the_numbers_come_from_stands_beside_the_table(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "figure=[]", "masker=greedy", "densities=[1.0,0.1]")
    commits, devices = ["a" * 40, None], ["cpu", "NVIDIA H100"]
    fill(made, runs, lambda cell: record(cell, 50, git_commit=commits[cell.seed], device=devices[cell.seed]))
    write_report(made, "python -m pruneexp figure=[]")
    told = json.loads((runs / "reports" / "tables" / "quickstart.json").read_text())
    assert list(told) == [
        "name", "title", "command", "commit", "grid", "cells", "cells_asked_for", "records", "recorded_by_commit", "devices",
        "precisions", "test_precisions", "recipes", "data_sha256", "notes",
    ]  # fmt: skip
    assert (told["name"], told["command"]) == ("quickstart", "python -m pruneexp figure=[]")
    assert (told["cells"], told["cells_asked_for"]) == (4, 27)
    assert told["records"] == "../records/quickstart.jsonl"
    assert (runs / "reports" / "tables" / told["records"]).exists()
    assert told["recorded_by_commit"] == {"a" * 40: 2, "unknown": 2}
    assert told["devices"] == {"cpu": 2, "NVIDIA H100": 2}
    assert (told["precisions"], told["recipes"]) == (["float32"], ["digits"])
    assert told["test_precisions"] == {"float32": 4}
    assert told["data_sha256"] == {"digits": "0" * 64}
    assert any("several versions" in note for note in told["notes"])
    text = (runs / "reports" / "tables" / "quickstart.md").read_text()
    assert all(note in text for note in told["notes"])


def test_the_csv_is_read_by_pandas_as_it_is_and_has_no_empty_column(runs: Path) -> None:
    made = grid(runs, "figure=[]")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed + 10 * cell.density, imdb=None))
    write_report(made, "command")
    rows = table(runs)
    assert (
        (runs / "reports" / "tables" / "quickstart.csv").read_text().startswith("dataset,model,scorer,masker,recipe,")
    )
    assert rows["accuracies"].tolist()[1] == "51 52 53"
    assert rows["n"].tolist() == rows["seeds"].tolist() == [3] * 5
    assert rows["accuracy"].tolist() == pytest.approx([61, 52, 52, 51.2, 51.2])
    assert rows["ci95"].tolist() == pytest.approx([2.48414] * 5)
    assert rows["drop"].isna().tolist() == [True, *[False] * 4]
    assert "imdb" not in rows
    assert "group" not in rows
    assert rows.dtypes[["asked_density", "accuracy", "drop", "lambda2_min"]].eq("float64").all()


def test_rows_and_values_of_the_table(runs: Path) -> None:
    made = grid(runs, "seed=0,1")
    fill(made, runs, lambda cell: record(cell, 50 + 2 * cell.seed))
    write_report(made, "command")
    rows = table(runs)
    assert rows["masker"].tolist() == ["dense", "sparsify", "greedy", "sparsify", "greedy"]
    assert rows["scorer"].tolist() == ["dense"] + ["magnitude"] * 4
    assert rows["n"].tolist() == [2] * 5
    assert rows["accuracy"].tolist() == [51.0] * 5
    assert rows["density"].tolist() == pytest.approx([1.0, 0.101, 0.101, 0.021, 0.021])
    assert rows["pruning_seconds"].tolist() == [3.0] * 5
    assert rows["training_seconds"].tolist() == [10.5] * 5
    assert rows["accuracies"].tolist() == ["50 52"] * 5
    assert "ci95" not in rows  # two seeds have none


def test_the_same_records_give_the_same_bytes(runs: Path) -> None:
    made = grid(runs, "seed=0,1")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed + cell.density))
    write_report(made, "command")
    files = [path for path in (runs / "reports").rglob("*") if path.is_file()]
    first = {path: path.read_bytes() for path in files}
    write_report(grid(runs, "seed=0,1"), "command")
    assert {path: path.read_bytes() for path in files} == first


def test_two_maskers_of_one_name_are_set_apart_by_their_options(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "masker=sparsify", "masker.sampling=systematic,paper", "densities=[0.1]")
    fill(made, runs, lambda cell: record(cell, 70 if cell.description["masker"].get("options") else 50))
    write_report(made, "command")
    rows = table(runs, "quickstart-masker=sparsify+masker.sampling=systematic_paper+densities=0.1+seed=0_1").set_index(
        "masker"
    )
    assert rows["accuracy"].to_dict() == {"sparsify": 50, "sparsify[sampling=paper]": 70}
    assert rows["n"].tolist() == [2, 2]


def test_two_recipes_of_one_name_are_set_apart_by_their_options(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "recipe.lr=0.05,0.1", "densities=[0.1]")
    assert frame_of(made).empty
    fill(made, runs, lambda cell: record(cell, 50))
    assert frame_of(made)["recipe"].tolist() == ["digits", "digits[lr=0.1]"]


def test_a_partly_finished_grid_says_how_many_cells_are_missing(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0,1,2")
    fill(made, runs, lambda cell: record(cell, 50) if cell.seed < 2 and cell.density != 0.02 else None)
    assert len(cells_of(made)) == 3 + 2 * 2 * 3
    assert write_report(made, "command") == 9
    out = capsys.readouterr().out
    assert "9 of 15 cells are missing" in out
    assert "mode=run" in out
    rows = table(runs)
    assert rows["n"].tolist() == [2, 2, 2]
    assert 0.02 not in rows["asked_density"].tolist()


def test_nothing_recorded_is_one_sentence(runs: Path) -> None:
    with pytest.raises(UserError, match=r"none of the 27 cells is recorded .*mode=run"):
        write_report(grid(runs, "seed=0,1,2"), "command")
    assert not runs.exists()


def test_diverged_seeds_are_counted_and_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0,1", "masker=greedy", "densities=[0.1]")
    lost = {"diverged": True, "loss": None, "train_loss": None}
    fill(made, runs, lambda cell: record(cell, 10, **(lost if cell.seed == 1 else {})))
    write_report(made, "command")
    assert table(runs)["diverged"].tolist() == [1]
    assert "2 (1 diverged)" in capsys.readouterr().out
    assert "2 (1 diverged)" in (runs / "reports" / "tables" / "quickstart.md").read_text()


def test_a_report_of_the_dense_network_alone(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0,1", "densities=[1.0]", "figure=accuracy")
    fill(made, runs, lambda cell: record(cell, 90))
    assert write_report(made, "command") == 0
    assert table(runs)["masker"].tolist() == ["dense"]
    assert "dense" in capsys.readouterr().out
    assert (runs / "reports" / "figures" / "quickstart.png").stat().st_size > 1000


def test_one_seed_without_interval_and_imdb_is_drawn_too(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "figure=accuracy")
    fill(made, runs, lambda cell: record(cell, 40, imdb=None, lambda2_min=None))
    assert write_report(made, "command") == 0
    assert not {"imdb", "lambda2_min"} & {*table(runs)}
    assert (runs / "reports" / "figures" / "quickstart.svg").exists()


def test_figures_take_their_options_from_the_command_line(runs: Path) -> None:
    words = ("seed=0", "masker=greedy", "model=vgg_small,resnet20", "scorer=magnitude,random", "figure=accuracy")
    made = grid(runs, *words)
    fill(made, runs, lambda cell: record(cell, 40))
    assert write_report(made, "command") == 0
    stem = "quickstart-model=vgg_small_resnet20+scorer=magnitude_random"
    assert len(table(runs, stem)) == 2 + 2 * 2 * 2
    with Image.open(runs / "reports" / "figures" / f"{stem}.png") as image:
        side_by_side = image.width / image.height  # a panel for each network
    assert write_report(grid(runs, *words, "figure.accuracy.facet=scorer"), "command") == 0
    with Image.open(runs / "reports" / "figures" / f"{stem}.png") as image:
        assert image.width / image.height < side_by_side  # networks as columns, scorers as rows


def test_no_figure_and_all_of_them(runs: Path) -> None:
    names = sorted(path.stem for path in (conf_dir() / "figure").glob("*.yaml"))
    for chosen in ([], names):
        made = grid(runs / str(len(chosen)), "seed=0", "masker=greedy", f"figure=[{','.join(chosen)}]")
        fill(made, runs / str(len(chosen)), lambda cell: record(cell, 50))
        write_report(made, "command")
        assert any((runs / str(len(chosen)) / "reports" / "figures").iterdir()) == bool(chosen)


def test_the_lambda2_figures_come_with_a_table_of_the_layers(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "figures=[lambda2]")
    fill(made, runs, lambda cell: record(cell, 40, layers=layers(cell)))
    assert write_report(made, "command") == 0
    for name in ("lambda2", "lambda2-layers"):
        assert (runs / "reports" / "figures" / f"quickstart-{name}.svg").exists()
        with Image.open(runs / "reports" / "figures" / f"quickstart-{name}.png") as image:
            assert image.text["Description"] == "command"  # type: ignore[attr-defined]
    assert not (runs / "reports" / "figures" / "quickstart.png").exists()
    assert (runs / "reports" / "tables" / "quickstart-layers.md").read_text().count("\n| digits") == 2 * 5
    rows = table(runs, "quickstart-layers").set_index(["masker", "asked_density", "layer"])
    assert rows["n"].tolist() == [2] * len(rows)
    assert rows.loc[("greedy", 0.1, "conv"), "lambda2"] == 0.5
    # at 0.02 Greedy's second layer is a star for seed 0 and empty for seed 1, and Sparsify's is a star for seed 0 only
    assert rows.loc[("greedy", 0.02, "fc"), "collapsed"] == 2
    assert bool(rows["lambda2"].isna()[("greedy", 0.02, "fc")])
    assert rows.loc[("sparsify", 0.02, "fc"), "collapsed"] == 1
    assert rows.loc[("sparsify", 0.02, "fc"), "lambda2"] == 0.25
    assert rows.loc[("dense", 1.0, "fc"), "collapsed"] == 0


def layers(cell: Cell) -> list[dict[str, Any]]:
    """Two layers, the second of which falls apart at 2 %."""
    kept = round(1000 * cell.density)
    same: dict[str, Any] = {"bound_gap": 0.1, "components": 1, "dead_filters": 0, "idle_inputs": 0}
    if cell.density < 0.1:
        last = [1.0, None] if cell.names["masker"] == "greedy" else [1.0, 0.25]
        lambda2 = last[cell.seed]
    else:
        lambda2 = 1.0 if cell.density == 1 else 0.5
    first = layer("conv.weight", kept, lambda2=0.5, lambda2_weighted=0.4, **same)
    return [first, layer("fc.weight", kept, lambda2=lambda2, lambda2_weighted=lambda2, **same)]


def test_a_published_value_is_in_table_and_figure(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "+experiment=vgg16_c100_sweep", "masker=sparsify", "densities=[0.1,0.01]")
    fill(made, runs, lambda cell: record(cell, 60))
    write_report(made, "command")
    rows = table(runs, "vgg16_c100_sweep")
    assert rows["asked_density"].tolist() == [0.1, 0.01]
    assert rows["published"].isna().tolist() == [True, False]
    assert (rows["published"].iloc[1], rows["published_ci95"].iloc[1]) == (59.81, 0.21)
    assert "59.81 ± 0.21" in (runs / "reports" / "tables" / "vgg16_c100_sweep.md").read_text()


def test_a_report_dir_that_cannot_be_written_is_one_sentence(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    made = grid(runs, "seed=0", f"report_dir={tmp_path / 'file' / 'reports'}")
    fill(made, runs, lambda cell: record(cell, 50))
    with pytest.raises(UserError, match=r"could not be written .* report_dir=PATH"):
        write_report(made, "command")


def test_a_record_without_the_fields_of_a_report_is_named(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "densities=[0.1]")

    def without_macs(cell: object) -> dict[str, object]:
        full = record(cell, 50)  # type: ignore[arg-type]
        del full["macs"]
        return full

    fill(made, runs, without_macs)
    with pytest.raises(UserError, match=r"record\.json is damaged"):
        write_report(made, "command")


def test_a_name_that_cannot_name_a_file_is_refused_before_anything_runs(runs: Path) -> None:
    with pytest.raises(UserError, match="name"):
        grid(runs, "name=a/b")


def test_what_a_killed_report_left_is_cleaned_up(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "densities=[0.1]")
    fill(made, runs, lambda cell: record(cell, 50))
    tables = runs / "reports" / "tables"
    tables.mkdir(parents=True)
    (tables / ".quickstart.csv.0123456789abcdef.partial").write_text("half a tab")  # process 1 never writes reports
    write_report(made, "command")
    assert sorted(path.suffix for path in tables.iterdir()) == [".csv", ".json", ".md", ".tex"]


@pytest.mark.parametrize("width", [40, 80])
def test_a_narrow_terminal_has_what_counts_whole(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    made = grid(runs, "seed=0,1,2")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed))
    for module in ("reports.report", "system.tables"):
        monkeypatch.setattr(f"pruneexp.{module}.terminal_width", lambda: width)
    write_report(made, "command")
    out = capsys.readouterr().out.splitlines()
    rule = next(k for k, line in enumerate(out) if set(line.strip()) == {"─"})
    rows = [line for line in out[rule + 1 :] if "51.0 ± 2.5" in line]
    assert len(rows) == len(table(runs)) == 5
    assert all(len(line.rstrip()) <= width for line in [*rows, *out[rule - 1 : rule + 1]])
    assert {"density", "n", "accuracy"} <= set(out[rule - 1].split())
    assert {word for row in rows for word in row.split()} >= {"dense", "sparsify", "greedy", "2", "10", "100"}
    left_out = next(line for line in out if line.startswith("In the files also: "))
    assert "IMDB" in left_out
    assert ("drop" in left_out) == (width < 60)
    (paths,) = [line for line in out if "/tables/" in line]
    name, braces = paths.split("{")
    assert {path.suffix[1:] for path in Path(name).parent.iterdir()} == set(braces.removesuffix("}").split(","))


def test_options_in_brackets_are_shown_on_the_console_too(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0", "scorer=synflow", "masker=greedy", "round_masker=masker,greedy", "densities=[0.1]")
    fill(made, runs, lambda cell: record(cell, 50))
    write_report(made, "command")
    shown = "".join(capsys.readouterr().out.split())
    assert "round_masker=greedy" in shown
    assert "quickstart[scorer=synflow,round_masker=masker,greedy],2of" in shown
    other = grid(runs, "seed=0", "masker=sparsify", "masker.sampling=paper", "densities=[0.1]")
    fill(other, runs, lambda cell: record(cell, 50))
    write_report(other, "command")
    shown = "".join(capsys.readouterr().out.split())
    assert "sparsify[sampling=paper]" in shown
    assert "quickstart[masker=sparsify,masker.sampling=paper," in shown


def test_either_precision_finishes_a_cell_under_auto(runs: Path) -> None:
    made, store = grid(runs, "seed=0", "masker=greedy", "densities=[1.0,0.1]"), Store(runs)
    for slot, precision in zip(made.slots, ("float32", "bf16"), strict=True):
        cell = slot.job.cell(slot.density, precision)
        store.write(cell.key, record(cell, 50), {}, [])
    assert write_report(made, "command") == 0
    rows = table(runs)
    assert rows["precision"].tolist() == ["bf16", "float32"]
    assert "drop" not in rows  # no dense network in bf16


def test_two_states_of_the_data_are_two_rows_and_cells_of_unknown_data_are_told(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "masker=greedy", "densities=[0.1]", "figure=[]")
    states = [{"name": "digits", "sha256": letter * 64} for letter in "ab"]
    fill(made, runs, lambda cell: record(cell, 50, data=states[cell.seed]))
    assert write_report(made, "command") == 0
    rows = table(runs)
    assert rows["dataset"].tolist() == ["digits[data=aaaaaaaa]", "digits[data=bbbbbbbb]"]
    assert rows["n"].tolist() == [1, 1]
    told = json.loads((runs / "reports" / "tables" / "quickstart.json").read_text())
    assert told["data_sha256"] == {f"digits[data={letter * 8}]": letter * 64 for letter in "ab"}
    # where it is not known which, nothing speaks against it
    second = next(cell for _, cell in cells_of(made).values() if cell.seed == 1)
    shutil.rmtree(runs / second.key)
    Store(runs).write(second.key, record(second, 50, data=None), {}, [])
    assert write_report(made, "command") == 0
    assert table(runs)["n"].tolist() == [2]
    text = (runs / "reports" / "tables" / "quickstart.md").read_text()
    assert "1 of 2 cells were recorded before records had a digest of the data they saw." in text


def test_a_report_takes_records_from_files(runs: Path, tmp_path: Path) -> None:
    made = grid(runs, "seed=0,1", "masker=greedy")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed))
    write_report(made, "command")
    source = runs / "reports" / "records" / "quickstart.jsonl"
    elsewhere = tmp_path / "elsewhere"
    again = grid(elsewhere, "seed=0,1", "masker=greedy", f"records=[{source}]")
    assert write_report(again, "command") == 0
    pd.testing.assert_frame_equal(table(elsewhere), table(runs))
    assert (elsewhere / "reports" / "records" / "quickstart.jsonl").read_bytes() == source.read_bytes()
