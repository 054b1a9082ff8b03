"""Lubotzky-Phillips-Sarnak graphs X^{p,q}: Cayley graphs of PGL_2(F_q), Ramanujan by Deligne's theorem.

For an odd prime p the generators are the p + 1 integer quaternions of norm p, up to units (Lubotzky, Phillips & Sarnak 1988; Davidoff,
Sarnak & Valette 2003, section 2.5, for p = 3 mod 4 and for any odd q); for p = 2 the three of Chiu (1992), from a
quaternion algebra of discriminant 13. Where p is no square mod q the determinant's squareness splits the group in two halves of
q (q^2 - 1) / 2 elements, between which every edge runs: a bipartite (p + 1)-regular graph with sigma_2 <= 2 sqrt(p)
(papers: "Deterministic Ramanujan graphs", section 4.2).
"""

import itertools
import math

import numpy as np
import scipy.sparse as sp
from sympy import isprime
from sympy.ntheory import is_quad_residue, sqrt_mod

from pruneexp.components.options import checked
from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan.certificate import RamanujanGraph, certify


@checked
def lps(p: int, q: int) -> RamanujanGraph:
    """X^{p,q} as a bipartite graph, rows the matrices of square determinant, columns the others.

    Args:
        p: a prime; the degree is p + 1.
        q: an odd prime, of which p is not a square; each side has q (q^2 - 1) / 2 vertices.

    Raises:
        UserError: p and q give no simple bipartite graph.

    >>> graph = lps(5, 17)
    >>> graph.biadjacency.shape, graph.degrees, round(graph.sigma2, 6)
    ((2448, 2448), (6.0, 6.0), 4.308919)
    """
    for name, value in (("p", p), ("q", q)):
        if not isprime(value):
            raise UserError(f"{name} must be prime for an LPS graph, got {value}.")
    if q == 2:
        raise UserError("q must be an odd prime for an LPS graph, got 2.")
    if p == q:
        raise UserError(f"p and q must be different primes for an LPS graph, got {p} twice.")
    if is_quad_residue(p, q):
        root = min(x for x in range(1, q) if (x * x - p) % q == 0)
        raise UserError(
            f"p={p} is a square mod q={q} ({root}^2 = {p} mod {q}), so the LPS graph is not bipartite: choose p among the non-squares."
        )
    generators = _chiu(q) if p == 2 else _quaternions(p, q)
    keys = _key(_normalised(generators, q), q)
    if len(np.unique(keys)) < p + 1:
        raise UserError(
            f"q={q} is too small for p={p}: the LPS graph would have parallel edges; q > {2 * math.sqrt(p):.3g} never does."
        )
    return certify(f"lps({p}, {q})", _cayley(generators, q))


def _quaternions(p: int, q: int) -> np.ndarray:
    """int64 [p + 1, 2, 2]: the quaternions of norm p, a0 of the parity that the others have not, one of each +-pair."""
    reach = range(-math.isqrt(p), math.isqrt(p) + 1)
    odd_first = p % 4 == 1
    found = [a for a in itertools.product(reach, repeat=3) if all(value % 2 == (0 if odd_first else 1) for value in a)]
    quadruples = []
    for a in found:
        rest = p - sum(value * value for value in a)
        first = math.isqrt(rest) if rest >= 0 else -1
        # of a quaternion and its negative, which are one generator, the one with a0 > 0, or a0 = 0 and a1 > 0
        if first >= 0 and first * first == rest and (first > 0 or a[0] > 0):
            quadruples.append((first, *a))
    a0, a1, a2, a3 = np.array(quadruples, dtype=np.int64).T
    x, y = next((x, y) for y in range(q) for x in range(q) if (x * x + y * y + 1) % q == 0)
    return (
        np.array(
            [[a0 + a1 * x + a3 * y, a2 + a3 * x - a1 * y], [a3 * x - a2 - a1 * y, a0 - a1 * x - a3 * y]]
        ).transpose(2, 0, 1)
        % q
    )


def _chiu(q: int) -> np.ndarray:
    """int64 [3, 2, 2]: Chiu's generators for p = 2.

    Raises:
        UserError: -2 or 13 is not a square mod q.
    """
    if q == 13 or not (is_quad_residue(-2 % q, q) and is_quad_residue(13 % q, q)):
        raise UserError(
            f"p=2 needs a q of which -2 and 13 are squares (Chiu 1992), and of q={q} they are not both: after 3 the smallest is 43."
        )
    a, b = sqrt_mod(-2 % q, q), sqrt_mod(-26 % q, q)
    return np.array([[[1, 0], [0, -1]], [[2 + a, b], [b, 2 - a]], [[2 - a, -b], [-b, 2 + a]]], dtype=np.int64) % q


def _cayley(generators: np.ndarray, q: int) -> sp.csr_array:
    """The biadjacency matrix of the Cayley graph: the element g is joined to g s for each generator s."""
    b, c, d = (part.ravel() for part in np.meshgrid(*[np.arange(q)] * 3, indexing="ij"))
    one = np.stack([np.ones_like(b), b, c, d], axis=1)[(d - b * c) % q != 0]
    c, d = (part.ravel() for part in np.meshgrid(np.arange(1, q), np.arange(q), indexing="ij"))
    elements = np.concatenate([one, np.stack([np.zeros_like(c), np.ones_like(c), c, d], axis=1)]).reshape(-1, 2, 2)
    squares = np.zeros(q, dtype=bool)
    squares[np.arange(1, q) ** 2 % q] = True
    even = squares[(elements[:, 0, 0] * elements[:, 1, 1] - elements[:, 0, 1] * elements[:, 1, 0]) % q]
    position = np.full(2 * q**3, -1)
    for side in (even, ~even):
        position[_key(elements[side], q)] = np.arange(int(side.sum()))
    rows = elements[even]
    products = np.einsum("nij,sjk->nsik", rows, generators) % q
    columns = position[_key(_normalised(products.reshape(-1, 2, 2), q), q)]
    size = len(rows)
    return sp.csr_array(
        (np.ones(len(columns)), (np.repeat(np.arange(size), len(generators)), columns)), shape=(size, size)
    )


def _normalised(matrices: np.ndarray, q: int) -> np.ndarray:
    """Of all multiples of each matrix [n, 2, 2] the one whose first non-zero entry is 1."""
    inverse = np.array([0, *(pow(x, -1, q) for x in range(1, q))], dtype=np.int64)
    lead = np.where(matrices[:, 0, 0] != 0, matrices[:, 0, 0], matrices[:, 0, 1])
    return np.asarray(matrices * inverse[lead][:, None, None] % q)


def _key(matrices: np.ndarray, q: int) -> np.ndarray:
    """A number below 2 q^3 for each normalised matrix [n, 2, 2]: a is 0 or 1."""
    a, b, c, d = matrices.reshape(-1, 4).T
    return np.asarray(((a * q + b) * q + c) * q + d)
