"""ProsPr: the sensitivity of the loss after a few training steps, by meta-gradients."""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count, Positive
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable
from pruneexp.scorers.convolution import Winograd
from pruneexp.scorers.derivatives import cross_entropy, gradients, gradients_along, outputs
from pruneexp.scorers.float64 import BatchNorm, in_float64

Tensors = dict[str, torch.Tensor]


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
    detach_first: bool = False,
    batchnorm: BatchNorm = "train",
) -> dict[str, torch.Tensor]:
    """|dL(theta_M) / dc| at c = 1, where theta_0 = c * w and theta_1 ... theta_M are steps of SGD with momentum, float64.

    The loss L is that of the batch after the M that were trained on, and the derivative goes through all M steps (Alizadeh
    et al. 2022, "Prospect pruning: finding trainable weights at initialization using meta-gradients", eq. 4 and Algorithm 1). All
    parameters take the steps, the prunable weights have switches. The chain rule is followed backwards, from dL / dtheta_M with one
    Hessian-vector product for each step, so that never more than one step's graph is in memory.

    Args:
        model: any classifier; left as it is.
        batches: the images, `samples` to a batch, in their order.
        generator: not used, the samples are drawn once for the job.
        steps: M.
        samples: images of each of the M + 1 batches.
        lr, momentum: of the M steps.
        first_order: treat the steps' gradients as constants (the paper's cheaper approximation): theta_M depends on c only through c * w.
        detach_first: treat the first step's gradient as a constant, as the public implementation does, which detaches the first momentum
            buffer from the derivative; the paper does not say so.
        batchnorm: ``train`` (default, batch statistics) or ``eval``.

    Raises:
        UserError: fewer than (M + 1) `samples` images.
    """
    images, labels = batches.samples((steps + 1) * samples)
    double = in_float64(model, batchnorm)

    def gradient(part: int, at: Tensors, create_graph: bool = False) -> Tensors:
        """The gradient of a batch's loss."""
        rows = slice(part * samples, (part + 1) * samples)
        with Winograd():
            loss = cross_entropy(outputs(double, images[rows], at), labels[rows])
        return dict(zip(at, gradients(loss, list(at.values()), create_graph), strict=True))

    def hessian_times(vector: Tensors, part: int, at: Tensors) -> Tensors:
        """The Hessian of a batch's loss times a vector; the graph is gone when it returns."""
        slope = gradient(part, at, create_graph=True)
        return dict(
            zip(at, gradients_along(list(slope.values()), list(at.values()), list(vector.values())), strict=True)
        )

    start = {name: value.detach().requires_grad_() for name, value in double.named_parameters()}
    thetas, velocity = [start], {name: torch.zeros_like(value) for name, value in start.items()}
    for step in range(steps):
        here, slope = thetas[-1], gradient(step, thetas[-1])
        velocity = {name: momentum * velocity[name] + slope[name] for name in here}
        thetas.append({name: (here[name].detach() - lr * velocity[name]).requires_grad_() for name in here})
    # theta_k+1 = theta_k - lr v_k+1 and v_k+1 = momentum v_k + g_k(theta_k): dL / dtheta_k and dL / dv_k, from the last k to the first
    del velocity
    by_theta, by_velocity = gradient(steps, thetas.pop()), {name: torch.zeros_like(start[name]) for name in start}
    constant = steps if first_order else int(detach_first)  # of so many first steps the gradients
    for step in reversed(range(constant, steps)):
        by_velocity = {name: momentum * by_velocity[name] - lr * value for name, value in by_theta.items()}
        product = hessian_times(by_velocity, step, thetas.pop())
        by_theta = {name: by_theta[name] + product[name] for name in by_theta}
    return {name: (by_theta[name] * start[name].detach()).abs() for name in prunable(double)}
