"""A certified Ramanujan graph of any size and density.

Candidates are tried in turn, and the first with a certificate is taken: the Galois array code where the sizes fit it,
random biregular graphs (most pass: Brito, Dumitriu & Harris 2022), random 2-lifts of graphs half the size, and array codes cut to
size. The polynomial-time constructions are left out: Cohen (2016) makes multigraphs, whose parallel edges no mask can hold, and Gribinski
& Marcus (2021) need one side to divide the other; both compute interlacing families of characteristic polynomials, in practice
slower by orders of magnitude than drawing and checking.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from sympy import nextprime, prevprime

from pruneexp.components.options import checked
from pruneexp.components.values import Natural, Words
from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan.array_code import array_code_matrix
from pruneexp.graphs.ramanujan.certificate import RamanujanGraph, certify
from pruneexp.graphs.ramanujan.galois_array_code import galois_array_code_matrix
from pruneexp.graphs.ramanujan.lift import two_lift
from pruneexp.graphs.ramanujan.random_biregular import random_biregular

DRAWS = 20  # of each random kind
Least2 = Annotated[int, Field(ge=2)]
Share = Annotated[float | None, Field(gt=0, le=1), Words("above 0 and at most 1")]
Degree = Annotated[int | None, Field(ge=2), Words("a whole number, at least 2")]
CUT = 0.1  # an array code cut to size may miss the number of edges by a tenth


@checked
def biregular(
    m: Least2,
    n: Least2,
    density: Share = None,
    degree: Degree = None,
    seed: Natural = 0,
    edges: Annotated[int | None, Words("a whole number")] = None,
) -> RamanujanGraph:
    """The first candidate that `is_ramanujan`, m x n, with degrees that differ by at most one on each side.

    Args:
        m, n: rows and columns, at least 2.
        density, degree, edges: how many edges, one of the three: a share of m n, edges per row, or their number. Only a cut array
            code can miss it, by a tenth at most, and is tried last, and not with `edges`.
        seed: of the random candidates.

    Raises:
        UserError: the numbers cannot be, or no candidate has a certificate; then the best ratio sigma_2 / bound is named.

    >>> biregular(30, 70, degree=7).is_ramanujan
    True
    """
    count = _edges(m, n, density, degree, edges)
    graph = search(m, n, count, seed, exact=edges is not None)
    if not graph.is_ramanujan:
        best = "the best, in several components, had" if graph.components > 1 else "the best had"
        raise UserError(
            f"no {m} x {n} graph with {count} edges was certified as Ramanujan; {best} sigma_2 = {graph.ratio:.4f} times the"
            " bound: degrees that are whole numbers, or higher ones, are easier."
        )
    return graph


def search(m: int, n: int, edges: int, seed: int, exact: bool = True) -> RamanujanGraph:
    """The first candidate with a certificate or, of those without, the connected one closest to the bound.

    Args:
        m, n, edges: 2 max(m, n) <= edges <= m n.
        seed: of the random candidates.
        exact: leave out what may miss the number of edges.
    """
    best: RamanujanGraph | None = None
    for name, matrix in _candidates(m, n, edges, np.random.default_rng(seed), exact):
        graph = certify(name, matrix)
        if graph.is_ramanujan:
            return graph
        if best is None or (graph.components, graph.ratio) < (best.components, best.ratio):
            best = graph
    assert best is not None
    return best


def _edges(m: int, n: int, density: float | None, degree: int | None, edges: int | None) -> int:
    """The number of edges asked for, checked."""
    if sum(value is not None for value in (density, degree, edges)) != 1:
        raise UserError("a biregular graph needs one of density=, degree= and edges=.")
    if degree is not None and degree > n:
        raise UserError(f"degree {degree} is larger than the other side, which has {n} vertices.")
    count = edges if edges is not None else degree * m if degree is not None else round((density or 0) * m * n)
    if not 2 * max(m, n) <= count <= m * n:
        raise UserError(
            f"a {m} x {n} graph in which every vertex has 2 edges or more has {2 * max(m, n)} to {m * n} edges (density"
            f" {2 / min(m, n):.4g} or more), and {count} were asked for."
        )
    return count


def _candidates(
    m: int, n: int, edges: int, rng: np.random.Generator, exact: bool
) -> Iterator[tuple[str, sp.csr_array]]:
    q = m * n // edges
    if q >= 2 and q & (q - 1) == 0 and (m * n, m % q, n % q) == (edges * q, 0, 0):
        # the rows' blocks are numbered by the field, so the side with fewer of them comes first
        few, many = sorted((m // q, n // q))
        if 2 <= few <= q and many <= q**3:
            matrix = galois_array_code_matrix(few, many, q)
            yield f"galois_array_code({few}, {many}, {q})", matrix if m <= n else sp.csr_array(matrix.T)
    if m == n and edges == 2 * m:
        cycle = np.concatenate([np.arange(m), np.roll(np.arange(m), 1)])
        yield f"cycle({2 * m})", sp.csr_array((np.ones(2 * m), (np.tile(np.arange(m), 2), cycle)), shape=(m, m))
    for _ in range(DRAWS):
        yield f"random_biregular({m}, {n}, edges={edges})", random_biregular(m, n, edges, rng)
    if not (m % 2 or n % 2 or edges % 2) and 2 * edges <= m * n:
        for _ in range(DRAWS):
            base = random_biregular(m // 2, n // 2, edges // 2, rng)
            yield f"two_lift(random_biregular({m // 2}, {n // 2}, edges={edges // 2}))", two_lift(base, rng)
    if not exact:
        yield from _cut_array_codes(m, n, edges)


def _cut_array_codes(m: int, n: int, edges: int) -> Iterator[tuple[str, sp.csr_array]]:
    """Upper left corners of array codes of density 1/q, q a prime next to m n / edges, large enough."""
    wanted = max(m * n // edges, 2)
    for q in sorted({int(prevprime(wanted + 1)), int(nextprime(wanted))}):
        for rows, columns in dict.fromkeys(((m, n), (n, m))):
            if q * q >= rows and rows > q:
                corner = array_code_matrix(q, max(-(-columns // q), 2))[:rows, :columns]
                if abs(corner.nnz - edges) <= CUT * edges:
                    name = f"array_code({q}, {max(-(-columns // q), 2)}) cut to {m} x {n}"
                    yield name, sp.csr_array(corner if (rows, columns) == (m, n) else corner.T)
