"""Small networks of every kind of layer and block that a graph is made of, and random masks."""

from collections.abc import Callable

import torch
from torch import nn

from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from tests.topology.brute_force import Mean, PreActivation, Residual

C = nn.Conv2d
Shape = tuple[int, ...]


def chain(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def same(channels: int, out: int | None = None, stride: int = 1) -> nn.Conv2d:
    return C(channels, out or channels, 3, padding=1, stride=stride)


def block(channels: int) -> nn.Module:
    return chain(same(channels), nn.BatchNorm2d(channels), nn.ReLU(), same(channels), nn.BatchNorm2d(channels))


def shared() -> nn.Module:
    layer = same(2)
    return chain(same(1, 2), layer, nn.ReLU(), layer, nn.Flatten(), nn.Linear(32, 2))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "mlp": (lambda: chain(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, 4)), (6,)),
    "strided": (
        lambda: chain(same(1, 2), nn.BatchNorm2d(2), nn.ReLU(), same(2, 3, 2), nn.Flatten(), nn.Linear(27, 3)),
        (1, 5, 5),
    ),
    "unpadded": (lambda: chain(C(2, 2, 3), nn.ReLU(), C(2, 3, 1), nn.Flatten(), nn.Linear(18, 3)), (2, 5, 4)),
    "stride 2 without padding": (
        lambda: chain(C(1, 3, 3, stride=2), C(3, 2, 1, stride=2), nn.Flatten(), nn.Linear(2, 3)),
        (1, 6, 6),
    ),
    "max pool": (
        lambda: chain(same(1, 2), nn.MaxPool2d(2), same(2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3, 2)),
        (1, 6, 6),
    ),
    "average pools": (
        lambda: chain(
            same(2, 2), nn.AvgPool2d((2, 1)), same(2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
        ),
        (2, 4, 4),
    ),
    "adaptive pool": (
        lambda: chain(same(1, 3), nn.AdaptiveMaxPool2d((2, 3)), C(3, 2, 2), nn.Flatten(), nn.Linear(4, 2)),
        (1, 4, 6),
    ),
    "dilated": (
        lambda: chain(C(1, 2, 3, padding=2, dilation=2), C(2, 2, 2, dilation=(2, 1)), nn.Flatten(), nn.Linear(24, 2)),
        (1, 5, 5),
    ),
    "groups": (
        lambda: chain(C(4, 4, 3, padding=1, groups=2), C(4, 6, 1, groups=2), nn.Flatten(), nn.Linear(54, 2)),
        (4, 3, 3),
    ),
    "depthwise": (
        lambda: chain(same(1, 3), C(3, 6, 3, padding=1, groups=3, stride=2), C(6, 2, 1), Mean(), nn.Linear(2, 3)),
        (1, 5, 5),
    ),
    "residual": (lambda: chain(same(1, 2), nn.ReLU(), Residual(block(2)), Mean(), nn.Linear(2, 3)), (1, 4, 4)),
    "shortcut": (
        lambda: chain(
            same(1, 2),
            Residual(chain(same(2, 3, 2), nn.ReLU(), same(3)), chain(C(2, 3, 1, stride=2), nn.BatchNorm2d(3))),
            nn.ReLU(),
            Mean(),
            nn.Linear(3, 2),
        ),
        (1, 5, 5),
    ),
    "pre-activation": (
        lambda: chain(
            same(1, 2),
            PreActivation(2, chain(same(2, 3, 2), nn.ReLU(), same(3)), C(2, 3, 1, stride=2)),
            PreActivation(3, chain(same(3), nn.ReLU(), same(3))),
            Mean(),
            nn.Linear(3, 2),
        ),
        (1, 4, 4),
    ),
    "residual mlp": (
        lambda: chain(
            nn.Linear(5, 7),
            Residual(chain(nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 7))),
            Residual(chain(nn.Linear(7, 4), nn.Linear(4, 7)), nn.Linear(7, 7)),
            nn.Linear(7, 3),
        ),
        (5,),
    ),
    "pool with a remainder": (
        lambda: chain(same(1, 2), nn.MaxPool2d(2), nn.Dropout(), same(2, 2), Mean(), nn.Linear(2, 2)),
        (1, 5, 5),
    ),
    "pool rounded up": (
        lambda: chain(same(1, 2), nn.AvgPool2d(2, ceil_mode=True), same(2, 2), nn.Flatten(), nn.Linear(18, 2)),
        (1, 5, 5),
    ),
    "pool with gaps": (
        lambda: chain(nn.MaxPool2d(2, padding=1), same(2, 3), nn.MaxPool2d(1, stride=2), nn.Flatten(), nn.Linear(12, 2)),
        (2, 4, 4),
    ),
    "oblong kernels": (
        lambda: chain(
            C(1, 2, (3, 1), padding=(1, 0), stride=(2, 1)), C(2, 3, (1, 3), padding=(0, 1)), nn.Flatten(), nn.Linear(36, 2)
        ),
        (1, 5, 4),
    ),
    "nested residuals from the input": (
        lambda: chain(Residual(chain(same(2), Residual(block(2)), nn.ReLU(), same(2))), nn.Flatten(), nn.Linear(18, 2)),
        (2, 3, 3),
    ),
    "pooled skip": (
        lambda: chain(
            same(1, 2), Residual(chain(same(2, 2, 2), nn.ReLU(), same(2)), nn.AvgPool2d(2)), Mean(), nn.Linear(2, 2)
        ),
        (1, 4, 4),
    ),
    "pool and convolution as shortcut": (
        lambda: chain(
            same(1, 2),
            Residual(chain(same(2, 3, 2), nn.GELU(), same(3)), chain(nn.AvgPool2d(2), C(2, 3, 1))),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(3, 2),
        ),
        (1, 4, 4),
    ),
    "map as output": (
        lambda: chain(same(1, 2), nn.ReLU(), Residual(chain(same(2), nn.ReLU(), same(2, 3)), C(2, 3, 1))),
        (1, 4, 4),
    ),
    "layer used twice": (shared, (1, 4, 4)),
}  # fmt: skip

# windows that overlap, or a skip beside a single layer: several edges between the same two nodes
PARALLEL: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "overlapping max pool": (
        lambda: chain(same(1, 2), nn.MaxPool2d(3, stride=2, padding=1), same(2), Mean(), nn.Linear(2, 2)),
        (1, 5, 5),
    ),
    "adaptive pool that enlarges": (
        lambda: chain(same(1, 2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(18, 3)),
        (1, 2, 2),
    ),
    "mean of overlapping windows": (
        lambda: chain(same(1, 2), nn.MaxPool2d(3, stride=1, padding=1), Mean(), nn.Linear(2, 2)),
        (1, 4, 4),
    ),
    "skip beside one layer": (lambda: chain(nn.Linear(4, 5), Residual(nn.Linear(5, 5)), nn.Linear(5, 2)), (4,)),
}


def build(name: str, seed: int) -> tuple[nn.Module, Shape]:
    maker, shape = {**NETWORKS, **PARALLEL}[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return maker().eval(), shape


def random_masks(model: nn.Module, density: float, seed: int) -> Masks:
    """Each weight kept with probability `density`, one of them in any case."""
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.rand(weight.shape, generator=generator) < density for name, weight in prunable(model).items()}
    next(iter(masks.values())).view(-1)[0] = True
    return masks
