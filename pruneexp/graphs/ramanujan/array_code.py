"""Array-code graphs B(q, l): blocks of powers of a cyclic shift, biregular, Ramanujan in closed form.

B has q x l blocks P^{ij}, i = 0 ... q-1, j = 0 ... l-1, with P the cyclic shift of q elements: row (i, x) is joined to column
(j, y) iff y = x - i j mod q. Degrees (l, q); sigma_1 = sqrt(q l), sigma_2 = sqrt(q ceil(l / q)) (papers:
"Deterministic Ramanujan graphs", section 4.4; Burnwal, Vidyasagar & Sinha 2021).
"""

import math

import numpy as np
import scipy.sparse as sp
from sympy import isprime

from pruneexp.components.options import checked
from pruneexp.errors import UserError
from pruneexp.graphs.ramanujan.certificate import RamanujanGraph, certify


@checked
def array_code(q: int, l: int) -> RamanujanGraph:
    """B(q, l), q^2 x l q.

    Args:
        q: a prime, the degree of the columns.
        l: at least 2, the degree of the rows. Above q the block columns repeat.

    Raises:
        UserError: q is not prime, or l below 2.

    >>> graph = array_code(5, 3)
    >>> graph.biadjacency.shape, round(graph.sigma2 ** 2, 9), graph.is_ramanujan
    ((25, 15), 5.0, True)
    """
    if not isprime(q):
        raise UserError(
            f"q must be prime for an array-code graph, got {q}; for powers of two there is galois_array_code."
        )
    if l < 2:
        raise UserError(f"l must be at least 2 for an array-code graph, got {l}: below, rows have no second edge.")
    return certify(f"array_code({q}, {l})", array_code_matrix(q, l), math.sqrt(q * math.ceil(l / q)))


def array_code_matrix(q: int, l: int) -> sp.csr_array:
    """The 0/1 matrix of B(q, l), without a certificate."""
    i, x, j = (part.ravel() for part in np.meshgrid(np.arange(q), np.arange(q), np.arange(l), indexing="ij"))
    return sp.csr_array((np.ones(len(i)), (i * q + x, j * q + (x - i * j) % q)), shape=(q * q, l * q))
