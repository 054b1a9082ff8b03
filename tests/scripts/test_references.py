"""Figures that sentences ask for, from every kind of file."""

import json
from pathlib import Path

import pytest

from scripts.references import Sources, markdown_tables

PAGE = """By hand, 46 an hour in
all.

| what | steps | said |
|---|---|---|
| one | 1,421 | 5 to 9 |
| four | 843 | 6 |

| | ours |
|---|---|
| memory | 3.83 |
"""


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    for name in ("tables", "benchmarks", "published"):
        (tmp_path / name).mkdir()
    (tmp_path / "tables" / "a=1.csv").write_text("x,y\nb,2\n", encoding="utf-8")
    (tmp_path / "published" / "p.csv").write_text("x,y\nb,3\n", encoding="utf-8")
    rows = [{"x": "b", "s": {"mean": 1.26}}, {"x": "c", "s": {"mean": 3.14}}]
    told = {"rows": rows, "count": 9999, "seconds": {"mode=plan": [3.0, 9.0, 5.0]}}
    (tmp_path / "benchmarks" / "b.json").write_text(json.dumps(told), encoding="utf-8")
    (tmp_path / "benchmarks" / "b.md").write_text(PAGE, encoding="utf-8")
    return Sources(tmp_path)


@pytest.mark.parametrize(
    ("words", "figure"),
    [
        ("a=1: x=b -> y", "2"),
        ("published/p.csv: x=b -> y %.1f", "3.0"),
        ("benchmarks/b.json/rows: x=b -> count", "1"),
        ("benchmarks/b.json/rows: -> count", "2"),
        ("benchmarks/b.json/rows: x=d -> count", "0"),
        ("benchmarks/b.json/rows: x=c -> s.mean %.1f", "3.1"),
        ("benchmarks/b.json/rows: -> s.mean %.2f", "2.20"),
        ("benchmarks/b.json: -> count %,.0f", "9,999"),
        ("benchmarks/b.json/seconds: -> mode=plan %.1f", "5.0"),
        ("benchmarks/b.md: what=one -> steps %.0f", "1421"),
        ("benchmarks/b.md: what=one -> said", "5 to 9"),
        ("benchmarks/b.md: =memory -> ours %.1f", "3.8"),
        ('benchmarks/b.md: "46 an hour in all"', "46 an hour in all"),
    ],
)
def test_a_figure_is_what_its_source_has(sources: Sources, words: str, figure: str) -> None:
    assert sources.figure(words) == figure
    assert sources.said(f"It is {{{words}}}.") == f"It is {figure}."


@pytest.mark.parametrize(
    "words",
    [
        "a=1: x=c -> y",
        "a=1: z=c -> count",
        "nothing: x=b -> y",
        "benchmarks/b.json/rows: x=b -> nothing",
        "benchmarks/b.json/rows: -> s.mean",
        "benchmarks/b.json/nothing: -> count",
        "benchmarks/b.md: what=two -> steps",
        'benchmarks/b.md: "47 an hour"',
        "benchmarks/b.json/rows: x=b",
    ],
)
def test_what_stands_for_nothing_or_for_much_ends_the_program(sources: Sources, words: str) -> None:
    with pytest.raises(SystemExit, match=r"stands for|there is no"):
        sources.figure(words)


def test_a_page_has_its_tables_apart() -> None:
    first, second = markdown_tables(PAGE)
    assert list(first["steps"]) == [1421, 843]
    assert list(first["said"]) == ["5 to 9", "6"]
    assert list(second) == ["", "ours"]
