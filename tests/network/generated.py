"""Small random networks as people build and bring them: a hypothesis strategy."""

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

from tests.network.brought import compiled

CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d}
TRANSPOSED: dict[int, Any] = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
NORMS: dict[int, Any] = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
PARTS = ("layer", "residual", "concatenation", "gate", "twice", "tied", "attention", "unused")
COMPUTED = ("weight_norm", "spectral_norm", "torch_prune")
DTYPES = (torch.float32, torch.float64, torch.bfloat16)


@dataclass(frozen=True)
class Generated:
    """A network in eval or training mode.

    Attributes:
        model: wrapped, partly frozen, with computed weights, as it was drawn.
        shape: of one input; the outputs are three classes.
        computed: whether some weight is computed in a way on which torch.nn.utils.prune cannot build.
    """

    model: nn.Module
    shape: tuple[int, ...]
    computed: bool

    def images(self, count: int = 4) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        like = next(self.model.parameters())
        return torch.randn(count, *self.shape, generator=generator, dtype=torch.float64).to(like.dtype)


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.inner(x)
        return result


class Concatenation(nn.Module):
    """Two branches side by side, the second in reversed order of its channels."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.one(x), self.other(x).flip(1)], dim=1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.dimensions, self.down, self.up = dimensions, nn.Linear(width, 2), nn.Linear(2, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = x.flatten(2).mean(2) if self.dimensions else x
        gate = torch.sigmoid(self.up(functional.relu(self.down(squeezed))))
        return x * gate.reshape(*gate.shape, *[1] * self.dimensions)


class Attention(nn.Module):
    """Of positions to each other, [n, channels, positions]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return (tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]).transpose(1, 2).reshape(x.shape)


class Unused(nn.Module):
    """A layer that the output does not reach."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spare = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def layer(draw: st.DrawFn, width: int, to: int, dimensions: int) -> nn.Module:
    """A layer of some kind that keeps positions, with or without normalisation, and an activation."""
    groups = draw(st.sampled_from([n for n in (1, 2, width) if width % n == 0 and to % n == 0]))
    if dimensions == 0:
        made: nn.Module = nn.Linear(width, to, bias=draw(st.booleans()))
    elif draw(st.integers(0, 3)) == 0:
        made = TRANSPOSED[dimensions](width, to, 3, padding=1, groups=groups)
    else:
        made = CONVOLUTIONS[dimensions](width, to, 3, padding=1, groups=groups, bias=draw(st.booleans()))
    norm = NORMS[dimensions](to) if draw(st.booleans()) else nn.Identity()
    return nn.Sequential(made, norm, draw(st.sampled_from([nn.ReLU, nn.Tanh, nn.Hardswish]))())


def part(draw: st.DrawFn, width: int, dimensions: int, parts: tuple[str, ...]) -> tuple[nn.Module, int]:
    """One more part of a network, and how many channels it gives."""
    kind = draw(st.sampled_from(parts))
    to = draw(st.sampled_from((2, 4, 5)))
    if kind == "residual":
        return Residual(layer(draw, width, width, dimensions)), width
    if kind == "concatenation":
        return Concatenation(layer(draw, width, to, dimensions), layer(draw, width, 3, dimensions)), to + 3
    if kind == "gate":
        return Gate(width, dimensions), width
    if kind == "twice":
        same = layer(draw, width, width, dimensions)
        return nn.Sequential(same, same), width
    if kind == "tied":
        one, other = nn.Linear(width, width), nn.Linear(width, width)
        if dimensions:
            one, other = (CONVOLUTIONS[dimensions](width, width, 1) for _ in range(2))
        other.weight = one.weight
        return nn.Sequential(one, nn.ReLU(), other), width
    if kind == "attention" and dimensions and width % 2 == 0:
        return Attention(width), width
    if kind == "unused":
        return Unused(width), width
    return layer(draw, width, to, dimensions), to


def compute(draw: st.DrawFn, model: nn.Module, how: str) -> None:
    """Have a drawn layer's weight computed, where it is its own."""
    owned = [id(m._parameters.get("weight")) for m in model.modules()]
    alone = [
        m for m in model.modules()
        if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d)) and owned.count(id(m.weight)) == 1
        and type(m).__name__ != "NonDynamicallyQuantizableLinear"
    ]  # fmt: skip
    chosen = alone[draw(st.integers(0, len(alone) - 1))]
    if how == "torch_prune":
        torch_prune.l1_unstructured(chosen, "weight", 0.25)
    else:
        getattr(parametrizations, how)(chosen)


@st.composite
def networks(
    draw: st.DrawFn,
    parts: tuple[str, ...] = PARTS,
    computed: tuple[str, ...] = COMPUTED,
    dtypes: tuple[torch.dtype, ...] = DTYPES,
    wrapped: bool = True,
) -> Generated:
    """Networks of one to four of these parts and a linear layer, of vectors, sequences and images.

    Args:
        parts: of PARTS.
        computed: of COMPUTED, how weights may be computed.
        dtypes: of the parameters.
        wrapped: torch.compile or DataParallel around some of them.
    """
    torch.manual_seed(draw(st.integers(0, 99)))
    dimensions, width = draw(st.integers(0, 2)), 3
    shape = (3, 4, 5)[: dimensions + 1]
    stages: list[nn.Module] = [layer(draw, 3, 4, dimensions)]
    width = 4
    for _ in range(draw(st.integers(0, 3))):
        stage, width = part(draw, width, dimensions, parts)
        stages.append(stage)
    pooled = draw(st.booleans())
    pool = (nn.Identity(), nn.AdaptiveAvgPool1d(1), nn.AdaptiveAvgPool2d(1))[dimensions if pooled else 0]
    positions = 1 if pooled else torch.Size(shape[1:]).numel()
    model: nn.Module = nn.Sequential(*stages, pool, nn.Flatten(), nn.Linear(width * positions, 3))
    for parameter in [*model.parameters()][:-2]:  # the last layer is trained
        if draw(st.integers(0, 5)) == 0:
            parameter.requires_grad_(False)
    model.to(draw(st.sampled_from(dtypes)))
    how = draw(st.sampled_from((None, *computed)))
    if how is not None:
        compute(draw, model, how)
    model.train(draw(st.booleans()))
    wrapping = draw(st.sampled_from((None, None, compiled, nn.DataParallel))) if wrapped else None
    if wrapping is not None:
        model = wrapping(model)
    return Generated(model, shape, how in ("weight_norm", "spectral_norm"))
