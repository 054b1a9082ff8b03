"""The page of benchmarks shows each with what made it."""

from pathlib import Path

import pytest

from scripts.benchmarks_page import TITLES, page

FOLDER = Path(__file__).resolve().parents[2] / "results" / "benchmarks"


def test_it_shows_each_table_with_what_made_it(tmp_path: Path) -> None:
    (tmp_path / "goals.md").write_text("<!-- made by hand; commit c0 -->\n| goal | met |\n", encoding="utf-8")
    (tmp_path / "masks.md").write_text("<!-- made by: x; commit c1; a machine -->\n| a |\n", encoding="utf-8")
    text = page(tmp_path)
    assert text.index("| goal | met |") < text.index('<a id="masks"></a>') < text.index("| a |")
    assert "*Made by: x; commit c1; a machine.*" in text
    assert "- [Masks by effective resistances](#masks)" in text
    assert "scorers" not in text


def test_what_does_not_say_what_made_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "masks.md").write_text("| a |\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"masks\.md does not say"):
        page(tmp_path)


def test_every_benchmark_has_its_place() -> None:
    scripts = {path.stem.removeprefix("bench_") for path in (FOLDER.parents[1] / "scripts").glob("bench_*.py")}
    assert scripts - {"step"} <= TITLES.keys()  # bench_step prints what h100.md tells
    assert page(FOLDER) == (FOLDER / "README.md").read_text(encoding="utf-8")
