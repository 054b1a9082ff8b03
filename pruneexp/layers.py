"""What an allocation and a masker see of a network, and the counts that they have to meet."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pruneexp.errors import UserError
from pruneexp.network.coupling import Coupled
from pruneexp.network.wiring import Wiring

TOLERANCE = 0.1  # of the density asked for, where a construction gives another
Notes = dict[str, float]  # what a masker has to report beside its masks, by name; ends up in the record


@dataclass(frozen=True)
class Layer:
    """One prunable weight.

    Attributes:
        name: of the parameter, as in ``model.named_parameters()``.
        score: importance of each weight, [out, in] or [C_out, C_in, K_h, K_w], also where torch stores
            another order, finite.
        available: bool, same shape: False where an earlier round pruned; such a weight never comes back.
    """

    name: str
    score: torch.Tensor
    available: torch.Tensor

    @property
    def size(self) -> int:
        return self.score.numel()


class Layers(list[Layer]):
    """The layers of one network, for maskers that look at how they join.

    Args:
        layers: in the network's order.
        wiring: finds out how they join; called only when a masker asks.
        coupled: finds out which channels can only be removed together, where that can be known; called as `wiring`.
        others: the scores of the network's weights that are not to be pruned, by name.
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        wiring: Callable[[], Wiring],
        coupled: Callable[[], list[Coupled]] | None = None,
        others: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(layers)
        self.wiring, self.coupled, self.others = wiring, coupled, dict(others or {})


def joined(layers: Sequence[Layer]) -> Wiring:
    """How the layers join.

    Raises:
        UserError: they are not the layers of a network, or the channel graph cannot join them.
    """
    if not isinstance(layers, Layers):
        raise UserError("this masker looks at the whole network: it needs Layers, which know how they join.")
    return layers.wiring()


def capacities(layers: Sequence[Layer]) -> np.ndarray:
    """How many weights of each layer earlier rounds left available, int64 [layers]."""
    return np.array([int(layer.available.sum()) for layer in layers], dtype=np.int64)


def kept_count(layers: Sequence[Layer], density: float) -> int:
    """round(density * N), the number of weights to keep of all N prunable ones.

    Raises:
        UserError: density outside (0, 1], or too small for one weight in each layer, or more than is available.
    """
    total = sum(layer.size for layer in layers)
    if not 0 < density <= 1:
        raise UserError(f"density must be above 0 and at most 1, got {density}: it is the share of weights kept.")
    count = round(density * total)
    if count < len(layers):
        raise UserError(
            f"density {density} keeps {count} of {total} weights, fewer than one for each of the {len(layers)} layers:"
            f" use at least {rounded_up(len(layers) / total):g}."
        )
    available = int(capacities(layers).sum())
    if count > available:
        raise UserError(f"density {density} keeps {count} weights, but only {available} are not pruned already.")
    return count


def granted(
    masks: dict[str, torch.Tensor], count: int, density: float, masker: str, by: str, also: str = ""
) -> dict[str, torch.Tensor]:
    """The masks of a construction that gives its density itself, where that is within a tenth of the one asked for.

    Args:
        masks: by weight name.
        count: of weights, asked for.
        density: asked for; of 1, which prunes nothing, no construction is held to it.
        masker, by, also: of the refusal: the masker's name, what gives the density, and what to do besides.

    Raises:
        UserError: the density is another.
    """
    kept, total = sum(int(mask.sum()) for mask in masks.values()), sum(mask.numel() for mask in masks.values())
    if density < 1 and abs(kept - count) > TOLERANCE * count:
        raise UserError(
            f"{masker}'s density is given by its {by}, {kept / total:.4g} of this network, and {density} was asked for:"
            f" use densities=[{kept / total:.4g}]{also}."
        )
    return masks


def rounded_up(density: float) -> float:
    """The next number of two digits, for advice that holds: of 0.0104 it is 0.011, which rounding would make 0.01."""
    unit = 10.0 ** (math.floor(math.log10(density)) - 1)
    return math.ceil(density / unit - 1e-9) * unit


def apportion(shares: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Whole numbers next to `shares` [layers] with the same sum, by largest remainder; ties go to the first layer.

    The shares sum to an integer up to rounding, and none exceeds its capacity.
    """
    floor = np.minimum(np.floor(shares + 1e-9).astype(np.int64), capacity)
    missing = round(float(shares.sum())) - int(floor.sum())
    remainder = np.where(floor < capacity, shares - floor, -np.inf)
    floor[np.argsort(-remainder, kind="stable")[:missing]] += 1
    return floor


def split(flat: np.ndarray, layers: Sequence[Layer]) -> dict[str, torch.Tensor]:
    """Cut one flat bool array over all layers' weights into masks by name."""
    ends = np.cumsum([layer.size for layer in layers])[:-1]
    parts = np.split(flat, ends)
    return {
        layer.name: torch.from_numpy(part.reshape(layer.score.shape).copy())
        for layer, part in zip(layers, parts, strict=True)
    }


def ranking(layers: Sequence[Layer]) -> list[np.ndarray]:
    """Each layer's scores in float64 in one row, -inf where an earlier round pruned."""
    return [
        np.where(layer.available.cpu().numpy(), layer.score.cpu().double().numpy(), -np.inf).ravel() for layer in layers
    ]


def highest(scores: np.ndarray, count: int) -> np.ndarray:
    """Bool [n]: the `count` largest of `scores` [n], of equals the ones with the lowest index."""
    if count == 0:
        return np.zeros(len(scores), dtype=bool)
    threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
    chosen = scores > threshold
    tied = np.flatnonzero(scores == threshold)[: count - np.count_nonzero(chosen)]
    chosen[tied] = True
    return chosen
