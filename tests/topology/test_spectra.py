"""Largest eigenvalues by products alone: multiple ones, clusters, several components, two sides and none, vectors made twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.topology import lanczos, spectra
from pruneexp.topology.adjacency import Adjacency, placed
from pruneexp.topology.encoding import Graph, Link
from pruneexp.topology.lanczos import largest
from pruneexp.topology.spectra import adjacency_spectrum, laplacian_spectrum, magnitude_spectrum
from tests.properties import PROPERTY

ONE = np.zeros((1, 3), dtype=np.int64)


def linear(matrices: dict[tuple[int, int], np.ndarray], units: list[int]) -> Graph:
    """Units in layers, and links between them by matrices [to, from]."""
    links = [Link(f"{a}-{b}", a, b, np.abs(matrix)[:, :, None, None], ONE, ONE) for (a, b), matrix in matrices.items()]
    return Graph([(n, 1, 1) for n in units], links)


def dense(graph: Graph) -> np.ndarray:
    """The adjacency matrix of a graph of such layers."""
    result = np.zeros((graph.nodes, graph.nodes))
    for link in graph.links:
        a, b = (int(graph.offsets[p]) for p in (link.source, link.target))
        result[b : b + len(link.weight), a : a + link.weight.shape[1]] += link.weight[:, :, 0, 0]
    return result + result.T


def spectra_of(graph: Graph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By the products: A's two largest, its three of largest magnitude, the Laplacian's largest."""
    matrix = Adjacency(placed(graph), graph.nodes)
    degree = dense(graph).sum(axis=1)
    found = adjacency_spectrum(matrix), magnitude_spectrum(matrix), laplacian_spectrum(matrix, degree)
    assert max(one.residual for one in found) <= 1e-6
    first, second, third = (one.values for one in found)
    return first, second, third


def check(graph: Graph) -> None:
    """Against a dense solver."""
    full = dense(graph)
    values = np.linalg.eigvalsh(full)
    first, second, third = spectra_of(graph)
    scale = values[-1]
    assert first == pytest.approx(values[:-3:-1], rel=1e-7, abs=1e-7 * scale)
    assert abs(second) == pytest.approx(np.sort(abs(values))[:-4:-1], rel=1e-7, abs=1e-7 * scale)
    laplacian = np.linalg.eigvalsh(np.diag(full.sum(axis=1)) - full)[-1]
    assert third == pytest.approx([laplacian], rel=1e-7)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.floats(0.02, 1))
@PROPERTY
def test_they_are_those_of_a_dense_solver(seed: int, skip: bool, density: float) -> None:
    rng = np.random.default_rng(seed)
    units = rng.integers(2, 9, 4).tolist()
    pairs = [(0, 1), (1, 2), (2, 3)] + [(0, 2)] * skip
    matrices = {
        (a, b): rng.random((units[b], units[a])) * (rng.random((units[b], units[a])) < density) for a, b in pairs
    }
    matrices[0, 1][0, 0] = rng.random() + 0.1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectra, "DENSE", 0)
        check(linear(matrices, units))


@pytest.mark.parametrize("copies", [2, 3])
@pytest.mark.parametrize("factor", [1.0, 1 - 1e-3, 1 - 1e-6])
def test_of_components_alike_or_nearly_so(copies: int, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(copies)
    blocks = [(rng.random((6, 5)), rng.random((4, 6)))] * copies
    first, second = np.zeros((6 * copies, 5 * copies)), np.zeros((4 * copies, 6 * copies))
    for k, (a, b) in enumerate(blocks):
        first[6 * k : 6 * k + 6, 5 * k : 5 * k + 5] = a * factor**k
        second[4 * k : 4 * k + 4, 6 * k : 6 * k + 6] = b * factor**k
    graph = linear({(0, 1): first, (1, 2): second}, [5 * copies, 6 * copies, 4 * copies])
    values = np.linalg.eigvalsh(dense(graph))
    assert values[-2] == pytest.approx(values[-1] * factor, rel=1e-9)  # the case is what it says
    monkeypatch.setattr(spectra, "DENSE", 0)
    check(graph)


def test_a_star_has_zero_for_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "DENSE", 0)
    first, second, third = spectra_of(linear({(0, 1): np.ones((9, 1))}, [1, 9]))
    assert first == pytest.approx([3, 0], abs=1e-7)
    assert second == pytest.approx([3, -3, 0], abs=1e-7)
    assert third == pytest.approx([10])


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_second_value_far_below_the_first(device: str) -> None:
    # of absolute values the first is that of a constant matrix, and the second of its noise
    weight = np.abs(np.random.default_rng(0).standard_normal((600, 1200)))
    graph = linear({(0, 1): weight}, [1200, 600])
    want = np.linalg.svd(weight, compute_uv=False)
    assert want[0] / want[1] > 15
    found = adjacency_spectrum(Adjacency(placed(graph), graph.nodes, device))
    assert found.residual <= 1e-6
    assert found.values == pytest.approx(want[:2], rel=1e-9)


def test_two_sides_are_found_where_there_are_any() -> None:
    ones = np.ones((2, 2))
    chain = linear({(0, 1): ones, (1, 2): ones}, [2, 2, 2])
    found = Adjacency(placed(chain), chain.nodes).sides
    assert found is not None
    assert found.tolist() == [False, False, True, True, False, False]
    skip = linear({(0, 1): ones, (1, 2): ones, (0, 2): ones}, [2, 2, 2])
    assert Adjacency(placed(skip), skip.nodes).sides is None
    apart = linear({(0, 1): ones, (2, 3): ones}, [2, 2, 2, 2])
    found = Adjacency(placed(apart), apart.nodes).sides
    assert found is not None
    assert found.tolist() == [False, False, True, True] * 2


def test_vectors_beyond_those_kept_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    diagonal = np.linspace(0, 1, 2000) ** 0.5
    start = np.random.default_rng(0).standard_normal(2000)
    calls = []

    def multiply(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        return diagonal * x

    want, vector = largest(multiply, start, 1e-6)
    first = len(calls)
    assert first > 60
    monkeypatch.setattr(lanczos, "KEPT", 0)  # 48 vectors
    got, again = largest(multiply, start, 1e-6)
    assert len(calls) - first == first + (first - 48)
    assert got == want == pytest.approx(1, rel=1e-9)
    np.testing.assert_allclose(again, vector, rtol=0, atol=1e-6)


def test_what_does_not_converge_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanczos, "STEPS", 5)
    diagonal = np.linspace(0, 1, 500)
    with pytest.raises(UserError, match="has not converged"):
        largest(lambda x: diagonal * x, np.ones(500), 1e-9)
