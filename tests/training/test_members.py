"""How many networks are trained at once."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_base, vgg_small
from pruneexp.recipe import Recipe
from pruneexp.training import members
from pruneexp.training.device import Device
from pruneexp.training.members import choose, sizes, why_alone
from tests.helpers import toy_dataset

RECIPE = Recipe(epochs=1, batch_size=8, lr=0.1)
SHAPE = (3, 8, 8)


class Branching(nn.Module):
    """Looks at its numbers to decide what to do."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(192, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(x.flatten(1))
        return x if float(x.detach().sum()) > 0 else -x


class Noisy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)[:, :4]
        return x + torch.randn_like(x) if self.training else x


class Unfinished(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise ValueError("what is this")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were one; nothing is done on it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch._C, "_cuda_clearCublasWorkspaces", lambda: None, raising=False)


def chosen(device: Device, most: int) -> int:
    data = Resident(toy_dataset(16, side=8), RECIPE, 0, torch.device("cpu"))
    return choose(vgg_small(4, SHAPE), RECIPE, data, device, most)


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Seconds of a step for each member, by the number of members; a number that is not here has no memory."""
    table: dict[int, float] = {}

    def seconds(network: nn.Module, number: int, *_: Any) -> float:
        if number not in table:
            raise torch.OutOfMemoryError("no room")
        return table[number]

    monkeypatch.setattr(members, "seconds", seconds)
    return table


def test_a_number_is_taken_as_it_is_up_to_the_cells_there_are(costs: dict[int, float]) -> None:
    assert chosen(Device("cpu", members=3), 10) == 3
    assert chosen(Device("cpu", members=30), 10) == 10


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({1: 1.0, 2: 1.1}, 1),  # it does not pay
        ({1: 1.0, 2: 0.99}, 1),  # hardly
        ({1: 1.0, 2: 0.6, 4: 0.5, 8: 0.6}, 4),
        ({1: 1.0, 2: 0.6, 4: 0.5, 8: 0.3}, 8),
        ({1: 1.0, 2: 0.6, 4: 0.5}, 4),  # eight do not fit
        ({1: 1.0}, 1),
        ({}, 1),
    ],
)
@pytest.mark.usefixtures("gpu")
def test_auto_takes_the_fastest_that_fits(costs: dict[int, float], table: dict[int, float], expected: int) -> None:
    costs.update(table)
    assert chosen(Device("cuda", members="auto"), 10) == expected


def test_auto_on_a_cpu_is_one(costs: dict[int, float]) -> None:
    costs.update({1: 1.0, 2: 0.1, 4: 0.01, 8: 0.001})
    assert chosen(Device("cpu", members="auto"), 10) == 1


@pytest.mark.usefixtures("gpu")
def test_what_was_measured_is_not_measured_again(costs: dict[int, float]) -> None:
    costs.update({1: 1.0, 2: 0.6})
    data, device = Resident(toy_dataset(16, side=8), RECIPE, 0, torch.device("cpu")), Device("cuda", members="auto")
    timed: dict[int, float] = {}
    assert choose(vgg_small(4, SHAPE), RECIPE, data, device, 2, timed) == 2
    assert timed == {1: 1.0, 2: 0.6}
    costs.update({1: 0.1, 2: 0.7, 4: 0.2})
    assert choose(vgg_small(4, SHAPE), RECIPE, data, device, 9, timed) == 4
    assert timed == {1: 1.0, 2: 0.6, 4: 0.2, 8: math.inf}


@pytest.mark.usefixtures("gpu")
def test_what_else_goes_wrong_is_told_and_one_is_trained_at_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def seconds(network: nn.Module, number: int, *_: Any) -> float:
        if number == 4:
            raise RuntimeError("CUDA error: operation not permitted\nand more lines")
        return 1 / number

    monkeypatch.setattr(members, "seconds", seconds)
    assert chosen(Device("cuda", members="auto"), 10) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "trainer.members=auto could not be measured (CUDA error: operation not permitted). trainer.members=auto: 1 at once."
    )


def test_why_a_network_is_trained_by_itself_is_told_where_several_were_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = Resident(toy_dataset(16, side=8), RECIPE, 0, torch.device("cpu"))
    for number in (1, "auto"):
        assert choose(Noisy(), RECIPE, data, Device("cpu", members=number), 10) == 1
    assert capsys.readouterr().out == ""
    assert choose(Noisy(), RECIPE, data, Device("cpu", members=3), 10) == 1
    assert "One network at a time, whatever trainer.members says: it draws random" in capsys.readouterr().out


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8])])
def test_the_numbers_that_are_tried(most: int, expected: list[int]) -> None:
    assert sizes(most) == expected


def test_a_step_is_timed_and_the_network_left_alone() -> None:
    network = vgg_small(4, SHAPE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batch = torch.randn(8, *SHAPE), torch.arange(8) % 4
    times = [members.seconds(network, number, RECIPE, Device("cpu"), batch) for number in (1, 3)]
    assert all(0 < time < 10 for time in times)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: vgg_small(4, SHAPE), None),
        (lambda: resnet_cifar(4, SHAPE, 20), None),
        (lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(192, 4)), None),
        (lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(192, 4)), "it draws random numbers"),
        (lambda: nn.Sequential(nn.Flatten(), nn.RReLU(), nn.Linear(192, 4)), "it draws random numbers"),
        (Noisy, "it draws random numbers"),
        (Branching, "item() cannot be called on meta tensors"),
        (Unfinished, "what is this"),
    ],
)
def test_networks_that_draw_are_trained_by_themselves(make: Callable[[], nn.Module], why: str | None) -> None:
    network, chance = make(), torch.get_rng_state()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = why_alone(network, SHAPE)
    assert found is None if why is None else why in str(found)
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_dropout_in_one_of_our_networks() -> None:
    shape = (3, 32, 32)
    assert why_alone(vgg_base(4, shape, 11, hidden=8), shape) is None
    assert "it draws random numbers" in str(why_alone(vgg_base(4, shape, 11, hidden=8, dropout=0.5), shape))


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "all"])
def test_members_that_cannot_be_are_named(value: Any) -> None:
    with pytest.raises(UserError, match=r"Device's members must be auto or a whole number, at least 1"):
        Device("cpu", members=value)
