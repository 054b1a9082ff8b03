"""Random 2-lifts: a graph twice the size with the same degrees, whose new singular values are those of a signing."""

import numpy as np
import scipy.sparse as sp


def two_lift(base: sp.csr_array, rng: np.random.Generator) -> sp.csr_array:
    """Two copies of each vertex of `base` [m, n]; each edge becomes two, parallel or crossed by the toss of a coin: [2m, 2n].

    The lift's singular values are those of the base and those of the base with signs (Bilu & Linial 2006); some
    signing keeps the latter within the Ramanujan bound (Marcus, Spielman & Srivastava 2015).
    """
    crossed = sp.csr_array(
        (rng.integers(0, 2, base.nnz).astype(np.float64), base.indices, base.indptr), shape=base.shape
    )
    parallel = sp.csr_array(base - crossed)
    lift = sp.csr_array(sp.block_array([[parallel, crossed], [crossed, parallel]]))
    lift.eliminate_zeros()
    return lift
