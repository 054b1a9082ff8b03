"""Draws: exact counts always, and inclusion frequencies within what chance allows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.graphs import inclusion_probabilities
from pruneexp.graphs.sampling import independent_then_fill, systematic
from tests.graphs.oracles import Array, sampling_error
from tests.properties import PROPERTY

WEIGHTS = np.array([5.0, 0.0, 1.0, 1.0, 0.3, 0.01, 2.0, 0.7, 0.0, 1.4])


def log_uniform(seed: int, size: int) -> Array:
    return 10 ** np.random.default_rng(seed).uniform(-6, 0, size)


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 60), st.floats(0, 1))
def test_systematic_takes_exactly_m_edges_and_never_an_impossible_one(seed: int, size: int, share: float) -> None:
    weights = log_uniform(seed, size)
    weights[:: max(size // 4, 1)] = 0.0
    count = round(share * np.count_nonzero(weights))
    p = inclusion_probabilities(weights, count)
    for draw in range(20):
        chosen = systematic(p, np.random.default_rng(draw))
        assert chosen.dtype == bool
        assert chosen.sum() == count
        assert not chosen[p == 0].any()
        assert chosen[p == 1].all()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_systematic_includes_each_edge_with_its_probability(count: int) -> None:
    p = inclusion_probabilities(WEIGHTS, count)
    rng = np.random.default_rng(count)
    draws = 40_000
    taken = sum(systematic(p, rng).astype(int) for _ in range(draws))
    assert (np.abs(taken / draws - p) <= sampling_error(p, draws)).all()


def test_systematic_mixes_the_order_so_that_neighbours_can_be_drawn_together() -> None:
    # on an unshuffled line, two neighbours of probability 1/4 would never both be taken
    p = np.full(8, 0.25)
    rng = np.random.default_rng(0)
    together = sum(int(systematic(p, rng)[:2].all()) for _ in range(2000))
    assert together > 0


def test_a_large_draw_is_exact_too() -> None:
    weights = log_uniform(1, 300_000)
    for count in (1, 777, 150_001, 299_999):
        p = inclusion_probabilities(weights, count)
        assert systematic(p, np.random.default_rng(0)).sum() == count


def test_probabilities_a_hair_below_one_do_not_change_the_count() -> None:
    p = np.array([1 - 1e-13, 1 - 1e-11, 1 - 1e-15, 1e-11 + 1e-13 + 1e-15, 1.0])
    assert {int(systematic(p, np.random.default_rng(seed)).sum()) for seed in range(200)} == {4}


class Ends(np.random.Generator):
    """A generator whose uniform number is one end of [0, 1), where rounding could lose or add an edge."""

    def __init__(self, point: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.point = point

    def random(self, *_: Any, **__: Any) -> Any:
        return self.point


@pytest.mark.parametrize("size", [10, 100, 1000, 10_000])
def test_the_count_is_exact_at_the_lower_end_of_the_line(size: int) -> None:
    for seed in range(20):
        p = inclusion_probabilities(log_uniform(seed, size), size // 2)
        assert systematic(p, Ends(0.0)).sum() == size // 2


@pytest.mark.parametrize("size", [10, 100, 1000, 10_000])
def test_the_count_is_exact_at_the_upper_end_of_the_line(size: int) -> None:
    for seed in range(20):
        p = inclusion_probabilities(log_uniform(seed, size), size // 2)
        assert systematic(p, Ends(float(np.nextafter(1.0, 0.0)))).sum() == size // 2


@pytest.mark.parametrize("order", ["C", "F"])
def test_draws_keep_the_shape_of_what_they_are_given(order: str) -> None:
    weights = np.random.default_rng(0).random((6, 7))
    weights = np.asfortranarray(weights) if order == "F" else weights
    p = inclusion_probabilities(weights, 10)
    for chosen in (
        systematic(p, np.random.default_rng(0)),
        independent_then_fill(weights, 10, np.random.default_rng(0)),
    ):
        assert chosen.shape == (6, 7)
        assert chosen.sum() == 10


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 60), st.floats(0, 1))
def test_the_papers_draw_has_exactly_m_edges_too(seed: int, size: int, share: float) -> None:
    weights = log_uniform(seed, size)
    weights[:: max(size // 4, 1)] = 0.0
    count = round(share * np.count_nonzero(weights))
    for draw in range(20):
        chosen = independent_then_fill(weights, count, np.random.default_rng(draw))
        assert chosen.dtype == bool
        assert chosen.sum() == count
        assert not chosen[weights == 0].any()


def test_the_papers_draw_is_independent_at_three_deviations_below_m_and_uniform_for_the_rest() -> None:
    weights = np.concatenate([np.full(100, 4.0), np.full(100, 1.0)])
    count = 60
    deviation = np.sqrt(100 * 0.48 * 0.52 + 100 * 0.12 * 0.88)
    below = (count - 3 * deviation) / 500 * weights  # the independent draw's probabilities, all below one
    rng = np.random.default_rng(0)
    draws = 3000
    heavy = sum(int(independent_then_fill(weights, count, rng)[:100].sum()) for _ in range(draws)) / draws
    # the fill is uniform over what is left: on average (count - drawn) (100 - drawn heavy) / (200 - drawn)
    expected = below[0] * 100 + 3 * deviation * (100 - below[0] * 100) / (200 - below.sum())
    # one draw's number of heavy edges deviates by less than 6; the ratio's curvature by less than 0.05
    assert abs(heavy - expected) < 6 * 6 / np.sqrt(draws) + 0.05


def test_the_same_generator_draws_the_same_and_another_something_else() -> None:
    p = inclusion_probabilities(log_uniform(0, 200), 40)
    assert (systematic(p, np.random.default_rng(5)) == systematic(p, np.random.default_rng(5))).all()
    assert (systematic(p, np.random.default_rng(5)) != systematic(p, np.random.default_rng(6))).any()
