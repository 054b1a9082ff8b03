"""Batched augmentation against slicing by hand."""

import pytest
import torch

from pruneexp.data.augment import Crops, Shifts, pad
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream

RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1, flip=True, shift=3)
HEIGHT, WIDTH = 6, 5


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
    crop, same_crop, other_crop = (Crops.draw(50, RECIPE, stream(seed, "a")).theta for seed in (0, 0, 1))
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
    theta = Crops.draw(5000, RECIPE, stream(0, "crops")).theta.double()
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


def test_crops_without_flip_never_mirror() -> None:
    recipe = Recipe(epochs=1, batch_size=8, lr=0.1, resized_crop=True)
    assert bool((Crops.draw(500, recipe, stream(0, "crops")).theta[:, 0, 0] > 0).all())
