"""Counts: of the whole network, and shared over its layers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.layers import Layer, apportion, kept_count, split
from tests.properties import PROPERTY


def layer(*shape: int, name: str = "weight") -> Layer:
    return Layer(name, torch.ones(shape), torch.ones(shape, dtype=torch.bool))


@pytest.mark.parametrize(
    ("density", "count"), [(1, 1000), (0.5, 500), (0.0014, 1), (0.0016, 2), (0.999, 999), (0.29, 290)]
)
def test_the_count_is_the_share_rounded(density: float, count: int) -> None:
    assert kept_count([layer(20, 50)], density) == count


def test_a_small_density_names_one_that_suffices() -> None:
    layers = [layer(20, 50)] * 4
    with pytest.raises(UserError, match=r"keeps 2 of 4000 weights.*use at least 0\.001\.$"):
        kept_count(layers, 0.0005)
    assert kept_count(layers, 0.001) == 4


@PROPERTY
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.floats(0, 1))
def test_apportioning_by_capacity_keeps_the_sum_and_stays_next_to_the_shares(
    capacities: list[int], share: float
) -> None:
    capacity = np.array(capacities)
    count = round(share * int(capacity.sum()))
    shares = capacity * (count / max(int(capacity.sum()), 1))
    counts = apportion(shares, capacity)
    assert counts.sum() == count
    assert (counts >= 0).all()
    assert (counts <= capacity).all()
    assert (np.abs(counts - shares) < 1 + 1e-9).all()


def test_the_largest_remainders_are_rounded_up_and_ties_go_to_the_first() -> None:
    capacity = np.array([10, 10, 10, 10])
    assert apportion(np.array([1.2, 2.7, 0.4, 3.7]), capacity).tolist() == [1, 3, 0, 4]
    assert apportion(np.array([0.5, 0.5, 0.5, 0.5]), capacity).tolist() == [1, 1, 0, 0]
    assert apportion(np.array([2.9999999999, 1.0000000001, 0.0, 0.0]), capacity).tolist() == [3, 1, 0, 0]


def test_a_full_layer_gets_no_more_than_it_holds() -> None:
    assert apportion(np.array([3.0, 0.6, 0.4]), np.array([3, 1, 1])).tolist() == [3, 1, 0]


def test_splitting_cuts_in_the_layers_order_and_shapes() -> None:
    layers = [layer(2, 3, name="a"), layer(4, 1, 2, 2, name="b")]
    flat = np.arange(22) % 3 == 0
    masks = split(flat, layers)
    assert masks["a"].tolist() == flat[:6].reshape(2, 3).tolist()
    assert masks["b"].tolist() == flat[6:].reshape(4, 1, 2, 2).tolist()
