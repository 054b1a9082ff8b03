"""Elimination of grounded Laplacians against numpy and against 50 digits."""

import mpmath
import numpy as np
import pytest
import torch

from pruneexp.graphs import elimination
from pruneexp.graphs.elimination import inverse, pair_forms
from tests.graphs.oracles import Array

KINDS = ["uniform", "log-uniform", "sparse"]


def coupling(kind: str, size: int, seed: int = 0) -> Array:
    """Symmetric with a zero diagonal, and connected by a path."""
    rng = np.random.default_rng(seed)
    found = {
        "uniform": rng.random((size, size)) + 1e-3,
        "log-uniform": 10 ** rng.uniform(-6, 0, (size, size)),
        "sparse": rng.random((size, size)) * (rng.random((size, size)) < 0.3),
        "twelve orders": 10 ** rng.uniform(-12, 0, (size, size)),
    }[kind]
    upper = np.triu(found, 1)
    upper[np.arange(size - 1), np.arange(1, size)] += 1e-3 if kind == "sparse" else 0.0
    return np.asarray(upper + upper.T)


def matrix(couplings: Array, ground: Array) -> Array:
    return np.asarray(np.diag(couplings.sum(axis=1) + ground) - couplings)


def exact_inverse(couplings: Array, ground: Array) -> Array:
    """The inverse with 50 digits, the diagonal summed with 50 digits too."""
    size = len(couplings)
    with mpmath.workdps(50):
        full = mpmath.matrix((-couplings).tolist())
        for i in range(size):
            full[i, i] = mpmath.fsum([*couplings[i].tolist(), float(ground[i])])
        result = full**-1
        return np.array([[float(result[i, j]) for j in range(size)] for i in range(size)])


def exact_forms(couplings: Array, walk: Array) -> Array:
    """(p_u - e_v)^T C^+ (p_u - e_v) with 50 digits, the first vertex grounded."""
    size = len(couplings)
    with mpmath.workdps(50):
        full = mpmath.matrix((-couplings).tolist())
        for i in range(size):
            full[i, i] = mpmath.fsum(couplings[i].tolist())
        z = full[1:, 1:] ** -1
        result = np.zeros((len(walk), size))
        for u in range(len(walk)):
            total = mpmath.fsum(walk[u].tolist())
            for v in range(size):
                x = mpmath.matrix([mpmath.mpf(float(p)) / total for p in walk[u, 1:]])
                if v:
                    x[v - 1] -= 1
                result[u, v] = float((x.T * z * x)[0])
        return result


def inverted(couplings: Array, ground: Array) -> Array:
    found = inverse(torch.from_numpy(couplings), torch.from_numpy(ground))
    assert found.dtype == torch.float64
    return np.asarray(found.numpy())


def forms(couplings: Array, walk: Array | None = None, weight: Array | None = None) -> Array:
    arguments = [None if part is None else torch.from_numpy(part) for part in (walk, weight)]
    return np.asarray(pair_forms(torch.from_numpy(couplings), *arguments).numpy())


def walks(count: int, size: int, seed: int = 0) -> Array:
    found = np.random.default_rng(seed).random((count, size))
    return np.asarray(found / found.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 7, 20])
def test_the_inverse_is_numpys(kind: str, size: int) -> None:
    couplings = coupling(kind, size)
    ground = np.random.default_rng(1).random(size)
    got = inverted(couplings, ground)
    assert np.abs(got / np.linalg.inv(matrix(couplings, ground)) - 1).max() < 1e-9
    assert (got > 0).all()


@pytest.mark.parametrize("grounding", [1.0, 1e-8, 1e-14, 1e-30])
@pytest.mark.parametrize("seed", range(3))
def test_every_entry_is_right_however_weakly_the_graph_is_grounded(grounding: float, seed: int) -> None:
    couplings = coupling("twelve orders", 8, seed)
    ground = np.zeros(8)
    ground[seed] = grounding
    want = exact_inverse(couplings, ground)
    assert np.abs(inverted(couplings, ground) / want - 1).max() < 1e-9


def test_parts_that_are_grounded_apart_stay_apart() -> None:
    couplings = np.zeros((7, 7))
    couplings[:3, :3], couplings[3:6, 3:6] = coupling("uniform", 3), coupling("uniform", 3, 1)
    ground = np.array([1e-9, 0.0, 0.0, 0.0, 2.0, 0.0, 0.5])  # vertex 6 has nothing but the ground
    got = inverted(couplings, ground)
    want = exact_inverse(couplings, ground)
    assert np.abs(got - want).max() < 1e-9 * want.max()
    assert np.abs(got[want > 0] / want[want > 0] - 1).max() < 1e-9
    assert (got[:3, 3:] == 0).all()
    assert got[6, 6] == pytest.approx(2.0, rel=1e-12)


