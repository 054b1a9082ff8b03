"""Mixed batches: what they are mixed of, in which shares, and that the draws are the seed's and the epoch's."""

import dataclasses
from collections.abc import Iterator

import pytest
import torch

from pruneexp.data.mixing import Mixing
from pruneexp.data.resident import Resident
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from tests.data.test_resident import CPU, numbered
from tests.helpers import toy_dataset

PLAIN = Recipe(epochs=1, batch_size=16, lr=0.1)
MIXUP, CUTMIX, BOTH = (
    dataclasses.replace(PLAIN, **alphas)  # type: ignore[arg-type]
    for alphas in ({"mixup": 0.8}, {"cutmix": 1.0}, {"mixup": 0.8, "cutmix": 1.0})
)


def batches(recipe: Recipe, epoch: int = 0, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [batch for chunk in Resident(numbered(), recipe, seed, CPU).epoch(epoch) for batch in chunk]


def pairs(recipe: Recipe, epoch: int = 0) -> Iterator[tuple[torch.Tensor, ...]]:
    """Of each batch: images, shares of the classes, and the images before and their classes, which the recipe does not move."""
    plain = dataclasses.replace(recipe, mixup=0.0, cutmix=0.0)
    for mixed, unmixed in zip(batches(recipe, epoch), batches(plain, epoch), strict=True):
        yield (*mixed, *unmixed)


def share(labels: torch.Tensor, classes: torch.Tensor) -> float:
    """The share of a batch's own classes, one for all; checks that the classes of the images before have the rest."""
    own, other = torch.eye(4)[classes], torch.eye(4)[classes.roll(1)]
    differ = classes != classes.roll(1)
    found = float(labels[differ][torch.arange(int(differ.sum())), classes[differ]][0])
    assert torch.allclose(labels, found * own + (1 - found) * other, atol=1e-6)
    return found


def test_mixup_is_a_weighted_mean_of_images_and_of_labels() -> None:
    shares = []
    for images, labels, plain, classes in (batch for epoch in range(3) for batch in pairs(MIXUP, epoch)):
        shares.append(share(labels, classes))
        expected = shares[-1] * plain + (1 - shares[-1]) * plain.roll(1, 0)
        assert torch.allclose(images, expected, atol=1e-4)
        assert images.is_contiguous(memory_format=torch.channels_last)
    assert len({round(one, 4) for one in shares}) == len(shares) == 12  # one for each batch


def test_cutmix_is_a_rectangle_of_another_image_whose_area_is_its_share_of_the_label() -> None:
    shares = []
    for images, labels, plain, classes in (batch for epoch in range(3) for batch in pairs(CUTMIX, epoch)):
        other = plain.roll(1, 0)
        assert bool(((images == plain) | (images == other)).all())
        pasted = (images == other).all(dim=(0, 1))  # images differ everywhere, as each is a constant of its own
        rows, columns = pasted.any(dim=1), pasted.any(dim=0)
        assert torch.equal(pasted, rows[:, None] & columns)
        shares.append(share(labels, classes))
        assert shares[-1] == pytest.approx(1 - pasted.double().mean().item(), abs=1e-6)
        assert images.is_contiguous(memory_format=torch.channels_last)
    assert len({round(one, 4) for one in shares}) > 5


def test_of_both_each_has_its_turn() -> None:
    kinds = [
        bool(((images == plain) | (images == plain.roll(1, 0))).all())
        for epoch in range(10)
        for images, _, plain, _ in pairs(BOTH, epoch)
    ]
    assert 10 < sum(kinds) < 30  # of 40


def test_the_draws_are_the_seeds_and_the_epochs_and_leave_the_global_stream_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = batches(BOTH)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    for (images, labels), (again, shares) in zip(first, batches(BOTH), strict=True):
        assert torch.equal(images, again)
        assert torch.equal(labels, shares)
    labels, own = torch.cat([labels for _, labels in first]), {tuple(labels.flatten().tolist()) for _, labels in first}
    for others in (batches(BOTH, epoch=1), batches(BOTH, seed=1)):
        assert not torch.equal(torch.cat([labels for _, labels in others]), labels)
        assert own.isdisjoint(tuple(labels.flatten().tolist()) for _, labels in others)


def test_the_order_and_the_augmentation_of_the_images_are_what_they_are_unmixed() -> None:
    recipe = dataclasses.replace(CUTMIX, flip=True, shift=2)
    for images, _, plain, _ in pairs(recipe):
        assert bool(((images == plain) | (images == plain.roll(1, 0))).all())


def test_shares_of_several_processes_make_up_the_mixed_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruneexp.data.resident.CHUNK", 16 * 16 * 16)  # a batch
    data = Resident(toy_dataset(50), dataclasses.replace(BOTH, flip=True, shift=2), 0, CPU)
    shares = [data.shared(rank, 3, CPU) for rank in range(3)]
    sizes = []
    for (whole,), *parts in zip(data.epoch(1), *(one.epoch(1) for one in shares), strict=True):
        sizes.append([len(labels) for ((_, labels),) in parts])
        for k in (0, 1):
            for rank, ((part),) in enumerate(parts):
                expected = whole[k][rank::3] if len(whole[k]) == 16 else whole[k][: 0 if rank else None]
                assert torch.equal(part[k], expected)
    assert sizes == [[6, 5, 5]] * 3 + [[2, 0, 0]]


def test_scorers_see_images_and_labels_that_are_not_mixed() -> None:
    seen = Resident(numbered(), MIXUP, 0, CPU).for_scoring()
    images, labels = seen.samples(10, augmented=stream(0, "test"))
    assert torch.equal(images.amax(dim=(1, 2, 3)).round().long() % 4, labels)


def test_a_batch_of_one_image_is_mixed_with_itself() -> None:
    mix = Mixing(MIXUP, 4, stream(0, "mixing"))
    images, labels = mix(torch.full((1, 3, 8, 8), 5.0), torch.tensor([2]))
    assert torch.allclose(images, torch.full((1, 3, 8, 8), 5.0))
    assert torch.allclose(labels, torch.eye(4)[[2]])
