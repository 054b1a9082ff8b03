"""What a record says of a network, against what is counted by hand."""

import math

import pytest
import torch
from torch import nn

from pruneexp.measuring.layers import layer_rows, network_sums


def network() -> nn.Sequential:
    """A convolution 1 -> 2 of 1x2 and a linear layer 2 -> 3, all weights one."""
    model = nn.Sequential(nn.Conv2d(1, 2, kernel_size=(1, 2), bias=False), nn.Flatten(), nn.Linear(2, 3))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.get_parameter("weight").fill_(1.0)
    return model


def test_the_dense_network() -> None:
    rows = layer_rows(network(), {})
    assert [row["name"] for row in rows] == ["0.weight", "2.weight"]
    assert [row["shape"] for row in rows] == [[2, 1, 1, 2], [3, 2]]
    assert [row["kept"] for row in rows] == [4, 6]
    for row in rows:
        assert row["density"] == 1.0
        # complete bipartite: sigma_2 of the normalised matrix is 0
        assert row["lambda2"] == pytest.approx(1.0)
        assert row["lambda2_weighted"] == pytest.approx(1.0)
        assert (row["components"], row["dead_filters"]) == (1, 0)
        assert row["imdb"] is None  # no degree reaches 3 on both sides
    assert rows[0]["bound_gap"] == pytest.approx(2.0)  # sqrt(1) + sqrt(1) - 0
    assert rows[1]["bound_gap"] == pytest.approx(math.sqrt(2) + 1)  # degrees 3 and 2


def test_masked_layers() -> None:
    masks = {
        # inputs (k=0, k=1) against filters (0, 1): only k=0 -> 0, filter 1 is dead
        "0.weight": torch.tensor([[[[True, False]]], [[[False, False]]]]),
        # a path of four vertices o0 - i0 - o1 - i1, output 2 is dead
        "2.weight": torch.tensor([[True, False], [True, True], [False, False]]),
    }
    conv, linear = layer_rows(network(), masks)
    assert (conv["kept"], conv["density"]) == (1, 0.25)
    assert (conv["components"], conv["dead_filters"]) == (1, 1)
    assert conv["lambda2"] == 2.0  # one edge
    assert conv["bound_gap"] == pytest.approx(0.0)
    assert (linear["kept"], linear["density"]) == (3, 0.5)
    assert (linear["components"], linear["dead_filters"]) == (1, 1)
    assert linear["lambda2"] == pytest.approx(0.5)  # the path of 4: 1 - cos(pi/3)
    golden = (1 + math.sqrt(5)) / 2  # singular values of [[1, 1], [0, 1]] are golden and 1 / golden
    assert linear["bound_gap"] == pytest.approx(2 * math.sqrt(0.5) - 1 / golden)


def test_the_weighted_lambda2_sees_magnitudes_and_not_signs() -> None:
    model = network()
    mask = {"2.weight": torch.tensor([[True, False], [True, True], [False, False]])}
    with torch.no_grad():
        model[2].get_parameter("weight").copy_(torch.tensor([[-3.0, 9.0], [1.0, -2.0], [5.0, 5.0]]))
    row = layer_rows(model, mask)[1]
    left, right = torch.tensor([4.0, 2.0]), torch.tensor([3.0, 3.0])
    scaled = torch.tensor([[3.0, 1.0], [0.0, 2.0]]) / left.sqrt()[:, None] / right.sqrt()
    assert row["lambda2_weighted"] == pytest.approx(1 - float(torch.linalg.svdvals(scaled)[1]))
    assert row["lambda2"] == pytest.approx(0.5)


def test_an_empty_layer_has_none_where_there_is_no_number() -> None:
    row = layer_rows(network(), {"2.weight": torch.zeros(3, 2, dtype=torch.bool)})[1]
    assert (row["kept"], row["density"], row["components"], row["dead_filters"]) == (0, 0.0, 0, 3)
    assert row["lambda2"] is None
    assert row["lambda2_weighted"] is None
    assert row["bound_gap"] is None
    assert row["imdb"] is None


def test_the_networks_sums() -> None:
    rows = [
        {"name": "a", "shape": [2, 5], "kept": 4, "density": 0.4, "imdb": 2.0, "lambda2": 0.5, "dead_filters": 1},
        {"name": "b", "shape": [3, 10], "kept": 6, "density": 0.2, "imdb": None, "lambda2": 0.25, "dead_filters": 2},
        {"name": "c", "shape": [5, 2], "kept": 0, "density": 0.0, "imdb": 1.0, "lambda2": None, "dead_filters": 5},
    ]
    norms = (0.5, None, 0.25)
    rows = [{**row, "imdb_norm": norm, "collapsed": row["kept"] == 0} for row, norm in zip(rows, norms, strict=True)]
    assert network_sums(rows, {"a": 1000, "b": 500, "c": 7}) == {
        "kept": 10,
        "prunable": 50,
        "density": 0.2,
        "dead_filters": 8,
        "imdb": 1.5,
        "imdb_sum": 3.0,
        "imdb_norm": 0.375,
        "imdb_layers": 2,
        "lambda2_min": 0.25,
        "collapsed_layers": 1,
        "macs": 500,
    }


