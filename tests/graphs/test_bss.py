"""Batson, Spielman & Srivastava's sparsifier: its guarantee by dense eigenvalues, and a literal version in n x n matrices."""

import contextlib
import math
import warnings

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.graphs import bss
from pruneexp.graphs.bss import bss_sparsifier
from tests.graphs.oracles import Array, laplacian
from tests.properties import PROPERTY

Shape = tuple[int, int]


def graph(shape: Shape, seed: int = 0, orders: float = 0.0, zeros: float = 0.0) -> Array:
    """Connected: weights log-uniform over `orders` of magnitude (0: uniform), the first row and a diagonal never zero."""
    rng = np.random.default_rng(seed)
    weights = 10 ** (-orders * rng.random(shape)) if orders else rng.random(shape) + 0.01
    kept = rng.random(shape) >= zeros
    kept[0] = kept[np.arange(max(shape)) % shape[0], np.arange(max(shape)) % shape[1]] = True
    return np.where(kept, weights, 0.0)


def dimension(weights: Array) -> int:
    return sum(weights.shape) - 1


def guarantee(weights: Array, count: int) -> float:
    """e = 2 sqrt(d) / (d + 1)."""
    d = count / dimension(weights)
    return 2 * math.sqrt(d) / (d + 1)


def spectrum(whole: Array, part: Array) -> Array:
    """The values x'L_H x / x'Lx takes at its stationary points, one vertex grounded, each vertex scaled by its degree."""
    whole, part = laplacian(whole), laplacian(part)
    free = np.arange(len(whole)) != whole.diagonal().argmax()
    scale = np.sqrt(np.outer(whole.diagonal(), whole.diagonal()))
    pencil = [(matrix / scale)[np.ix_(free, free)] for matrix in (part, whole)]
    return np.asarray(scipy.linalg.eigh(*pencil, eigvals_only=True))


def extremes(whole: Array, part: Array) -> tuple[float, float]:
    """The smallest and the largest of them."""
    values = spectrum(whole, part)
    return float(values[0]), float(values[-1])


def assert_sparsifier(weights: Array, found: Array, count: int) -> None:
    """At most `count` edges of the graph, and the guarantee, without any slack for rounding."""
    e = guarantee(weights, count)
    low, high = extremes(weights, found)
    assert 1 - e <= low <= high <= 1 + e
    assert found.shape == weights.shape
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert np.count_nonzero(found) <= count
    assert not found[weights == 0].any()


@st.composite
def graphs(draw: st.DrawFn) -> Array:
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    orders = draw(st.sampled_from([0.0, 1.0, 3.0, 6.0, 9.0]))
    return graph(shape, draw(st.integers(0, 10_000)), orders, draw(st.sampled_from([0.0, 0.3, 0.8])))


@PROPERTY
@given(graphs(), st.floats(0.0, 5.0))
def test_the_graph_found_is_as_close_as_the_theorem_says(weights: Array, more: float) -> None:
    count = dimension(weights) + 1 + int(more * dimension(weights))
    assert_sparsifier(weights, bss_sparsifier(weights, count), count)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (14, 14), (50, 4), (4, 50)])
@pytest.mark.parametrize("orders", [0.0, 4.0, 9.0])
@pytest.mark.parametrize("d", ["just above 1", 1.5, 4.0, 20.0])
def test_the_guarantee_holds_for_any_shape_range_and_degree(shape: Shape, orders: float, d: float | str) -> None:
    weights = graph(shape, 1, orders)
    n = dimension(weights)
    count = max(round(d * n), n + 1) if isinstance(d, float) else n + 1
    assert_sparsifier(weights, bss_sparsifier(weights, count), count)


def test_the_guarantee_holds_for_a_layer_of_hundreds_of_vertices() -> None:
    weights = graph((200, 40), 2, orders=3.0, zeros=0.5)
    assert_sparsifier(weights, bss_sparsifier(weights, 480), 480)


def test_many_picks_come_back_to_the_graph_itself() -> None:
    weights = graph((6, 4), 3)
    assert extremes(weights, bss_sparsifier(weights, 3000)) == pytest.approx((1, 1), abs=0.03)


