"""NTK-SAP against finite differences in the mask, an explicit tangent kernel, and its random streams over rounds."""

import copy
import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.maskers.greedy import greedy
from pruneexp.pruning.method import Method, Scores
from pruneexp.pruning.rounds import in_rounds
from pruneexp.scorers.ntk_sap import ntk_sap
from pruneexp.seeding import stream
from tests.helpers import target_of

SHAPE = (1, 4, 4)
SHAPES = {"0.weight": (2, 1, 3, 3), "5.weight": (3, 8)}
FAN_IN = {"0.weight": 9, "5.weight": 8}
global_greedy = functools.partial(greedy, scope="global")


def network(zeros: bool = False) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3)
        )
        nn.init.uniform_(model[1].get_parameter("weight"), 0.5, 1.5)
        nn.init.uniform_(model[1].get_parameter("bias"), -0.5, 0.5)
        nn.init.uniform_(model[1].get_buffer("running_var"), 0.5, 2.0)
        if zeros:
            for name in SHAPES:
                weight = model.get_parameter(name)
                weight.data *= torch.rand(weight.shape) < 0.6
    return model


def scores(model: nn.Module, seed: int = 0, **options: Any) -> Scores:
    given: dict[str, Any] = {"samples": 6, **options}
    return ntk_sap(model, Batches(input_shape=SHAPE), torch.Generator().manual_seed(seed), **given)


def change(
    model: nn.Sequential,
    masks: dict[str, torch.Tensor],
    seed: int,
    epsilon: float,
    repeats: int,
    fresh: bool,
    mode: str,
) -> float:
    """The mean over draws of ||f(x; m w) - f(x; m (w + dw))||^2: images, weights and perturbations in this order."""
    generator = torch.Generator().manual_seed(seed)
    whole = {name: (model.get_parameter(name) != 0).double() for name in SHAPES}
    total = 0.0
    for _ in range(repeats):
        images = torch.randn(6, *SHAPE, generator=generator, dtype=torch.float64)
        weights = {name: model.get_parameter(name).detach().double() for name in SHAPES}
        if fresh:
            for name, shape in SHAPES.items():
                drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
                weights[name] = drawn * (2 / FAN_IN[name]) ** 0.5
        outputs = []
        for moved in (False, True):
            twin = copy.deepcopy(model).double().eval()
            twin[1].train(mode == "train")
            if (
                mode == "frozen"
            ):  # by hand, of the unperturbed network at the mask itself, wherever the derivative looks
                bias = model[0].get_parameter("bias").detach().double()
                maps = functional.conv2d(images, whole["0.weight"] * weights["0.weight"], bias)
                twin[1].get_buffer("running_mean").copy_(maps.mean(dim=(0, 2, 3)))
                twin[1].get_buffer("running_var").copy_(maps.var(dim=(0, 2, 3), unbiased=True))
            for name, weight in weights.items():
                step = torch.randn(*weight.shape, generator=generator, dtype=torch.float64) if moved else 0.0
                twin.get_parameter(name).data = masks[name] * (weight + epsilon * step)
            outputs.append(twin(images).detach())
        total += float((outputs[0] - outputs[1]).square().sum(dim=1).mean())
    return total / repeats


@pytest.mark.parametrize("mode", ["frozen", "train", "eval"])
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(("zeros", "repeats"), [(False, 1), (True, 1), (True, 2)])
def test_a_score_is_the_slope_of_the_change_in_the_mask(mode: str, fresh: bool, zeros: bool, repeats: int) -> None:
    model = network(zeros)
    got = scores(model, seed=3, epsilon=0.2, repeats=repeats, fresh_weights=fresh, batchnorm=mode)
    assert list(got) == list(SHAPES)
    masks = {name: (model.get_parameter(name) != 0).double() for name in SHAPES}
    assert all(bool((mask == 0).any()) == zeros for mask in masks.values())
    part = 1e-5
    for name, score in got.items():
        assert score.dtype == torch.float64
        want = torch.zeros_like(score)
        for index in np.ndindex(score.shape):
            ends = []
            for sign in (1, -1):
                turned = {key: mask.clone() for key, mask in masks.items()}
                turned[name][index] += sign * part
                ends.append(change(model, turned, 3, 0.2, repeats, fresh, mode))
            want[index] = abs(ends[0] - ends[1]) / (2 * part)
        assert (score - want).abs().max() < 1e-7
        assert want.max() > 1e-3


