"""The plain ways that the benchmark measures GraSP and ProsPr against give the same scores to rounding."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.seeding import stream
from pruneexp.sweep import named
from scripts.bench_scorers import PLAIN

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet20": lambda: resnet_cifar(10, (3, 5, 4), 20),
    "vgg_small": lambda: vgg_small(10, (3, 9, 8)),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 20), nn.GELU(), nn.LayerNorm(20), nn.Linear(20, 10)),
}
SHAPES = {"resnet20": (3, 5, 4), "vgg_small": (3, 9, 8), "linear": (3, 8, 8)}


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize("scorer", list(PLAIN))
def test_scores_are_those_of_pytorchs_own_hessian_vector_product(network: str, scorer: str) -> None:
    model = NETWORKS[network]()
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    images = torch.randn(512, *SHAPES[network], generator=stream(0, "images"))
    batches = Batches(images, torch.arange(512) % 10, SHAPES[network])
    got = named("scorer", scorer).make()(model, batches, torch.Generator())
    want = PLAIN[scorer](model, batches, torch.Generator())
    assert list(got) == list(want)
    for name, value in want.items():
        largest = float(value.abs().max())
        torch.testing.assert_close(got[name], value, rtol=1e-9, atol=1e-10 * largest, msg=name)
        assert largest > 0
