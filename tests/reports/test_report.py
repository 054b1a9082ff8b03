"""Reports from records made by hand: labels, files, and what is missing."""

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from pruneexp.cell import Cell
from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.reports.frame import collect
from pruneexp.reports.report import write_report
from pruneexp.sweep import Grid, expand
from tests.helpers import cells_of
from tests.reports.made_records import fill, layer, record

KINDS = {"tables": ("csv", "md", "tex"), "figures": ("png", "svg"), "records": ("jsonl",)}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def grid(runs: Path, *arguments: str) -> Grid:
    return expand([f"results_dir={runs}", "densities=[1.0,0.1,0.02]", *arguments])


def table(runs: Path, stem: str = "quickstart-digits") -> pd.DataFrame:
    text = (runs / "reports" / "tables" / f"{stem}.csv").read_text()
    comment, _, rest = text.partition("\n")
    assert comment.startswith("# made by: ")
    return pd.read_csv(StringIO(rest))


def test_every_file_is_written_and_names_the_command(runs: Path) -> None:
    made = grid(runs, "seed=0,1")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed))
    assert write_report(made, "python -m pruneexp seed=0,1") == 0
    written = [
        runs / "reports" / kind / f"quickstart-digits.{end}" for kind, endings in KINDS.items() for end in endings
    ]
    assert sorted(path for path in (runs / "reports").rglob("*") if path.is_file()) == sorted(written)
    for path in written[:3]:
        assert "made by: python -m pruneexp seed=0,1" in path.read_text().splitlines()[0]
    with Image.open(written[3]) as image:
        assert image.text["Description"] == "python -m pruneexp seed=0,1"  # type: ignore[attr-defined]
        assert min(image.size) > 300
    assert "python -m pruneexp seed=0,1" in written[4].read_text()
    assert ElementTree.parse(written[4]).getroot().tag.endswith("svg")
    records = [json.loads(line) for line in written[5].read_text().splitlines()]
    assert {row["key"] for row in records} == set(cells_of(made))


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
    assert rows["ci95"].tolist() == pytest.approx([12.7062] * 5, abs=1e-4)


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
    rows = table(runs).set_index("masker")
    assert rows["accuracy"].to_dict() == {"sparsify[sampling=systematic]": 50, "sparsify[sampling=paper]": 70}
    assert rows["n"].tolist() == [2, 2]


def test_two_recipes_of_one_name_are_set_apart_by_their_options(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "recipe.lr=0.05,0.1", "densities=[0.1]")
    cells, _ = collect(made)
    assert cells.empty
    fill(made, runs, lambda cell: record(cell, 50))
    cells, _ = collect(made)
    assert cells["recipe"].tolist() == ["digits[lr=0.05]", "digits[lr=0.1]"]


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
    with pytest.raises(UserError, match=r"none of the 15 cells is recorded .*mode=run"):
        write_report(grid(runs, "seed=0,1,2"), "command")
    assert not runs.exists()


