"""PHEW: paths with higher edge weights, by random walks from inputs and outputs."""

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import LARGEST, Words
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import as_stored, outputs_first, prunable, prunable_layers
from pruneexp.network.wiring import wiring_of

WALKS = 4096  # walks advanced together, half from each end


@component("scorer", version=2)
def phew(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    share: Annotated[float, Field(gt=0, le=1), Words("above 0 and at most 1")] = 0.4,
    most: Annotated[int, Field(ge=2, le=LARGEST)] = 2_000_000,
    shortcut: Literal["half", "every"] = "half",
) -> dict[str, torch.Tensor]:
    """A score that falls with the number of the first walk that takes a weight; weights never taken follow by |w|, below all others.

    A walk starts at an input or an output unit, in turns (round robin), and at each unit takes one of its weights towards the other end
    with probability |w| / sum |w|; channels are units, so that a kernel is taken with its sum's probability and one of its weights
    within it (Patil & Dovrolis 2021, "PHEW: Constructing sparse networks that learn fast and generalize well without training
    data", section 4). Keeping the highest scores of the whole network keeps the union of the first walks, every one of them a path from
    an input to an output. Shortcut convolutions are walked; identity skips are not, in the authors' code neither: a walk goes through
    the block's own layers. The walks are independent, hence drawn thousands at a time.

    Args:
        model: a network that the channel graph has a meaning for; left as it is.
        batches: not used.
        generator: the random stream of the walks.
        share: of the weights to be walked before the walks end; densities above it are filled by |w|.
        most: walks after which they end all the same.
        shortcut: how a walk chooses where several layers lead on, as at a block with a shortcut convolution: ``half``, each layer is
            equally likely and a weight within it has its share, as in the authors' code (the paper does not say; there a walk from
            the input turns off one layer early, so that it is no path: here it is one); ``every`` weight has its share of them all.

    Raises:
        UserError: the channel graph has no meaning for the network.
    """
    wiring, layers = wiring_of(model, batches.input_shape), prunable_layers(model)
    weights = {
        name: outputs_first(layers[name], weight.detach()).abs().double().cpu()
        for name, weight in prunable(model).items()
        if name not in wiring.unused
    }
    source, target = [], []
    for name, weight in weights.items():
        kernel = weight[0, 0].numel()
        into = wiring.sources[name].expand(weight.shape[:2]).reshape(-1)
        source.append(into.repeat_interleave(kernel).numpy())
        target.append(wiring.targets[name].repeat_interleave(weight[0].numel()).numpy())
    size = np.concatenate([weight.ravel().numpy() for weight in weights.values()])
    layer = np.repeat(np.arange(len(weights)), [weight.numel() for weight in weights.values()])
    ends = np.concatenate(source), np.concatenate(target)
    first = np.full(len(size), np.iinfo(np.int64).max)  # number of the walk that takes a weight first
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    walkers = [
        _Walker(start, end, _shares(start, layer, size) if shortcut == "half" else size)
        for start, end in (ends, ends[::-1])
    ]
    walks, taken, goal = 0, 0, share * np.count_nonzero(size)
    while walks < most and taken < goal:
        for direction, walker in enumerate(walkers):
            start = walks // 2 + np.arange(WALKS // 2)
            who, edge = walker.walk(walker.starts[start % len(walker.starts)], rng)
            np.minimum.at(first, edge, 2 * (walks // 2 + who) + direction)
        walks += WALKS
        taken = int(np.count_nonzero(first < np.iinfo(np.int64).max))
    walked = first < np.iinfo(np.int64).max
    scores = np.where(walked, 2 - np.where(walked, first, 0) / (walks + 1), size / (size.max() or 1) * 0.999)
    parts = np.split(scores, np.cumsum([weight.numel() for weight in weights.values()])[:-1])
    walked_ = {
        name: torch.from_numpy(part.reshape(weights[name].shape)) for name, part in zip(weights, parts, strict=True)
    }
    return {
        name: as_stored(layers[name], walked_[name]).to(weight.device) if name in walked_ else torch.zeros_like(weight)
        for name, weight in prunable(model).items()
    }


def _shares(unit: np.ndarray, layer: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Each weight's share of its layer's weights at its unit [edges], so that the layers there weigh the same, 1."""
    group = unit * (layer.max() + 1) + layer
    total = np.bincount(group, weights=size)[group]
    return np.divide(size, total, out=np.zeros_like(size), where=total > 0)


class _Walker:
    """Random walks in one direction over weighted edges."""

    def __init__(self, source: np.ndarray, target: np.ndarray, weight: np.ndarray) -> None:
        self.order = np.argsort(source, kind="stable")
        self.target = target
        self.total = np.concatenate([[0.0], np.cumsum(weight[self.order])])
        units = np.arange(max(source.max(), target.max()) + 2)
        self.begin = self.total[np.searchsorted(source[self.order], units)]  # running sum before each unit's first edge
        self.starts, self.ends = np.setdiff1d(source, target), np.setdiff1d(target, source)

    def walk(self, units: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The walks from `units` that reach the other end, not one of the dead ends that zero weights make: (walk, edge) pairs."""
        who, steps = np.arange(len(units)), []
        arrived = np.zeros(len(units), dtype=bool)
        while True:
            arrived[who[np.isin(units, self.ends)]] = True
            low, high = self.begin[units], self.begin[units + 1]
            going = high > low
            who, low, high = who[going], low[going], high[going]
            if not len(who):
                break
            at = low + rng.random(len(who)) * (high - low)
            # the first edge whose running sum exceeds the draw: never one of weight zero
            found = np.searchsorted(self.total, np.minimum(at, np.nextafter(high, low)), side="right") - 1
            edge = self.order[found]
            steps.append((who, edge))
            units = self.target[edge]
        walks, edges = (np.concatenate([step[k] for step in steps] or [np.empty(0, np.int64)]) for k in (0, 1))
        return walks[arrived[walks]], edges[arrived[walks]]
