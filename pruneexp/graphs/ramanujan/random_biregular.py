"""Random bipartite simple graphs whose degrees are as even as the number of edges allows."""

import numpy as np
import scipy.sparse as sp


def random_biregular(rows: int, columns: int, edges: int, rng: np.random.Generator) -> sp.csr_array:
    """A random 0/1 matrix [rows, columns] with `edges` ones; row sums differ by at most one, and so do column sums.

    The configuration model: the half-edges of both sides are matched at random, and an edge that came up twice trades its
    end with a random other edge until the graph is simple. Above half density the complement is drawn.

    Args:
        rows, columns: at least 1.
        edges: 0 ... rows * columns.
        rng: of the draw.
    """
    if 2 * edges > rows * columns:
        complement = random_biregular(rows, columns, rows * columns - edges, rng)
        return sp.csr_array(1.0 - complement.toarray())
    row = np.repeat(np.arange(rows), even(edges, rows, rng))
    column = rng.permutation(np.repeat(np.arange(columns), even(edges, columns, rng)))
    while True:
        code = row * columns + column
        order = np.argsort(code, kind="stable")
        again = order[1:][np.diff(code[order]) == 0]
        if not len(again):
            return sp.csr_array((np.ones(edges), (row, column)), shape=(rows, columns))
        partner = rng.choice(edges, len(again), replace=False)
        # traded where both new edges are new and no other trade makes or touches one of them
        new = np.stack([row[again] * columns + column[partner], row[partner] * columns + column[again]])
        _, inverse, count = np.unique(new, return_inverse=True, return_counts=True)
        fresh = (count[inverse].reshape(new.shape) == 1) & ~np.isin(new, code)
        good = fresh.all(axis=0) & ~np.isin(partner, again)
        one, other = again[good], partner[good]
        column[one], column[other] = column[other], column[one]


def even(total: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """`total` as `parts` whole numbers that differ by at most one, the larger ones at random places."""
    counts = np.full(parts, total // parts)
    counts[rng.choice(parts, total % parts, replace=False)] += 1
    return counts