def test_diverged_seeds_are_counted_and_shown(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0,1", "masker=greedy", "densities=[0.1]")
    lost = {"diverged": True, "loss": None, "train_loss": None}
    fill(made, runs, lambda cell: record(cell, 10, **(lost if cell.seed == 1 else {})))
    write_report(made, "command")
    assert table(runs)["diverged"].tolist() == [1]
    assert "(1 diverged)" in capsys.readouterr().out
    assert "(1 diverged)" in (runs / "reports" / "tables" / "quickstart-digits.md").read_text()


def test_a_report_of_the_dense_network_alone(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0,1", "densities=[1.0]")
    fill(made, runs, lambda cell: record(cell, 90))
    assert write_report(made, "command") == 0
    assert table(runs)["masker"].tolist() == ["dense"]
    assert "dense" in capsys.readouterr().out
    assert (runs / "reports" / "figures" / "quickstart-digits.png").stat().st_size > 1000


def test_one_seed_without_interval_and_imdb_is_drawn_too(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy")
    fill(made, runs, lambda cell: record(cell, 40, imdb=None, lambda2_min=None))
    assert write_report(made, "command") == 0
    assert table(runs)["imdb"].isna().all()
    assert (runs / "reports" / "figures" / "quickstart-digits.svg").exists()


def test_several_models_and_scorers_are_a_panel_each(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "model=vgg_small,resnet20", "scorer=magnitude,random")
    fill(made, runs, lambda cell: record(cell, 40))
    assert write_report(made, "command") == 0
    assert len(table(runs)) == 2 + 2 * 2 * 2
    with Image.open(runs / "reports" / "figures" / "quickstart-digits.png") as image:
        assert 1.2 < image.width / image.height < 1.5  # networks as columns, scorers as rows


def test_the_scorers_of_one_network_stand_side_by_side(runs: Path) -> None:
    made = grid(runs, "seed=0", "masker=greedy", "scorer=magnitude,random")
    fill(made, runs, lambda cell: record(cell, 40))
    assert write_report(made, "command") == 0
    with Image.open(runs / "reports" / "figures" / "quickstart-digits.png") as image:
        assert image.width > 2.5 * image.height


def test_the_lambda2_figures_come_with_a_table_of_the_layers(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "figures=[lambda2]")
    fill(made, runs, lambda cell: record(cell, 40, layers=layers(cell)))
    assert write_report(made, "command") == 0
    for name in ("lambda2", "lambda2-layers"):
        assert (runs / "reports" / "figures" / f"quickstart-digits-{name}.svg").exists()
        with Image.open(runs / "reports" / "figures" / f"quickstart-digits-{name}.png") as image:
            assert image.text["Description"] == "command"  # type: ignore[attr-defined]
    assert not (runs / "reports" / "figures" / "quickstart-digits.png").exists()
    assert (runs / "reports" / "tables" / "quickstart-digits-layers.md").read_text().count("\n| digits") == 2 * 5
    rows = table(runs, "quickstart-digits-layers").set_index(["masker", "asked_density", "layer"])
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
    rows = table(runs, "vgg16_c100_sweep-laenen_cifar")
    assert rows["asked_density"].tolist() == [0.1, 0.01]
    assert rows["published"].isna().tolist() == [True, False]
    assert (rows["published"].iloc[1], rows["published_ci95"].iloc[1]) == (59.81, 0.21)
    assert "59.81 ± 0.21" in (runs / "reports" / "tables" / "vgg16_c100_sweep-laenen_cifar.md").read_text()


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
    (tables / ".quickstart-digits.csv.0123456789abcdef.partial").write_text(
        "half a tab"
    )  # process 1 never writes reports
    write_report(made, "command")
    assert sorted(path.suffix for path in tables.iterdir()) == [".csv", ".md", ".tex"]


def test_options_in_brackets_are_shown_on_the_console_too(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = grid(runs, "seed=0", "scorer=synflow", "masker=greedy", "round_masker=masker,greedy", "densities=[0.1]")
    fill(made, runs, lambda cell: record(cell, 50))
    write_report(made, "command")
    shown = "".join(capsys.readouterr().out.split())
    assert "greedy[round_masker=greedy]" in shown


def test_cells_of_two_precisions_are_rows_of_their_own_each_less_its_own_dense_network(runs: Path) -> None:
    made, store = grid(runs, "seed=0,1", "masker=greedy", "densities=[1.0,0.1]"), Store(runs)
    better = {"float32": 10, "bf16": 0}
    for slot in made.slots:
        for cell in slot.cells:
            store.write(cell.key, record(cell, (80 if cell.density == 1 else 70) + better[cell.precision]), {}, [])
    assert write_report(made, "command") == 0
    rows = table(runs).set_index(["precision", "asked_density"])
    assert rows["n"].tolist() == [2] * 4
    assert rows["accuracy"].to_dict() == {
        ("float32", 1.0): 90, ("bf16", 1.0): 80, ("float32", 0.1): 80, ("bf16", 0.1): 70
    }  # fmt: skip
    assert rows["drop"].tolist() == [0, 0, 10, 10]
    # one precision alone is the grid's too where it is asked for
    alone = grid(runs, "seed=0,1", "masker=greedy", "densities=[1.0,0.1]", "trainer.precision=bf16")
    assert write_report(alone, "command") == 0
    assert table(runs)["precision"].tolist() == ["bf16", "bf16"]


def test_either_precision_finishes_a_cell_under_auto(runs: Path) -> None:
    made, store = grid(runs, "seed=0", "masker=greedy", "densities=[1.0,0.1]"), Store(runs)
    for slot, precision in zip(made.slots, ("float32", "bf16"), strict=True):
        cell = slot.job.cell(slot.density, precision)
        store.write(cell.key, record(cell, 50), {}, [])
    assert write_report(made, "command") == 0
    assert table(runs)["drop"].isna().tolist() == [False, True]  # no dense network in bf16


def test_one_table_never_mixes_two_states_of_the_data(runs: Path) -> None:
    made = grid(runs, "seed=0,1", "masker=greedy", "densities=[0.1]")
    states = [{"name": "digits", "sha256": letter * 64} for letter in "ab"]
    fill(made, runs, lambda cell: record(cell, 50, data=states[cell.seed]))
    sentence = (
        r"^one table never mixes two states of digits: \S+-s0-\S+ was trained and tested on a{16}, \S+-s1-\S+ on b{16} "
    )
    with pytest.raises(UserError, match=sentence):
        write_report(made, "command")
    assert not (runs / "reports").exists()
    # where it is not known which, nothing speaks against it
    second = next(cell for _, cell in cells_of(made).values() if cell.seed == 1)
    shutil.rmtree(runs / second.key)
    Store(runs).write(second.key, record(second, 50, data=None), {}, [])
    assert write_report(made, "command") == 0
    text = (runs / "reports" / "tables" / "quickstart-digits.md").read_text()
    assert "1 of its cells were recorded before records had a digest of the data" in text


def test_a_report_takes_records_from_files(runs: Path, tmp_path: Path) -> None:
    made = grid(runs, "seed=0,1", "masker=greedy")
    fill(made, runs, lambda cell: record(cell, 50 + cell.seed))
    write_report(made, "command")
    source = runs / "reports" / "records" / "quickstart-digits.jsonl"
    elsewhere = tmp_path / "elsewhere"
    again = grid(elsewhere, "seed=0,1", "masker=greedy", f"records=[{source}]")
    assert write_report(again, "command") == 0
    pd.testing.assert_frame_equal(table(elsewhere), table(runs))
    assert (elsewhere / "reports" / "records" / "quickstart-digits.jsonl").read_bytes() == source.read_bytes()
