"""What every measurement in conf/measurement promises; a new one is held to it as soon as its file exists."""

import json
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.api import prune
from pruneexp.measuring.asked import is_measured, measured
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.reports.frame import flat
from pruneexp.seeding import stream
from pruneexp.sweep import setting_of
from pruneexp.system.shipped import conf_dir
from pruneexp.training.device import Device

NAMES = sorted(path.stem for path in (conf_dir() / "measurement").glob("*.yaml"))
every_measurement = pytest.mark.parametrize("name", NAMES)
SHAPE = (1, 8, 8)


def network() -> nn.Module:
    model = vgg_small(10, SHAPE)
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    return model


def fields_of(name: str, model: nn.Module, masks: Masks) -> dict[str, Any]:
    return measured(
        setting_of(f"measurement={name}").measurements, network=model, masks=masks, trainee=model,
        input_shape=SHAPE, device=Device("cpu"),
    )  # fmt: skip


@every_measurement
@pytest.mark.parametrize("density", [0.2, 1.0])
def test_its_fields_are_plain_json_and_tell_that_it_was_made(name: str, density: float) -> None:
    model = network()
    fields = fields_of(name, model, prune(model, density) if density < 1 else {})
    measurements = setting_of(f"measurement={name}").measurements
    assert is_measured(fields, measurements)
    assert not is_measured({}, measurements)
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields
    shown = fields["measurements"]
    assert shown
    for field in shown:
        assert all(isinstance(value, (int, float)) for value in flat(field, fields[field]).values())


@every_measurement
def test_network_and_masks_are_left_as_they_are(name: str) -> None:
    model = network()
    masks = prune(model, 0.2)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    kept, training = {key: mask.clone() for key, mask in masks.items()}, model.training
    fields_of(name, model, masks)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(torch.equal(mask, kept[key]) for key, mask in masks.items())
    assert model.training is training
