"""The page of results is what the tables make of its words."""

from pathlib import Path

import pytest

from scripts.references import Sources
from scripts.results_page import page, with_table

TARGET = {
    "title": "A title, and more",
    "make": "it",
    "table": "made",
    "figure": "made",
    "says": "It has {masker=b -> accuracy} %.",
}
ABOUT = '{"command": "python -m pruneexp", "cells": 4, "cells_asked_for": 9, "recipes": ["r"], "precisions": ["p"], "devices": {"d": 4}}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "made.csv").write_text(
        "masker,asked_density,options,n,accuracy,accuracies,ci95,dead_filters\na,0.1,,1,50.5,50.5,,3\n"
        "b,0.1,x,3,51,50 51 52,2.5,4\nb,0.02,,1,9,9,,5\n"
    )
    (tmp_path / "tables" / "made.json").write_text(ABOUT)
    (tmp_path / "tables" / "made.md").write_text("<!-- made by: x -->\n**T**\n\n| a |\n|:--|\n| 1 |\n\nA note.\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("masker=a -> accuracy", "50.50"),
        ("masker=b; density=0.1 -> accuracy", "51.0 ± 2.5"),
        ("made: masker=b; options=x -> dead_filters %.1f", "4.0"),
        ("masker=b; options= -> dead_filters %.0f", "5"),
        ("masker=b -> dead_filters %.2f", "4.50"),
    ],
)
def test_a_figure_is_that_of_the_table(folder: Path, words: str, text: str) -> None:
    assert Sources(folder).figure(words, "made") == text


@pytest.mark.parametrize(
    "words",
    ["masker=c -> accuracy", "masker=a -> nothing", "masker=b -> accuracy", "masker=a", "nothing=1 -> accuracy"],
)
def test_a_figure_that_stands_for_nothing_ends_the_program(folder: Path, words: str) -> None:
    with pytest.raises(SystemExit, match="stands for"):
        Sources(folder).figure(words, "made")


def test_the_page_says_where_each_number_is_from(folder: Path) -> None:
    text = page([TARGET | {"says": "It has {masker=a -> accuracy} %."}], folder)
    assert "- [A title, and more](#a-title-and-more)" in text
    assert "![A title, and more](figures/made.png)" in text
    assert "It has 50.50 %." in text
    assert (
        "`make it`; [table](tables/made.md) of 4 of 9 cells, n = 1 to 3; recipe r, p, d; made by `python -m pruneexp`"
        in text
    )


def test_the_page_says_how_many_cells_were_tested_in_bfloat16(folder: Path) -> None:
    about = ABOUT.replace('"cells"', '"test_precisions": {"bf16": 3, "float32": 1}, "cells"')
    (folder / "tables" / "made.json").write_text(about)
    text = page([TARGET | {"says": "Nothing."}], folder)
    assert "recipe r, p (3 cells tested in bf16), d;" in text


def test_a_table_is_put_where_a_comment_names_it(folder: Path) -> None:
    text = "before\n<!-- table: made -->\nold\n<!-- end -->\nafter"
    once = with_table(text, folder)
    assert once == "before\n<!-- table: made -->\n| a |\n|:--|\n| 1 |\n<!-- end -->\nafter"
    assert with_table(once, folder) == once
