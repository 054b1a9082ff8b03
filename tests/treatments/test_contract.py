"""What every treatment in conf/treatment promises; a new one is held to it as soon as its file exists."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.api import prune
from pruneexp.components.component import Component
from pruneexp.errors import UserError
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import prunable
from pruneexp.network.wiring import wiring_of
from pruneexp.seeding import stream
from pruneexp.sweep import setting_of
from pruneexp.system.shipped import conf_dir
from pruneexp.treatments.treat import treat, treats

NAMES = sorted(path.stem for path in (conf_dir() / "treatment").glob("*.yaml"))
every_treatment = pytest.mark.parametrize("name", NAMES)
DENSITY = 0.01  # at which paths are broken


def network() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 10)
    )
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    return model


def of(name: str) -> Component:
    return setting_of(f"treatment={name}").treatments[name]


def treated(name: str, value: Any, seed: int = 0) -> Any:
    offered = {"scores": scores(), "wiring": wiring_of(network()), "notes": {}}
    offered |= {"initialisation": "kaiming_normal", "batchnorm_init": "ones"}
    what = treats(of(name))
    offered.pop(what, None)
    return treat(what, value, {name: of(name)}, seed, **offered)  # type: ignore[arg-type]


def scores() -> dict[str, torch.Tensor]:
    return {name: weight.detach().abs() for name, weight in prunable(network()).items()}


def masks() -> Masks:
    return prune(network(), DENSITY, masker="greedy")


def given(name: str) -> Any:
    """What the treatment treats, made anew at each call and always the same."""
    return {"scores": scores, "masks": masks, "network": network}[treats(of(name))]()


def tensors(value: Any) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = value.state_dict() if isinstance(value, nn.Module) else value
    return {name: tensor.clone() for name, tensor in found.items()}


@every_treatment
def test_it_says_what_it_treats_and_stands_under_its_files_name(name: str) -> None:
    setting = setting_of(f"treatment={name}")
    assert list(setting.treatments) == [name]
    assert treats(of(name)) in ("scores", "masks", "network")
    assert setting.described[False][1][name] not in (None, False)
    assert name not in setting.described[True][1]


@every_treatment
def test_it_gives_what_it_was_given_in_names_shapes_and_kind(name: str) -> None:
    before, after = tensors(given(name)), tensors(treated(name, given(name)))
    assert {key: tensor.shape for key, tensor in after.items()} == {key: tensor.shape for key, tensor in before.items()}
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    if treats(of(name)) == "masks":
        assert all(tensor.dtype == torch.bool for tensor in after.values())
        kept = [sum(int(mask.sum()) for mask in some.values()) for some in (before, after)]
        assert kept[0] == kept[1]
    assert any(not torch.equal(tensor, before[key]) for key, tensor in after.items())


@every_treatment
def test_what_it_was_given_is_left_as_it_is(name: str) -> None:
    value = given(name)
    before = tensors(value)
    treated(name, value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in tensors(value).items())


@every_treatment
def test_one_seed_gives_one_result(name: str) -> None:
    one, again = (tensors(treated(name, given(name), seed=5)) for _ in range(2))
    assert all(torch.equal(tensor, again[key]) for key, tensor in one.items())


@every_treatment
def test_prune_takes_it_as_the_command_line_does(name: str) -> None:
    model = network()
    before = copy.deepcopy(model.state_dict())
    if treats(of(name)) == "network":
        with pytest.raises(
            UserError, match=f"^treatment={name} changes the network that is trained, and prune makes masks"
        ):
            prune(model, DENSITY, masker="greedy", overrides=(f"treatment={name}",))
        return
    got = prune(model, DENSITY, masker="greedy", overrides=(f"treatment={name}",))
    assert {key: mask.shape for key, mask in got.items()} == {
        key: mask.shape for key, mask in everything(prunable(model)).items()
    }
    assert sum(int(mask.sum()) for mask in got.values()) == sum(int(mask.sum()) for mask in masks().values())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert not all(torch.equal(mask, masks()[key]) for key, mask in got.items())
