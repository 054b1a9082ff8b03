"""Accuracy against density: what stands where, in which colours, under which names."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from pruneexp.errors import UserError
from pruneexp.reports.figures.choices import Facet, Hue
from pruneexp.reports.figures.draw_accuracy import draw_accuracy
from pruneexp.reports.figures.entries import Entries
from pruneexp.reports.figures.names import Names
from pruneexp.reports.figures.plan import Plan
from tests.reports.figures.made_frames import TWO, cells, legend_names, lines, panels, said, table, titles

NETWORKS = [("cifar10", "vgg11"), ("cifar10", "resnet20"), ("cifar100", "vgg16")]
CROSSED = [(scorer, masker, "") for scorer in ("snip", "magnitude") for masker in ("greedy", "sparsify")]


def draw(
    made: pd.DataFrame,
    hue: Hue = "method",
    facet: Facet = "network",
    order: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    published: Mapping[str, float] | None = None,
    title: str = "A title",
    **options: Any,
) -> Figure:
    plan = Plan(table(made, **(published or {})), made, Names(titles, order, labels), hue, facet)
    figure = draw_accuracy(plan, title, **options)
    figure.draw_without_rendering()
    return figure


def points(line: Line2D) -> int:
    return len(np.atleast_1d(np.asarray(line.get_xdata())))


def headings(figure: Figure) -> list[str]:
    return [axis.get_title() for axis in panels(figure)]


def test_all_methods_of_a_network_share_a_panel_and_the_heading_is_human() -> None:
    figure = draw(cells(methods=CROSSED))
    (axis,) = panels(figure)
    assert axis.get_title() == "VGG-11, CIFAR-10"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("weights kept (%)", "test accuracy (%)")
    assert legend_names(figure) == [
        *("SNIP, Greedy", "SNIP, sparsify", "magnitude, Greedy", "magnitude, sparsify"),
        *("dense", "95 % interval"),
    ]
    assert said(figure) == ["A title", "recipe: recipe_a; n = 3"]


def test_a_method_looks_the_same_in_every_panel() -> None:
    figure = draw(cells(NETWORKS, CROSSED))
    for name in legend_names(figure)[:4]:
        looks = {
            (to_hex(line.get_color()), line.get_marker(), line.get_linestyle())
            for axis in panels(figure)
            for line in lines(axis, name)
        }
        assert len(looks) == 1
    assert len({to_hex(lines(panels(figure)[0], name)[0].get_color()) for name in legend_names(figure)[:4]}) == 4


def test_panels_of_one_data_set_share_the_scale_of_accuracy() -> None:
    made = cells(NETWORKS)
    made.loc[made["model"] == "resnet20", "accuracy"] -= 30
    made.loc[made["dataset"] == "cifar100", "accuracy"] -= 50
    first, second, third = panels(draw(made))
    assert first.get_ylim() == second.get_ylim() != third.get_ylim()


@pytest.mark.parametrize(
    ("methods", "names"),
    [
        (TWO, ["Greedy", "sparsify"]),
        ([("snip", "greedy", ""), ("magnitude", "greedy", "")], ["SNIP", "magnitude"]),
        ([("snip", "greedy", ""), ("none", "random", "")], ["SNIP, Greedy", "random"]),
        ([("snip", "greedy", ""), ("none", "random", ""), ("magnitude", "greedy", "")], ["SNIP", "random"]),
        ([("snip", "greedy", ""), ("snip", "greedy", "shuffle")], ["plain", "shuffle"]),
        ([("snip", "greedy", "when=trained"), ("snip", "sparsify", "when=trained")], ["Greedy", "sparsify"]),
        ([("none", "random", ""), ("none", "erk", "")], ["random", "erk"]),
    ],
)
def test_the_legend_says_what_varies(methods: list[tuple[str, str, str]], names: list[str]) -> None:
    assert legend_names(draw(cells(methods=methods)))[:2] == names


def test_what_is_the_same_all_over_is_said_once() -> None:
    figure = draw(cells(NETWORKS[:2]))
    assert headings(figure) == ["VGG-11", "resnet20"]
    assert said(figure)[1] == "CIFAR-10; scores: SNIP; recipe: recipe_a; n = 3"


def test_few_seeds_are_dots_and_have_no_band() -> None:
    figure = draw(cells(seeds=2))
    (axis,) = panels(figure)
    dots = [line for line in axis.get_lines() if line.get_linestyle() == "None" and line.get_marker() == "o"]
    assert sorted(points(line) for line in dots) == [6, 6]
    assert not any(len(band.get_paths()) for band in axis.collections)
    assert "one seed" in legend_names(figure)
    assert "95 % interval" not in legend_names(figure)


def test_the_number_of_seeds_is_said_where_it_differs() -> None:
    made = cells(methods=TWO)
    figure = draw(made[(made["masker"] != "sparsify") | (made["seed"] < 2)])
    assert legend_names(figure)[:3] == [
        name.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}")
        for name in ("Greedy (n = 3)", "sparsify (n = 2)", "dense (n = 3)")
    ]
    assert "n =" not in said(figure)[1]
    made = cells(NETWORKS)
    figure = draw(made[(made["model"] != "vgg16") | (made["seed"] < 2)])
    assert headings(figure)[1:] == ["resnet20, CIFAR-10 (n = 3)", "vgg16, cifar100 (n = 2)"]


def test_one_density_is_a_list_of_methods() -> None:
    figure = draw(cells(NETWORKS[:2], CROSSED, densities=[0.05]), published={"greedy": 80})
    first, second = panels(figure)
    assert [label.get_text() for label in first.get_yticklabels()] == [
        *("SNIP, Greedy", "SNIP, sparsify", "magnitude, Greedy", "magnitude, sparsify"),
    ]
    assert first.get_xlabel() == second.get_xlabel() == "test accuracy (%)"
    assert first.get_xlim() == second.get_xlim()
    assert "5 % of weights kept" in said(figure)[1]
    assert legend_names(figure) == ["dense", "published", "95 % interval", "one seed", "their mean"]
    seeds = [line for line in first.get_lines() if to_hex(line.get_color()) == "#ffffff"]
    assert [points(line) for line in seeds] == [3] * 4


def test_published_values_are_within_view_and_named_once() -> None:
    figure = draw(cells(), published={"greedy": 20, "sparsify": 97.5, "dense": 99})
    low, high = panels(figure)[0].get_ylim()
    assert 0 <= low < 19
    assert 99 < high <= 100
    assert [name for name in legend_names(figure) if "published" in name] == ["published", "dense, published"]
    stars = [line for line in panels(figure)[0].get_lines() if line.get_marker() == "*"]
    assert [to_hex(line.get_color()) for line in stars] == [
        to_hex(lines(panels(figure)[0], name)[0].get_color()) for name in ("Greedy", "sparsify")
    ]


@pytest.mark.parametrize("y", ["linear", "log", "logit"])
def test_accuracy_never_leaves_0_to_100(y: str) -> None:
    figure = draw(cells(accuracy=lambda density, seed: 100.0 if seed else 0.0), y=y)
    low, high = panels(figure)[0].get_ylim()
    assert 0 <= low < high <= 100
    assert panels(figure)[0].get_yscale() == {"logit": "function"}.get(y, y)


def test_a_log_odds_scale_spreads_what_is_near_100() -> None:
    axis = panels(draw(cells(accuracy=lambda density, seed: 100 - 40 * (0.2 - density) - 0.5), y="logit"))[0]
    places = axis.transData.transform([(0.1, accuracy) for accuracy in (95, 97, 99)])[:, 1]
    assert places[2] - places[1] > 1.5 * (places[1] - places[0])


def test_x_can_be_linear() -> None:
    assert panels(draw(cells(), x="linear"))[0].get_xscale() == "linear"


def test_what_did_not_converge_is_left_out() -> None:
    made = cells()
    made.loc[(made["masker"] == "greedy") & (made["asked_density"] == 0.1), "accuracy"] = math.nan
    axis = panels(draw(made))[0]
    (line,) = lines(axis, "Greedy")
    assert points(line) == 2


def test_no_accuracy_at_all_is_said() -> None:
    (axis,) = panels(draw(cells(accuracy=lambda density, seed: math.nan)))
    assert [text.get_text() for text in axis.texts] == ["no accuracy"]
    assert axis.get_ylim() == (0, 100)


def test_dense_networks_alone_are_a_list() -> None:
    figure = draw(cells(NETWORKS, []))
    assert len(panels(figure)) == 3
    assert [label.get_text() for label in panels(figure)[0].get_yticklabels()] == ["dense"]


def test_scorers_are_rows_where_networks_are_columns() -> None:
    figure = draw(cells(NETWORKS, CROSSED), facet="scorer")
    assert len(panels(figure)) == 6
    assert headings(figure) == ["VGG-11, CIFAR-10", "resnet20, CIFAR-10", "vgg16, cifar100", "", "", ""]
    beside = [text.get_text() for axis in panels(figure) for text in axis.texts]
    assert beside == ["SNIP", "magnitude"]
    assert legend_names(figure)[:2] == ["Greedy", "sparsify"]


def test_scorers_of_one_network_stand_side_by_side() -> None:
    assert headings(draw(cells(methods=CROSSED), facet="scorer")) == ["SNIP", "magnitude"]


def test_one_panel_for_everything() -> None:
    figure = draw(cells(NETWORKS, CROSSED), facet="none")
    assert len(panels(figure)) == 1
    looks = {
        (to_hex(line.get_color()), line.get_linestyle()) for line in panels(figure)[0].get_lines() if points(line) == 3
    }
    assert len(looks) == len(NETWORKS) * len(CROSSED)


def test_colours_for_one_part_leave_line_styles_for_the_other() -> None:
    figure = draw(cells(methods=CROSSED), hue="masker")
    assert legend_names(figure)[:4] == ["Greedy", "sparsify", "SNIP", "magnitude"]
    (first,), (second,) = (lines(panels(figure)[0], f"{masker}, SNIP") for masker in ("Greedy", "sparsify"))
    assert to_hex(first.get_color()) != to_hex(second.get_color())
    assert first.get_linestyle() == second.get_linestyle()


def test_dense_networks_have_the_colour_of_their_model_where_colours_are_models() -> None:
    figure = draw(cells(NETWORKS[:2]), hue="model", facet="dataset")
    dashed = [
        to_hex(line.get_color())
        for line in panels(figure)[0].get_lines()
        if line.get_linestyle() == "--" and points(line) == 2
    ]
    assert len(set(dashed)) == 2


def test_order_decides_legend_colours_and_panels() -> None:
    figure = draw(cells(NETWORKS, CROSSED), order=["sparsify", "magnitude", "vgg16"])
    assert legend_names(figure)[:4] == ["magnitude, sparsify", "SNIP, sparsify", "magnitude, Greedy", "SNIP, Greedy"]
    assert to_hex(lines(panels(figure)[0], "magnitude, sparsify")[0].get_color()) == "#0072b2"
    assert headings(figure)[0] == "vgg16, cifar100"


def test_an_unknown_label_to_order_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(UserError, match=r"no label to order 'greedi'.*'greedy'.*Available: .*greedy, .*sparsify"):
        draw(cells(), order=["greedi"])


def test_labels_are_in_place_of_titles() -> None:
    figure = draw(
        cells(NETWORKS[:1], CROSSED), labels={"greedy": "ours", "magnitude, sparsify": "theirs", "vgg11": "net"}
    )
    assert legend_names(figure)[:4] == ["SNIP, ours", "SNIP, sparsify", "magnitude, ours", "theirs"]
    assert headings(figure) == ["net, CIFAR-10"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_width_is_that_of_a_page_unless_given_and_texts_can_be_read(count: int) -> None:
    for width in (None, 3.3, 10.0):
        figure = draw(cells(NETWORKS[:count]), width=width)
        assert figure.get_size_inches()[0] == pytest.approx(width or 6.5)
        texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
        assert min(float(text.get_fontsize()) for text in texts) >= 7


LONG = [
    ("snip", "greedy", f"when=trained, rewind=epoch[version=2], rewind_epoch=1, levels={levels}") for levels in (4, 8)
]
MANY = [(scorer, masker, option) for scorer in "abcd" for masker in "efg" for option in ("", "shuffle")]


@pytest.mark.parametrize("methods", [TWO, CROSSED, MANY, LONG])
@pytest.mark.parametrize("networks", [NETWORKS[:1], NETWORKS])
@pytest.mark.parametrize("densities", [[0.5, 0.2, 0.1, 0.05, 0.02, 0.01], [0.1]])
def test_nothing_overlaps(methods: Any, networks: Any, densities: list[float]) -> None:
    figure = draw(cells(networks, methods, densities), title="A title of many words " * 8)
    page = figure.bbox.padded(1)
    (legend,) = figure.legends
    boxes = [legend.get_window_extent(), *(text.get_window_extent() for text in figure.texts)]
    boxes += [box for axis in panels(figure) if (box := axis.get_tightbbox())]
    assert not any(one.padded(-1).overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(page.containsx(x) and page.containsy(y) for box in boxes for x, y in box.corners())
    for axis in panels(figure):
        for own in (axis.xaxis, axis.yaxis):
            labels = [
                label.get_window_extent() for label in own.get_ticklabels() if label.get_text() and label.get_visible()
            ]
            assert not any(one.padded(-0.5).overlaps(other) for one, other in itertools.combinations(labels, 2))


def test_ticks_are_thinned_out_where_densities_are_many() -> None:
    densities = [round(0.9 * 0.8**k, 4) for k in range(20)]
    figure = draw(cells(NETWORKS, densities=densities))
    shown = [label.get_text() for label in panels(figure)[0].get_xticklabels()]
    assert 2 <= len(shown) < len(densities)
    labels = [label.get_window_extent() for label in panels(figure)[0].get_xticklabels()]
    assert not any(one.overlaps(other) for one, other in itertools.pairwise(labels))


def test_no_two_of_many_methods_look_alike() -> None:
    methods = [("snip", f"m{k}", "") for k in range(60)]
    entries = Entries(table(cells(methods=methods, densities=[0.1])).iloc[1:], ["scorer", "masker"], [], Names(titles))
    looks = {(one.colour, one.marker, one.line) for one in entries.entries.values()}
    assert len(looks) == 60