def literal(weights: Array, count: int) -> tuple[Array, float]:
    """The algorithm as the paper has it, edge by edge; and by how much the closest choice was decided.

    The rule among the edges allowed: the widest margin between the two sides, and 1/s in the middle.
    """
    left = len(weights)
    values, vectors = np.linalg.eigh(laplacian(weights))
    edges = [(int(i), int(j)) for i, j in zip(*np.nonzero(weights), strict=True)]
    v = [math.sqrt(weights[i, j]) * (vectors[i, 1:] - vectors[left + j, 1:]) / np.sqrt(values[1:]) for i, j in edges]
    n, d = len(values) - 1, count / (len(values) - 1)
    identity = np.eye(n)
    assert np.allclose(sum(np.outer(x, x) for x in v), identity)
    epsilon_l, epsilon_u = 1 / math.sqrt(d), (math.sqrt(d) - 1) / (d + math.sqrt(d))
    delta_l, delta_u = 1.0, (math.sqrt(d) + 1) / (math.sqrt(d) - 1)
    lower, upper, a, found, closest = -n / epsilon_l, n / epsilon_u, np.zeros((n, n)), np.zeros_like(weights), math.inf
    for _ in range(count):
        before_u = np.trace(np.linalg.inv(upper * identity - a))
        before_l = np.trace(np.linalg.inv(a - lower * identity))
        assert before_u <= epsilon_u * (1 + 1e-9)
        assert before_l <= epsilon_l * (1 + 1e-9)
        lower, upper = lower + delta_l, upper + delta_u
        m_u, m_l = np.linalg.inv(upper * identity - a), np.linalg.inv(a - lower * identity)
        side_u = [x @ m_u @ m_u @ x / (before_u - np.trace(m_u)) + x @ m_u @ x for x in v]
        side_l = [x @ m_l @ m_l @ x / (np.trace(m_l) - before_l) - x @ m_l @ x for x in v]
        margins = np.subtract(side_l, side_u)
        chosen = int(margins.argmax())
        assert margins[chosen] >= 0
        if len(edges) > 1:
            second, first = np.sort(margins)[-2:]
            closest = min(closest, (first - second) / np.ptp(margins))
        s = 2 / (side_u[chosen] + side_l[chosen])
        a += s * np.outer(v[chosen], v[chosen])
        found[edges[chosen]] += s * weights[edges[chosen]]
        spectrum = np.linalg.eigvalsh(a)
        assert lower < spectrum[0] <= spectrum[-1] < upper
    return found * 2 / (lower + upper), closest


@pytest.mark.parametrize(
    ("weights", "count"),
    [
        (graph((6, 5), 0), 11),
        (graph((6, 5), 1), 40),
        (graph((5, 6), 2), 25),
        (graph((6, 6), 3), 24),
        (graph((7, 5), 4, orders=3.0), 30),
        (graph((9, 4), 5, zeros=0.5), 20),
        (graph((3, 10), 6, orders=2.0, zeros=0.4), 60),
        (graph((1, 6), 7, orders=1.0), 12),
        (graph((6, 1), 8), 9),
        (graph((1, 1), 9), 5),
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_every_pick_is_that_of_the_algorithm_written_out(weights: Array, count: int) -> None:
    want, closest = literal(weights, count)
    got = bss_sparsifier(weights, count)
    assert_sparsifier(weights, got, count)
    if min(weights.shape) == 1:  # every leverage is 1: any order, but the same multiples
        got, want = np.sort((got / weights).ravel()), np.sort((want / weights).ravel())
    else:
        assert closest > 1e-6
    assert got == pytest.approx(want, rel=1e-7)


def barriers(weights: Array, seed: int) -> tuple[Array, Array]:
    """B of the upper and of the lower barrier about a random graph on the same edges."""
    picked = weights * np.random.default_rng(seed).choice(
        [0.0, 1.0, 2.0, 30.0], weights.shape, p=[0.2, 0.4, 0.35, 0.05]
    )
    low, high = extremes(weights, picked)
    return (1.02 * high + 0.01) * weights - picked, picked - (0.9 * low - 0.01) * weights


@PROPERTY
@given(graphs().filter(lambda weights: weights.max() < 1e4 * weights[weights > 0].min()), st.integers(0, 100))
def test_the_forms_are_those_of_the_pseudo_inverse(weights: Array, seed: int) -> None:
    left, lap = len(weights), laplacian(weights)
    for b in barriers(weights, seed):
        values, vectors = np.linalg.eigh(laplacian(b))
        assert values[1] > 0  # the first is the constants'
        inverse = (vectors[:, 1:] / values[1:]) @ vectors[:, 1:].T
        got = bss._forms(weights, b, second=True)
        for found, matrix in zip(got, (inverse, inverse @ lap @ inverse), strict=True):
            diagonal = matrix.diagonal()
            want = weights * (diagonal[:left, None] + diagonal[None, left:] - 2 * matrix[:left, left:])
            assert found == pytest.approx(want, rel=1e-6, abs=1e-8 * want.max())
        assert np.array_equal(bss._forms(weights, b).first, got.first)


def test_the_forms_are_tested_with_weights_of_both_signs() -> None:
    assert all((b < 0).any() and (b > 0).any() for b in barriers(graph((6, 5)), 0))


def test_the_traces_are_those_of_the_barriers() -> None:
    weights = graph((7, 4), 1)
    values = scipy.linalg.eigvalsh(laplacian(3 * weights)[1:, 1:], laplacian(weights)[1:, 1:])
    assert values == pytest.approx(3.0)
    forms = bss._forms(weights, 3 * weights, second=True)
    assert forms.first.sum() == pytest.approx(dimension(weights) / 3)
    assert forms.second.sum() == pytest.approx(dimension(weights) / 9)


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 6)])
def test_a_broken_barrier_is_noticed(shape: Shape) -> None:
    weights = graph(shape, 2)
    picked = graph(shape, 3)
    low, high = extremes(weights, picked)
    for b in (0.99 * high * weights - picked, picked - 1.01 * low * weights):
        with pytest.raises(np.linalg.LinAlgError):
            bss._forms(weights, b)


