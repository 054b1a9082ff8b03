"""A table on a terminal has no line that is too long, and says of each row what it is of; in a pipe it is whole."""

import doctest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.system import durations
from pruneexp.system.tables import GAP, INDENT, laid_out, print_table

NEEDED, ORDER = ("masker", "density", "n", "accuracy"), ("scorer", "drop")
SETTINGS = ("dataset", "model", "scorer", "masker", "options", "density")
COLUMNS = {
    "dataset": ["cifar10"] * 4,
    "model": ["resnet20", "resnet20", "torchvision_resnet50", "resnet20"],
    "scorer": ["dense", "eigenvector_centrality", "snip", "snip"],
    "masker": ["dense", "sparsify_global", "greedy", "a|b"],
    "options": ["", "rounds=100, shuffle", "", ""],
    "density": ["100 %", "0.5 %", "0.5 %", "0.5 %"],
    "n": ["3"] * 4,
    "accuracy": ["98.6 [96.8, 100.0]", "77.40 ± 0.24", "1.00", "2.00"],
    "drop": ["", "21.2 ± 2.0", "1", "2"],
    "MACs": ["1.00e+09"] * 4,
}
NAMES = st.sampled_from([*COLUMNS, "one", "two"])
TEXTS = st.lists(st.text("abc ±漢", max_size=30), min_size=3, max_size=3)
TABLES = st.dictionaries(NAMES, TEXTS, min_size=1)


@given(TABLES, st.integers(1, 200))
def test_every_column_has_a_place_and_what_is_needed_is_whole(columns: dict[str, list[str]], width: int) -> None:
    layout = laid_out(columns, NEEDED, ORDER, SETTINGS, width)
    said = {name for name in columns if name in SETTINGS and any(columns[name])}
    assert said <= {*layout.kept, *layout.headings}
    assert set(columns) - set(SETTINGS) == {*layout.kept, *layout.left_out} - set(SETTINGS)
    assert len(layout.kept) + len(layout.headings) + len(layout.left_out) == len(
        {*layout.kept, *layout.headings, *layout.left_out}
    )
    assert {"n", "accuracy"} & columns.keys() <= set(layout.kept)
    assert layout.kept == [name for name in columns if name in layout.kept]


@given(st.integers(40, 200))
def test_columns_go_by_the_order_and_come_back_with_room(width: int) -> None:
    narrow, wide = (laid_out(COLUMNS, NEEDED, ORDER, SETTINGS, size) for size in (width, 400))
    used = sum(GAP + max(map(len, [name, *COLUMNS[name]])) for name in narrow.kept) - GAP + INDENT
    assert used <= width
    assert (wide.headings, wide.left_out) == (["dataset"], [])  # the one that is the same in all rows
    if "options" in narrow.kept:
        assert {"masker", "scorer", "drop"} <= set(narrow.kept)


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int | None, **columns: Any
) -> tuple[list[str], list[str]]:
    monkeypatch.setattr("pruneexp.system.tables.terminal_width", lambda: width)
    left_out = print_table(columns or COLUMNS, NEEDED, ORDER, SETTINGS, [False] * 4)
    return capsys.readouterr().out.splitlines(), left_out


def test_what_has_no_room_is_a_heading_or_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, left_out = shown(monkeypatch, capsys, 62)
    assert (
        [line.rstrip() for line in lines]
        == [
            "dataset cifar10",
            "  masker           density  n  accuracy            drop",
            "  " + "─" * 59,
            "model resnet20, scorer dense",
            "  dense            100 %    3  98.6 [96.8, 100.0]",
            "model resnet20, scorer eigenvector_centrality, options rounds=100, shuffle",  # a terminal breaks it between words
            "  sparsify_global  0.5 %    3  77.40 ± 0.24        21.2 ± 2.0",
            "model torchvision_resnet50, scorer snip",
            "  greedy           0.5 %    3  1.00                1",
            "model resnet20, scorer snip",
            "  a|b              0.5 %    3  2.00                2",
        ]
    )
    assert left_out == ["MACs"]


def test_a_single_section_has_its_heading_above_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, left_out = shown(monkeypatch, capsys, 80, model=["a", "a"], masker=["b", "c"], n=["1", "2"])
    assert ([line.rstrip() for line in lines], left_out) == (
        ["model a", "masker  n", "─" * 9, "b       1", "c       2"],
        [],
    )


def test_a_pipe_has_all_of_it_in_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, left_out = shown(monkeypatch, capsys, None)
    assert left_out == []
    assert len(lines) == 2 + 4
    assert all((line.isprintable() and line.isascii()) or "±" in line for line in lines)
    assert [part.strip() for part in lines[0].split("|")[1:-1]] == list(COLUMNS)
    assert "a\\|b" in lines[5]
    assert len(set(map(len, lines))) == 1


def test_durations_are_told_in_units_that_suit_them() -> None:
    assert doctest.testmod(durations).failed == 0
    assert [durations.in_words(s) for s in (60, 3540, 3600, 90000, 86400 * 50, 1e11)] == [
        "1 min", "59 min", "1 hour", "25 hours", "50 days", "3,200 years"
    ]  # fmt: skip
