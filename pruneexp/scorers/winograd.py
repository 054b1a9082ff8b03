"""A 3x3 convolution and its derivative in the weight by Winograd's minimal filtering.

An output of m x m pixels needs (m + 2) x (m + 2) of the input, a tile x. With matrices B, G and A that depend on m alone it is
A ((G w G') * (B x B')) A', * number by number: (m + 2)^2 products for each pair of channels in place of 9 m^2 (Lavin & Gray 2016, "Fast
algorithms for convolutional neural networks"). Over all channels and tiles these are (m + 2)^2 products of matrices.
"""

from collections.abc import Iterator

import torch
from torch.nn import functional

PIXELS = 2048  # of outputs that are computed together: few enough for a CPU's cache, enough for a product of matrices
MATRICES = {  # by m: B, G and A
    2: (
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
        [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
        [[1, 1, 1, 0], [0, 1, -1, -1]],
    ),
    4: (
        [
            [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
        ],
        [
            [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
        ],
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    ),
}  # fmt: skip


class _Tiles:
    """The tiles of some images, m x m outputs each, as vectors; outputs beyond the edge are zeros or left out.

    The matrices are B [(m + 2)^2, (m + 2)^2], G [(m + 2)^2, 9] and A [m^2, (m + 2)^2] for vectors: B x B'
    is (B o B) x, o Kronecker's product.
    """

    def __init__(self, images: torch.Tensor, padding: tuple[int, int]) -> None:
        self.padding = padding
        self.shape = images.shape[2] + 2 * padding[0] - 2, images.shape[3] + 2 * padding[1] - 2
        self.size = 2 if max(self.shape) <= 2 else 4
        self.down, self.across = (-(-length // self.size) for length in self.shape)
        found = [torch.tensor(rows, dtype=images.dtype) for rows in MATRICES[self.size]]
        self.b, self.g, self.a = (torch.kron(matrix, matrix) for matrix in found)

    def pieces(self, count: int) -> Iterator[slice]:
        """Of so many images those whose outputs are computed together."""
        step = max(1, PIXELS // (self.shape[0] * self.shape[1]))
        return (slice(start, start + step) for start in range(0, count, step))

    def inputs(self, images: torch.Tensor) -> torch.Tensor:
        """B x B' of images [n, C, H, W]: [(m + 2)^2, C, n * tiles]."""
        (p, q), (height, width) = self.padding, images.shape[2:]
        right, below = self.across * self.size + 2 - width - q, self.down * self.size + 2 - height - p
        wide = functional.pad(images, (q, right, p, below))
        tiles = wide.unfold(2, self.size + 2, self.size).unfold(3, self.size + 2, self.size)
        vectors = tiles.permute(4, 5, 1, 0, 2, 3).reshape(len(self.b), -1)
        return (self.b @ vectors).view(len(self.b), images.shape[1], -1)

    def outputs(self, products: torch.Tensor) -> torch.Tensor:
        """A p A' of products [(m + 2)^2, O, n * tiles]: [n, O, *shape]."""
        channels, m = products.shape[1], self.size
        vectors = (self.a @ products.view(len(self.b), -1)).view(m, m, channels, -1, self.down, self.across)
        whole = vectors.permute(3, 2, 4, 0, 5, 1).reshape(-1, channels, m * self.down, m * self.across)
        return whole[:, :, : self.shape[0], : self.shape[1]]

    def of_outputs(self, values: torch.Tensor) -> torch.Tensor:
        """The adjoint of `outputs`: A' v A of values [n, O, *shape], [(m + 2)^2, O, n * tiles]."""
        channels, m = values.shape[1], self.size
        right, below = self.across * m - self.shape[1], self.down * m - self.shape[0]
        tiles = functional.pad(values, (0, right, 0, below)).view(-1, channels, self.down, m, self.across, m)
        vectors = tiles.permute(3, 5, 1, 0, 2, 4).reshape(m * m, -1)
        return (self.a.T @ vectors).view(len(self.b), channels, -1)


def convolved(images: torch.Tensor, weight: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    """The cross-correlation of images [n, C, H, W] and a weight [O, C, 3, 3], stride 1: [n, O, H + 2p - 2, W + 2q - 2].

    Args:
        padding: (p, q), rows of zeros above and below and columns left and right, each 0 to 2.
    """
    tiles = _Tiles(images, padding)
    filters = (tiles.g @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(-1, *weight.shape[:2])  # G w G'
    found = images.new_empty(len(images), len(weight), *tiles.shape)
    for rows in tiles.pieces(len(images)):
        found[rows] = tiles.outputs(filters @ tiles.inputs(images[rows]))
    return found


def weight_derivative(images: torch.Tensor, by_output: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    """The derivative [O, C, 3, 3] in the weight of <by_output, convolved(images, weight, padding)>."""
    tiles, channels = _Tiles(images, padding), (by_output.shape[1], images.shape[1])
    sums = images.new_zeros(len(tiles.b), *channels)
    for rows in tiles.pieces(len(images)):
        sums.baddbmm_(tiles.of_outputs(by_output[rows]), tiles.inputs(images[rows]).transpose(1, 2))
    return (tiles.g.T @ sums.view(len(tiles.b), -1)).view(3, 3, *channels).permute(2, 3, 0, 1).contiguous()
