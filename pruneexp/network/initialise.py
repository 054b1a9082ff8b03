"""Initial weights from a random stream of their own."""

import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.prunable import as_stored, biases, outputs_first, places_in


@torch.no_grad()
def initialise(model: nn.Module, scheme: str, generator: torch.Generator, batchnorm: str = "ones") -> None:
    """Fill a freshly built model's parameters, in the order of its modules.

    Prunable weights: ``kaiming_normal`` N(0, 2 / fan_in) or ``kaiming_uniform`` U(-b, b), b = sqrt(6 / fan_in), where fan_in is the number
    of weights that lead into one output (He et al. 2015); biases 0. BatchNorm bias 0, weights by `batchnorm`: ``ones``, or
    ``uniform``, U(0, 1), as OpenLTH has them (Frankle et al. 2021); they are drawn after all others, which are the same either way.
    Other parameters, such as embeddings, stay as they are.

    Args:
        model: a plain network, changed in place.
        scheme: of the prunable weights.
        generator: on the CPU.
        batchnorm: of BatchNorm's weights.

    Raises:
        UserError: unknown scheme, or unknown `batchnorm`.
    """
    fillers = {"kaiming_normal": nn.init.kaiming_normal_, "kaiming_uniform": nn.init.kaiming_uniform_}
    if scheme not in fillers:
        raise UserError(f"initialisation must be one of {', '.join(fillers)}, got {scheme!r}.")
    if batchnorm not in ("ones", "uniform"):
        raise UserError(f"batchnorm_init must be ones or uniform, got {batchnorm!r}.")
    for module in model.modules():
        for place in places_in(module):
            weight = outputs_first(module, place.weight)
            fillers[scheme](weight, nonlinearity="relu", generator=generator)
            place.weight.copy_(as_stored(module, weight))
    for bias in biases(model):
        nn.init.zeros_(bias)
    for norm in (module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)):
        norm.reset_parameters()
        if batchnorm == "uniform" and norm.affine:
            nn.init.uniform_(norm.weight, generator=generator)
