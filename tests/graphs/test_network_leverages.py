"""Leverages in the graph of a whole network against the definition, and how the layers of a network join."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pruneexp import UserError
from pruneexp.allocations.leverage import layer_leverages
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.network import _chain, _general, _is_chain, network_leverages
from pruneexp.layers import Layer, Layers
from pruneexp.models.resnet import ResNet, resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import Wiring, wiring_of
from tests.graphs import multigraph
from tests.graphs.multigraph import Vertices, edges_of
from tests.graphs.oracles import Array
from tests.properties import PROPERTY


def chain(*layers: tuple[int, ...]) -> list[Vertices]:
    """The vertices of layers of shapes [out, in, ...] one after another; more inputs than channels are flattened ones."""
    wiring, start, before = [], 0, layers[0][1]
    for out, wanted, *_ in layers:
        sources = torch.arange(start, start + before).repeat_interleave(wanted // before)
        start, before = start + before, out
        wiring.append((sources[None], torch.arange(start, start + out)))
    return wiring


def vertices(wiring: list[Vertices]) -> int:
    return 1 + max(int(targets.max()) for _, targets in wiring)


def random_scores(shapes: list[tuple[int, ...]], kind: str, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = []
    for shape in shapes:
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
        keep = torch.rand(shape, generator=generator)
        found.append(
            {
                "uniform": uniform + 1e-3,
                "log-uniform": 10 ** (-6 * uniform),
                "twelve orders": 10 ** (-12 * uniform),
                "half zero": uniform * (keep < 0.5),
                "sparse": uniform * (keep < 0.12),
            }[kind]
        )
    return found


def flat(parts: list[torch.Tensor]) -> Array:
    return np.asarray(torch.cat([part.ravel() for part in parts]).numpy())


VGG_LIKE: list[tuple[int, ...]] = [(5, 3, 3, 3), (6, 5, 3, 3), (4, 6, 1, 1), (7, 16), (3, 7)]  # Linear after a 2x2 map
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "vgg": VGG_LIKE,
    "one layer": [(4, 3, 3, 3)],
    "linear": [(6, 9), (1, 6), (5, 1), (2, 5)],
    "wide in the middle": [(20, 2, 1, 1), (2, 20, 1, 1), (12, 2)],
}
KINDS = ["uniform", "log-uniform", "half zero", "sparse"]


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_chain_agrees_with_the_pseudo_inverse_to_nine_digits(
    kind: str, shapes: list[tuple[int, ...]], seed: int
) -> None:
    scores, wiring = random_scores(shapes, kind, seed), chain(*shapes)
    assert _is_chain(wiring)
    got = network_leverages(scores, wiring, vertices(wiring), [])
    assert [part.shape for part in got] == [score.shape for score in scores]
    edges = edges_of(scores, wiring)
    assert np.abs(flat(got) - multigraph.leverages(edges)).max() < 1e-9
    assert flat(got).sum() == pytest.approx(multigraph.rank(edges), abs=1e-9)


@pytest.mark.parametrize("kind", [*KINDS, "twelve orders"])
def test_block_elimination_and_the_general_laplacian_agree(kind: str) -> None:
    scores, wiring = random_scores(VGG_LIKE, kind), chain(*VGG_LIKE)
    folded = [score.reshape(*score.shape[:2], -1) for score in scores]
    edges = [layer > 0 for layer in folded]
    both = zip(folded, edges, _chain(folded, wiring), _general(folded, wiring, vertices(wiring), []), strict=True)
    for layer, edge, one, other in both:
        assert one.shape == other.shape
        difference = layer * (one - other).T[:, :, None]
        assert difference[edge].abs().max() < 1e-9


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[torch.Tensor], list[Vertices]]:
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    shapes: list[tuple[int, ...]] = []
    for before, out in itertools.pairwise(widths):
        shapes.append((out, before, draw(st.integers(1, 2)), 1) if draw(st.booleans()) else (out, before))
    if draw(st.booleans()):
        shapes[-1] = (shapes[-1][0], shapes[-1][1] * draw(st.integers(1, 3)))
    weight = st.one_of(st.just(0.0), st.just(1.0), st.floats(-3, 3).map(lambda power: 10.0**power))
    scores = []
    for shape in shapes:
        size = int(np.prod(shape))
        values = draw(st.lists(weight, min_size=size, max_size=size))
        scores.append(torch.tensor(values, dtype=torch.float64).reshape(shape))
    return scores, chain(*shapes)


@PROPERTY
@given(chains())
def test_any_small_chain_agrees_with_the_pseudo_inverse_in_the_unit_interval(
    case: tuple[list[torch.Tensor], list[Vertices]],
) -> None:
    scores, wiring = case
    got = flat(network_leverages(scores, wiring, vertices(wiring), []))
    edges = edges_of(scores, wiring)
    assert np.abs(got - multigraph.leverages(edges)).max() < 1e-9
    assert ((got >= 0) & (got <= 1)).all()
    assert ((got > 0) == (flat(scores) > 0)).all()
    assert got.sum() == pytest.approx(multigraph.rank(edges), abs=1e-9)


def test_components_and_isolated_channels() -> None:
    shapes: list[tuple[int, ...]] = [(6, 4, 2, 2), (5, 6, 1, 1), (4, 5)]
    scores, wiring = random_scores(shapes, "uniform"), chain(*shapes)
    scores[0][:, 0] = 0.0  # an isolated input channel
    scores[0][3:, :3] = scores[0][:3, 3:] = 0.0  # two halves ...
    scores[1][2:, :3] = scores[1][:2, 3:] = 0.0  # ... that stay apart
    scores[1][4], scores[2][:, 4] = 0.0, 0.0  # an isolated channel in the middle
    scores[2][:2, 2:] = scores[2][2:, :2] = 0.0
    edges = edges_of(scores, wiring)
    assert multigraph.rank(edges) == 19 - 2 - 2
    got = flat(network_leverages(scores, wiring, vertices(wiring), []))
    assert np.abs(got - multigraph.leverages(edges)).max() < 1e-9
    assert got.sum() == pytest.approx(15, abs=1e-9)


def test_a_component_that_misses_a_layer_in_the_middle() -> None:
    shapes: list[tuple[int, ...]] = [(3, 3), (3, 3), (3, 3)]
    scores, wiring = random_scores(shapes, "uniform"), chain(*shapes)
    scores[1].zero_()
    got = network_leverages(scores, wiring, vertices(wiring), [])
    for part, score in zip(got[::2], scores[::2], strict=True):
        assert np.abs(part.numpy() - leverage_scores(score.T).T.numpy()).max() < 1e-12
    assert got[1].sum() == 0


def test_no_positive_score_has_no_leverage() -> None:
    wiring = chain((4, 3), (2, 4))
    got = network_leverages([torch.zeros(4, 3), torch.zeros(2, 4)], wiring, 9, [])
    assert flat(got).tolist() == [0.0] * 20


@pytest.mark.parametrize("seed", range(4))
def test_scores_over_twelve_orders_of_magnitude_agree_with_fifty_digits(seed: int) -> None:
    shapes: list[tuple[int, ...]] = [(3, 2, 2, 1), (4, 3, 1, 1), (2, 8), (2, 2)]
    scores, wiring = random_scores(shapes, "twelve orders", seed), chain(*shapes)
    want = multigraph.exact_leverages(edges_of(scores, wiring))
    got = flat(network_leverages(scores, wiring, vertices(wiring), []))
    assert np.abs(got - want).max() < 1e-9
    assert np.abs(got / want - 1).max() < 1e-6


@pytest.mark.parametrize("bridge", [1e-6, 1e-12, 1e-15])
@pytest.mark.parametrize("general", [False, True])
def test_weak_bridges_agree_with_fifty_digits(bridge: float, general: bool) -> None:
    shapes: list[tuple[int, ...]] = [(4, 4), (4, 4), (4, 4)]
    scores, wiring = random_scores(shapes, "uniform"), chain(*shapes)
    for score in scores:  # two halves, joined by one weak weight in each layer
        score[:2, 2:] = score[2:, :2] = 0.0
    scores[0][0, 3] = bridge
    scores[2][2, 1] = 3 * bridge
    scores[1][3] *= bridge  # and a channel that hangs on by weak weights
    order = vertices(wiring)
    if general:
        folded = [score[:, :, None] for score in scores]
        got = flat([s * r.T for s, r in zip(scores, _general(folded, wiring, order, []), strict=True)])
        got[flat(scores) == 0] = 0.0
    else:
        got = flat(network_leverages(scores, wiring, order, []))
    want = multigraph.exact_leverages(edges_of(scores, wiring))
    assert np.abs(got - want).max() < 1e-9


def test_weak_bridges_between_layers_agree_with_fifty_digits() -> None:
    shapes: list[tuple[int, ...]] = [(2, 2), (2, 2), (2, 2), (2, 2)]
    scores, wiring = random_scores(shapes, "uniform", 3), chain(*shapes)
    scores[1] *= torch.tensor([[0.0, 1e-13], [0.0, 0.0]], dtype=torch.float64)
    scores[3] *= torch.tensor([[0.0, 0.0], [1e-9, 1e-14]], dtype=torch.float64)
    want = multigraph.exact_leverages(edges_of(scores, wiring))
    got = flat(network_leverages(scores, wiring, vertices(wiring), []))
    assert np.abs(got - want).max() < 1e-9
    assert got[flat(scores) == float(scores[1][0, 1])] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_the_unit_of_the_scores_does_not_matter(scale: float) -> None:
    scores, wiring = random_scores(VGG_LIKE, "half zero"), chain(*VGG_LIKE)
    order = vertices(wiring)
    want = flat(network_leverages(scores, wiring, order, []))
    assert np.abs(flat(network_leverages([s * scale for s in scores], wiring, order, [])) - want).max() < 1e-10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_are_left_as_they_are_and_the_answer_is_float64(dtype: torch.dtype) -> None:
    wiring = chain((4, 3), (2, 4))
    scores = [torch.rand(4, 3, dtype=dtype), torch.rand(2, 4, dtype=dtype)]
    before = [score.clone() for score in scores]
    got = network_leverages(scores, wiring, 9, [])
    assert all(part.dtype == torch.float64 for part in got)
    assert all(torch.equal(score, same) for score, same in zip(scores, before, strict=True))


def test_parallel_edges_share_their_channels_leverage_in_proportion() -> None:
    shapes: list[tuple[int, ...]] = [(3, 2, 3, 3), (2, 3, 1, 1)]
    scores, wiring = random_scores(shapes, "uniform"), chain(*shapes)
    kernels = network_leverages(scores, wiring, 7, [])
    summed = network_leverages([score.sum(dim=(2, 3)) for score in scores], wiring, 7, [])
    for part, score, whole in zip(kernels, scores, summed, strict=True):
        want = score / score.sum(dim=(2, 3), keepdim=True) * whole[:, :, None, None]
        assert (part - want).abs().max() < 1e-12


# how a network's layers join


def small_resnet(widths: tuple[int, ...] = (3, 4), blocks: tuple[int, ...] = (2, 1)) -> ResNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ResNet(blocks, widths, 3, 2)


def as_layers(model: nn.Module) -> Layers:
    found = [
        Layer(name, weight.detach().abs().double(), torch.ones_like(weight, dtype=torch.bool))
        for name, weight in prunable(model).items()
    ]
    return Layers(found, lambda: wiring_of(model))


def same_graph(got: Wiring, names: list[str], want: list[Vertices]) -> bool:
    """The same up to the numbers of the vertices: a one-to-one map between them."""
    pairs = set()
    for name, (sources, targets) in zip(names, want, strict=True):
        assert got.sources[name].shape == sources.shape
        pairs |= set(zip(got.sources[name].ravel().tolist(), sources.ravel().tolist(), strict=True))
        pairs |= set(zip(got.targets[name].tolist(), targets.tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == got.vertices


def ids(start: int, count: int) -> torch.Tensor:
    return torch.arange(start, start + count)


# input 0-1, stem 2-4, block 0's middle 5-7 and end 8-10, block 1's 11-13 and 14-16, block 2's 17-20 and 21-24 (shared
# with its shortcut), output 25-27
RESNET = [
    (ids(0, 2), ids(2, 3)),
    (ids(2, 3), ids(5, 3)),
    (ids(5, 3), ids(8, 3)),
    (ids(8, 3), ids(11, 3)),
    (ids(11, 3), ids(14, 3)),
    (ids(14, 3), ids(17, 4)),
    (ids(17, 4), ids(21, 4)),
    (ids(14, 3), ids(21, 4)),
    (ids(21, 4), ids(25, 3)),
]
SKIPS = [(2, 8), (3, 9), (4, 10), (8, 14), (9, 15), (10, 16)]


def resnet_wiring(identify: bool) -> list[Vertices]:
    same = {late: early for early, late in SKIPS} if identify else {}

    def root(index: torch.Tensor) -> torch.Tensor:
        found = index.tolist()
        for _ in range(2):
            found = [same.get(vertex, vertex) for vertex in found]
        return torch.tensor(found)

    return [(root(sources)[None], root(targets)) for sources, targets in RESNET]


def test_a_residual_networks_channels_join_as_by_hand() -> None:
    model = small_resnet()
    wiring, names = wiring_of(model), list(prunable(model))
    assert wiring.vertices == 28
    assert same_graph(wiring, names, resnet_wiring(identify=False))
    assert wiring.identified().vertices == 22
    assert wiring.identified().skips == []
    assert same_graph(wiring.identified(), names, resnet_wiring(identify=True))
    assert sum(len(early) for early, _ in wiring.skips) == len(SKIPS)


@pytest.mark.parametrize("skip", ["none", "identify", "unit"])
def test_a_residual_network_agrees_with_the_pseudo_inverse(skip: str) -> None:
    layers = as_layers(small_resnet())
    got = layer_leverages(layers, "global", "channel", skip)  # type: ignore[arg-type]
    edges = edges_of([layer.score for layer in layers], resnet_wiring(skip == "identify"))
    count = len(edges)
    if skip == "unit":
        edges += [(early, late, 1.0) for early, late in SKIPS]
    want = multigraph.leverages(edges)
    assert np.abs(np.concatenate([part.ravel() for part in got]) - want[:count]).max() < 1e-9
    assert want.sum() == pytest.approx(21 if skip == "identify" else 27, abs=1e-9)


@pytest.mark.parametrize(
    "skip",
    [
        "none",
        pytest.param(
            "identify",
        ),
        "unit",
    ],
)
def test_a_residual_network_of_one_width_agrees_with_the_pseudo_inverse(skip: str) -> None:
    layers = as_layers(small_resnet((3,), (1,)))
    by_hand = [(0, 2, 2, 3), (2, 3, 5, 3), (5, 3, 2 if skip == "identify" else 8, 3)]
    by_hand.append((by_hand[-1][2], 3, 11, 3))
    wiring = [(ids(a, m)[None], ids(b, n)) for a, m, b, n in by_hand]
    edges = edges_of([layer.score for layer in layers], wiring)
    count = len(edges)
    if skip == "unit":
        edges += [(2 + k, 8 + k, 1.0) for k in range(3)]
    got = layer_leverages(layers, "global", "channel", skip)  # type: ignore[arg-type]
    want = multigraph.leverages(edges)[:count]
    assert np.abs(np.concatenate([part.ravel() for part in got]) - want).max() < 1e-9


def test_resnet20_has_701_channels_and_461_where_identity_skips_are_one() -> None:
    wiring = wiring_of(resnet_cifar(10, (3, 32, 32), 20))
    assert wiring.vertices == 701
    assert wiring.identified().vertices == 461
    assert sum(len(early) for early, _ in wiring.skips) == 240


def test_a_vgg_is_a_chain_of_its_channels() -> None:
    model = vgg(10, (3, 32, 32), 11)
    wiring, names = wiring_of(model), list(prunable(model))
    assert wiring.vertices == 3 + 64 + 128 + 2 * 256 + 4 * 512 + 10
    assert _is_chain([(wiring.sources[name], wiring.targets[name]) for name in names])
    assert wiring.skips == []
    assert same_graph(wiring, names, chain(*(tuple(weight.shape) for weight in prunable(model).values())))


def test_a_flattened_map_gives_each_channel_several_neighbouring_inputs() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 5))
    wiring = wiring_of(model)
    assert wiring.vertices == 2 + 3 + 5
    assert same_graph(wiring, list(prunable(model)), chain((3, 2), (5, 12)))
    layers = as_layers(model)
    got = layer_leverages(layers, "global", "channel", "none")
    want = multigraph.leverages(edges_of([layer.score for layer in layers], chain((3, 2), (5, 12))))
    assert np.abs(np.concatenate([part.ravel() for part in got]) - want).max() < 1e-9


def test_layers_declared_in_another_order_than_they_run_have_the_same_leverages() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 2)
            self.first = nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x)))

    torch.manual_seed(0)
    layers = as_layers(Backwards())
    last, first = layer_leverages(layers, "global", "channel", "none")
    want = network_leverages([layers[1].score, layers[0].score], chain((4, 3), (2, 4)), 9, [])
    assert np.abs(first - want[0].numpy()).max() < 1e-12
    assert np.abs(last - want[1].numpy()).max() < 1e-12


def test_grouped_convolutions_join_only_channels_of_one_group() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(6, 6, 3, groups=6), nn.Flatten(), nn.Linear(6, 2)
    )
    by_hand = [
        (ids(0, 2)[None], ids(2, 4)),
        (torch.tensor([[2, 3]] * 3 + [[4, 5]] * 3), ids(6, 6)),
        (ids(6, 6)[:, None], ids(12, 6)),
        (ids(12, 6)[None], ids(18, 2)),
    ]
    assert same_graph(wiring_of(model), list(prunable(model)), by_hand)
    layers = as_layers(model)
    got = np.concatenate([part.ravel() for part in layer_leverages(layers, "global", "channel", "none")])
    edges = edges_of([layer.score for layer in layers], by_hand)
    assert np.abs(got - multigraph.leverages(edges)).max() < 1e-9
    assert got.sum() == pytest.approx(19, abs=1e-9)
    # a first layer in groups is no chain of full blocks either
    alone = as_layers(nn.Sequential(nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(4, 3, 1)))
    parts = layer_leverages(alone, "global", "channel", "none")
    by_hand = [(torch.tensor([[0, 1]] * 2 + [[2, 3]] * 2), ids(4, 4)), (ids(4, 4)[None], ids(8, 3))]
    want = multigraph.leverages(edges_of([layer.score for layer in alone], by_hand))
    assert np.abs(np.concatenate([part.ravel() for part in parts]) - want).max() < 1e-9


def test_disjoint_joins_have_the_layerwise_leverages() -> None:
    layers = as_layers(small_resnet())
    disjoint = layer_leverages(layers, "global", "disjoint", "none")
    layerwise = layer_leverages(layers, "layerwise", "channel", "none")
    assert all(np.array_equal(one, other) for one, other in zip(disjoint, layerwise, strict=True))


class TwoBranches(nn.Module):
    """Two layers that take in the same input."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.fc = nn.Linear(3, 4), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.one(x) + self.other(x)))


