"""A network's prunable weights."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from pruneexp.errors import UserError

PRUNABLE = (nn.Linear, nn.Conv2d)


def prunable_layers(model: nn.Module) -> dict[str, nn.Linear | nn.Conv2d]:
    """The Linear and Conv2d modules by the names of their weights, in the model's order."""
    return {
        f"{name}.weight" if name else "weight": module
        for name, module in model.named_modules()
        if isinstance(module, PRUNABLE)
    }


def prunable(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of Linear and Conv2d layers by parameter name, in the model's order; never biases or normalisation.

    Raises:
        UserError: the model has none.
    """
    weights: dict[str, torch.Tensor] = {name: module.weight for name, module in prunable_layers(model).items()}
    if not weights:
        raise UserError("this model has no prunable layer: pruneexp prunes the weights of Linear and Conv2d modules.")
    return weights


def freeze_biases(model: nn.Module) -> None:
    """Keep the biases of Linear and Conv2d layers out of training; those of normalisation are trained."""
    for layer in prunable_layers(model).values():
        if layer.bias is not None:
            layer.bias.requires_grad_(False)


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Whatever happens inside, afterwards every module is in training or eval mode as before."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def classifier(model: nn.Module) -> str:
    """The name of the last Linear module, in the model's order: the layer whose outputs are the classes.

    Raises:
        UserError: there is none.
    """
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise UserError("this model has no Linear layer whose outputs could be the classes.")
    return names[-1]
