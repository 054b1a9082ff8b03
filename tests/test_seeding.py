"""Random streams: one for each purpose, none moves another."""

import itertools

import pytest
import torch

from pruneexp.seeding import stream


def numbers(*arguments: int | str, count: int = 4096) -> torch.Tensor:
    seed, *purpose = arguments
    return torch.rand(count, generator=stream(int(seed), *purpose), dtype=torch.float64)


def test_the_same_seed_and_purpose_give_the_same_numbers() -> None:
    assert torch.equal(numbers(3, "masker", "0.1"), numbers(3, "masker", "0.1"))


@pytest.mark.parametrize("epoch", [0, 7])
def test_an_epochs_numbers_do_not_depend_on_how_many_other_streams_used(epoch: int) -> None:
    want = numbers(0, "data order", epoch)
    torch.rand(12_345, generator=stream(0, "data order", epoch + 1))
    torch.rand(99, generator=stream(0, "initialisation"))
    torch.manual_seed(5)
    assert torch.equal(numbers(0, "data order", epoch), want)


def test_the_global_generator_is_neither_used_nor_moved() -> None:
    state = torch.random.get_rng_state()
    numbers(0, "scorer")
    assert torch.equal(torch.random.get_rng_state(), state)


def test_streams_of_other_seeds_and_purposes_are_uncorrelated() -> None:
    keys: list[tuple[int | str, ...]] = [(seed, purpose) for seed in (0, 1, 2) for purpose in ("scorer", "masker", "")]
    keys += [(0, "data order", 1), (0, "data order", 11), (0, "data order", 1, 1), (1, "0"), (10, "")]
    draws = torch.stack([numbers(*key) for key in keys])
    correlation = torch.corrcoef(draws)
    for a, b in itertools.combinations(range(len(keys)), 2):
        assert abs(correlation[a, b].item()) < 6 / 4096**0.5, (keys[a], keys[b])


def test_no_two_of_many_seeds_and_epochs_share_a_stream() -> None:
    first = {
        int(torch.randint(2**62, (), generator=stream(seed, "data order", epoch)))
        for seed in range(40)
        for epoch in range(40)
    }
    assert len(first) == 1600
