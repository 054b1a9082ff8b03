"""lambda_2 of layers beside the accuracy."""

import itertools
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from pruneexp.reports.figures.draw_accuracy import draw_accuracy
from pruneexp.reports.figures.draw_lambda2 import SUBJECT, draw_beside, draw_layers
from pruneexp.reports.figures.lambda2 import lambda2_figures
from pruneexp.reports.figures.layers import short_names
from pruneexp.reports.figures.names import Names, keys_of, rows_of
from pruneexp.reports.figures.plan import Plan
from tests.reports.figures.made_frames import cells, layers, legend_names, lines, panels, said, table, titles

CROSSED = [(scorer, masker, "") for scorer in ("snip", "magnitude") for masker in ("greedy", "sparsify")]
MADE = cells(methods=CROSSED)
WHOLE = Plan(table(MADE), MADE, Names(titles), "method", "network")
SECOND = keys_of(WHOLE.shown, SUBJECT)[1]
PART, LAYERS = WHOLE.part(SUBJECT, SECOND), rows_of(layers(MADE), SUBJECT, SECOND)


def test_methods_have_their_colours_of_the_whole_grid() -> None:
    whole, small = draw_accuracy(WHOLE, "A title"), draw_layers(PART, LAYERS, "A title")
    (line,) = lines(panels(whole)[0], "magnitude, Greedy")
    assert to_hex(line.get_color()) in {to_hex(own.get_color()) for own in panels(small)[0].get_lines()}
    assert legend_names(small) == ["magnitude, Greedy", "magnitude, sparsify", "collapsed"]


def test_a_panel_for_each_layer_with_a_cross_where_it_has_collapsed() -> None:
    figure = draw_layers(PART, LAYERS, "A title")
    assert [axis.get_title() for axis in panels(figure)] == ["0", "1", "fc"]
    crosses = [sum(line.get_marker() == "x" for line in axis.get_lines()) for axis in panels(figure)]
    assert crosses == [0, 0, 2]
    assert said(figure)[1].startswith("VGG-11, CIFAR-10; ")


def test_accuracy_stands_beside_a_panel_for_each_method() -> None:
    figure = draw_beside(PART, LAYERS, "A title")
    left, first, second, bar = panels(figure)
    assert left.get_ylabel() == "test accuracy (%)"
    assert (first.get_title(), second.get_title()) == ("magnitude, Greedy", "magnitude, sparsify")
    assert first.get_ylim() == second.get_ylim()
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "1", "fc"]


@pytest.mark.parametrize("draw", [draw_beside, draw_layers])
def test_nothing_overlaps(draw: type) -> None:
    figure = draw(PART, LAYERS, "A title")
    figure.draw_without_rendering()
    boxes = [figure.legends[0].get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    boxes += [box for axis in panels(figure) if (box := axis.get_tightbbox())]
    assert not any(one.padded(-1).overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_files_are_called_after_what_tells_them_apart(tmp_path: Path) -> None:
    made = cells(methods=[("snip", "greedy", ""), ("rounds[n=3]", "greedy", "")], densities=[0.1])
    paths = lambda2_figures(table(made), made, layers(made), titles, tmp_path / "grid", "A title", "a command")
    assert {path.stem for path in paths} == {
        *("grid-snip-lambda2", "grid-snip-lambda2-layers"),
        *("grid-rounds_n_3_-lambda2", "grid-rounds_n_3_-lambda2-layers"),
    }
    one = cells(methods=[("snip", "greedy", "")], densities=[0.1])
    paths = lambda2_figures(table(one), one, layers(one), titles, tmp_path / "one", "A title", "a command")
    assert {path.stem for path in paths} == {"one-lambda2", "one-lambda2-layers"}


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["conv", "blocks.0.conv1", "blocks.0.conv2", "fc"], ["conv", "blocks.0.conv1", "blocks.0.conv2", "fc"]),
        (["conv", "blocks.0.conv1", "blocks.0.conv2", "blocks.1.conv1"], ["conv", "0.conv1", "0.conv2", "1.conv1"]),
        (["0", "layers.0.conv", "layers.1.conv"], ["0", "0.conv", "1.conv"]),
        (["fc"], ["fc"]),
    ],
)
def test_names_of_layers_lose_what_most_of_them_share(names: list[str], short: list[str]) -> None:
    assert list(short_names(names).values()) == short