def test_the_expectation_is_the_slope_of_the_tangent_kernels_trace() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Tanh(), nn.Linear(3, 2, bias=False))
    epsilon = 0.01
    generator = torch.Generator().manual_seed(0)
    got = ntk_sap(
        model, Batches(input_shape=(2,)), generator, samples=64, epsilon=epsilon, repeats=4000, fresh_weights=False
    )
    # f = V tanh(W x): the derivatives in V are h, those in W are V (1 - h^2) x
    first, last = (model[k].get_parameter("weight").detach().double() for k in (0, 2))
    masks = [torch.ones_like(weight).requires_grad_() for weight in (first, last)]
    inputs = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    hidden = torch.tanh(inputs @ (masks[0] * first).T)
    slopes = 1 - hidden.square()
    in_last = (hidden.square() @ masks[1].square().T).sum(dim=1)
    in_first = ((inputs.square() @ masks[0].square().T) * slopes.square()) @ (masks[1] * last).square().T
    trace = (in_last + in_first.sum(dim=1)).mean()
    want = [epsilon**2 * slope.abs() for slope in torch.autograd.grad(trace, masks)]
    for score, expected in zip(got.values(), want, strict=True):
        torch.testing.assert_close(score, expected, rtol=0.1, atol=0.05 * float(expected.max()))
    sums = [float(torch.cat([part.ravel() for part in some]).sum()) for some in (list(got.values()), want)]
    assert sums[0] == pytest.approx(sums[1], rel=0.05)


def test_statistics_are_frozen_unless_asked_for_otherwise() -> None:
    default = scores(network())
    frozen, train, running = (scores(network(), batchnorm=mode) for mode in ("frozen", "train", "eval"))
    assert all(torch.equal(default[name], frozen[name]) for name in SHAPES)
    for other in (train, running):
        assert not any(torch.allclose(frozen[name], other[name]) for name in SHAPES)


def test_for_small_perturbations_scores_grow_with_their_square() -> None:
    small, large = (scores(network(), epsilon=epsilon, batchnorm="eval") for epsilon in (1e-5, 2e-5))
    for name, score in small.items():
        torch.testing.assert_close(large[name], 4 * score, rtol=1e-2, atol=1e-3 * float(score.max()))


def test_one_stream_gives_the_same_scores_and_another_others() -> None:
    first, again, other = scores(network()), scores(network()), scores(network(), seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.allclose(first[name], other[name]) for name in first)


def test_with_new_weights_only_where_they_are_zero_counts() -> None:
    model, other = network(zeros=True), network(zeros=True)
    for name in SHAPES:
        other.get_parameter(name).data *= -3.0
    first, second = scores(model), scores(other)
    assert all(torch.equal(first[name], second[name]) for name in first)
    own, others = scores(model, fresh_weights=False), scores(other, fresh_weights=False)
    assert not any(torch.allclose(own[name], others[name]) for name in own)
    filled = scores(network())
    assert not any(torch.allclose(first[name], filled[name]) for name in first)


