"""Accuracy against multiply-accumulates."""

from matplotlib.colors import to_hex

from pruneexp.reports.figures.draw_accuracy import draw_accuracy
from pruneexp.reports.figures.draw_macs import draw_macs
from pruneexp.reports.figures.names import Names
from pruneexp.reports.figures.plan import Plan
from tests.reports.figures.made_frames import cells, legend_names, lines, panels, table, titles

NETWORKS = [("cifar10", "vgg11"), ("cifar100", "vgg11")]


def plan(seeds: int = 3) -> Plan:
    made = cells(NETWORKS, seeds=seeds)
    return Plan(table(made, greedy=80), made, Names(titles), "method", "network")


def test_a_panel_for_each_network_and_ticks_in_millions() -> None:
    figure = draw_macs(plan(), "A title")
    figure.draw_without_rendering()
    first, second = panels(figure)
    assert (first.get_title(), second.get_title()) == ("CIFAR-10", "cifar100")
    assert first.get_xlabel() == "multiply-accumulates (millions)"
    assert first.get_xscale() == "log"
    assert {"0.5", "1", "2", "5", "10"} >= {label.get_text() for label in first.get_xticklabels()} >= {"1", "10"}


def test_the_dense_network_is_a_diamond_and_published_a_star() -> None:
    figure = draw_macs(plan(), "A title")
    (legend,) = figure.legends
    markers = dict(zip(legend_names(figure), (line.get_marker() for line in legend.get_lines()), strict=False))
    assert (markers["dense"], markers["published"]) == ("D", "*")


def test_colours_are_those_of_accuracy_against_density() -> None:
    whole = plan()
    one, other = draw_macs(whole, "A title"), draw_accuracy(whole, "A title")
    for name in ("Greedy", "sparsify"):
        assert len({to_hex(lines(panels(figure)[0], name)[0].get_color()) for figure in (one, other)}) == 1


def test_few_seeds_are_dots() -> None:
    assert "one seed" in legend_names(draw_macs(plan(seeds=2), "A title"))
