"""epsilon against its definition, by dense generalised eigenvalues; and Lemma 3.1."""

import numpy as np
import pytest
import scipy.linalg
import torch

from pruneexp.graphs import inclusion_probabilities
from pruneexp.graphs.sampling import systematic
from pruneexp.graphs.sparsifier import DENSE, epsilon
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.sparsify import sparsify
from tests.graphs.oracles import Array, laplacian, pseudo_inverse_leverages


def graph(shape: tuple[int, int], seed: int = 0, density: float = 1.0) -> Array:
    rng = np.random.default_rng(seed)
    weights = (rng.random(shape) + 0.1) * (rng.random(shape) < density)
    weights[np.arange(max(shape)) % shape[0], np.arange(max(shape)) % shape[1]] += 0.2
    weights[0] += 0.2
    return np.asarray(weights)


def draw(weights: Array, count: int, seed: int = 0) -> Array:
    """w_e / p_e where drawn."""
    p = inclusion_probabilities(pseudo_inverse_leverages(weights), count)
    chosen = systematic(p, np.random.default_rng(seed))
    return np.divide(weights, p, out=np.zeros_like(weights), where=chosen)


def by_definition(whole: Array, part: Array) -> float:
    """From the eigenvalues of L^{+/2} L_H L^{+/2} on the space orthogonal to the constants."""
    values, vectors = np.linalg.eigh(whole)
    scaled = vectors[:, 1:] / np.sqrt(values[1:])
    found = np.linalg.eigvalsh(scaled.T @ part @ scaled)
    return float(max(1 - found[0], found[-1] - 1))


@pytest.mark.parametrize("shape", [(12, 9), (9, 12), (1, 6), (20, 3)])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_epsilon_is_that_of_the_definition(shape: tuple[int, int], share: float) -> None:
    weights = graph(shape)
    drawn = draw(weights, round(share * weights.size))
    got = epsilon(weights, drawn)
    assert got == pytest.approx(by_definition(laplacian(weights), laplacian(drawn)), abs=1e-9)
    assert got > 1e-3


@pytest.mark.parametrize("shape", [(360, 44), (44, 360)])
def test_epsilon_is_that_of_the_definition_by_lanczos_too(shape: tuple[int, int]) -> None:
    weights = graph(shape, density=0.6)
    assert sum(shape) > DENSE
    drawn = draw(weights, int(0.5 * np.count_nonzero(weights)))
    pencil = laplacian(drawn)[1:, 1:], laplacian(weights)[1:, 1:]
    values = scipy.linalg.eigh(*pencil, eigvals_only=True, subset_by_index=None)
    want = max(1 - values[0], values[-1] - 1)
    assert epsilon(weights, drawn) == pytest.approx(want, abs=1e-5)
    assert 0.05 < want < 5


def test_no_vector_sees_the_draw_differ_by_more_than_epsilon() -> None:
    weights = graph((10, 8))
    drawn = draw(weights, 50)
    e, rng = epsilon(weights, drawn), np.random.default_rng(0)
    for x in rng.standard_normal((200, 18)):
        whole, part = x @ laplacian(weights) @ x, x @ laplacian(drawn) @ x
        assert (1 - e) * whole - 1e-9 <= part <= (1 + e) * whole + 1e-9


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (1, 1), (380, 30)])
def test_the_graph_itself_is_its_best_sparsifier(shape: tuple[int, int]) -> None:
    weights = graph(shape)
    assert epsilon(weights, weights) == pytest.approx(0.0, abs=1e-6)
    assert epsilon(weights, 3 * weights) == pytest.approx(2.0, abs=1e-5)


@pytest.mark.parametrize("shape", [(8, 6), (390, 20)])
def test_a_draw_that_falls_apart_has_at_least_one(shape: tuple[int, int]) -> None:
    weights = graph(shape)
    cut = weights.copy()
    cut[shape[0] // 2 :, : shape[1] // 2] = cut[: shape[0] // 2, shape[1] // 2 :] = 0.0
    assert epsilon(weights, cut) >= 1 - 1e-6
    lonely = weights.copy()
    lonely[3] = 0.0
    assert epsilon(weights, lonely) >= 1 - 1e-6


@pytest.mark.parametrize(
    "shape",
    [
        (8, 6),
        (390, 20),
    ],
)
def test_a_draw_without_edges_has_exactly_one(shape: tuple[int, int]) -> None:
    weights = graph(shape)
    assert epsilon(weights, np.zeros_like(weights)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "kind",
    [
        "connected",
        pytest.param(
            "six components",
        ),
        pytest.param(
            "no score",
        ),
    ],
)
def test_sparsify_diagnoses_every_layer(kind: str) -> None:
    score = torch.from_numpy(graph((6, 6)))
    other = score.clone() if kind != "no score" else torch.zeros_like(score)
    if kind == "six components":
        other = torch.eye(6, dtype=torch.float64)
    everything = torch.ones(6, 6, dtype=torch.bool)
    layers = [Layer("first", score, everything), Layer("second", other, everything)]
    notes: Notes = {}
    sparsify(layers, 0.4, torch.Generator().manual_seed(0), notes, diagnose=True)
    assert notes.keys() >= {"epsilon/first"} | ({"epsilon/second"} if kind != "no score" else set())
    assert notes["epsilon/first"] > 0


def test_vertices_without_an_edge_are_left_out() -> None:
    weights = np.zeros((9, 8))
    weights[np.ix_([0, 2, 3, 5, 8], [1, 2, 4, 7])] = graph((5, 4))
    drawn = np.zeros((9, 8))
    drawn[np.ix_([0, 2, 3, 5, 8], [1, 2, 4, 7])] = draw(graph((5, 4)), 14)
    assert epsilon(weights, drawn) == pytest.approx(epsilon(graph((5, 4)), draw(graph((5, 4)), 14)), abs=1e-12)


def test_a_better_draw_has_a_smaller_epsilon() -> None:
    weights = graph((20, 16))
    means = [np.mean([epsilon(weights, draw(weights, count, seed)) for seed in range(5)]) for count in (80, 160, 280)]
    assert means[0] > means[1] > means[2] > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_union_of_the_layers_sparsifiers_is_one_of_the_network(seed: int) -> None:
    sizes = [6, 9, 5, 7]
    starts = np.cumsum([0, *sizes])
    whole, union = np.zeros((2, starts[-1], starts[-1]))
    worst = 0.0
    for k in range(3):
        weights = graph((sizes[k], sizes[k + 1]), seed=10 * seed + k)
        drawn = draw(weights, round(0.7 * weights.size), seed)
        worst = max(worst, epsilon(weights, drawn))
        part = slice(starts[k], starts[k + 2])
        whole[part, part] += laplacian(weights)
        union[part, part] += laplacian(drawn)
    got = by_definition(whole, union)
    assert 0 < got <= worst + 1e-9