def test_sums_of_a_network_without_any_number() -> None:
    rows = [{"name": "a", "shape": [2, 2], "kept": 0, "density": 0.0, "imdb": None, "lambda2": None, "dead_filters": 2}]
    rows[0] |= {"collapsed": True, "imdb_norm": None}
    sums = network_sums(rows, {"a": 4})
    assert (sums["imdb"], sums["imdb_sum"], sums["lambda2_min"], sums["macs"]) == (None, None, None, 0)
    assert (sums["imdb_norm"], sums["imdb_layers"]) == (None, 0)


def row(name: str, density: float, imdb: float | None) -> dict[str, object]:
    kept = round(100 * density)
    norm = None if imdb is None else imdb / 10
    same = {"imdb_norm": norm, "shape": [10, 10], "lambda2": 0.5, "dead_filters": 0, "collapsed": False}
    return {"name": name, "kept": kept, "density": density, "imdb": imdb, **same}


def test_imdb_is_of_the_pruned_layers_and_the_normalised_one_of_all_that_have_one() -> None:
    rows = [row("a", 1.0, 7.0), row("b", 0.3, 2.0), row("c", 0.2, 0.5), row("d", 0.1, None), row("e", 1.0, 4.0)]
    sums = network_sums(rows, dict.fromkeys("abcde", 100))
    assert (sums["imdb"], sums["imdb_sum"]) == (1.25, 2.5)
    assert sums["imdb_norm"] == pytest.approx((0.7 + 0.2 + 0.05 + 0.4) / 4)
    assert sums["imdb_layers"] == 4
    assert sums["lambda2_min"] == 0.5  # of all layers


def test_a_dense_network_has_no_imdb() -> None:
    sums = network_sums([row("a", 1.0, 7.0), row("b", 1.0, 4.0)], {"a": 100, "b": 100})
    assert (sums["imdb"], sums["imdb_sum"], sums["density"]) == (None, None, 1.0)
    rows = layer_rows(nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 2)), {})
    assert [row["imdb_norm"] for row in rows] == [1.0, None]  # a complete graph's; no right degree of 3
    sums = network_sums(rows, {"0.weight": 30, "1.weight": 12})
    assert (sums["imdb"], sums["imdb_norm"], sums["imdb_layers"]) == (None, 1.0, 1)


def test_negative_imdbs_add_up_too() -> None:
    sums = network_sums([row("a", 0.5, -0.5), row("b", 0.5, 0.5)], {"a": 100, "b": 100})
    assert (sums["imdb"], sums["imdb_sum"]) == (0.0, 0.0)


def test_the_mean_and_the_sum_over_a_networks_pruned_layers() -> None:
    model = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12))
    ring = torch.zeros(12, 12, dtype=torch.bool)
    for step in range(3):
        ring |= torch.roll(torch.eye(12, dtype=torch.bool), step, dims=1)
    masks = {"0.weight": torch.ones(12, 12, dtype=torch.bool), "1.weight": ring, "2.weight": ring.flip(0)}
    rows = layer_rows(model, masks)
    # a circulant's singular values are those of its polynomial: |1 + w + w^2| at w = exp(2 pi i / 12) is 1 + 2 cos(pi / 6)
    want = 2 * math.sqrt(2) - (1 + math.sqrt(3))
    assert rows[1]["imdb"] == pytest.approx(want)
    assert rows[0]["imdb"] == pytest.approx(2 * math.sqrt(11))
    assert [row["imdb_norm"] for row in rows] == pytest.approx([1, want / math.sqrt(8), want / math.sqrt(8)])
    sums = network_sums(rows, {f"{k}.weight": 144 for k in range(3)})
    assert sums["imdb"] == pytest.approx(want)
    assert sums["imdb_sum"] == pytest.approx(2 * want)
    assert sums["imdb_norm"] == pytest.approx((1 + 2 * want / math.sqrt(8)) / 3)


@pytest.mark.parametrize(
    ("rows", "collapsed"),
    [
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], True),
        ([[0, 1, 0], [0, 0, 0], [0, 0, 0]], True),  # an edge
        ([[1, 1, 1], [0, 0, 0], [0, 0, 0]], True),  # a star
        ([[1, 0, 0], [1, 0, 0], [0, 1, 0]], True),  # a star of three vertices beside an edge
        ([[1, 1, 0], [0, 1, 0], [0, 0, 1]], False),  # a path of four vertices beside an edge
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], False),
        ([[1, 1, 1]], False),  # a layer with one output can be nothing else
    ],
)
def test_a_layer_has_collapsed_where_its_largest_component_is_a_star_an_edge_or_nothing(
    rows: list[list[int]], collapsed: bool
) -> None:
    mask = torch.tensor(rows, dtype=torch.bool)
    (found,) = layer_rows(nn.Sequential(nn.Linear(3, len(rows))), {"0.weight": mask})
    assert found["collapsed"] is collapsed
    sums = network_sums([found], {"0.weight": mask.numel()})
    assert sums["collapsed_layers"] == collapsed
    assert sums["lambda2_min"] == (None if collapsed else found["lambda2"])
