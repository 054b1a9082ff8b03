"""PHEW's walks: where they start, which weights they take how often, and that the kept ones are paths."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.models.resnet import BasicBlock, ResNet, resnet_cifar
from pruneexp.models.vgg import VGG
from pruneexp.models.wide_resnet import WideResNet
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import wiring_of
from pruneexp.pruning.method import Scores
from pruneexp.scorers import phew as module
from pruneexp.scorers.phew import phew
from pruneexp.seeding import stream

Ints = npt.NDArray[np.int64]
LINEAR = [2, 3, 4, 3]  # units
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Sequential(nn.Linear(12, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 5)),
    "vgg": lambda: VGG([6, "M", 8, 8], 4, 3),
    "resnet": lambda: ResNet([2, 2], [6, 9], 4, 3),
    "wide": lambda: WideResNet(4, (3, 8, 8), depth=10, widen=1),
}
every_network = pytest.mark.parametrize("kind", sorted(NETWORKS))


def made(model: nn.Module) -> nn.Module:
    initialise(model, "kaiming_normal", stream(0, "test"))
    return model


def scores(model: nn.Module, seed: int = 0, **options: Any) -> Scores:
    return phew(model, Batches(), torch.Generator().manual_seed(seed), **options)


def flat(some: Scores) -> torch.Tensor:
    return torch.cat([value.ravel() for value in some.values()])


class Walks:
    """Every walk of both directions: its units to start from, and the numbers of the weights it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
        self.starts: dict[int, list[int]] = defaultdict(list)  # by walker, inputs' first
        self.walks: dict[int, list[list[int]]] = defaultdict(list)
        self.walkers: list[object] = []
        self.order: list[int] = []
        walk = module._Walker.walk

        def spied(walker: Any, units: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
            if not any(walker is known for known in self.walkers):
                self.walkers.append(walker)
            which = next(k for k, known in enumerate(self.walkers) if known is walker)
            self.order.append(which)
            self.starts[which] += units.tolist()
            taken: list[list[int]] = [[] for _ in units]
            who, edges = walk(walker, units, rng)
            for number, edge in zip(who.tolist(), edges.tolist(), strict=True):
                taken[number].append(edge)
            self.walks[which] += taken
            return who, edges

        monkeypatch.setattr(module._Walker, "walk", spied)
        monkeypatch.setattr(module, "WALKS", at_once)


def small() -> nn.Sequential:
    """Three linear layers whose weights differ a lot, one of them zero."""
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(LINEAR)]
    for layer in layers:
        nn.init.uniform_(layer.weight, -1, 1, generator=torch.Generator().manual_seed(layer.in_features))
        layer.weight.data[1, 1] *= 0.05
    layers[1].weight.data[2, 0] = 0.0
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


def test_every_step_takes_a_weight_with_its_share_of_the_units_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Walks(monkeypatch, 60_000)
    model = small()
    scores(model, seed=4)
    matrices = [weight.detach().abs().double() for weight in prunable(model).values()]
    first_of = np.cumsum([0] + [matrix.numel() for matrix in matrices])
    for which, walks in seen.walks.items():
        assert len(walks) == 30_000
        assert {len(walk) for walk in walks} == {3}
        counts = Counter(itertools.chain.from_iterable(walks))
        for matrix, start in zip(matrices, first_of, strict=False):
            got = torch.tensor([counts[start + k] for k in range(matrix.numel())]).reshape(matrix.shape)
            units = got.sum(
                dim=which
            ).double()  # visits of what the step starts from: inputs forwards, outputs backwards
            share = matrix / matrix.sum(dim=which, keepdim=True)
            units, want = units.unsqueeze(which), units.unsqueeze(which) * share
            assert (units > 200).all()
            assert ((got - want).abs() <= 5 * (want * (1 - share)).sqrt()).all()
            assert (got[matrix == 0] == 0).all()


def test_within_a_kernel_a_weight_is_taken_with_its_share_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Walks(monkeypatch, 40_000)
    model = nn.Sequential(nn.Conv2d(2, 2, 2, bias=False), nn.Flatten(), nn.Linear(8, 2))  # four inputs to a channel
    nn.init.uniform_(model[0].get_parameter("weight"), -1, 1, generator=torch.Generator().manual_seed(0))
    nn.init.uniform_(model[2].get_parameter("weight"), -1, 1, generator=torch.Generator().manual_seed(1))
    scores(model)
    first = model[0].get_parameter("weight").detach().abs().double().numpy()
    last = model[2].get_parameter("weight").detach().abs().double().numpy()
    counts = Counter(itertools.chain.from_iterable(seen.walks[0]))
    for channel in range(2):  # one in two walks starts here
        share = first[:, channel] / first[:, channel].sum()
        got = np.array([counts[k] for k in range(16)]).reshape(2, 2, 2, 2)[:, channel]
        assert got.sum() == 10_000
        assert (np.abs(got - 10_000 * share) <= 5 * np.sqrt(10_000 * share * (1 - share))).all()
        inputs = slice(4 * channel, 4 * channel + 4)
        share = last[:, inputs] / last[:, inputs].sum()
        got = np.array([counts[16 + k] for k in range(16)]).reshape(2, 8)[:, inputs]
        assert (np.abs(got - got.sum() * share) <= 5 * np.sqrt(got.sum() * share * (1 - share))).all()


