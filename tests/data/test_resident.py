"""The data set on the device: which images an epoch shows, in which order, and how they are normalised."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pruneexp.data.augment import Crops, Shifts
from pruneexp.data.dataset import Dataset
from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from tests.helpers import toy_dataset

CPU = torch.device("cpu")
META = torch.device("meta")  # a device other than the CPU, which every machine has, and on which there are no numbers
PLAIN = Recipe(epochs=1, batch_size=16, lr=0.1)
SHIFTED = dataclasses.replace(PLAIN, flip=True, shift=2)
CROPPED = dataclasses.replace(PLAIN, flip=True, resized_crop=True)
every_recipe = pytest.mark.parametrize("recipe", [PLAIN, SHIFTED, CROPPED], ids=["plain", "shifted", "cropped"])


def numbered(count: int = 50, **changes: int) -> Dataset:
    """Training image k has the constant value k in its three channels; its label is k modulo 4."""
    images = np.repeat(np.arange(count, dtype=np.uint8), 3 * 8 * 8).reshape(count, 3, 8, 8)
    labels = np.arange(count) % 4
    mean, std = (0.0,) * 3, (1 / 255,) * 3  # normalising changes nothing
    return Dataset("numbered", images, labels, images[:20], labels[:20], 4, mean, std, **changes)


def shown(data: Resident, epoch: int = 0) -> list[int]:
    """The numbers of an epoch's images, in order; checks that each goes with its label."""
    numbers: list[int] = []
    for chunk in data.epoch(epoch):
        for images, labels in chunk:
            values = images.amax(dim=(1, 2, 3)).round().long()
            assert torch.equal(values % 4, labels)
            numbers += values.tolist()
    return numbers


@pytest.mark.parametrize("recipe", [PLAIN, SHIFTED])
def test_an_epoch_shows_every_image_exactly_once(recipe: Recipe) -> None:
    data = Resident(numbered(), recipe, 0, CPU)
    for epoch in range(3):
        assert sorted(shown(data, epoch)) == list(range(50))


def test_batches_have_the_batch_size_and_the_last_one_what_is_left() -> None:
    chunks = list(Resident(numbered(), PLAIN, 0, CPU).epoch(0))
    assert [len(labels) for chunk in chunks for _, labels in chunk] == [16, 16, 16, 2]


def test_several_chunks_show_the_same_batches_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SHIFTED
    data = Resident(toy_dataset(70), recipe, 0, CPU)
    whole = [images for chunk in data.epoch(3) for images, _ in chunk]
    assert data.chunks() == 1
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 40 * 16 * 16)
    assert data.chunks() == 3
    parts = [images for chunk in data.epoch(3) for images, _ in chunk]
    assert len(list(data.epoch(3))) == 3
    assert len(whole) == len(parts)
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_a_batch_larger_than_a_chunk_is_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 8 * 8 * 8)
    data = Resident(numbered(), PLAIN, 0, CPU)
    assert [len(labels) for chunk in data.epoch(0) for _, labels in chunk] == [16, 16, 16, 2]
    assert len(list(data.epoch(0))) == data.chunks()


@every_recipe
@pytest.mark.parametrize("ranks", [1, 3])
def test_an_epoch_is_drawn_as_a_whole_from_its_two_streams(
    recipe: Recipe, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 40 * 16 * 16)
    data, kind = Resident(toy_dataset(70), recipe, 5, CPU), Crops if recipe.resized_crop else Shifts
    order = torch.randperm(70, generator=stream(5, "data order", 2))
    draws = kind.draw(70, recipe, stream(5, "augmentation", 2), 16, 16)
    images = data.normalise(draws.apply(data.train_images, order, slice(0, 70), 16, 16))
    labels = data.train_labels[order]
    for rank in range(ranks):
        mine = data.shared(rank, ranks, CPU) if ranks > 1 else data
        got = [batch for chunk in mine.epoch(2) for batch in chunk]
        want = list(zip(images.split(16), labels.split(16), strict=True))
        assert len(got) == len(want) == 5
        for batch, whole in zip(got, want, strict=True):  # also the last six images are enough for three processes
            assert torch.equal(batch[0], whole[0][rank::ranks])
            assert torch.equal(batch[1], whole[1][rank::ranks])


