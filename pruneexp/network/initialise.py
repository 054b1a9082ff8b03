"""Initial weights from a random stream of their own."""

import torch
from torch import nn

from pruneexp.errors import UserError


@torch.no_grad()
def initialise(model: nn.Module, scheme: str, generator: torch.Generator) -> None:
    """Fill a freshly built model's parameters, in the order of its modules.

    Linear and Conv2d weights: ``kaiming_normal`` N(0, 2 / fan_in) or ``kaiming_uniform`` U(-b, b), b = sqrt(6 / fan_in)
    (He et al. 2015); biases 0; BatchNorm weight 1, bias 0.

    Raises:
        UserError: unknown scheme.
    """
    fillers = {"kaiming_normal": nn.init.kaiming_normal_, "kaiming_uniform": nn.init.kaiming_uniform_}
    if scheme not in fillers:
        raise UserError(f"initialisation must be one of {', '.join(fillers)}, got {scheme!r}.")
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            fillers[scheme](module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.reset_parameters()