def test_walks_start_at_inputs_and_outputs_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Walks(monkeypatch, 10)  # five from each end at a time, so that batches go on where the last one ended
    model = made(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4)))
    wiring = wiring_of(model)
    inputs, outputs = wiring.sources["0.weight"].ravel().tolist(), wiring.targets["2.weight"].tolist()
    scores(model, share=1.0, most=40)
    for which, ends in ((0, inputs), (1, outputs)):
        turns = [ends[k % len(ends)] for k in range(len(seen.starts[which]))]
        assert len(turns) >= 10
        assert seen.starts[which] == turns
    assert len(seen.starts[0]) == len(seen.starts[1])
    assert seen.order == [0, 1] * (len(seen.order) // 2)


def test_a_score_falls_with_the_number_of_the_first_walk_that_takes_the_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Walks(monkeypatch, 6)
    model = made(NETWORKS["linear"]())
    got = flat(scores(model, share=0.1)).tolist()
    turns = [walk for pair in zip(seen.walks[0], seen.walks[1], strict=True) for walk in pair]
    first: dict[int, int] = {}
    for number, walk in enumerate(turns):
        for edge in walk:
            first.setdefault(edge, number)
    walked = sorted(first, key=lambda edge: first[edge])
    for one, other in itertools.pairwise(walked):
        if first[one] == first[other]:
            assert got[one] == got[other]
        else:
            assert got[one] > got[other]
    sizes = flat({name: weight.detach().abs() for name, weight in prunable(model).items()}).tolist()
    rest = sorted(set(range(len(got))) - set(first), key=lambda edge: -sizes[edge])
    assert len(first) >= 0.1 * len(got) > len(rest) / 10
    assert min(got[edge] for edge in walked) > got[rest[0]]
    assert [got[edge] for edge in rest] == sorted((got[edge] for edge in rest), reverse=True)
    assert got[rest[0]] > got[rest[-1]] > 0


def on_paths(model: nn.Module, kept: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Which kept weights lie on a path of kept weights from an input to an output, by plain search."""
    wiring = wiring_of(model)
    edges = []
    for name, mask in kept.items():
        for index in mask.nonzero().tolist():
            sources = wiring.sources[name].expand(mask.shape[:2])
            edges.append((int(sources[index[0], index[1]]), int(wiring.targets[name][index[0]]), name, tuple(index)))
    names = list(kept)
    everything = [set(wiring.sources[name].ravel().tolist()) for name in names]
    outputs = {
        unit for name in names for unit in wiring.targets[name].tolist() if not any(unit in s for s in everything)
    }
    made_units = {unit for name in names for unit in wiring.targets[name].tolist()}
    inputs = set().union(*everything) - made_units

    def reached(start: set[int], pairs: list[tuple[int, int]]) -> set[int]:
        following: dict[int, set[int]] = defaultdict(set)
        for a, b in pairs:
            following[a].add(b)
        seen, queue = set(start), list(start)
        while queue:
            new = following[queue.pop()] - seen
            seen |= new
            queue += new
        return seen

    from_input = reached(inputs, [(a, b) for a, b, _, _ in edges])
    to_output = reached(outputs, [(b, a) for a, b, _, _ in edges])
    good = {name: torch.zeros_like(mask) for name, mask in kept.items()}
    for a, b, name, at in edges:
        good[name][at] = a in from_input and b in to_output
    return good


@every_network
@pytest.mark.parametrize("density", [0.03, 0.1, 0.25])
def test_what_is_kept_is_a_union_of_paths_but_for_the_last_walk(kind: str, density: float) -> None:
    model = made(NETWORKS[kind]())
    masks = prune(model, density, scorer="phew", masker="greedy_global", seed=3)
    got = scores_of(model, seed=3)
    least = min(float(got[name][mask].min()) for name, mask in masks.items() if mask.any())
    assert least > 1  # walked
    whole = {name: value > least for name, value in got.items()}
    assert all(bool((masks[name] | ~kept).all()) for name, kept in whole.items())
    good = on_paths(model, whole)
    assert all(torch.equal(good[name], kept) for name, kept in whole.items())
    last = sum(int((masks[name] & ~kept).sum()) for name, kept in whole.items())
    assert 0 < last <= len(masks)


def scores_of(model: nn.Module, seed: int) -> Scores:
    """What prune scored."""
    return phew(model, Batches(), stream(seed, "scorer"))


@every_network
def test_the_weights_of_one_walk_are_a_path_from_end_to_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Walks(monkeypatch, 200)
    model = made(NETWORKS[kind]())
    scores(model, share=0.01, most=2)
    wiring = wiring_of(model)
    source = torch.cat(
        [
            wiring.sources[name].expand(weight.shape[:2]).ravel().repeat_interleave(weight[0, 0].numel())
            for name, weight in prunable(model).items()
        ]
    ).tolist()
    target = torch.cat(
        [wiring.targets[name].repeat_interleave(weight[0].numel()) for name, weight in prunable(model).items()]
    ).tolist()
    inputs, outputs = set(source) - set(target), set(target) - set(source)
    for which, walks in seen.walks.items():
        assert len(walks) == 100
        for walk in walks:
            path = walk[::-1] if which else walk
            assert source[path[0]] in inputs
            assert target[path[-1]] in outputs
            assert all(target[a] == source[b] for a, b in itertools.pairwise(path))


def test_shortcut_convolutions_are_walked_and_identity_skips_are_not() -> None:
    model = made(ResNet([2, 2], [6, 9], 4, 3))
    walked = {name: value > 1 for name, value in scores(model, share=0.4).items()}
    assert any("shortcut" in name for name in walked)
    assert all(bool(mask.any()) for mask in walked.values())
    # with a block's weights gone there is no way but its identity, which nothing walks
    block = model.get_submodule("blocks.1")
    assert isinstance(block, BasicBlock)
    nn.init.zeros_(block.conv2.weight)
    again = {name: value > 1 for name, value in scores(model, share=0.4, most=20_000).items()}
    assert not again["blocks.1.conv2.weight"].any()


@pytest.mark.parametrize("shortcut", ["half", "every"])
def test_a_shortcut_convolution_is_taken_every_second_time_or_by_its_share(
    shortcut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Walks(monkeypatch, 20_000)
    model = made(ResNet([1, 1], [3, 4], 4, 3))
    asked: dict[str, Any] = {} if shortcut == "half" else {"shortcut": "every"}  # half is the default
    scores(model, share=0.01, most=2, **asked)
    weights = {name: weight.detach().abs().double() for name, weight in prunable(model).items()}
    begin = dict(zip(weights, np.cumsum([0] + [weight.numel() for weight in weights.values()]), strict=False))
    # from the second block's inputs a walk goes on by conv1 or the shortcut, back from its outputs by conv2 or the shortcut
    for which, name, inwards in ((0, "blocks.1.conv1.weight", 1), (1, "blocks.1.conv2.weight", 0)):
        other = next(key for key in weights if "shortcut" in key)
        layers = [weights[key].sum(dim=(2, 3)).movedim(inwards, 0) for key in (name, other)]
        counts = Counter(itertools.chain.from_iterable(seen.walks[which]))
        taken = [
            torch.tensor([counts[begin[key] + k] for k in range(weights[key].numel())])
            .reshape(weights[key].shape).sum(dim=(2, 3)).movedim(inwards, 0).double()
            for key in (name, other)
        ]  # fmt: skip
        for unit in range(len(layers[0])):
            sizes = [layer[unit].sum() for layer in layers]
            visits = sum(visit[unit].sum() for visit in taken)
            assert visits > 500
            for layer, visit, size in zip(layers, taken, sizes, strict=True):
                turn = 0.5 if shortcut == "half" else size / sum(sizes)
                share = turn * layer[unit] / size
                assert ((visit[unit] - visits * share).abs() <= 5 * (visits * share * (1 - share)).sqrt()).all()


def test_a_layer_without_weights_at_a_unit_is_no_way_on() -> None:
    model = made(ResNet([1, 1], [3, 4], 4, 3))
    block = model.get_submodule("blocks.1")
    assert isinstance(block, BasicBlock)
    nn.init.zeros_(block.conv1.weight)
    walked = {name: value > 1 for name, value in scores(model, share=0.5, most=20_000).items()}
    assert not walked["blocks.1.conv1.weight"].any()
    shortcut = next(name for name in walked if "shortcut" in name)
    assert walked[shortcut].all()


def test_a_resnet20_is_walked() -> None:
    model = made(resnet_cifar(10, (3, 32, 32), 20))
    masks = prune(model, 0.05, scorer="phew", masker="greedy_global")
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.05 * 270_896)
    assert all(bool(mask.any()) for mask in masks.values())


@every_network
def test_weights_that_are_zero_are_never_walked_and_come_last(kind: str) -> None:
    model = made(NETWORKS[kind]())
    with torch.no_grad():
        for weight in prunable(model).values():
            weight.mul_(torch.rand(weight.shape, generator=torch.Generator().manual_seed(1)) < 0.7)
    got = scores(model, share=0.9, most=50_000)
    for name, weight in prunable(model).items():
        assert (got[name][weight == 0] == 0).all()
        assert (got[name][weight != 0] > 0).all()


def test_a_walk_that_cannot_reach_the_other_end_is_no_path() -> None:
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    nn.init.ones_(model[0].get_parameter("weight"))
    nn.init.ones_(model[2].get_parameter("weight"))
    model[2].get_parameter("weight").data[:, 1] = 0.0  # unit 1 leads nowhere
    masks = prune(model, 0.5, scorer="phew", masker="greedy_global")
    assert not masks["0.weight"][1].any()


@pytest.mark.parametrize("share", [0.05, 0.4, 1, 0.8])
def test_walks_go_on_until_their_share_is_walked(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WALKS", 2)
    walked = flat(scores(small(), share=share)) > 1
    assert walked.sum() >= share * (sum(a * b for a, b in itertools.pairwise(LINEAR)) - 1)
    if share < 0.2:
        assert walked.sum() < 0.4 * len(walked)


def test_or_until_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Walks(monkeypatch, 2)
    model = made(NETWORKS["linear"]())
    assert (flat(scores(model, share=1.0, most=8)) > 1).sum() <= 8 * 3
    assert len(seen.walks[0]) == len(seen.walks[1]) == 4


def test_a_zero_weight_does_not_keep_the_walks_going(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Walks(monkeypatch, 1000)
    scores(small(), share=1.0)
    assert len(seen.walks[0]) < 5000


def test_the_stream_decides() -> None:
    model = made(NETWORKS["resnet"]())
    one, again, other = (flat(scores(model, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    signs = made(NETWORKS["resnet"]())
    for weight in prunable(signs).values():
        weight.data.abs_()
    assert torch.equal(flat(scores(signs)), one)


def test_large_weights_are_taken_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WALKS", 10)
    model = made(NETWORKS["vgg"]())
    kept = flat(scores(model, share=0.05)) > 1
    assert kept.sum() < 0.1 * len(kept)
    sizes = torch.cat([(weight.abs() / weight.abs().mean()).detach().ravel() for weight in prunable(model).values()])
    assert sizes[kept].mean() > 1.3 * sizes.mean()  # normal weights drawn by size are pi / 2 times as large


def said(value: object) -> str:
    return "null" if value is None else repr(value)


@pytest.mark.parametrize("share", [0, -0.1, 1.1, True, "half", math.nan, None])
def test_a_share_outside_its_range_is_refused(share: object) -> None:
    with pytest.raises(UserError, match=rf"^phew's share must be above 0 and at most 1, got {said(share)}\.$"):
        scores(small(), share=share)


@pytest.mark.parametrize("shortcut", ["always", 0.5, True])
def test_an_unknown_way_to_take_shortcuts_is_refused(shortcut: object) -> None:
    with pytest.raises(UserError, match=r"^phew's shortcut must be half or every, got "):
        scores(small(), shortcut=shortcut)


@pytest.mark.parametrize("most", [1, 0, -5, 2.5, True, "all"])
def test_too_few_walks_are_refused(most: object) -> None:
    with pytest.raises(UserError, match=rf"^phew's most must be a whole number, at least 2, got {said(most)}\.$"):
        scores(small(), most=most)


class Sorted(nn.Module):
    """Its channels change places with the data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).sort(dim=1).values


class Choosing(nn.Module):
    """Its way depends on the data."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(x)
        return out if out.sum() > 0 else -out


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (Sorted, r"^the channel graph has no meaning for sort\.$"),
        (Choosing, r"^torch\.export cannot follow this network: "),
        (
            lambda: nn.Sequential(nn.Conv1d(3, 5, 1), nn.Linear(8, 2)),
            "^the channel graph has no meaning for linear in 1",
        ),
    ],
)
def test_a_network_without_a_channel_graph_is_refused(model: Callable[[], nn.Module], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        scores(model())
    with pytest.raises(UserError, match=sentence):
        prune(model(), 0.5, scorer="phew", masker="greedy_global")
