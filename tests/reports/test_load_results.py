"""``pruneexp.load_results``: every recorded cell as a row, for people's own analyses; and ``where=``."""

from pathlib import Path

import pandas as pd
import pytest

import pruneexp
from pruneexp.errors import UserError
from pruneexp.reports.frame import SETTING, chosen
from pruneexp.reports.report import write_report
from pruneexp.sweep import Grid, expand
from tests.reports.made_records import fill, record

COLUMNS = [
    *SETTING, "seed", "diverged", "accuracy", "drop", "loss", "train_loss", "lambda2_min", "imdb", "density", "kept", "prunable",
    "pruning_seconds", "training_seconds", "device", "git_commit", "command", "key", "digest", "test_precision", "data_sha256", "group",
    "dense_group",
]  # fmt: skip
NUMBERS = [
    "asked_density",
    "accuracy",
    "drop",
    "loss",
    "lambda2_min",
    "pruning_seconds",
    "training_seconds",
    "recipe.lr",
]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Grid:
    """A grid with a made-up record for every cell, reported."""
    runs = tmp_path_factory.mktemp("made") / "runs"
    made = expand([f"results_dir={runs}", "seed=0,1", "densities=[1.0,0.1]", "figure=[]"])
    fill(made, runs, lambda cell: record(cell, 90.0 if cell.density == 1 else 80.0 - cell.seed))
    write_report(made, "command")
    return made


@pytest.fixture
def runs(grid: Grid) -> Path:
    return Path(grid.jobs[0].options.results_dir)


def test_a_folder_of_cells_is_a_row_for_each_with_all_that_tables_are_made_of(runs: Path) -> None:
    found = pruneexp.load_results(runs)
    assert set(COLUMNS) <= set(found.columns)
    assert list(found.index) == list(range(6))
    assert found["key"].is_unique
    assert sorted(zip(found["masker"], found["seed"], strict=True)) == [
        (masker, seed) for masker in ("dense", "greedy", "sparsify") for seed in (0, 1)
    ]
    assert found.groupby("masker")["drop"].apply(lambda drop: sorted(drop.dropna())).to_dict() == {
        "dense": [], "greedy": [10.0, 11.0], "sparsify": [10.0, 11.0]
    }  # fmt: skip
    assert found["group"].nunique() == 3
    assert found["dense_group"].nunique() == 1
    assert (found["recipe.lr"] == 0.05).all()


def test_columns_have_the_types_to_be_computed_with(runs: Path) -> None:
    found = pruneexp.load_results(str(runs))
    assert found[NUMBERS].dtypes.eq("float64").all()
    assert found["seed"].dtype == "int64"
    assert found["diverged"].dtype == bool
    assert found.loc[found["masker"] == "dense", "drop"].isna().all()
    assert all(isinstance(value, str) for name in SETTING[:-1] for value in found[name])


def test_a_file_of_records_gives_the_same_as_the_folder_in_its_order(runs: Path) -> None:
    from_file = pruneexp.load_results(runs / "reports" / "records" / "quickstart.jsonl")
    from_folder = pruneexp.load_results(runs)
    assert from_file["masker"].tolist()[0] == "dense"
    pd.testing.assert_frame_equal(
        from_file.sort_values("key", ignore_index=True), from_folder.sort_values("key", ignore_index=True)
    )


def test_two_files_one_after_the_other_are_one(runs: Path, tmp_path: Path) -> None:
    lines = (runs / "reports" / "records" / "quickstart.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "both.jsonl").write_text("".join([*lines[:4], *lines[2:]]))
    assert len(pruneexp.load_results(tmp_path / "both.jsonl")) == 6


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("none", 6),
        ("masker == 'greedy'", 2),
        ("asked_density < 0.5 and seed == 1", 2),
        ("`recipe.lr` == 0.05", 6),
        ("drop > 10", 2),
        ("masker in ['greedy', 'dense']", 4),
        ("masker == 'nobodys'", 0),
        ("not diverged", 6),
    ],
)
def test_where_chooses_rows(runs: Path, where: str, count: int) -> None:
    found = pruneexp.load_results(runs, where)
    assert len(found) == count
    assert list(found.index) == list(range(count))
    assert set(COLUMNS) <= set(found.columns)


@pytest.mark.parametrize(
    "where", ["masker = 'greedy'", "nothing == 3", "masker ==", "3", "seed", "'a'", "masker < 3", "@os", "seed == ", "(", "True"]
)  # fmt: skip
def test_where_that_compares_nothing_is_one_sentence(runs: Path, where: str) -> None:
    with pytest.raises(UserError) as raised:
        pruneexp.load_results(runs, where)
    assert str(raised.value).startswith(f"where={where!r} cannot be understood (")
    assert "\n" not in str(raised.value)


def test_what_is_not_there_or_damaged_is_one_sentence(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no nowhere: name a folder of cells"):
        pruneexp.load_results("nowhere")
    (tmp_path / "x.jsonl").write_text('{"key": 1}\n')
    with pytest.raises(UserError, match=r"x\.jsonl"):
        pruneexp.load_results(tmp_path / "x.jsonl")


@pytest.mark.parametrize("where", ["none", "masker == 'greedy'"])
def test_an_empty_folder_has_no_rows(tmp_path: Path, where: str) -> None:
    assert len(pruneexp.load_results(tmp_path, where)) == 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "none.jsonl").write_text("")
    assert pruneexp.load_results(tmp_path / "none.jsonl").empty


def test_the_frame_itself_is_left_as_it_is(runs: Path) -> None:
    cells = pruneexp.load_results(runs)
    before = cells.copy()
    assert len(chosen(cells, "seed == 0")) == 3
    pd.testing.assert_frame_equal(cells, before)
