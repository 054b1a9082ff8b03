"""The plain ways that the benchmark measures GraSP and ProsPr against give the same scores to rounding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.models.resnet import ResNet
from pruneexp.models.vgg import VGG
from pruneexp.network.initialise import initialise
from pruneexp.seeding import stream
from pruneexp.sweep import named
from scripts.bench_scorers import FEWER, PLAIN

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet": lambda: ResNet([2, 1, 1], [4, 6, 8], 10),
    "vgg": lambda: VGG([6, "M", 8, "M", 10], 10),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 20), nn.GELU(), nn.LayerNorm(20), nn.Linear(20, 10)),
}
SHAPES = {"resnet": (3, 5, 4), "vgg": (3, 9, 8), "linear": (3, 8, 8)}


@pytest.mark.parametrize("network", list(NETWORKS))
@pytest.mark.parametrize(("scorer", "options"), [*((name, {}) for name in PLAIN), *FEWER.items()])
def test_scores_are_those_of_pytorchs_own_hessian_vector_product(
    network: str, scorer: str, options: dict[str, Any]
) -> None:
    model = NETWORKS[network]()
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    images = torch.randn(512, *SHAPES[network], generator=stream(0, "images"))
    batches = Batches(images, torch.arange(512) % 10, SHAPES[network])
    got = named("scorer", scorer).make(**options)(model, batches, torch.Generator())
    want = PLAIN[scorer](model, batches, torch.Generator(), **options)
    assert list(got) == list(want)
    for name, value in want.items():
        largest = float(value.abs().max())
        torch.testing.assert_close(got[name], value, rtol=1e-9, atol=1e-10 * largest, msg=name)
        assert largest > 0
