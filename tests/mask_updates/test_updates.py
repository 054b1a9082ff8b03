"""What each mask update does to one layer: counts, and which weights go and come."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.mask_updates.exchange import exchanged
from pruneexp.mask_updates.gmp import GMP
from pruneexp.mask_updates.none import none
from pruneexp.mask_updates.rigl import RigL
from pruneexp.mask_updates.set_ import Set
from pruneexp.mask_updates.update import MaskUpdate, Moment, Weight, check_times
from pruneexp.seeding import stream

SHAPE = (6, 5, 2, 2)


def layer(kept: int, seed: int = 0, trained: bool = True) -> Weight:
    """A layer of 120 weights of which so many are kept, with a gradient of all."""
    generator = stream(seed, "layer")
    mask = torch.zeros(math.prod(SHAPE), dtype=torch.bool)
    mask[torch.randperm(len(mask), generator=generator)[:kept]] = True
    value = torch.randn(SHAPE, generator=generator) * mask.view(SHAPE)
    parameter = torch.nn.Parameter(value, requires_grad=trained)
    return Weight(parameter, mask.view(SHAPE), torch.randn(SHAPE, generator=generator), kept)


def moment(update: MaskUpdate, number: int, steps: int = 1000) -> Moment:
    times = update.times(steps)
    return Moment(times[number - 1], steps, number, len(times))


def test_none_is_no_update() -> None:
    update: object = none()
    assert update is None


def test_rigl_by_hand() -> None:
    value = torch.tensor([[0.5, 0.0, -0.1, 0.0], [0.3, 0.0, 0.0, -0.9]])
    gradient = torch.tensor([[9.0, 1.0, -8.0, 2.0], [7.0, -3.0, 0.0, 6.0]])
    weight = Weight(torch.nn.Parameter(value), value != 0, gradient, 4)
    # at the first update of a hundred f is 0.999: floor(3.99) of the four are exchanged, all but the largest
    update = RigL(interval=1, until=1.0, drop=0.999)
    mask = update.mask(weight, Moment(1, 100, 1, 99), stream(0))
    # 0.5, -0.1 and 0.3 go; 9, -8 and 7 are the highest of what is then outside: they come back
    assert mask.tolist() == [[True, False, True, False], [True, False, False, True]]
    weaker = Weight(weight.value, weight.kept, gradient * (value == 0), 4)
    mask = update.mask(weaker, Moment(1, 100, 1, 99), stream(0))
    assert mask.tolist() == [[False, True, False, True], [False, True, False, True]]


@pytest.mark.parametrize("number", [1, 4, 7])
def test_the_share_falls_along_a_cosine(number: int) -> None:
    update = RigL()
    weight, now = layer(100), moment(update, number)
    gradient = torch.where(weight.kept, 0.0, 1.0)  # nothing that is dropped comes back, as far as others are left
    mask = update.mask(Weight(weight.value, weight.kept, gradient, 100), now, stream(0))
    share = 0.3 / 2 * (1 + math.cos(math.pi * 100 * number / 750))
    assert int((mask & ~weight.kept).sum()) == min(20, math.floor(100 * share))
    assert int(mask.sum()) == 100


@given(
    st.integers(0, 120),
    st.integers(0, 120),
    st.integers(0, 5),
    st.sampled_from(["some", "alike", "nan", "inf", "zero"]),
)
def test_an_exchange_never_changes_the_count(kept: int, k: int, seed: int, kind: str) -> None:
    weight, k = layer(kept, seed), min(k, kept)
    assert weight.gradient is not None
    size, worth = weight.value.detach().abs(), weight.gradient.abs()
    if kind == "alike":
        size, worth = torch.ones(SHAPE), torch.ones(SHAPE)
    elif kind != "some":
        size, worth = (torch.full(SHAPE, float(kind.replace("zero", "0"))) for _ in range(2))
    mask = exchanged(weight.kept, size, worth, k)
    assert int(mask.sum()) == kept
    assert int((mask & ~weight.kept).sum()) <= k


@given(st.integers(1, 120), st.integers(0, 60), st.integers(0, 5))
def test_the_smallest_go_and_the_worthiest_come(kept: int, k: int, seed: int) -> None:
    weight, k = layer(kept, seed), min(k, kept)
    assert weight.gradient is not None
    size, worth = weight.value.detach().abs().flatten(), weight.gradient.abs().flatten()
    mask, before = exchanged(weight.kept, size.view(SHAPE), worth.view(SHAPE), k).flatten(), weight.kept.flatten()
    inside = sorted(before.nonzero()[:, 0].tolist(), key=lambda place: float(size[place]))
    stays = set(inside[k:])
    outside = [place for place in range(120) if place not in stays]
    comes = sorted(outside, key=lambda place: -float(worth[place]))[:k]
    assert set(mask.nonzero()[:, 0].tolist()) == stays | set(comes)


def test_of_equal_weights_the_first_go_and_come_first() -> None:
    kept = torch.tensor([False, True, True, False, True, False])
    ones = torch.ones(6)
    assert exchanged(kept, ones, ones, 1).tolist() == [True, False, True, False, True, False]


def test_set_draws_from_the_generator_alone() -> None:
    weight, update = layer(40), Set()
    others = Weight(weight.value, weight.kept, None, 40)
    first, again, another = (
        update.mask(one, moment(update, 1), stream(seed, "mask_update", 100))
        for one, seed in ((weight, 0), (others, 0), (weight, 1))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, another)
    assert int(first.sum()) == 40


def test_set_grows_all_that_are_outside_alike() -> None:
    update, weight = Set(interval=1), layer(60)
    drawn = torch.zeros(SHAPE)
    for seed in range(400):
        drawn += update.mask(weight, moment(update, 1), stream(seed)) & ~weight.kept
    grown = drawn[~weight.kept]
    share = float(grown.sum()) / 400 / 60  # 17 of the 77 that are outside once the smallest have gone
    assert share == pytest.approx(17 / 77, abs=0.01)
    assert float((grown / 400 - share).abs().max()) < 5 * math.sqrt(share * (1 - share) / 400)


@pytest.mark.parametrize("update", [RigL(), Set()])
def test_a_layer_that_is_not_trained_stays(update: MaskUpdate) -> None:
    weight = layer(40, trained=False)
    assert torch.equal(update.mask(weight, moment(update, 1), stream(0)), weight.kept)


def test_rigl_leaves_a_layer_that_no_loss_reaches() -> None:
    weight = layer(40)
    unreached = Weight(weight.value, weight.kept, None, 40)
    assert torch.equal(RigL().mask(unreached, moment(RigL(), 1), stream(0)), weight.kept)


# gradual magnitude pruning


def test_gmp_follows_the_papers_cubic() -> None:
    update = GMP(interval=100, begin=0.2, until=0.8)
    times = update.times(2000)
    assert list(times) == list(range(500, 1601, 100))
    weight, size, count = layer(120), 120, 10
    mask, sparsity = weight.kept, 1 - count / size
    for number, t in enumerate(times, start=1):
        # equation 1: s_f + (s_i - s_f) (1 - (t - t0) / (n dt))^3
        expected = sparsity + (0 - sparsity) * (1 - (t - 400) / (12 * 100)) ** 3
        now = Weight(weight.value, mask, None, count)
        after = update.mask(now, Moment(t, 2000, number, 12), stream(0))
        assert not (after & ~mask).any()
        assert int(after.sum()) == round(size - expected * size)
        threshold = weight.value.detach().abs()[after].min()
        assert not (weight.value.detach().abs()[mask & ~after] > threshold).any()
        mask = after
    assert int(mask.sum()) == count


@given(st.integers(1, 10**6), st.floats(0, 1), st.integers(1, 500))
def test_gmp_falls_from_all_to_the_maskers_count(size: int, share: float, updates: int) -> None:
    count = round(share * size)
    left = [GMP().left(size, count, number, updates) for number in range(updates + 1)]
    assert (left[0], left[-1]) == (size, count)
    assert left == sorted(left, reverse=True)


def test_gmp_does_not_bring_back_what_is_zero_or_was_pruned() -> None:
    value = torch.tensor([0.0, 0.0, 0.0, 2.0])
    weight = Weight(torch.nn.Parameter(value), torch.tensor([False, True, True, True]), None, 2)
    assert GMP().mask(weight, Moment(1, 9, 1, 1), stream(0)).tolist() == [False, True, False, True]


# when


@given(st.integers(1, 300), st.floats(0.01, 1), st.floats(0, 0.99), st.integers(0, 2000))
def test_updates_leave_a_step_after_them(interval: int, until: float, begin: float, steps: int) -> None:
    updates: list[MaskUpdate] = [RigL(interval, until), Set(interval, until)]
    updates += [GMP(interval, begin, until)] if begin < until else []
    for update in updates:
        times = update.times(steps)
        assert all(0 < t < steps and t <= until * steps + 1e-6 for t in (*times[:1], *times[-1:]))
        assert times.step == interval


def test_whole_shares_of_steps_are_whole() -> None:
    assert list(GMP(1, until=0.29).times(100))[-1] == 29  # 0.29 * 100 is below 29 in floating point
    assert list(RigL(5, until=0.55).times(100))[-1] == 50  # and 0.55 * 100 above 55


@pytest.mark.parametrize("update", [RigL(), Set(), GMP()])
def test_a_training_without_an_update_is_refused(update: MaskUpdate) -> None:
    check_times(update, 1000)
    with pytest.raises(
        UserError, match=r"the masks would never change in the 100 steps of this training with mask_update.interval=100"
    ):
        check_times(update, 100)


def test_a_pruning_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UserError, match=r"mask_update.begin must be below mask_update.until=0.5"):
        GMP(begin=0.5, until=0.5)