def test_layers_that_take_in_the_same_input_share_its_channels() -> None:
    wiring = wiring_of(TwoBranches())
    assert wiring.vertices == 3 + 4 + 2
    assert wiring.skips == []


def test_branches_that_are_added_share_their_channels() -> None:
    wiring = wiring_of(nn.Sequential(nn.Linear(5, 3), TwoBranches()))
    assert wiring.vertices == 5 + 3 + 4 + 2
    assert torch.equal(wiring.targets["1.one.weight"], wiring.targets["1.other.weight"])


# what cannot be joined


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(torch.relu(self.layer(x)))


class DependsOnValues(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if x.sum() > 0 else x


class Concatenates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(4, 4), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.layer(x), x], dim=1))


class AddsTheInput(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + x


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.spare = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Sorts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.last = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layer(x).sort().values)


def test_a_layer_that_is_used_twice_leads_from_its_outputs_to_themselves() -> None:
    wiring = wiring_of(Twice())
    assert wiring.vertices == 4
    assert torch.equal(wiring.sources["layer.weight"].ravel(), wiring.targets["layer.weight"])


def test_what_reads_a_concatenation_has_a_column_for_each_channel_of_all_parts() -> None:
    wiring = wiring_of(Concatenates())
    parts = torch.cat([wiring.targets["layer.weight"], wiring.sources["layer.weight"].ravel()])
    assert torch.equal(wiring.sources["last.weight"].ravel(), parts)


