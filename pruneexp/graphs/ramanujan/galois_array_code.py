"""Array codes over GF(2^e): graphs that fit layers whose sizes are powers of two exactly.

Row (i, x) is joined to column (j, y), x, y in GF(q), i = 0 ... k-1, j = 0 ... l-1, iff y = x + i j, the first k and l
elements of the field standing for the numbers. Degrees (l, k), density 1 / q. Beyond l = q the block columns repeat; the
repetition c = floor(j / q) has y = x + i j + a_c i^2 + b_c i^3 with its own (a_c, b_c), so that for k > 3 no two columns
are equal. Within a character psi of the field's addition B B^T splits into k x k matrices whose entry (i, i') is, up to
phases that cancel between repetitions, the sum over j of psi((i - i') j): q times the unit matrix for each full
repetition. Hence sigma_2 = sqrt(l) for q | l, and in general sigma_2 <= sqrt(q ceil(l / q)), with equality for k = q.
"""

import math

import galois
import numpy as np
import scipy.sparse as sp

from pruneexp.components.options import checked
from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan.certificate import RamanujanGraph, certify
from pruneexp.system.threads import as_many_threads


@checked
def galois_array_code(k: int, l: int, q: int) -> RamanujanGraph:
    """The graph k q x l q with degrees (l, k). It is Ramanujan for most (k, l, q), not for all: see its certificate.

    Args:
        k: 2 ... q, the degree of the columns.
        l: at least 2, at most q^3, the degree of the rows.
        q: a power of two, at least 2.

    Raises:
        UserError: k, l or q not allowed.

    >>> graph = galois_array_code(8, 72, 8)
    >>> graph.biadjacency.shape, round(graph.sigma2 ** 2, 9), graph.is_ramanujan
    ((64, 576), 72.0, True)
    """
    if q < 2 or q & (q - 1):
        raise UserError(f"q must be a power of two for a Galois array code, got {q}; for primes there is array_code.")
    if not 2 <= k <= q:
        raise UserError(
            f"k must be 2 ... q = {q} for a Galois array code, got {k}: the rows' blocks are numbered by the field."
        )
    if not 2 <= l <= q**3:
        raise UserError(f"l must be 2 ... q^3 = {q**3} for a Galois array code, got {l}.")
    closed = math.sqrt(q * math.ceil(l / q)) if k == q or l % q == 0 else None
    return certify(f"galois_array_code({k}, {l}, {q})", galois_array_code_matrix(k, l, q), closed)


def galois_array_code_matrix(k: int, l: int, q: int) -> sp.csr_array:
    """Its 0/1 matrix, without a certificate."""
    repetition = np.arange(l) // q
    with as_many_threads():  # galois computes with numba
        field = galois.GF(q)
        i, j = field(np.arange(k)), field(np.arange(l) % q)
        a, b = field(repetition % q), field(repetition // q)
        shift = i[:, None] * j + (i**2)[:, None] * a + (i**3)[:, None] * b
    x = np.arange(q)
    row = np.broadcast_to(np.arange(k)[:, None, None] * q + x, (k, l, q))
    # addition in GF(2^e) is exclusive or
    column = np.arange(l)[:, None] * q + (np.asarray(shift)[:, :, None].astype(np.int64) ^ x)
    return sp.csr_array((np.ones(row.size), (row.ravel(), column.ravel())), shape=(k * q, l * q))
