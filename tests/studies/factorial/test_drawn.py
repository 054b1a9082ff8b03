"""The heat map has the numbers of its table."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pruneexp.studies import report
from pruneexp.studies.factorial.drawn import heat_map, told

MEANS = pd.DataFrame(
    [("erk", "random", 3, 70.0, 1.25), ("erk", "greedy snip", 2, 60.0, 0.5), ("like_snip", "random", 3, 80.46, 0.0)],
    columns=["allocation", "choice", "n", "accuracy", "accuracy_spread"],
)


def test_each_combination_stands_in_its_place_with_its_number() -> None:
    figure = heat_map(MEANS, 3, "a title")
    axis = figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    assert texts == {(0, 0): "70.0 ± 1.2", (1, 0): "60.0 ± 0.5\nn = 2", (0, 1): "80.5 ± 0.0"}
    (image,) = axis.images
    values: Any = image.get_array()
    assert values[0].tolist() == [70.0, 60.0]
    assert (values[1, 0], bool(values.mask[1, 1])) == (80.46, True)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["erk", "like_snip"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["random", "greedy snip"]
    assert figure.get_suptitle() == "a title"


def test_the_same_map_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        report.write_figure(tmp_path / name, "map", heat_map(MEANS, 3, "a title"), "a command")
    for end in ("png", "svg", "pdf"):
        one, other = (tmp_path / name / "figures" / f"map.{end}" for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("n", "wanted"), [(3, "70.0 ± 1.2"), (2, "70.0 ± 1.2\nn = 2"), (1, "70.0\nn = 1")])
def test_n_is_told_where_it_is_not_all_seeds(n: int, wanted: str) -> None:
    assert told(70.0, 1.23, n, 3) == wanted
