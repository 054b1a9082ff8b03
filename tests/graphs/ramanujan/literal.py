"""Slow and literal versions of the constructions, and a certificate measured again by other means."""

import itertools
import math

import networkx as nx
import numpy as np
import scipy.sparse as sp

from pruneexp.graphs.ramanujan import RamanujanGraph
from tests.graphs.oracles import Array, bipartite

Matrix = tuple[int, int, int, int]  # a, b, c, d of [[a, b], [c, d]]

# Conway polynomials, a bit for each power of x; for GF(2) nothing is ever reduced
MODULUS = {2: 0b11, 4: 0b111, 8: 0b1011, 16: 0b10011, 32: 0b100101, 64: 0b1011011}


def ramanujan_bound(row_degree: float, column_degree: float) -> float:
    return math.sqrt(row_degree - 1) + math.sqrt(column_degree - 1)


def singular_values(matrix: sp.csr_array) -> Array:
    """All of them, descending, by numpy's dense decomposition."""
    return np.asarray(np.linalg.svd(matrix.toarray(), compute_uv=False))


def assert_as_measured(graph: RamanujanGraph) -> None:
    """Everything the certificate says, against numpy's and networkx's answers for the dense matrix."""
    dense = graph.biadjacency.toarray()
    assert set(np.unique(dense)) <= {0.0, 1.0}
    assert graph.biadjacency.nnz == np.count_nonzero(dense)
    assert graph.row_degrees.tolist() == dense.sum(axis=1).tolist()
    assert graph.column_degrees.tolist() == dense.sum(axis=0).tolist()
    assert np.allclose(graph.degrees, (dense.sum() / dense.shape[0], dense.sum() / dense.shape[1]), rtol=1e-12)
    sigma = [*singular_values(graph.biadjacency), 0.0]
    # a singular value whose square is lost in rounding is known to about 1e-7 of the largest
    assert abs(graph.sigma1 - sigma[0]) <= 1e-9 * sigma[0]
    assert abs(graph.sigma2 - sigma[1]) <= (1e-9 if sigma[1] > 1e-6 else 1e-6) * sigma[0]
    parts = [part for part in nx.connected_components(bipartite(dense)) if len(part) > 1]
    assert graph.components == len(parts)
    mean = ramanujan_bound(dense.sum() / dense.shape[0], dense.sum() / dense.shape[1])
    assert math.isclose(graph.bound, mean, rel_tol=1e-12)
    least = min(dense.sum(axis=0).min(), dense.sum(axis=1).min())
    assert graph.is_ramanujan == (len(parts) == 1 and least >= 2 and sigma[1] <= mean + 1e-7)


def is_simple(graph: RamanujanGraph) -> bool:
    """No edge twice: every entry of the matrix is 0 or 1."""
    matrix = graph.biadjacency.copy()
    matrix.sum_duplicates()
    return bool((matrix.data == 1).all())


def product(first: Matrix, second: Matrix, q: int) -> Matrix:
    a, b, c, d = first
    e, f, g, h = second
    return (a * e + b * g) % q, (a * f + b * h) % q, (c * e + d * g) % q, (c * f + d * h) % q


def canonical(matrix: Matrix, q: int) -> Matrix:
    """The smallest of all multiples: one matrix for each element of PGL_2(F_q)."""
    a, b, c, d = matrix
    return min((a * x % q, b * x % q, c * x % q, d * x % q) for x in range(1, q))


def lps_generators(p: int, q: int) -> set[Matrix]:
    """The paper's matrices with i^2 = -1 where q has such an i; else those of Davidoff, Sarnak & Valette; Chiu's for p = 2."""
    if p == 2:
        a = max(x for x in range(q) if (x * x + 2) % q == 0)
        b = max(x for x in range(q) if (x * x + 26) % q == 0)
        found = [(1, 0, 0, -1), (2 + a, b, b, 2 - a), (2 - a, -b, -b, 2 + a)]
        return {canonical(matrix, q) for matrix in found}
    # i and j = [[0, 1], [-1, 0]] become matrices that anticommute and square to -1
    x, y = max((x, y) for x in range(q) for y in range(q) if (x * x + y * y + 1) % q == 0 and (q % 4 == 3 or y == 0))
    odd = p % 4 == 1  # then a0 is odd and the others even; else the other way round
    generators = set()
    reach = range(-math.isqrt(p), math.isqrt(p) + 1)
    for a0, a1, a2, a3 in itertools.product(reach, repeat=4):
        if a0**2 + a1**2 + a2**2 + a3**2 == p and (a0 % 2, a1 % 2, a2 % 2, a3 % 2) == (
            (1, 0, 0, 0) if odd else (0, 1, 1, 1)
        ):
            matrix = (a0 + a1 * x + a3 * y, a2 + a3 * x - a1 * y, -a2 + a3 * x - a1 * y, a0 - a1 * x - a3 * y)
            generators.add(canonical(matrix, q))
    return generators


def lps_graph(p: int, q: int) -> tuple[nx.Graph, list[Matrix], list[Matrix]]:
    """The Cayley graph of PGL_2(F_q) with those generators, its elements of square determinant, and the others."""
    squares = {x * x % q for x in range(1, q)}
    generators = lps_generators(p, q)
    graph = nx.Graph()
    rows: set[Matrix] = set()
    columns: set[Matrix] = set()
    for a, b, c, d in itertools.product(range(q), repeat=4):
        if (determinant := (a * d - b * c) % q) != 0:
            (rows if determinant in squares else columns).add(canonical((a, b, c, d), q))
    for element in rows | columns:
        graph.add_edges_from((element, canonical(product(element, s, q), q)) for s in generators)
    return graph, sorted(rows), sorted(columns)


def array_code(q: int, l: int) -> Array:
    """B(q, l) as the paper has it: the sum over i < q, j < l of E_ij (x) P^{ij}, P_xy = 1 iff y = x - 1 mod q."""
    shift = np.zeros((q, q))
    for x in range(q):
        shift[x, (x - 1) % q] = 1
    result = np.zeros((q * q, l * q))
    for i, j in itertools.product(range(q), range(l)):
        block = np.zeros((q, l))
        block[i, j] = 1
        result += np.kron(block, np.linalg.matrix_power(shift, i * j))
    return result


def field_product(a: int, b: int, q: int) -> int:
    """In GF(q), q = 2^e: multiplication without carries, reduced by the Conway polynomial."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a <<= 1
        if a & q:
            a ^= MODULUS[q]
        b >>= 1
    return result


def galois_array_code(k: int, l: int, q: int, vary: bool = True) -> Array:
    """y = x + i j + a_c i^2 + b_c i^3 in GF(q), c = floor(j / q), written out edge by edge; without a_c, b_c unless `vary`."""
    result = np.zeros((k * q, l * q))
    for i, j, x in itertools.product(range(k), range(l), range(q)):
        c = j // q if vary else 0
        square = field_product(i, i, q)
        cube = field_product(square, i, q)
        y = x ^ field_product(i, j % q, q) ^ field_product(square, c % q, q) ^ field_product(cube, c // q, q)
        result[i * q + x, j * q + y] += 1
    return result
