"""Elimination of grounded Laplacians: inverses and quadratic forms that stay accurate whatever the weights' range.

A matrix M = diag(sum_j c_ij + g_i) - C with couplings C >= 0 (symmetric, zero diagonal) and conductances to the ground
g >= 0 is what is left of a Laplacian when one vertex, the ground, is taken out. It is an M-matrix: M^-1 >= 0.

The usual way is a Cholesky factorisation of the Jacobi-scaled matrix. Where some vertex hangs on the ground so weakly that
its pivot would lose digits in the subtraction, the matrix is eliminated without subtractions instead (Grassmann, Taksar &
Heyman 1985): M = T D T^T, each pivot summed from what is left of the couplings, so that every entry is
right to the last digits.
"""

import torch

WEAKEST = 1e4  # resistance to the ground times degree, up to which Cholesky's rounding stays below about 1e-11

ROWS = 256  # of a large matrix worked on at a time


def inverse(coupling: torch.Tensor, ground: torch.Tensor) -> torch.Tensor:
    """M^-1, float64 [n, n], every entry accurate.

    Args:
        coupling: C [n, n] >= 0, symmetric with a zero diagonal.
        ground: g [n] >= 0; each connected part of C has a vertex with g > 0.
    """
    simple = _cholesky_inverse(coupling, ground)
    if simple is not None:
        return simple
    order, half = _eliminate(coupling, ground)
    back = order.argsort()
    return (half.T @ half)[back[:, None], back]


def pair_forms(
    coupling: torch.Tensor, walk: torch.Tensor | None = None, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """(p_u - e_v)^T C^+ (p_u - e_v) for all u, v, float64 [m, n], C the connected Laplacian with couplings `coupling`.

    Args:
        coupling, weight: as `grounded` has them.
        walk: p [m, n], rows summing to one; None for the unit vectors, which gives the effective resistances.
    """
    return forms(*grounded(coupling, weight), walk)


def grounded(coupling: torch.Tensor, weight: torch.Tensor | None = None) -> tuple[torch.Tensor, bool]:
    """What `forms` needs of a connected Laplacian C, once for all walks: (Z, False) or (B, True).

    Z [n, n] is a generalised inverse of C. Where it would lose digits it is B [n, n - 1] with Z = B B^T. A caller that lets go of the
    couplings spares an n x n matrix while the inverse is made.

    Args:
        coupling: [n, n] >= 0, symmetric with a zero diagonal, connected.
        weight: [n], the largest number by which the forms of each v are going to be multiplied; decides how accurate
            they have to be. By default the couplings' sums.
    """
    # one vertex is grounded, the heaviest, to be near every other; a rank-one term would mix all magnitudes instead
    size, ground = len(coupling), int(coupling.sum(dim=1).argmax())
    keep = (torch.arange(size, device=coupling.device) != ground).nonzero()[:, 0]
    to_ground = coupling[keep, ground]
    reduced = coupling[keep[:, None], keep]
    del coupling
    simple = _cholesky_inverse(reduced, to_ground)
    lost = simple is None or (weight is not None and bool((weight[keep] * simple.diagonal() > WEAKEST).any()))
    if simple is not None and not lost:
        z = simple.new_zeros(size, size)
        z[keep[:, None], keep] = simple
        return z, False
    order, half = _eliminate(reduced, to_ground)
    basis = half.new_zeros(size, len(half))
    basis[keep[order]] = half.T
    return basis, True


def forms(inverse: torch.Tensor, halved: bool, walk: torch.Tensor | None = None) -> torch.Tensor:
    """`pair_forms` from what `grounded` gave."""
    if halved:  # a squared distance, |B^T (p_u - e_v)|^2: two to three times the work, no cancellation
        through = inverse if walk is None else walk @ inverse
        return torch.cdist(through, inverse, compute_mode="donot_use_mm_for_euclid_dist").square()
    diagonal = inverse.diagonal()
    if walk is None:
        return (diagonal[:, None] + diagonal).sub_(inverse, alpha=2).clamp_(min=0.0)
    found = walk @ inverse
    for some, rows in zip(found.split(ROWS), walk.split(ROWS), strict=True):  # in place, and in the cache
        own = some.mul(rows).sum(dim=1)
        some.copy_((own[:, None] + diagonal).sub_(some, alpha=2).clamp_(min=0.0))
    return found


def _cholesky_inverse(coupling: torch.Tensor, ground: torch.Tensor) -> torch.Tensor | None:
    """M^-1 by Cholesky, None where that loses digits."""
    degree = coupling.sum(dim=1) + ground
    if bool((degree <= 0).any()):
        return None
    scale = degree.rsqrt()
    scaled = (coupling * -scale[:, None]).mul_(scale).fill_diagonal_(1.0)
    factor, failed = torch.linalg.cholesky_ex(scaled)
    del scaled  # of a large layer three such matrices are enough at a time
    if bool(failed):
        return None
    full = torch.cholesky_inverse(factor)
    del factor
    if len(full) and bool(full.diagonal().max() > WEAKEST):
        return None
    return full.mul_(scale[:, None]).mul_(scale)


def _eliminate(coupling: torch.Tensor, ground: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(order, H) with M[order][:, order]^-1 = H^T H, H = D^-1/2 T^-1, by elimination without subtractions."""
    order = (coupling.sum(dim=1) + ground).argsort()
    left, rest_to_ground = coupling[order[:, None], order], ground[order].clone()
    size = len(left)
    unit = torch.eye(size, dtype=left.dtype, device=left.device)
    lower, pivot = unit.clone(), torch.empty_like(rest_to_ground)
    for k in range(size):
        rest = left[k, k + 1 :].clone()
        pivot[k] = rest.sum() + rest_to_ground[k]
        share = rest / pivot[k]
        lower[k + 1 :, k] = -share
        left[k + 1 :, k + 1 :] += torch.outer(rest, share)
        rest_to_ground[k + 1 :] += rest_to_ground[k] * share
    return order, torch.linalg.solve_triangular(lower, unit, upper=False) / pivot.sqrt()[:, None]
