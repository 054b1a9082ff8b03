"""The compiled line against numpy's own shuffle and sums: the same edges, and the generator left the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.graphs import inclusion_probabilities, madow
from pruneexp.graphs.sampling import systematic
from tests.graphs.oracles import Array
from tests.properties import PROPERTY


def by_numpy(probabilities: Array, rng: np.random.Generator) -> Array:
    """Systematic sampling with `Generator.shuffle` and `np.cumsum`."""
    chosen = probabilities >= 1.0 - 1e-12
    remainder = round(float(probabilities.sum())) - int(chosen.sum())
    undecided = np.flatnonzero((probabilities > 0) & ~chosen)
    rng.shuffle(undecided)
    if remainder > 0:
        line = np.cumsum(probabilities[undecided])
        line *= remainder / line[-1]
        point = np.minimum(np.floor(line + rng.random()), remainder)
        point[-1] = remainder
        chosen[undecided[np.diff(point, prepend=0.0) > 0]] = True
    return np.asarray(chosen)


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3000), st.integers(0, 3))
def test_the_shuffle_is_numpys_and_leaves_the_generator_as_numpy_does(seed: int, size: int, before: int) -> None:
    own, numpys = np.random.default_rng(seed), np.random.default_rng(seed)
    for rng in (own, numpys):
        rng.integers(2**32, size=before, dtype=np.uint32)  # an odd number leaves half a word of 64 bits over
    values, want = np.arange(size), np.arange(size)
    partners = madow.shuffle(values, own)
    numpys.shuffle(want)
    assert (values == want).all()
    assert own.bit_generator.state == numpys.bit_generator.state
    madow._back(values, partners)
    assert (values == np.arange(size)).all()


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 2**16 + 2, 2**17 + 1, 200_000])
def test_the_shuffle_is_numpys_across_blocks_of_words(size: int) -> None:
    own, numpys = np.random.default_rng(size), np.random.default_rng(size)
    values, want = np.arange(size, dtype=np.float64), np.arange(size, dtype=np.float64)
    madow.shuffle(values, own)
    numpys.shuffle(want)
    assert (values == want).all()
    assert own.bit_generator.state == numpys.bit_generator.state


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 500), st.floats(0, 1), st.sampled_from(["wide", "equal", "some zero"]))
def test_the_edges_are_those_that_numpys_line_has(seed: int, size: int, share: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    weights = np.ones(size) if kind == "equal" else 10 ** rng.uniform(-6, 0, size)
    if kind == "some zero":
        weights[rng.random(size) < 0.3] = 0.0
    p = inclusion_probabilities(weights, round(share * np.count_nonzero(weights)))
    own, numpys = np.random.default_rng(seed), np.random.default_rng(seed)
    assert (systematic(p, own) == by_numpy(p, numpys)).all()
    assert own.bit_generator.state == numpys.bit_generator.state


def test_the_edges_of_a_long_line_are_numpys_to_the_last() -> None:
    weights = 10 ** np.random.default_rng(1).uniform(-3, 0, 1_000_000)  # sums that round otherwise would move some
    for count in (1000, 100_001):
        p = inclusion_probabilities(weights, count)
        assert (systematic(p, np.random.default_rng(7)) == by_numpy(p, np.random.default_rng(7))).all()


def test_more_weights_than_words_can_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(madow, "MOST", 9)
    assert systematic(np.full(9, 1 / 3), np.random.default_rng(0)).sum() == 3
    with pytest.raises(UserError, match="at most, got 12: use sampling=paper"):
        systematic(np.full(12, 0.25), np.random.default_rng(0))
