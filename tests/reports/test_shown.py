"""The table as people read it: what all rows have in common in one line, nothing that is empty, and notes on what to know."""

from typing import Any

import pandas as pd
import pytest

from pruneexp.components.component import Component, configured
from pruneexp.records.record import precision_of_test
from pruneexp.reports.markdown import markdown
from pruneexp.reports.notes import notes
from pruneexp.reports.shown import Shown, shown
from pruneexp.reports.table import aggregate
from tests.reports.made_frames import cells


def columns(*names: str) -> dict[str, Component]:
    place = "pruneexp.reports.columns"
    return {
        name: configured(f"column.{name}", {"_target_": f"{place}.{name}.{name}", "_partial_": True}, "column")
        for name in names
    }


def of(frame: pd.DataFrame, *names: str) -> Shown:
    return shown(aggregate(frame), columns(*(names or ("n", "accuracy"))))


DENSE_AND_TWO: dict[str, Any] = {
    "masker": ["dense", "a", "b"], "scorer": ["dense", "snip", "snip"], "asked_density": [1.0, 0.1, 0.1],
    "accuracy": [90.0, 80.0, 70.0],
}  # fmt: skip


def test_what_all_rows_have_in_common_is_told_once() -> None:
    found = of(cells(**DENSE_AND_TWO))
    assert found.constant == {
        "dataset": "cifar100", "model": "vgg16", "scorer": "snip", "recipe": "laenen_cifar", "precision": "float32"
    }  # fmt: skip
    assert found.caption() == "dataset cifar100, model vgg16, scorer snip, recipe laenen_cifar, precision float32"
    assert list(found.rows) == ["masker", "density", "n", "accuracy"]
    assert found.rows["density"].tolist() == ["100 %", "10 %", "10 %"]
    assert found.settings == ["masker", "density"]


@pytest.mark.parametrize("name", ["dataset", "model", "recipe", "precision"])
def test_what_varies_is_a_column(name: str) -> None:
    found = of(cells(**{name: ["x", "y"]}))
    assert found.rows[name].tolist() == ["x", "y"]
    assert name not in found.constant


def test_scorers_and_options_are_those_of_pruned_networks() -> None:
    found = of(cells(**{**DENSE_AND_TWO, "options": ["", "shuffle", "shuffle"]}))
    assert found.constant["options"] == "shuffle"
    assert "options" not in found.rows
    found = of(cells(**{**DENSE_AND_TWO, "options": ["", "", "shuffle"], "scorer": ["dense", "snip", "none"]}))
    assert found.rows["options"].tolist() == ["", "", "shuffle"]
    assert found.rows["scorer"].tolist() == ["dense", "snip", "none"]


def test_two_dense_networks_are_never_told_by_the_same_words() -> None:
    found = of(
        cells(masker=["dense", "dense", "a"], scorer=["dense", "dense", "snip"], asked_density=[1.0, 1.0, 0.1],
              options=["", "initialisation=kaiming_uniform", "initialisation=kaiming_uniform"])
    )  # fmt: skip
    assert not found.rows[found.settings].duplicated().any()


def test_a_table_of_dense_networks_alone_and_one_of_pruned_alone() -> None:
    found = of(cells(masker=["dense"], scorer=["dense"], asked_density=[1.0]))
    assert found.rows.to_dict("records") == [{"masker": "dense", "density": "100 %", "n": "1", "accuracy": "60.00"}]
    assert found.constant["scorer"] == "dense"
    assert of(cells(masker=["a"])).rows["masker"].tolist() == ["a"]


def test_two_columns_of_one_title_are_both_shown() -> None:
    found = shown(aggregate(cells(seed=[0]).assign(**{"accuracy ": 3.0, "IMDB": 4.0})), columns("imdb", "measured"))
    assert "1.000" in found.rows.to_numpy()
    assert "4.0000" in found.rows.to_numpy()


def test_markdown_is_bold_where_it_is_best_and_escapes_bars() -> None:
    found = of(cells(masker=["a|b"] * 3 + ["c"] * 3, accuracy=[60.0, 61.0, 62.0, 10.0, 11.0, 12.0]))
    lines = markdown(found).splitlines()
    assert lines[0].split() == ["|", "masker", "|", "density", "|", "n", "|", "accuracy", "|"]
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "a\\|b" in lines[2]
    assert "**61.0 ± 2.5**" in lines[2]
    assert "**" not in lines[3]
    assert "| 1 %" in lines[2]  # as it is, not as a number


# notes


def told(**changes: Any) -> list[str]:
    frame = cells(**changes)
    return notes(aggregate(frame), frame)


def test_notes_say_how_many_cells_diverged_and_what_became_of_them() -> None:
    lost = told(accuracy=[50.0, None, 60.0], diverged=[False, True, False])
    assert "1 of 3 cells have no accuracy, since they diverged; means are of the others." in lost
    kept = told(accuracy=[50.0, 10.0, 60.0], diverged=[False, True, False])
    assert "1 of 3 cells diverged and count with the accuracy that they were left with." in kept
    assert not any("diverged" in note for note in told(accuracy=[50.0, 10.0, 60.0]))


def test_notes_say_what_intervals_are_and_that_few_seeds_have_none() -> None:
    three, two = told(seed=[0, 1, 2]), told(seed=[0, 1])
    assert any(note.startswith("Accuracy: percent, mean over n seeds ± 95 %") for note in three)
    assert not any("Fewer than three" in note for note in three)
    assert any(note.startswith("Fewer than three seeds have no interval") for note in two)
    assert not any("mean over n seeds" in note for note in two)


def test_notes_on_bold_stars_and_drops_stand_only_where_there_are_such() -> None:
    plain = told(seed=[0, 1, 2])
    assert not any(note.startswith(("Bold", "*", "Drop")) for note in plain)
    found = told(masker=["a"] * 3 + ["b"] * 3, accuracy=[60.0, 61.0, 62.0, 0.5, 0.6, 0.7])
    assert sum(note.startswith(("Bold", "* not above")) for note in found) == 2
    assert any(note.startswith("Drop: ") for note in told(**DENSE_AND_TWO))


def test_notes_say_whether_versions_and_devices_were_mixed() -> None:
    found = told(git_commit=["a" * 40, "b" * 40, "b" * 40], device=["cpu", "cpu", "H100"])
    assert "Made by several versions of the program: bbbbbbb (2 cells), aaaaaaa (1 cell)." in found
    assert "Trained on several kinds of device: cpu (2 cells), H100 (1 cell)." in found
    assert not any("several" in note for note in told(seed=[0, 1, 2]))
    # a changed checkout is another version
    assert any("several versions" in note for note in told(git_commit=["a" * 40, "a" * 40 + "+"]))


def test_notes_say_how_many_cells_were_tested_in_bfloat16() -> None:
    found = told(test_precision=["bf16", "float32", "float32"])
    assert "1 of 3 cells were tested in bfloat16, in which two logits are often equal; any others in float32." in found
    assert not any("tested in" in note for note in told(seed=[0, 1, 2]))


@pytest.mark.parametrize("trained", ["float32", "bf16"])
def test_earlier_versions_tested_in_the_precision_that_they_trained_in(trained: str) -> None:
    assert precision_of_test({"precision": trained}) == trained
    assert precision_of_test({"precision": trained, "test_precision": "float32"}) == "float32"


def test_notes_say_how_many_cells_do_not_know_their_data() -> None:
    assert "1 of 2 cells were recorded before records had a digest of the data they saw." in told(
        data_sha256=["a" * 64, None]
    )
