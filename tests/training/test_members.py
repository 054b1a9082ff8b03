"""How many networks are trained at once."""

from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg_base, vgg_small
from pruneexp.recipe import Recipe
from pruneexp.training import members
from pruneexp.training.device import Device
from pruneexp.training.members import check_members, choose, why_not
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
        return x if float(x.sum()) > 0 else -x


def chosen(device: Device, most: int, network: nn.Module | None = None) -> int:
    data = Resident(toy_dataset(16, side=8), RECIPE, 0, device.where)
    return choose(network or vgg_small(4, SHAPE), RECIPE, data, device, most)


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
        ({1: 1.0, 4: 1.1}, 1),  # it does not pay
        ({1: 1.0, 4: 0.99}, 1),  # hardly
        ({1: 1.0, 4: 0.5, 8: 0.6}, 4),
        ({1: 1.0, 4: 0.5, 8: 0.3, 10: 0.2}, 10),
        ({1: 1.0, 4: 0.5, 8: 0.3}, 8),  # ten do not fit
        ({1: 1.0}, 1),
    ],
)
def test_auto_takes_the_fastest_that_fits(costs: dict[int, float], table: dict[int, float], expected: int) -> None:
    costs.update(table)
    assert chosen(Device("cpu", members="auto"), 10) == expected


def test_auto_takes_one_where_there_is_one_or_the_network_cannot_be_fused(costs: dict[int, float]) -> None:
    costs.update({1: 1.0, 4: 0.1, 8: 0.01, 10: 0.001})
    assert chosen(Device("cpu", members="auto"), 1) == 1
    assert chosen(Device("cpu", members="auto"), 10, nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(192, 4))) == 1


def test_a_step_is_timed_and_the_network_left_alone() -> None:
    network = vgg_small(4, SHAPE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batch = torch.randn(8, *SHAPE), torch.arange(8) % 4
    times = [members.seconds(network, number, RECIPE, Device("cpu"), batch) for number in (1, 3)]
    assert all(0 < time < 10 for time in times)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_networks_that_draw_or_branch_cannot_be_fused() -> None:
    assert why_not(vgg_small(4, SHAPE), SHAPE) is None
    assert "draws random numbers" in str(why_not(vgg_base(4, (3, 32, 32), 11, hidden=8), (3, 32, 32)))
    assert "item()" in str(why_not(Branching(), SHAPE))


def test_a_number_that_the_network_does_not_go_with_is_refused() -> None:
    check_members(Device("cpu", members="auto"), Branching(), SHAPE)
    check_members(Device("cpu", members=1), Branching(), SHAPE)
    with pytest.raises(UserError, match=r"trainer.members=2 does not go with this network .* or auto\.$"):
        check_members(Device("cpu", members=2), Branching(), SHAPE)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "all"])
def test_members_that_cannot_be_are_named(value: Any) -> None:
    with pytest.raises(UserError, match=r"Device's members must be auto or a whole number, at least 1"):
        Device("cpu", members=value)
