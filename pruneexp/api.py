"""What people call from Python, besides what other modules have: masks for any network."""

import torch
from torch import nn

from pruneexp.components.values import shown
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.masks import Masks
from pruneexp.pruning import Method, pruned
from pruneexp.sweep import setting_of


def prune(
    model: nn.Module,
    density: float,
    scorer: str = "magnitude",
    masker: str = "sparsify",
    seed: int = 0,
    example_input: torch.Tensor | None = None,
    data: tuple[torch.Tensor, torch.Tensor] | None = None,
    overrides: tuple[str, ...] = (),
) -> Masks:
    """Masks for any network of Linear and Conv2d layers; the model is left as it is (see `apply_masks`).

    Args:
        model: the network to prune.
        density: kept / prunable weights, in (0, 1].
        scorer: a name in conf/scorer.
        masker: a name in conf/masker.
        seed: of the scorer's and masker's random streams.
        example_input: one batch-shaped tensor [n, ...], for scorers and maskers that only need the input's shape.
        data: (images, labels), normalised as the network wants them, for scorers that need samples.
        overrides: more of what the command line takes, such as ``("masker.scope=global", "rounds=3", "treatment=shuffle",
            "hydra.searchpath=[file:///my/conf]")``.

    Returns:
        {weight name: bool tensor on the CPU}, round(density * N) of all N prunable weights True.

    Raises:
        UserError: unknown name, density not allowed, data missing.

    >>> model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    >>> masks = prune(model, density=0.1)
    >>> sum(int(mask.sum()) for mask in masks.values())
    75
    """
    if not isinstance(density, (int, float)) or not 0 < density <= 1:
        raise UserError(f"density must be above 0 and at most 1, got {density!r}: it is the share of weights kept.")
    for name, value in (("scorer", scorer), ("masker", masker)):
        if not isinstance(value, str):
            raise UserError(f"{name} must be the name of a file in conf/{name}, got {shown(value)}.")
    images, labels = data if data is not None else (None, None)
    sample = images if images is not None else example_input
    batches = Batches(images, labels, None if sample is None else tuple(sample.shape[1:]))
    method = Method.of(setting_of(f"scorer={scorer}", f"masker={masker}", *overrides), seed)
    return pruned(method, model, density, seed, batches).masks
