"""How many weights the levels of iterative magnitude pruning leave."""

import itertools
import re
from decimal import Decimal

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.layers import Layer
from pruneexp.pruning.level_counts import as_typed, check_levels, count_after

TOTALS = st.integers(1, 10**8)
DENSITIES = st.floats(1e-6, 0.999)


def layers(*sizes: int) -> list[Layer]:
    return [Layer(f"{k}.weight", torch.empty(size), torch.ones(size, dtype=torch.bool)) for k, size in enumerate(sizes)]


def counts(levels: int, density: float, total: int) -> list[int]:
    return [count_after(level, levels, density, total) for level in range(1, levels + 1)]


@given(st.integers(5, 99), st.integers(1, 6), TOTALS)
def test_each_level_leaves_the_share_that_somebody_would_type_for_it(rate: int, levels: int, total: int) -> None:
    """So that runs of different depths at one rate have levels in common."""
    typed = [float(Decimal(rate).scaleb(-2) ** level) for level in range(1, levels + 1)]
    assert counts(levels, typed[-1], total) == [round(share * total) for share in typed]
    for depth in range(1, levels):
        assert counts(levels, typed[-1], total)[:depth] == counts(depth, typed[depth - 1], total)


@given(DENSITIES, st.integers(1, 30), TOTALS)
def test_counts_never_rise_and_end_as_every_mask_of_the_density(density: float, levels: int, total: int) -> None:
    found = counts(levels, density, total)
    assert found == sorted(found, reverse=True)
    assert found[-1] == round(density * total)
    assert found == pytest.approx([density ** (k / levels) * total for k in range(1, levels + 1)], abs=0.501)


@given(st.data(), TOTALS)
def test_a_count_has_a_density_of_its_own(data: st.DataObject, total: int) -> None:
    count = data.draw(st.integers(0, total))
    assert round(as_typed(count, total) * total) == count


@given(st.integers(1, 9999), st.integers(10_001, 10**9))
def test_it_is_the_one_that_was_typed(parts: int, total: int) -> None:
    density = parts / 10_000
    assert as_typed(round(density * total), total) == density


@given(DENSITIES, st.integers(2, 60), st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_advice_holds_and_nothing_else_is_refused(density: float, levels: int, sizes: list[int]) -> None:
    total, some = sum(sizes), layers(*sizes)
    left = [total, *counts(levels, density, total)]
    sound = left[-1] >= len(sizes) and all(later < earlier for earlier, later in itertools.pairwise(left))
    if sound:
        check_levels(density, levels, some)
        return
    with pytest.raises(UserError) as caught:
        check_levels(density, levels, some)
    (level,) = re.findall(r"level (\d+)", str(caught.value))
    fault = next(k for k in range(1, levels + 1) if left[k] < len(sizes) or left[k] == left[k - 1])
    assert int(level) == fault
    if fewer := re.search(r"use levels=(\d+) or fewer", str(caught.value)):
        assume(left[-1] >= len(sizes))
        for found in range(1, int(fewer[1]) + 1):
            check_levels(density, found, some)


@pytest.mark.parametrize(
    ("density", "levels", "sentence"),
    [
        (
            0.02,
            4,
            "levels=4 at density 0.02 leaves 2 of 100 weights after level 4, fewer than one for each of the 3 layers: use a density of at"
            " least 0.03.",
        ),
        (0.9, 40, "levels=40 at density 0.9 prunes nothing at level 1, at 100 of 100 weights: use levels=9 or fewer."),
        (0.5, 10**18, "prunes nothing at level 1, at 100 of 100 weights: use levels=35 or fewer."),
        (0.999, 2, "levels=2 at density 0.999 prunes nothing at level 1, at 100 of 100 weights: use a lower density."),
    ],
)
def test_levels_that_no_network_can_have_are_refused_in_one_sentence(
    density: float, levels: int, sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        check_levels(density, levels, layers(50, 40, 10))
    assert str(caught.value).endswith(sentence)