def test_the_input_that_is_added_to_a_layers_outputs_is_an_identity_skip() -> None:
    wiring = wiring_of(AddsTheInput())
    ((one, other),) = wiring.skips
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    into, out = wiring.sources["layer.weight"].ravel().tolist(), wiring.targets["layer.weight"].tolist()
    assert pairs == set(zip(into, out, strict=True))
    assert wiring.vertices == 8


REFUSED: list[tuple[Callable[[], nn.Module], str]] = [
    (DependsOnValues, r"^torch\.export cannot follow this network: .*\.$"),
    (Sorts, r"^the channel graph has no meaning for sort\.$"),
    (
        lambda: nn.Sequential(nn.Conv1d(3, 5, 1), nn.Linear(8, 2)),
        r"^the channel graph has no meaning for linear in 1: it mixes positions, not channels\.$",
    ),
    (lambda: nn.Sequential(nn.Linear(4, 6), nn.Linear(9, 3)), r"^the network runs on no input of a usual shape"),
]


@pytest.mark.parametrize(("build", "sentence"), REFUSED)
def test_a_network_that_the_graph_cannot_join_is_refused(build: Callable[[], nn.Module], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        wiring_of(build())


def test_a_layer_that_the_network_does_not_use_has_vertices_of_its_own() -> None:
    used, spare = layer_leverages(as_layers(Unused()), "global", "channel", "none")
    assert (used.sum(), spare.sum()) == (pytest.approx(7), pytest.approx(7))  # of 8 vertices in one piece each


def test_layers_of_no_network_are_refused() -> None:
    with pytest.raises(UserError, match="looks at the whole network"):
        layer_leverages(list(as_layers(small_resnet())), "global", "channel", "none")