@pytest.mark.parametrize("batch", [1, 6])
def test_the_same_graph_gives_the_same_sparsifier_and_is_left_alone(batch: int) -> None:
    weights = graph((15, 9), 1, orders=2.0, zeros=0.3)
    before = weights.copy()
    first, again = bss_sparsifier(weights, 60, batch), bss_sparsifier(weights, 60, batch)
    assert np.array_equal(first, again)
    assert np.array_equal(weights, before)
    assert not np.shares_memory(first, weights)


@pytest.mark.parametrize("factor", [2.0**-20, 3.7e-5, 1e6, 1e-100, 1e100])
def test_all_weights_times_a_factor_give_the_same_edges_times_the_factor(factor: float) -> None:
    weights = graph((12, 8), 4)
    plain, scaled = bss_sparsifier(weights, 40), bss_sparsifier(weights * factor, 40)
    assert np.array_equal(plain > 0, scaled > 0)
    assert scaled / factor == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("shape", [(13, 6), (8, 8)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_two_sides_can_be_exchanged(shape: Shape, order: str) -> None:
    weights = graph(shape, 5)
    turned = np.array(weights.T, order=order)  # type: ignore[call-overload]
    got = bss_sparsifier(turned, 45).transpose()
    assert got == pytest.approx(bss_sparsifier(weights, 45), rel=1e-9)


@PROPERTY
@given(st.integers(0, 1000), st.sampled_from([(9, 7), (7, 9)]))
def test_vertices_can_be_renumbered(seed: int, shape: Shape) -> None:
    weights, rng = graph(shape, seed), np.random.default_rng(seed)
    rows, columns = rng.permutation(shape[0]), rng.permutation(shape[1])
    got = bss_sparsifier(weights[rows][:, columns], 32)
    assert got == pytest.approx(bss_sparsifier(weights, 32)[rows][:, columns], rel=1e-6)


@PROPERTY
@given(graphs(), st.floats(0.0, 5.0), st.sampled_from([2, 5, 10**6]))
def test_a_batch_stays_between_the_barriers_too(weights: Array, more: float, batch: int) -> None:
    # no step is taken that lets a trace grow, which is what the proof needs for the next pick to exist
    n = dimension(weights)
    count = n + 1 + int(more * n)
    found = bss_sparsifier(weights, count, batch)
    assert_sparsifier(weights, found, count)
    root = math.sqrt(count / n)
    lower, upper = n * root * (root - 1), n * root * (root + 1) ** 2 / (root - 1)  # where the barriers end
    values = spectrum(weights, found * (lower + upper) / 2)
    assert np.sum(1 / (upper - values)) <= (root - 1) / (root**2 + root) * (1 + 1e-6)
    assert np.sum(1 / (values - lower)) <= 1 / root * (1 + 1e-6)


def test_a_batch_is_halved_where_it_must_be_and_grows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, spread = [], bss._spread

    def seen(margin: Array, size: int) -> Array:
        sizes.append(size)
        return spread(margin, size)

    monkeypatch.setattr(bss, "_spread", seen)
    bss_sparsifier(graph((60, 20), 0), 160, 32)
    changes = np.sign(np.diff(sizes[:-1]))
    assert max(sizes) == 32
    assert (changes < 0).any()
    assert (changes > 0).any()


@pytest.mark.parametrize("shape", [(200, 40), (40, 200)])
@pytest.mark.parametrize("orders", [0.0, 3.0])
def test_batches_of_a_medium_layer_save_updates_and_keep_the_guarantee(
    shape: Shape, orders: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, forms = 0, bss._forms

    def counted(weights: Array, b: Array, second: bool = False) -> bss.Forms:
        nonlocal calls
        calls += 1
        return forms(weights, b, second)

    monkeypatch.setattr(bss, "_forms", counted)
    weights, count = graph(shape, 6, orders), 5 * (sum(shape) - 1)
    found = bss_sparsifier(weights, count, 8)
    assert_sparsifier(weights, found, count)
    low, high = extremes(weights, found)
    assert max(1 - low, high - 1) < 0.95 * guarantee(weights, count)
    # one by one it would be four forms for each pick
    assert calls < 4 * count / 8 * 1.6
    assert np.count_nonzero(found) > count / 2


@PROPERTY
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 12), st.integers(0, 1000))
def test_a_batch_spreads_over_the_vertices(rows: int, columns: int, size: int, seed: int) -> None:
    margin, size = np.random.default_rng(seed).random((rows, columns)), min(size, rows)
    chosen = bss._spread(margin, size)
    row, column = chosen // columns, chosen % columns
    assert len(chosen) == len(set(row.tolist())) == size
    assert np.array_equal(margin[row, column], margin[row].max(axis=1))  # each row's widest
    assert margin.argmax() in chosen
    # a column is used once more only where no row's widest edge lies in a column that is used less
    wanted, used = (np.bincount(where, minlength=columns) for where in (margin.argmax(axis=1), column))
    assert all(used[k] >= min(wanted[k], used.max() - 1) for k in range(columns))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("shape", [(6, 4), (4, 6)])
def test_fewer_picks_than_vertices_are_refused(shape: Shape, batch: int) -> None:
    weights = graph(shape)
    for count in (9, 1, 0):
        with pytest.raises(ValueError, match=f"^{count} picks are fewer than the 10 vertices$"):
            bss_sparsifier(weights, count, batch)
    assert_sparsifier(weights, bss_sparsifier(weights, 10, batch), 10)


@pytest.mark.parametrize("factor", [1e-12, 1e-20, 1e-100])
def test_vertices_of_tiny_weights_are_no_difficulty(factor: float) -> None:
    for part in (np.s_[3], np.s_[:, 3], np.s_[:4], np.s_[:, :3]):
        weights = graph((12, 8), 7)
        weights[part] *= factor
        for count in (20, 60):
            assert_sparsifier(weights, bss_sparsifier(weights, count), count)


@pytest.mark.parametrize("orders", range(2, 19, 2))
def test_weak_bridges_between_clusters_are_sparsified_or_refused_but_never_wrong(orders: int) -> None:
    weights = graph((12, 8), 8)
    weights[:4, 3:] *= 10.0**-orders
    weights[4:, :3] *= 10.0**-orders
    for count in (20, 60):
        try:
            found = bss_sparsifier(weights, count)
        except np.linalg.LinAlgError:
            assert orders >= 9
        else:
            assert orders < 18
            assert_sparsifier(weights, found, count)


def test_weights_of_zero_give_no_warning() -> None:
    weights = graph((8, 6), 0, zeros=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bss_sparsifier(weights, 30)
    assert_sparsifier(weights, found, 30)


@pytest.mark.parametrize("factor", [1e-200, 1e-310])
def test_weights_out_of_range_are_done_or_refused_as_documented(factor: float) -> None:
    weights = graph((12, 8), 7)
    weights[3] *= factor
    with warnings.catch_warnings(), contextlib.suppress(np.linalg.LinAlgError):
        warnings.simplefilter("error")
        assert_sparsifier(weights, bss_sparsifier(weights, 60), 60)