class Copies(TorchDispatchMode):
    """Counts the copies from the CPU to another device."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        device = (kwargs or {}).get("device")
        self.number += "_to_copy" in str(operator) and device is not None and args[0].device != torch.device(device)
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize("ranks", [1, 2])
@every_recipe
def test_an_epoch_goes_to_the_device_in_one_copy_out_of_pinned_memory(
    recipe: Recipe, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor)
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 40 * 16 * 16)
    data = Resident(toy_dataset(70), recipe, 0, META).shared(0, ranks, META)
    with Copies() as copies:
        chunks = list(data.epoch(0))
    assert len(chunks) == 3
    assert {part.device for chunk in chunks for batch in chunk for part in batch} == {META}
    assert len(pinned) == copies.number == 1


@every_recipe
def test_batches_lie_in_channels_last_memory(recipe: Recipe) -> None:
    data = Resident(toy_dataset(40), recipe, 0, CPU)
    batches = [images for chunk in data.epoch(0) for images, _ in chunk]
    batches += [images for images, _ in data.batches(data.test, 16)]
    assert all(images.is_contiguous(memory_format=torch.channels_last) for images in batches)
    assert not any(images.is_contiguous() for images in batches)  # which tells the two apart


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    data = Resident(numbered(), PLAIN, 0, CPU)
    assert shown(data, 0) != shown(data, 1)
    assert shown(data, 1) == shown(data, 1) == shown(Resident(numbered(), PLAIN, 0, CPU), 1)
    assert shown(data, 1) != shown(Resident(numbered(), PLAIN, 1, CPU), 1)
    shifted = Resident(numbered(), SHIFTED, 0, CPU)
    assert shown(shifted, 1) == shown(data, 1)


def test_the_validation_split_is_disjoint_and_drawn_by_the_seed() -> None:
    splits = []
    for seed in (0, 0, 1):
        data = Resident(numbered(validation=20), PLAIN, seed, CPU)
        held_out = data.validation[0][:, 0, 0, 0].tolist()
        assert len(held_out) == 20
        assert sorted([*held_out, *shown(data)]) == list(range(50))
        assert torch.equal(data.validation[1], data.validation[0][:, 0, 0, 0].long() % 4)
        splits.append(held_out)
    assert splits[0] == splits[1] != splits[2]


def test_subsets_have_the_asked_size_and_keep_out_of_the_validation_split() -> None:
    recipe = dataclasses.replace(PLAIN, train_images=10, test_images=7)
    data = Resident(numbered(validation=20), recipe, 0, CPU)
    chosen, held_out = set(shown(data)), set(data.validation[0][:, 0, 0, 0].tolist())
    assert len(chosen) == 10
    assert not chosen & held_out
    assert data.test[0][:, 0, 0, 0].tolist() == list(range(7))
    assert set(shown(Resident(numbered(validation=20), recipe, 1, CPU))) != chosen


def test_a_subset_larger_than_the_split_is_the_whole_split() -> None:
    data = Resident(numbered(), dataclasses.replace(PLAIN, train_images=51, test_images=51), 0, CPU)
    assert (len(data.train_labels), len(data.test[1])) == (50, 20)


def test_normalisation_gives_zero_mean_and_unit_variance_per_channel() -> None:
    dataset = toy_dataset(100)
    pixels = dataset.train_images / 255
    mean, std = pixels.mean(axis=(0, 2, 3)).tolist(), pixels.std(axis=(0, 2, 3)).tolist()
    data = Resident(dataclasses.replace(dataset, mean=tuple(mean), std=tuple(std)), PLAIN, 0, CPU)
    images = torch.cat([images for chunk in data.epoch(0) for images, _ in chunk])
    assert images.dtype == torch.float32
    assert images.shape == (100, 3, 16, 16)
    assert torch.allclose(images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(images.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-3)


def test_test_images_are_in_order_unaugmented_and_normalised_alike() -> None:
    dataset = toy_dataset(30)
    data = Resident(dataset, SHIFTED, 0, CPU)
    images = torch.cat([images for images, _ in data.batches(data.test, size=7)])
    labels = torch.cat([labels for _, labels in data.batches(data.test, size=7)])
    expected = (torch.from_numpy(dataset.test_images) / 255 - 0.35) / 0.2
    assert torch.allclose(images, expected, atol=1e-5)
    assert labels.tolist() == dataset.test_labels.tolist()


@pytest.mark.parametrize(("side", "size"), [(8, 1000), (32, 1000), (64, 1000), (96, 444), (224, 81), (2100, 1)])
def test_images_are_evaluated_by_the_thousand_and_large_ones_by_their_pixels(side: int, size: int) -> None:
    images, labels = np.zeros((size + 1, 3, side, side), np.uint8), np.zeros(size + 1, np.int64)
    dataset = Dataset("black", images[:1], labels[:1], images, labels, 1, (0.5,) * 3, (0.5,) * 3)
    data = Resident(dataset, PLAIN, 0, META)
    assert [len(labels) for _, labels in data.batches(data.test)] == [size, 1]


@every_recipe
@pytest.mark.parametrize(
    ("validation", "subset", "whole"), [(0, 0, True), (0, 70, True), (20, 0, False), (0, 30, False)]
)
def test_residents_of_two_seeds_have_what_is_alike_once_and_show_what_each_shows_alone(
    recipe: Recipe, validation: int, subset: int, whole: bool
) -> None:
    dataset = dataclasses.replace(toy_dataset(70), validation=validation)
    recipe = dataclasses.replace(recipe, train_images=subset, test_images=subset)
    first = Resident(dataset, recipe, 0, CPU)
    second, alone = Resident(dataset, recipe, 1, CPU, beside=first), Resident(dataset, recipe, 1, CPU)
    for one, other, shared in (
        (first.test[0], second.test[0], True),
        (first.test[1], second.test[1], True),
        (first.train_images, second.train_images, whole),
        (first.train_labels, second.train_labels, whole),
    ):
        assert (one.data_ptr() == other.data_ptr()) == shared
    for split in ("test", "validation"):
        assert all(map(torch.equal, getattr(second, split), getattr(alone, split)))
    mine, theirs = ([batch for chunk in data.epoch(1) for batch in chunk] for data in (second, alone))
    for (images, labels), (others, more) in zip(mine, theirs, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, more)


def test_scorers_see_unaugmented_training_images_in_a_random_order_of_their_own() -> None:
    recipe = SHIFTED
    data = Resident(numbered(), recipe, 0, CPU)
    batches = data.for_scoring(limit=30, per_class=0)
    assert batches.images is not None
    assert batches.labels is not None
    assert batches.images.shape == (30, 3, 8, 8)
    assert batches.input_shape == (3, 8, 8)
    numbers = batches.images[:, 0, 0, 0].long()  # constant images: a black border would show at the corner
    assert torch.allclose(batches.images, numbers[:, None, None, None].float().expand_as(batches.images), atol=1e-4)
    assert torch.equal(numbers % 4, batches.labels)
    assert len(set(numbers.tolist())) == 30
    assert numbers.tolist() != shown(data)[:30]
    again = Resident(numbered(), PLAIN, 0, CPU).for_scoring(limit=30, per_class=0)
    assert again.images is not None
    assert torch.allclose(again.images, batches.images)


def test_scorers_that_ask_for_it_see_images_augmented_as_in_training() -> None:
    images = np.random.default_rng(0).integers(1, 256, (12, 3, 8, 8), dtype=np.uint8)  # none black
    dataset = dataclasses.replace(numbered(12), train_images=images)
    batches = Resident(dataset, SHIFTED, 0, CPU).for_scoring(limit=10, per_class=0)
    assert batches.images is not None
    plain = batches.images.round().numpy()
    got, labels = batches.samples(9, augmented=torch.Generator().manual_seed(3))
    assert torch.equal(labels, batches.samples(9)[1])
    draws = torch.Generator().manual_seed(3)
    flip = torch.rand(9, generator=draws) < 0.5
    top, left = torch.randint(0, 5, (2, 9), generator=draws).tolist()
    for k in range(9):
        framed = np.pad(plain[k], ((0, 0), (2, 2), (2, 2)))
        window = framed[:, top[k] : top[k] + 8, left[k] : left[k] + 8]
        np.testing.assert_allclose(got[k].numpy(), window[:, :, ::-1] if flip[k] else window, atol=1e-4)
    assert flip.any()
    assert len({*top}) > 1


@every_recipe
def test_augmented_images_for_scoring_have_the_shape_and_memory_of_the_others(recipe: Recipe) -> None:
    batches = Resident(toy_dataset(30), recipe, 0, CPU).for_scoring()
    plain, augmented = (batches.samples(20, augmented=draws)[0] for draws in (None, torch.Generator()))
    assert plain.shape == augmented.shape
    assert plain.stride() == augmented.stride()
    assert torch.allclose(plain, augmented) == (recipe is PLAIN)


def test_fresh_samples_are_drawn_from_all_without_replacement() -> None:
    batches = Resident(numbered(), PLAIN, 0, CPU).for_scoring(limit=40, per_class=0)
    seen = [batches.samples(30, torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    numbers = [images[:, 0, 0, 0].round().long() for images, _ in seen]
    assert batches.images is not None
    for number, (_, labels) in zip(numbers, seen, strict=True):
        assert torch.equal(number % 4, labels)
        assert len(set(number.tolist())) == 30
        assert set(number.tolist()) <= set(batches.images[:, 0, 0, 0].round().long().tolist())
    assert numbers[0].tolist() != numbers[1].tolist()
    with pytest.raises(UserError, match="needs 41 training samples, and there are only 40"):
        batches.samples(41, torch.Generator())


def test_scorers_see_at_least_some_images_of_each_class() -> None:
    batches = Resident(numbered(), PLAIN, 0, CPU).for_scoring(limit=5, per_class=3)
    assert batches.labels is not None
    first = Resident(numbered(), PLAIN, 0, CPU).for_scoring(limit=5, per_class=0).labels
    assert first is not None
    assert torch.equal(batches.labels[:5], first)
    missing = (3 - torch.bincount(first, minlength=4)).clamp(min=0)
    assert torch.equal(torch.bincount(batches.labels), torch.bincount(first, minlength=4) + missing)


def test_resized_crops_keep_the_images_shape() -> None:
    data = Resident(toy_dataset(20), dataclasses.replace(PLAIN, resized_crop=True), 0, CPU)
    assert {images.shape[1:] for chunk in data.epoch(0) for images, _ in chunk} == {(3, 16, 16)}


def test_resized_crops_together_with_shifts_keep_the_images_shape_or_are_refused() -> None:
    try:
        data = Resident(toy_dataset(20), dataclasses.replace(PLAIN, resized_crop=True, shift=2), 0, CPU)
    except UserError:
        return
    assert {images.shape[1:] for chunk in data.epoch(0) for images, _ in chunk} == {(3, 16, 16)}
