"""The columns of tables: the contract that each file of conf/column is held to, and what single ones say."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pruneexp.components.component import Component
from pruneexp.errors import UserError
from pruneexp.jobs.composing import Source
from pruneexp.program import do
from pruneexp.reports.columns.accuracy import accuracy
from pruneexp.reports.columns.difference import difference
from pruneexp.reports.columns.drop import drop
from pruneexp.reports.columns.drop_unpruned import drop_unpruned
from pruneexp.reports.columns.imdb_norm_start import imdb_norm_start
from pruneexp.reports.columns.lambda2_start import lambda2_start
from pruneexp.reports.columns.mask_updates import mask_updates
from pruneexp.reports.columns.measured import measured
from pruneexp.reports.columns.n import n
from pruneexp.reports.columns.published import published
from pruneexp.reports.notes import notes
from pruneexp.reports.presets import Presets
from pruneexp.reports.shown import shown
from pruneexp.reports.table import aggregate
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir
from tests.reports.made_frames import cells
from tests.reports.made_records import made_cell

NAMES = sorted(path.stem for path in (conf_dir() / "column").glob("*.yaml"))
OPTIONAL = (
    "neurons",
    "latency/cpu/64",
    "peak_memory_bytes",
    "mine/a",
    "mask_updates",
    "start/lambda2_min",
    "start/imdb_norm",
)
MISSING = (
    "imdb",
    "imdb_norm",
    "lambda2_min",
    "dead_filters",
    "collapsed_layers",
    "effective_density",
    "parameters",
    "macs",
    "density",
    "validation_accuracy",
)


@pytest.fixture(scope="module")
def columns() -> dict[str, Component]:
    """All of them, configured as a report does it."""
    return Presets().chosen("column", NAMES)


def tables() -> dict[str, pd.DataFrame]:
    """Tables of every kind that a column meets."""
    pruned: dict[str, Any] = {"accuracy": [60.0, 61.0, 62.0], "seed": [0, 1, 2]}
    dense: dict[str, Any] = {"masker": ["dense"], "scorer": ["dense"], "asked_density": [1.0]}
    full = cells(**pruned).assign(**dict.fromkeys(OPTIONAL, 0.5))
    found: dict[str, pd.DataFrame] = {
        "pruned": cells(**pruned), "dense": cells(**dense), "everything": full,
        "diverged": cells(accuracy=[None, None], diverged=[True, True]),
        "nothing": cells(**pruned).assign(**dict.fromkeys(MISSING, math.nan)),
        "published": cells(seed=[0]), "both": pd.concat([cells(**dense), full], ignore_index=True),
    }  # fmt: skip
    made = {name: aggregate(frame) for name, frame in found.items()}
    return made | {"empty": made["dense"].iloc[:0], "shifted": made["both"].set_index(pd.Index([7, 9]))}


@pytest.mark.parametrize("kind", tables())
def test_every_column_has_text_for_every_row_of_any_table(kind: str, columns: dict[str, Component]) -> None:
    table = tables()[kind]
    assert sorted(columns) == NAMES
    for name, column in columns.items():
        before = table.copy()
        made = column.call(table=table)
        found = made.to_frame() if isinstance(made, pd.Series) else made
        assert list(found.index) == list(table.index), name
        assert all(isinstance(value, str) for value in found.to_numpy().ravel()), name
        assert all(isinstance(title, str) and title for title in found.columns), name
        assert not found.columns.duplicated().any(), name
        pd.testing.assert_frame_equal(table, before)


def test_no_two_columns_have_one_title(columns: dict[str, Component]) -> None:
    table = tables()["both"]
    titles = [t for c in columns.values() for t in pd.DataFrame(c.call(table=table)).columns]
    assert len(titles) == len(set(titles)) >= len(NAMES)


def test_every_column_says_something_of_a_table_that_has_its_figures(columns: dict[str, Component]) -> None:
    theirs = cells(accuracy=[60.0, 61.0, 62.0], options=["batchnorm_init=uniform"] * 3)  # the published network
    whole = aggregate(theirs.assign(**dict.fromkeys(OPTIONAL, 0.5)))
    whole = whole.assign(
        density=0.5, drops=pd.Series([(1.0,)]), pairs=1, published_imdb=0.5, published_imdb_norm=0.5, published_pruning_seconds=3.0,
        drops_unpruned=pd.Series([(1.0,)]), drop_unpruned_ci95=math.nan, pairs_unpruned=1,
        best_difference=1.0, difference_ci95=0.5,
    )  # fmt: skip
    for name, column in columns.items():
        made = pd.DataFrame(column.call(table=whole))
        assert made.shape[1] >= 1, name
        assert all(text.strip() for text in made.to_numpy().ravel()), name


# what single columns say


def test_n_says_how_many_seeds_have_an_accuracy_and_how_many_diverged() -> None:
    for accuracies, diverged, text in (
        ([1.0, 2.0, 3.0], [False] * 3, "3"),
        ([1.0, None, 3.0], [False, True, False], "2 of 3"),
        ([None, None], [True, True], "0 of 2"),
        ([1.0, 2.0, 3.0], [True, False, False], "3 (1 diverged)"),
        ([1.0, None, 3.0], [True, True, False], "2 of 3 (1 diverged)"),
    ):
        assert n(aggregate(cells(accuracy=list(accuracies), diverged=list(diverged)))).tolist() == [text]


@pytest.mark.parametrize(("classes", "chance"), [(10, 10.0), (100, 1.0), (200, 0.5)])
def test_an_accuracy_at_or_below_chance_has_a_star(classes: int, chance: float) -> None:
    assert chance == 100 / classes
    for share, star in ((1.0, "*"), (0.9, "*"), (1.05, "")):
        table = aggregate(cells(accuracy=[share * chance], chance=[chance]))
        assert accuracy(table).tolist() == [f"{share * chance:.2f}{star}"]


def test_the_mean_over_seeds_decides_whether_it_is_chance() -> None:
    for accuracies, star in (([9.0, 10.0, 12.5], False), ([9.0, 10.0, 10.5], True)):
        (text,) = accuracy(aggregate(cells(accuracy=list(accuracies), chance=[10.0] * 3)))
        assert text.endswith("*") == star
        assert text.startswith(("10.5 ± 4.5", "9.8 ± 1.9"))
    assert accuracy(aggregate(cells(accuracy=[None], diverged=[True]))).tolist() == [""]


def test_a_drop_says_of_how_many_pairs_it_is_where_that_is_not_all_seeds() -> None:
    kind = ["dense"] * 3 + ["a"] * 3
    same: dict[str, Any] = {"masker": kind, "scorer": kind, "asked_density": [1.0] * 3 + [0.1] * 3}
    table = aggregate(cells(**same, accuracy=[50.0, 70.0, 90.0, 41.0, 60.0, 79.0]))
    assert drop(table).tolist() == ["", "10.0 ± 2.5"]
    table = aggregate(cells(**same, accuracy=[50.0, 70.0, None, 41.0, 60.0, 79.0]))
    assert drop(table).tolist() == ["", "9.00, 10.00 (2 pairs)"]
    table = aggregate(cells(**same, accuracy=[50.0, None, None, 41.0, 60.0, 79.0]))
    assert drop(table).tolist() == ["", "9.00 (1 pair)"]


def test_a_drop_from_the_unpruned_network_is_told_where_there_is_one() -> None:
    frame = cells(accuracy=[80.0, 81.0, 82.0])
    assert drop_unpruned(aggregate(frame)).tolist() == [""]
    frame = frame.assign(drop_unpruned=[4.0, 3.0, math.nan])
    assert drop_unpruned(aggregate(frame)).tolist() == ["4.00, 3.00 (2 pairs)"]


def test_published_figures_are_told_as_printed() -> None:
    theirs: dict[str, Any] = {"seed": [0], "options": ["batchnorm_init=uniform"]}
    assert published(aggregate(cells(**theirs))).tolist() == ["59.81 ± 0.21"]
    assert published(aggregate(cells(**theirs, recipe=["smoke"]))).tolist() == [""]


def test_measurements_of_ones_own_are_shown_where_they_are_few() -> None:
    frame = cells(seed=[0, 1], one=[3.0, 3.0], **{"mine/a": [1.0, 2.0], "mine/b": [0.5, 0.5]})
    frame = frame.assign(**{f"many/{k}": 1.0 for k in range(4)}, **{"latency/cpu/1": 1.0})
    found = measured(aggregate(frame))
    assert found.to_dict("records") == [{"mine a": "1.5000", "mine b": "0.5000", "one": "3.0000"}]


# which of them a table has


def test_a_table_has_the_columns_that_are_chosen_in_their_order_without_those_that_are_empty() -> None:
    def of(*names: str, imdb: float = 1.0) -> list[str]:
        columns = Presets().chosen("column", names)
        return list(map(str, shown(aggregate(cells(seed=[0, 1])).assign(imdb=imdb), columns).rows))

    assert of("accuracy", "n", "neurons", "imdb") == ["masker", "density", "accuracy", "n", "IMDB"]
    assert of("accuracy", "n", "neurons", "imdb", imdb=math.nan) == ["masker", "density", "accuracy", "n"]
    assert of() == ["masker", "density"]


def test_an_experiment_chooses_columns_of_its_own_and_a_user_adds_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for group in ("column", "experiment"):
        (tmp_path / group).mkdir()
    (tmp_path / "my_columns.py").write_text(
        "import pandas as pd\n\n\ndef seeds(table: pd.DataFrame, sign: str = '#') -> pd.Series:\n"
        "    return table['seeds'].map(lambda count: sign * count).rename('my seeds')\n"
    )
    (tmp_path / "column" / "mine.yaml").write_text("_target_: my_columns.seeds\n_partial_: true\nsign: '+'\n")
    (tmp_path / "experiment" / "own.yaml").write_text("# @package _global_\nname: own\ncolumns: [mine, n]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["+experiment=own", "seed=0", "masker=greedy", f"hydra.searchpath=[file://{tmp_path}]"]
    grid = expand(words)
    chosen = Presets(grid.folders).chosen("column", grid.jobs[0].options.columns)
    rows = shown(aggregate(cells(seed=[0, 1])), chosen).rows
    assert rows.to_dict("records") == [{"masker": "sparsify", "density": "1 %", "my seeds": "++", "n": "2"}]
    typed = expand([*words, "columns=[n,mine]"])
    assert typed.jobs[0].options.columns == ["n", "mine"]
    assert typed.slots[0].cell.key == grid.slots[0].cell.key  # no part of a cell


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("columns=[nothing]", "there is no column 'nothing'"),
        ("columns=n,accuracy", "columns has one value for all jobs of a sweep"),
        ("columns=3", "columns must be a list of names of files in conf/column"),
    ],
)
def test_a_column_that_is_none_is_one_sentence(word: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^[^\n]*$") as raised:
        do([word, "seed=0", "masker=greedy", f"results_dir={tmp_path}/runs"], Source(), "a command")
    assert told in str(raised.value)
    assert not any(tmp_path.iterdir())


def test_what_is_no_column_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "column").mkdir()
    (tmp_path / "column" / "mine.yaml").write_text("_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\n")
    words = ["columns=[mine]", "seed=0", "masker=greedy", f"hydra.searchpath=[file://{tmp_path}]"]
    with pytest.raises(UserError, match=r"must be a column, and _target_=pruneexp.maskers.greedy.greedy is a masker"):
        do(words, Source(), "a command")


def test_columns_have_no_part_in_a_cells_key() -> None:
    found = {
        expand([word, "seed=0", "masker=greedy", "densities=[0.1]"]).slots[0].cells[0].key
        for word in ("columns=[n]", "columns=[]")
    }
    assert found == {made_cell(masker="greedy").key}


def test_the_difference_to_the_best_has_its_interval_and_stands_where_there_is_one() -> None:
    # two methods: less by 1, 2, 3, so 2 +- t sqrt(1/3); one with two seeds, and the best itself, have none
    maskers = ["a"] * 3 + ["b"] * 3 + ["c"] * 2
    table = aggregate(cells(masker=maskers, accuracy=[60.0, 70.0, 80.0, 59.0, 68.0, 77.0, 1.0, 2.0]))
    assert dict(zip(table["masker"], difference(table), strict=True)) == {"a": "", "b": "2.0 ± 2.5", "c": ""}


def test_of_masks_that_stay_the_start_is_the_end_and_of_others_it_is_their_own() -> None:
    changing = {"start/lambda2_min": [0.125, math.nan, math.nan], "start/imdb_norm": [0.75, math.nan, 0.5]}
    three = cells(
        accuracy=[60.0, 61.0, 62.0], masker=["erk", "sparsify", "x_net"], lambda2_min=[0.5, 0.25, 0.75], imdb_norm=[0.1, 0.2, 0.3]
    )  # fmt: skip
    table = aggregate(three.assign(mask_updates=[60, math.nan, 60], **changing)).sort_values("masker")
    # the last began with masks that have no lambda_2: those that it ended with say nothing of them
    assert lambda2_start(table).tolist() == ["0.125", "0.250", ""]
    assert imdb_norm_start(table).tolist() == ["0.750", "0.200", "0.500"]
    for column in (lambda2_start, imdb_norm_start, mask_updates):
        assert column(aggregate(three)).tolist() == ["", "", ""]


def test_fewer_than_fifty_updates_of_masks_are_a_toy_which_a_note_says_too() -> None:
    three = cells(accuracy=[60.0, 61.0, 62.0], masker=["a", "b", "c"], mask_updates=[49, 50, math.nan])
    table = aggregate(three).sort_values("masker")
    assert mask_updates(table).tolist() == ["49 (toy)", "50", ""]
    assert [note for note in notes(table, three) if note.startswith("Toy")] == [
        "Toy: 1 row's masks have changed fewer than 50 times, which says nothing of the method at its usual length."
    ]
    assert not [note for note in notes(table[1:], three[1:]) if note.startswith("Toy")]