@pytest.mark.parametrize("fresh", [True, False])
def test_what_leads_only_to_pruned_weights_scores_zero(fresh: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    model[2].get_parameter("weight").data[:, 1] = 0.0
    got = ntk_sap(model, Batches(input_shape=(3,)), torch.Generator().manual_seed(0), samples=4, fresh_weights=fresh)
    silent = got["0.weight"] == 0
    assert silent[1].all()
    assert not silent[[0, 2, 3]].any()


class Rounds:
    """The scorer, writing down each round's stream, network and scores."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.numbers: list[int] = []
        self.zeros: list[dict[str, torch.Tensor]] = []
        self.scores: list[Scores] = []

    def __call__(self, model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        state = generator.get_state()
        self.numbers.append(number(generator))
        generator.set_state(state)
        self.zeros.append({name: model.get_parameter(name).detach() == 0 for name in SHAPES})
        self.scores.append(ntk_sap(model, batches, generator, samples=6, **self.options))
        return self.scores[-1]


def number(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (), generator=generator))


def test_each_round_draws_anew_and_what_is_pruned_stays_pruned() -> None:
    spies = [Rounds(), Rounds()]
    masks = [
        in_rounds(Method(spy, global_greedy, rounds=4), target_of(network()), 0.2, 5, Batches(input_shape=SHAPE)).masks
        for spy in spies
    ]
    assert all(torch.equal(masks[0][name], masks[1][name]) for name in SHAPES)
    spy = spies[0]
    assert spy.numbers == [number(stream(5, "scorer"))] + [number(stream(5, "scorer", k)) for k in (2, 3, 4)]
    assert len(set(spy.numbers)) == 4
    for before, after in zip(spy.zeros, spy.zeros[1:], strict=False):
        assert all(bool((after[name] | ~before[name]).all()) for name in SHAPES)
    assert all(bool((~masks[0][name] | ~spy.zeros[-1][name]).all()) for name in SHAPES)
    counts = [sum(int(zero.sum()) for zero in zeros.values()) for zeros in spy.zeros]
    assert counts == [0] + [42 - round(42 * 0.2 ** (k / 4)) for k in (1, 2, 3)]


def test_rounds_score_one_network_differently() -> None:
    spy = Rounds()
    in_rounds(Method(spy, global_greedy, rounds=3), target_of(network()), 1.0, 5, Batches(input_shape=SHAPE))
    assert not any(zero.any() for zeros in spy.zeros for zero in zeros.values())
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not any(torch.allclose(spy.scores[one][name], spy.scores[other][name]) for name in SHAPES)


def test_repeats_are_averaged() -> None:
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(
        3, 1, bias=False
    )  # scores have one sign each: (m dw x)^2, whose slope is 2 m (dw x)^2 and cross terms
    model.weight.data[0, 1:] = 0.0
    batches = Batches(input_shape=(3,))
    singles = [ntk_sap(model, batches, generator, samples=4, repeats=1)["weight"][0, 0] for _ in range(3)]
    whole = ntk_sap(model, batches, torch.Generator().manual_seed(0), samples=4, repeats=3)["weight"][0, 0]
    torch.testing.assert_close(whole, torch.stack(singles).mean())


def test_the_input_shape_must_be_known() -> None:
    with pytest.raises(UserError, match=r"^ntk_sap needs the input's shape: pass example_input\.$"):
        ntk_sap(network(), Batches(), torch.Generator())
    with pytest.raises(UserError, match="pass example_input"):
        prune(network(), 0.5, scorer="ntk_sap")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"samples": 0}, r"ntk_sap's samples must be a whole number, at least 1 and at most 100000, got 0"),
        ({"repeats": 0}, r"ntk_sap's repeats must be a whole number, at least 1, got 0"),
        ({"repeats": 1.5}, r"ntk_sap's repeats must be a whole number, at least 1, got 1\.5"),
        ({"epsilon": 0.0}, r"ntk_sap's epsilon must be a finite number, above 0, got 0"),
        ({"epsilon": float("nan")}, r"ntk_sap's epsilon must be a finite number, above 0, got nan"),
        ({"epsilon": -0.1}, r"ntk_sap's epsilon must be a finite number, above 0, got -0\.1"),
        ({"batchnorm": "both"}, "frozen, train or eval, got 'both'"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        scores(network(), **options)


@pytest.mark.parametrize("value", ["no", 2, None])
def test_fresh_weights_is_true_or_false(value: object) -> None:
    with pytest.raises(UserError, match="fresh_weights"):
        scores(network(), fresh_weights=value)