def test_no_vertices_have_an_empty_inverse() -> None:
    assert inverse(torch.zeros(0, 0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)).shape == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [2, 7, 20])
def test_forms_are_those_of_the_pseudo_inverse(kind: str, size: int) -> None:
    couplings, walk = coupling(kind, size), walks(5, size)
    z = np.linalg.pinv(matrix(couplings, np.zeros(size)), hermitian=True)
    for p, got in ((walk, forms(couplings, walk)), (np.eye(size), forms(couplings))):
        x = p[:, None, :] - np.eye(size)
        want = np.einsum("uvi,ij,uvj->uv", x, z, x)
        assert np.abs(got - want).max() < 1e-8 * want.max()
        assert (got >= 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_resistances_over_twelve_orders_of_magnitude_agree_with_fifty_digits(seed: int) -> None:
    couplings = coupling("twelve orders", 8, seed)
    want = exact_forms(couplings, np.eye(8))
    got = forms(couplings)
    assert np.abs(couplings * (got - want)).max() < 1e-9
    assert (got.diagonal() == 0).all()
    assert np.abs(got - got.T).max() <= 1e-12 * got.max()


@pytest.mark.parametrize("link", [1e-6, 1e-12, 1e-15])
def test_weak_links_between_clusters_agree_with_fifty_digits(link: float) -> None:
    couplings = np.zeros((9, 9))
    for k in range(3):
        couplings[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] = coupling("uniform", 3, k)
    for a, b in ((2, 3), (5, 6)):
        couplings[a, b] = couplings[b, a] = link
    got = forms(couplings)
    want = exact_forms(couplings, np.eye(9))
    away = ~np.eye(9, dtype=bool)
    assert np.abs(got[away] / want[away] - 1).max() < 1e-9
    assert couplings[2, 3] * got[2, 3] == pytest.approx(1.0, abs=1e-9)


def test_walks_across_weak_links_agree_with_fifty_digits() -> None:
    couplings = np.zeros((6, 6))
    couplings[:3, :3], couplings[3:, 3:] = coupling("uniform", 3), coupling("uniform", 3, 1)
    couplings[0, 5] = couplings[5, 0] = 1e-13
    walk = walks(4, 6)
    walk[0] = [0.5, 0.25, 0.25, 0, 0, 0]
    got, want = forms(couplings, walk, np.ones(6)), exact_forms(couplings, walk)
    assert np.abs(got / want - 1).max() < 1e-9


def test_forms_that_will_be_multiplied_by_large_weights_are_made_accurate_for_them() -> None:
    couplings = coupling("uniform", 5)
    couplings[4] *= 1e-7
    couplings[:, 4] *= 1e-7
    walk = np.full((1, 5), 1e-12)
    walk[0, 4] = 1 - 4e-12
    weight = np.full(5, 1e-3)
    weight[4] = 1e12
    got, want = forms(couplings, walk, weight), exact_forms(couplings, walk)
    # the walk itself is known to 1e-16 only, and differs from the vertex by 1e-12
    assert got[0, 4] == pytest.approx(want[0, 4], rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_of_elimination_agree(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    couplings, walk = coupling(kind, 12), walks(3, 12)
    ground = np.random.default_rng(2).random(12) + 0.1
    simple = inverted(couplings, ground), forms(couplings), forms(couplings, walk)
    monkeypatch.setattr(elimination, "WEAKEST", 0.0)
    careful = inverted(couplings, ground), forms(couplings), forms(couplings, walk)
    for one, other in zip(simple, careful, strict=True):
        assert np.abs(one - other).max() < 1e-9 * one.max()


def test_the_arguments_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for weakest in (1e4, 0.0):
        monkeypatch.setattr(elimination, "WEAKEST", weakest)
        couplings, ground, walk = coupling("uniform", 6), np.ones(6), walks(2, 6)
        copies = couplings.copy(), ground.copy(), walk.copy()
        inverted(couplings, ground)
        forms(couplings, walk)
        assert all(np.array_equal(a, b) for a, b in zip((couplings, ground, walk), copies, strict=True))
