"""The optimiser that a recipe names."""

from collections.abc import Iterable

import torch
from torch import nn

from pruneexp.recipe import Recipe


def make_optimiser(
    parameters: Iterable[nn.Parameter], recipe: Recipe, rate: float | torch.Tensor, recorded: bool = False
) -> torch.optim.Optimizer:
    """torch's SGD, Adam or AdamW, fused, with all that it keeps for each parameter.

    That is there from the start: the fused SGD takes no mixture of old and new momenta, which frozen epochs would make, and a checkpoint
    is compared with it. A parameter without a gradient is not moved, and Adam's count of its steps stands still.

    Args:
        parameters: all that a network has.
        recipe: optimiser, momentum and weight decay; Adam's betas and epsilon are torch's: 0.9, 0.999, 1e-8.
        rate: the learning rate, a tensor on the device where it is to change in place.
        recorded: the steps may be recorded as a CUDA graph.
    """
    parameters, decay = list(parameters), recipe.weight_decay
    made: torch.optim.Optimizer
    if recipe.optimiser == "sgd":
        made = torch.optim.SGD(parameters, rate, recipe.momentum, weight_decay=decay, fused=True)
        kept = ["momentum_buffer"] if recipe.momentum else []
    else:
        kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
        made = kind(parameters, rate, weight_decay=decay, fused=True, capturable=recorded)
        kept = ["exp_avg", "exp_avg_sq"]
        for parameter in parameters:
            made.state[parameter]["step"] = torch.zeros((), device=parameter.device)
    for parameter in parameters if kept else ():
        made.state[parameter] |= {name: torch.zeros_like(parameter) for name in kept}
    return made
