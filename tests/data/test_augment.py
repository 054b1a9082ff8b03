"""Batched augmentation against slicing by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pruneexp.data.augment import Crops, Shifts, pad
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream

RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1, flip=True, shift=3)
HEIGHT, WIDTH = 6, 5
SIDES = 64, 64


def pictures(count: int = 10) -> torch.Tensor:
    return torch.randint(0, 256, (count, HEIGHT, WIDTH, 3), generator=stream(0, "pictures"), dtype=torch.uint8)


def by_hand(image: torch.Tensor, down: int, across: int, flip: bool) -> torch.Tensor:
    """The image moved by (down, across) pixels, black coming in, then mirrored."""
    moved = torch.zeros_like(image)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            if 0 <= row - down < HEIGHT and 0 <= column - across < WIDTH:
                moved[row, column] = image[row - down, column - across]
    return moved.flip(1) if flip else moved


def test_shifting_and_flipping_equals_slicing_by_hand() -> None:
    images, index = pictures(), torch.tensor([3, 3, 9, 0, 7, 1])
    draws = Shifts(
        flip=torch.tensor([False, True, False, True, True, False]),
        top=torch.tensor([3, 3, 0, 6, 1, 5]),
        left=torch.tensor([3, 3, 6, 0, 4, 2]),
    )
    shown = draws.apply(pad(images, 3), index, slice(0, 6), HEIGHT, WIDTH)
    assert shown.dtype == torch.uint8
    for k, source in enumerate(index.tolist()):
        expected = by_hand(images[source], 3 - int(draws.top[k]), 3 - int(draws.left[k]), bool(draws.flip[k]))
        assert torch.equal(shown[k], expected)


def test_a_part_of_the_epoch_takes_its_own_draws() -> None:
    images, order = pad(pictures(), 3), torch.randperm(10, generator=stream(1, "order"))
    draws = Shifts.draw(10, RECIPE, stream(0, "augmentation"))
    whole = draws.apply(images, order, slice(0, 10), HEIGHT, WIDTH)
    parts = [draws.apply(images, order[k : k + 4], slice(k, k + 4), HEIGHT, WIDTH) for k in (0, 4, 8)]
    assert torch.equal(torch.cat(parts), whole)


def test_without_shift_and_flip_the_images_are_the_images() -> None:
    plain = Recipe(epochs=1, batch_size=8, lr=0.1)
    images, index = pictures(), torch.tensor([4, 0, 4])
    assert pad(images, 0) is images
    shown = Shifts.draw(3, plain, stream(0, "a")).apply(images, index, slice(0, 3), HEIGHT, WIDTH)
    assert torch.equal(shown, images[index])


def test_draws_cover_every_shift_and_flip_half() -> None:
    draws = Shifts.draw(4000, RECIPE, stream(0, "a"))
    assert draws.top.unique().tolist() == list(range(7))
    assert draws.left.unique().tolist() == list(range(7))
    assert float(draws.flip.double().mean()) == pytest.approx(0.5, abs=0.04)
    assert abs(float(torch.corrcoef(torch.stack([draws.top, draws.left]).double())[0, 1])) < 0.06


def test_the_same_seed_draws_the_same_and_another_seed_otherwise() -> None:
    one, same, other = (Shifts.draw(50, RECIPE, stream(seed, "a")) for seed in (0, 0, 1))
    assert torch.equal(one.top, same.top)
    assert torch.equal(one.left, same.left)
    assert torch.equal(one.flip, same.flip)
    assert not torch.equal(one.top, other.top)
    crop, same_crop, other_crop = (Crops.draw(50, RECIPE, stream(seed, "a"), *SIDES).theta for seed in (0, 0, 1))
    assert torch.equal(crop, same_crop)
    assert not torch.equal(crop, other_crop)


def test_the_whole_image_as_crop_is_the_image_and_a_mirrored_one_its_mirror() -> None:
    images = pictures(2)
    theta = torch.tensor([[[1.0, 0, 0], [0, 1, 0]], [[-1.0, 0, 0], [0, 1, 0]]])
    shown = Crops(theta).apply(images, torch.tensor([0, 1]), slice(0, 2), HEIGHT, WIDTH)
    assert torch.allclose(shown[0], images[0].float(), atol=1e-3)
    assert torch.allclose(shown[1], images[1].flip(1).float(), atol=1e-3)


def test_a_crop_of_one_quarter_shows_that_quarter() -> None:
    images = torch.zeros(1, 8, 8, 1, dtype=torch.uint8)
    images[:, 4:, :4] = 200  # lower left
    theta = torch.tensor([[[0.5, 0, -0.5], [0, 0.5, 0.5]]])
    shown = Crops(theta).apply(images, torch.tensor([0]), slice(0, 1), 8, 8)
    assert torch.allclose(shown[0, 1:, :-1], torch.full((7, 7, 1), 200.0))


def test_crops_stay_inside_the_image_with_the_promised_area_and_shape() -> None:
    theta = Crops.draw(5000, RECIPE, stream(0, "crops"), *SIDES).theta.double()
    width, height = theta[:, 0, 0].abs(), theta[:, 1, 1]
    assert bool((theta[:, 0, 2].abs() + width <= 1 + 1e-6).all())
    assert bool((theta[:, 1, 2].abs() + height <= 1 + 1e-6).all())
    area, uncut = width * height, (width < 1) & (height < 1)
    assert float(area.min()) >= 0.1 - 1e-6
    assert float(area.max()) <= 1
    ratio = (width / height)[uncut]
    assert float(ratio.min()) >= 0.8 - 1e-6
    assert float(ratio.max()) <= 1.25 + 1e-6
    assert float((theta[:, 0, 0] < 0).double().mean()) == pytest.approx(0.5, abs=0.04)


REDRAWN = Recipe(epochs=1, batch_size=8, lr=0.1, flip=True, resized_crop=True, crop="redrawn")


def torchvisions(count: int, side: int) -> np.ndarray:
    """Areas of parts as torchvision's RandomResizedCrop draws them from images of side x side, one at a time, as shares of them."""
    rng, areas = np.random.default_rng(0), []
    for _ in range(count):
        for _ in range(10):
            target = side * side * rng.uniform(0.1, 1.0)
            aspect = math.exp(rng.uniform(math.log(0.8), math.log(1.25)))
            width, height = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
            if 0 < width <= side and 0 < height <= side:
                break
        else:
            width = height = side
        areas.append(width * height / side**2)
    return np.array(areas)


