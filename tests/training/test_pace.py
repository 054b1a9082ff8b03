"""How long an epoch takes, by timing some steps: as many as it takes for the median to settle, of as many images as there is time for."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.data.dataset import Sizes
from pruneexp.models.vgg import vgg_small
from pruneexp.recipe import Recipe
from pruneexp.training import pace
from pruneexp.training.device import Device
from pruneexp.training.pace import epoch_seconds, median_seconds

SIZES = Sizes(4, (3, 8, 8), 100)
CPU = Device("cpu")


class Clock:
    """Time goes on by what is done, and the processor's part of it."""

    def __init__(self) -> None:
        self.now, self.share = 0.0, 1.0

    def processor(self) -> float:
        return self.now * self.share

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=made, process_time=made.processor))
    return made


class FakeStep:
    """A step of half a second and a hundredth for each image; half a second is the optimiser's."""

    clock: Clock
    sizes: list[int]
    frozen = False

    def __init__(self, network: nn.Module, *_: Any) -> None:
        self.optimiser = SimpleNamespace(step=lambda: self._pass(0.5))

    def _pass(self, seconds: float) -> None:
        self.clock.now += seconds

    def freeze(self, frozen: bool) -> None:
        type(self).frozen = frozen

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.sizes.append(len(labels))
        self._pass(0.5 + 0.01 * len(labels))


@pytest.fixture
def steps(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> type[FakeStep]:
    FakeStep.clock, FakeStep.sizes = clock, []
    monkeypatch.setattr(pace, "Step", FakeStep)
    return FakeStep


def test_work_is_repeated_until_its_median_has_settled(clock: Clock) -> None:
    def median(times: list[float], most: float) -> tuple[float, int]:
        left = iter(times)

        def work() -> None:
            clock.now += next(left)

        return median_seconds(work, most), len(times) - len(list(left))

    assert median([9.0, *[2.0] * 60], 100) == (2.0, 1 + 6)  # the first is none, and six of the same say enough
    assert median([9.0, 1.0, 5.0, *[2.0, 3.0] * 60], 1e9)[1] == 1 + 50  # two in turns never settle
    assert median([9.0, 1.0, 5.0, *[2.0, 3.0] * 60], 8.5) == (2.5, 1 + 4)  # the time is over
    assert median([9.0, 4.0, 4.0, 5.0, 6.0], 0.0) == (4.0, 1 + 1)  # once in any case
    assert median([9.0, 1.0, *[2.0] * 60], 100) == (2.0, 1 + 7)  # one that is otherwise does not move it


@pytest.mark.parametrize(("share", "counted"), [(0.25, 0.5), (1.9, 2.0)])
def test_time_that_others_have_the_processor_does_not_count(clock: Clock, share: float, counted: float) -> None:
    def work() -> None:
        clock.now += 2.0

    clock.share = share  # of a processor, or of several
    assert median_seconds(work, 100) == pytest.approx(counted)


@pytest.mark.parametrize(
    ("batch", "most", "largest"), [(16, 100.0, 16), (64, 12.0, 64), (512, 12.0, 128), (512, 0.1, 2)]
)
def test_what_a_step_takes_beyond_the_optimisers_part_counts_for_each_image(
    steps: type[FakeStep], batch: int, most: float, largest: int
) -> None:
    recipe = Recipe(epochs=1, batch_size=batch, lr=0.1)
    seconds = epoch_seconds(nn.Linear(1, 1), recipe, CPU, SIZES, 1000, most)
    assert seconds == pytest.approx((0.5 + 0.01 * batch) * 1000 / batch)
    assert max(steps.sizes) == largest
    assert not steps.frozen


def test_an_epoch_of_fewer_images_than_a_batch_is_one_step(steps: type[FakeStep]) -> None:
    recipe = Recipe(epochs=1, batch_size=64, lr=0.1, train_images=10)
    assert epoch_seconds(nn.Linear(1, 1), recipe, CPU, SIZES, 10, 100, frozen=True) == pytest.approx(0.6)
    assert steps.frozen


def test_the_real_step_is_timed_and_the_network_left_as_it_was() -> None:
    network = vgg_small(4, SIZES.input_shape)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = Recipe(epochs=1, batch_size=4, lr=0.1, flip=True, shift=1)
    whole, frozen = (epoch_seconds(network, recipe, CPU, SIZES, 100, 0.5, frozen=frozen) for frozen in (False, True))
    assert 0 < frozen < whole < 10
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
