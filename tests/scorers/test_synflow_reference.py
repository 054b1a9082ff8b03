"""SynFlow's hundred rounds, weight for weight, against a plain writing-down of what its authors do."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import VGG
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.seeding import stream
from pruneexp.sweep import setting_of


def by_hand(model: nn.Module, shape: tuple[int, ...], density: float, rounds: int = 100) -> Masks:
    """Tanaka et al. 2020, Algorithm 1, in float64: of n weights the int((1 - density^(k/rounds)) n) of lowest |w dR/dw| go by the end of
    round k, R the sum of the outputs for an input of ones, every parameter replaced by its absolute value; in the last round so
    many that round(density * n) are left. A weight that ties with the last one to go goes too."""
    network = copy.deepcopy(model).double().eval()
    weights = [layer.weight for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    total = sum(weight.numel() for weight in weights)
    for parameter in network.parameters():
        parameter.data = parameter.data.abs()
    for k in range(1, rounds + 1):
        flow = network(torch.ones(1, *shape, dtype=torch.float64)).sum()
        slopes = torch.autograd.grad(flow, weights)
        flows = [weight.detach() * slope for weight, slope in zip(weights, slopes, strict=True)]  # of a pruned weight 0
        gone = int((1 - density ** (k / rounds)) * total) if k < rounds else total - round(density * total)
        highest = torch.cat([flow.ravel() for flow in flows]).kthvalue(gone).values if gone else -1.0
        for weight, flow in zip(weights, flows, strict=True):
            weight.data[flow <= highest] = 0
    names = {id(weight): name for name, weight in network.named_parameters()}
    return {names[id(weight)]: weight.detach() != 0 for weight in weights}


def by_preset(model: nn.Module, shape: tuple[int, ...], density: float, *overrides: str) -> Masks:
    """What ``scorer=synflow masker=greedy_global`` makes of the network."""
    method = Method.of(setting_of("scorer=synflow", "masker=greedy_global", *overrides), 0)
    return pruned(method, model, density, 0, Batches(input_shape=shape)).masks


def differing(masks: Masks, others: Masks) -> int:
    """The number of weights that one keeps and the other does not."""
    assert masks.keys() == others.keys()
    return sum(int((mask != others[name]).sum()) for name, mask in masks.items())


@pytest.mark.parametrize(
    ("network", "density"),
    [
        (lambda: VGG([8, "M", 12, "M", 16], 10, 3), 0.1),
        (lambda: VGG([8, "M", 12, "M", 16], 10, 3), 0.02),
        (lambda: resnet_cifar(10, (3, 8, 8), 20), 0.02),
    ],
)
def test_the_masks_are_those_of_the_authors_rule(network: Callable[[], nn.Module], density: float) -> None:
    model, shape = network(), (3, 8, 8)
    initialise(model, "kaiming_normal", stream(1, "initialisation"))
    want = by_hand(model, shape, density)
    assert sum(int(mask.sum()) for mask in want.values()) == round(
        density * sum(mask.numel() for mask in want.values())
    )
    assert differing(by_preset(model, shape, density), want) == 0
