"""Augmentation of whole batches on the training device.

The random draws are made on the CPU, so that the same seed gives the same images on every device, and are applied where the
images are. Images are uint8, channels last; the work is one gather (or one bilinear resampling) for a whole batch.
"""

import math
from typing import NamedTuple

import torch
from torch.nn import functional

from pruneexp.recipe import Recipe

TRIES = 10  # of a part that fits into the image, as torchvision has it


def pad(images: torch.Tensor, shift: int) -> torch.Tensor:
    """Black borders of `shift` pixels around uint8 images [N, H, W, C]."""
    return functional.pad(images, (0, 0, shift, shift, shift, shift)) if shift else images


class Shifts(NamedTuple):
    """For each image of an epoch: which window of the padded image does it show, and does it flip."""

    top: torch.Tensor  # int64 [n], 0 ... 2*shift
    left: torch.Tensor  # int64 [n]
    flip: torch.Tensor  # bool [n]

    @staticmethod
    def draw(count: int, recipe: Recipe, generator: torch.Generator, *_: int) -> "Shifts":
        """Independent draws for `count` images, of whatever height and width."""
        flip = torch.rand(count, generator=generator) < (0.5 if recipe.flip else 0.0)
        window = torch.randint(0, 2 * recipe.shift + 1, (2, count), generator=generator)
        return Shifts(window[0], window[1], flip)

    def apply(self, padded: torch.Tensor, index: torch.Tensor, part: slice, height: int, width: int) -> torch.Tensor:
        """Images uint8 [b, H, W, C] = the windows of padded[index], index [b] being the epoch's positions `part`."""
        device = padded.device
        top, left, flip = (draws[part] for draws in self)
        rows = top[:, None] + torch.arange(height, device=device)
        columns = torch.arange(width, device=device)
        columns = left[:, None] + torch.where(flip[:, None], width - 1 - columns, columns)
        return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]


class Crops(NamedTuple):
    """For each image of an epoch: an affine map from the output square to the part of the image it shows."""

    theta: torch.Tensor  # float32 [n, 2, 3]

    @staticmethod
    def draw(count: int, recipe: Recipe, generator: torch.Generator, height: int, width: int) -> "Crops":
        """Area uniform in [0.1, 1], log aspect ratio uniform in [log 0.8, log 1.25], place uniform, flip with 1/2.

        With ``recipe.crop=cut`` a part wider or higher than the image is cut to it (the mean area is .546). With ``redrawn`` parts are
        whole pixels, and one that does not fit is drawn anew; after `TRIES` in vain the whole image is taken: torchvision's
        RandomResizedCrop on square images (.507 at 64x64).
        """
        area, aspect, across, down, flip = torch.rand(5, count, generator=generator)
        size, place = torch.tensor([[width], [height]]), torch.stack([across, down])
        if recipe.crop == "redrawn":
            sides = _fitting(_sides(area, aspect), size, generator)
            centre = 2 * torch.floor(place * (size * (1 - sides) + 1)) / size + sides - 1
        else:
            sides = _sides(area, aspect).clamp(max=1.0)
            centre = (2 * place - 1) * (1 - sides)
        theta = torch.zeros(count, 2, 3)
        theta[:, 0, 0] = torch.where(flip < (0.5 if recipe.flip else 0.0), -sides[0], sides[0])
        theta[:, 1, 1] = sides[1]
        theta[:, :, 2] = centre.T
        return Crops(theta)

    def apply(self, images: torch.Tensor, index: torch.Tensor, part: slice, height: int, width: int) -> torch.Tensor:
        """Images float32 [b, H, W, C] in 0 ... 255, resampled bilinearly from images[index]."""
        chosen = images[index].permute(0, 3, 1, 2).float()
        grid = functional.affine_grid(self.theta[part], list(chosen.shape), align_corners=False)
        crops = functional.grid_sample(chosen, grid, padding_mode="reflection", align_corners=False)
        return crops.permute(0, 2, 3, 1).contiguous()  # they come channel by channel


def _sides(area: torch.Tensor, aspect: torch.Tensor) -> torch.Tensor:
    """Widths and heights [2, n] of parts, as shares of the image's, from two numbers of U(0, 1) for each part."""
    area = 0.1 + 0.9 * area
    aspect = torch.exp((2 * aspect - 1) * math.log(1.25))
    return torch.stack([area * aspect, area / aspect]).sqrt()


def _fitting(sides: torch.Tensor, size: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The sides [2, n] in whole pixels of an image of this size [2, 1]; drawn anew where a part does not fit."""
    sides = (sides * size).round() / size
    for _ in range(TRIES - 1):
        beyond = torch.nonzero((sides > 1).any(dim=0))[:, 0]
        sides[:, beyond] = (_sides(*torch.rand(2, len(beyond), generator=generator)) * size).round() / size
    return torch.where((sides > 1).any(dim=0), 1.0, sides)
