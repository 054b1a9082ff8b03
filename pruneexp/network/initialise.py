"""Initial weights from a random stream of their own."""

import torch
from torch import nn

from pruneexp.errors import UserError


@torch.no_grad()
def initialise(model: nn.Module, scheme: str, generator: torch.Generator, batchnorm: str = "ones") -> None:
    """Fill a freshly built model's parameters, in the order of its modules.

    Linear and Conv2d weights: ``kaiming_normal`` N(0, 2 / fan_in) or ``kaiming_uniform`` U(-b, b), b = sqrt(6 / fan_in)
    (He et al. 2015); biases 0. BatchNorm bias 0, weights by `batchnorm`: ``ones``, or ``uniform``, U(0, 1), as OpenLTH has them
    (Frankle et al. 2021); they are drawn after all others, which are the same either way.

    Raises:
        UserError: unknown scheme, or unknown `batchnorm`.
    """
    fillers = {"kaiming_normal": nn.init.kaiming_normal_, "kaiming_uniform": nn.init.kaiming_uniform_}
    if scheme not in fillers:
        raise UserError(f"initialisation must be one of {', '.join(fillers)}, got {scheme!r}.")
    if batchnorm not in ("ones", "uniform"):
        raise UserError(f"batchnorm_init must be ones or uniform, got {batchnorm!r}.")
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            fillers[scheme](module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for norm in norms:
        norm.reset_parameters()
        if batchnorm == "uniform" and norm.affine:
            nn.init.uniform_(norm.weight, generator=generator)
