"""ProsPr: the sensitivity of the loss after a few training steps, by meta-gradients."""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from pruneexp.components.options import component
from pruneexp.components.values import Count, Positive
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable
from pruneexp.scorers.float64 import BatchNorm, in_float64


@component("scorer")
def prospr(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    steps: Count = 3,
    samples: Count = 128,
    lr: Positive = 0.5,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9,
    first_order: bool = False,
    batchnorm: BatchNorm = "train",
) -> dict[str, torch.Tensor]:
    """|dL(theta_M) / dc| at c = 1, where theta_0 = c * w and theta_1 ... theta_M are steps of SGD with momentum, float64.

    The loss L is that of the batch after the M that were trained on, and the derivative goes through all M steps (Alizadeh
    et al. 2022, "Prospect pruning: finding trainable weights at initialization using meta-gradients", eq. 4 and Algorithm 1). All
    parameters take the steps, the prunable weights have switches. The public implementation detaches the first momentum buffer from
    the derivative, which leaves out the first step's Hessian; here, as the paper defines it, nothing is detached.

    Args:
        model: any classifier; left as it is.
        batches: the images, `samples` to a batch, in their order.
        generator: not used, the samples are drawn once for the job.
        steps: M.
        samples: images of each of the M + 1 batches.
        lr, momentum: of the M steps.
        first_order: treat the steps' gradients as constants (the paper's cheaper approximation): theta_M depends on c only through c * w.
        batchnorm: ``train`` (default, batch statistics) or ``eval``.

    Raises:
        UserError: fewer than (M + 1) `samples` images.
    """
    images, labels = batches.samples((steps + 1) * samples)
    double = in_float64(model, batchnorm)
    device = next(double.parameters()).device
    start = {name: value.detach() for name, value in double.named_parameters()}
    switches = {name: torch.ones_like(weight).requires_grad_() for name, weight in prunable(double).items()}
    fast = {
        name: value * switches[name] if name in switches else value.clone().requires_grad_()
        for name, value in start.items()
    }

    def loss(part: int) -> torch.Tensor:
        rows = slice(part * samples, (part + 1) * samples)
        logits = functional_call(double, fast, (images[rows].to(device, torch.float64),))
        return functional.cross_entropy(logits, labels[rows].to(device))

    velocity = dict.fromkeys(fast, torch.zeros((), dtype=torch.float64, device=device))
    for step in range(steps):
        gradients = torch.autograd.grad(loss(step), list(fast.values()), create_graph=not first_order)
        for (name, value), gradient in zip(list(fast.items()), gradients, strict=True):
            velocity[name] = momentum * velocity[name] + gradient
            fast[name] = value - lr * velocity[name]
    meta = torch.autograd.grad(loss(steps), list(switches.values()))
    return {name: gradient.abs() for name, gradient in zip(switches, meta, strict=True)}
