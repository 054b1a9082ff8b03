"""What is told below a table: the notes of its presets, what its options mean, and what has to be known of published figures."""

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pruneexp.cell import FIELDS
from pruneexp.errors import UserError
from pruneexp.reports import published as module
from pruneexp.reports.notes import notes
from pruneexp.reports.presets import Presets
from pruneexp.reports.published import MASKS, published, remarks
from pruneexp.reports.table import aggregate
from pruneexp.sweep import named
from scripts.results_page import RESULTS
from tests.reports.made_frames import cells

THEIRS = {
    "dataset": "cifar10",
    "model": "resnet20",
    "recipe": "topology_cifar",
    "scorer": "none",
    "asked_density": 0.02,
}
BOTH = "nobody can verify which of the two they are of"
CLEAN = "Table 9 may not be of clean images"


def framed(**columns: Any) -> pd.DataFrame:
    """Cells, one for each of the values of what is a list."""
    count = max(len(value) for value in columns.values() if isinstance(value, list))
    return cells(**{name: value if isinstance(value, list) else [value] * count for name, value in columns.items()})


def told(presets: Presets | None = None, /, **columns: Any) -> list[str]:
    """The notes of a table with one row for each of the values."""
    frame = framed(**columns)
    return notes(aggregate(frame), frame, presets)


# presets and options


def test_a_presets_note_is_told_once_where_a_row_is_of_it() -> None:
    note = Presets().note("masker", "er_published")
    assert note.startswith("er_published ")
    assert note.endswith(".")
    rows = told(masker=["er_published", "er_published", "erk"], asked_density=[0.1, 0.02, 0.1], scorer="none")
    assert rows.count(note) == 1
    assert note not in told(masker=["erk", "er"], scorer="none")
    assert note not in told(masker=["er_published[allocation=uniform]"], scorer="none")  # of which it would be false


def test_whatever_differs_from_a_papers_text_in_its_published_code_has_a_note() -> None:
    found = {(group, name): Presets().note(group, name) for group, name in (
        ("scorer", "snip_published"), ("scorer", "grasp_published"), ("scorer", "prospr_published"), ("masker", "er_published"),
        ("recipe", "topology_tiny_conv6"),
    )}  # fmt: skip
    for (_, name), note in found.items():
        assert note.startswith(f"{name} ")
        assert "public code" in note
    assert Presets().note("scorer", "snip") == Presets().note("scorer", "nobodys") == ""


def test_a_note_of_ones_own_is_told_and_is_no_part_of_the_cell(tmp_path: Path) -> None:
    (tmp_path / "masker").mkdir()
    text = "name: mine\nnote: {}\n_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\n"
    path = tmp_path / "masker" / "mine.yaml"
    path.write_text(text.format("mine is another."))
    presets = Presets((tmp_path,))
    assert "mine is another." in told(presets, masker=["mine"])
    mine = presets.component("masker", "mine")
    assert mine is not None
    assert mine.identity() == named("masker", "greedy").identity()
    with pytest.raises(UserError, match=r"masker\.note must be one line of text"):
        named("masker", "greedy", "+masker.note=[1]")


def test_an_option_of_the_schema_is_told_by_its_meaning_where_a_row_names_it() -> None:
    meaning = f"biases: {FIELDS['biases'].description}."
    assert "prunable layers" in meaning
    assert told(options=["", "biases=frozen", "biases=frozen, shuffle"]).count(meaning) == 1
    assert not any(note.startswith("biases") for note in told(options=["", "shuffle"]))


# published figures


def test_both_readings_of_a_paper_have_its_number_and_the_table_says_so() -> None:
    options = ["", "biases=frozen", "biases=frozen", ""]
    frame = framed(**THEIRS, masker=["er", "er_published", "er", "er_published"], options=options)
    table = aggregate(frame).set_index(["masker", "options"])
    assert table["published"].dropna().to_dict() == {("er", ""): 77.0, ("er_published", "biases=frozen"): 77.0}
    assert sum(BOTH in note for note in notes(aggregate(frame), frame)) == 1


