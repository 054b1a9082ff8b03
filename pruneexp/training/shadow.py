"""The weights of a network in bfloat16, kept beside those of float32 that are trained."""

import torch
from torch import nn
from torch.func import functional_call

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


class Shadow:
    """A network whose convolutions and linear layers compute with bfloat16 copies of their weights and biases.

    Autocast casts each of them in every forward pass, and its gradient in every backward pass, one launch each: 44 of a ResNet-20's
    375. The copies take the place of the first; all are made by one foreach operation after a step, and their gradients cast by
    another. The numbers are the same, but where a weight is used twice in a forward pass: its gradients are added in bfloat16.

    Args:
        network: [b, C, H, W] -> [b, classes], in float32; called under autocast.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        own = _casts(network)
        self.weights: list[torch.Tensor] = list(own.values())
        self.copies = {name: torch.empty_like(weight, dtype=torch.bfloat16) for name, weight in own.items()}
        # made once: what is recorded must stay in place
        self.gradients = [torch.empty_like(weight) for weight in self.weights]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        for weight, copy in zip(self.weights, self.copies.values(), strict=True):
            copy.requires_grad_(weight.requires_grad)
            copy.grad = None
        logits: torch.Tensor = functional_call(self.network, self.copies, (images,))
        return logits

    @torch.no_grad()
    def hand_over_gradients(self) -> None:
        """Give the float32 weights the gradients of their copies; one that no loss reaches has none."""
        into, gradients = [], []
        for weight, copy, room in zip(self.weights, self.copies.values(), self.gradients, strict=True):
            if copy.grad is not None:
                weight.grad = room
                into.append(room)
                gradients.append(copy.grad)
        if into:
            torch._foreach_copy_(into, gradients)

    @torch.no_grad()
    def follow(self) -> None:
        """Make the copies those of the weights as they are."""
        if self.weights:
            torch._foreach_copy_(list(self.copies.values()), self.weights)


def _casts(network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that autocast casts and nothing else looks at, each once, by the first of its names."""
    found: dict[nn.Parameter, str] = {}
    others: set[nn.Parameter] = set()
    for prefix, module in network.named_modules():
        for name, weight in module._parameters.items():
            # of these very classes, and not what a parametrisation computes a weight of: that is done in float32
            if (
                weight is not None
                and type(module) in KINDS
                and name in ("weight", "bias")
                and weight.dtype == torch.float32
            ):
                found.setdefault(weight, f"{prefix}.{name}" if prefix else name)
            elif weight is not None:
                others.add(weight)
    return {name: weight for weight, name in found.items() if weight not in others}