def areas_of(recipe: Recipe, count: int = 100_000) -> np.ndarray:
    theta = Crops.draw(count, recipe, stream(0, "crops"), *SIDES).theta.double()
    return (theta[:, 0, 0].abs() * theta[:, 1, 1]).numpy()


def test_a_part_that_does_not_fit_is_cut_or_drawn_anew_as_torchvision_has_it() -> None:
    """At 64x64 pixels the mean areas are .507 and .546; redrawn ones are spread as theirs are."""
    theirs, redrawn = torchvisions(30_000, side=64), areas_of(REDRAWN)
    assert abs(redrawn.mean() - theirs.mean()) < 5 * theirs.std() / len(theirs) ** 0.5
    tenths = np.linspace(0.1, 0.9, 9)
    assert np.abs(np.quantile(redrawn, tenths) - np.quantile(theirs, tenths)).max() < 0.015
    assert redrawn.mean() == pytest.approx(0.507, abs=0.003)
    assert areas_of(replace(REDRAWN, crop="cut")).mean() == pytest.approx(0.546, abs=0.003)


def test_parts_drawn_anew_are_whole_pixels_anywhere_in_the_image_uncut() -> None:
    theta = Crops.draw(20_000, REDRAWN, stream(0, "crops"), *SIDES).theta.double()
    width, height = 64 * theta[:, 0, 0].abs(), 64 * theta[:, 1, 1]
    left, top = (32 * (1 + theta[:, row, 2]) - side / 2 for row, side in enumerate((width, height)))
    for pixels in (width, height, left, top):
        assert float((pixels - pixels.round()).abs().max()) < 1e-4
    assert min(float(left.min()), float(top.min())) > -1e-4
    assert max(float((left + width).max()), float((top + height).max())) < 64 + 1e-4
    # half a pixel more or less on each side of them
    assert bool(((width + 0.5) / (height - 0.5) > 0.8).all())
    assert bool(((width - 0.5) / (height + 0.5) < 1.25).all())
    small = width.round() == 32
    assert left[small].round().unique().tolist() == list(range(33))  # every place, the last one too
    assert float(left[small].mean()) == pytest.approx(16, abs=1.5)


def test_of_a_part_that_never_fits_the_whole_image_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def beyond(area: torch.Tensor, aspect: torch.Tensor) -> torch.Tensor:
        tried.append(len(area))
        return torch.stack([torch.full_like(area, 1.1), torch.full_like(area, 0.9)])

    monkeypatch.setattr("pruneexp.data.augment._sides", beyond)
    theta = Crops.draw(3, replace(REDRAWN, flip=False), stream(0, "crops"), *SIDES).theta
    assert tried == [3] * 10
    assert torch.equal(theta, torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(3, 2, 3))


def test_crops_without_flip_never_mirror() -> None:
    recipe = Recipe(epochs=1, batch_size=8, lr=0.1, resized_crop=True)
    assert bool((Crops.draw(500, recipe, stream(0, "crops"), *SIDES).theta[:, 0, 0] > 0).all())