def test_conv6_on_tiny_imagenet_has_its_numbers_beside_either_recipe() -> None:
    own = published().query("dataset == 'tiny_imagenet32' and model == 'conv6' and scorer == 'dense'")
    assert sorted(own["recipe"]) == ["topology_tiny", "topology_tiny_conv6"]
    assert own["published"].nunique() == 1
    others = published().query("dataset == 'tiny_imagenet32' and model == 'resnet20'")
    assert "topology_tiny_conv6" not in set(others["recipe"])


def test_table_9_may_not_be_of_clean_images_and_only_its_tables_say_so() -> None:
    ours = THEIRS | {"masker": ["erk"]}
    assert any(CLEAN in note for note in told(**ours | {"dataset": "cifar100"}))
    assert not any(CLEAN in note for note in told(**ours))
    dense = {"scorer": "dense", "masker": ["dense"], "asked_density": 1.0}
    of_dense = told(**THEIRS | dense | {"dataset": "cifar100"})
    assert any(CLEAN in note for note in of_dense)
    assert not any(BOTH in note for note in of_dense)  # there is one dense network
    elsewhere = told(**ours | {"dataset": "cifar100", "recipe": "topology_cifar_3"})
    assert not any(CLEAN in note or BOTH in note for note in elsewhere)


def test_what_is_said_of_the_two_units_is_what_table_6_has() -> None:
    ours = pd.read_csv(RESULTS / "tables" / "ramanujan_table6_imdb.csv").query("dataset == 'cifar10'")
    printed = published().query("dataset == 'cifar10' and recipe == 'hoang_250'").set_index(["model", "scorer"])
    like = published().query("masker == 'ramanujan' and model == 'resnet34'").iloc[0]
    (note,) = (
        note for note in told(**{name: [like[name]] for name in MASKS}, recipe="smoke") if note.startswith("IMDB: ")
    )
    theirs = printed["published_imdb_norm"].to_dict()
    wanted: list[float] = [theirs["vgg16", "synflow"], theirs["resnet34", "snip"]]
    own = ours[ours["masker"].str.startswith("ramanujan")]
    wanted += own[["imdb", "imdb_norm", "imdb_norm_pruned"]].to_numpy().ravel().tolist()
    assert sorted(re.findall(r"\d\.\d{3}", note)) == sorted(f"{value:.3f}" for value in wanted)


def test_intervals_without_width_are_counted() -> None:
    flat = published()[published()["published_ci95"].eq(0) & published()["options"].eq("")]
    assert (len(flat), flat["scorer"].eq("dense").sum()) == (13, 1)
    rows = flat.drop(
        columns=["published", "published_ci95", "source", "published_imdb", "published_pruning_seconds", "remark"]
    )
    text = told(
        **{name: rows[name].tolist() for name in ("dataset", "model", "scorer", "masker", "asked_density", "recipe")}
    )
    assert "13 of the published intervals have no width: the standard deviation is printed as 0.0." in text
    one = rows.iloc[0]
    text = told(**{name: [one[name]] for name in ("dataset", "model", "scorer", "masker", "asked_density", "recipe")})
    assert "1 of the published intervals has no width: the standard deviation is printed as 0.0." in text


def test_a_remark_in_a_papers_file_is_told_where_its_figure_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = published().copy()
    erk = {**THEIRS, "masker": ["erk"]}
    theirs.loc[theirs[[*THEIRS]].eq(pd.Series(THEIRS)).all(axis=1), "remark"] = "A misprint."
    of_imdb = theirs["published_imdb_norm"].notna() & theirs["recipe"].eq("hoang_250")
    assert of_imdb.any()
    theirs.loc[of_imdb, "remark"] = "Another one."
    monkeypatch.setattr(module, "published", lambda: theirs)
    assert remarks(aggregate(framed(**erk)))[0] == "A misprint."
    assert "A misprint." in told(**erk)
    assert remarks(aggregate(framed(**erk | {"recipe": "smoke"}))) == []
    one = theirs[of_imdb].iloc[0]
    like = {name: [one[name]] for name in ("dataset", "model", "scorer", "masker", "asked_density", "options")}
    assert remarks(aggregate(cells(**like, recipe=["smoke"]))) == ["Another one."]
    assert math.isnan(aggregate(cells(**like, recipe=["smoke"]))["published"].iloc[0])
