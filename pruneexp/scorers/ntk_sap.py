"""NTK-SAP: the sensitivity of the neural tangent kernel's trace, estimated by perturbing the weights."""

from typing import Annotated

import torch
from pydantic import Field
from torch import nn
from torch.func import functional_call

from pruneexp.components.options import component
from pruneexp.components.values import Count, Positive
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable
from pruneexp.scorers.float64 import BatchNorm, in_float64


@component("scorer")
def ntk_sap(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    samples: Annotated[int, Field(ge=1, le=100_000)] = 128,
    epsilon: Positive = 1e-2,
    repeats: Count = 1,
    fresh_weights: bool = True,
    batchnorm: BatchNorm = "train",
) -> dict[str, torch.Tensor]:
    """|d/dm E ||f(x; m * w) - f(x; m * (w + dw))||^2| at the network's own mask m, dw ~ N(0, epsilon^2), float64.

    To first order in dw the expectation is epsilon^2 times the trace of the neural tangent kernel, on which training depends
    (Wang et al. 2023, "NTK-SAP: Improving neural network pruning by aligning training dynamics", eq. 8). Inputs are Gaussian
    noise and weights drawn anew, N(0, 2 / fan_in), in each repeat and each round (their "new input, new weight"), so that the score is the
    architecture's and not one draw's. Weights that are exactly zero are taken for pruned. Meant for many rounds.

    Args:
        model: any network; left as it is.
        batches: only the input's shape is used.
        generator: of inputs, weights and perturbations; another one in each round.
        samples: inputs in a batch.
        epsilon: standard deviation of the perturbation.
        repeats: draws that are averaged in a round (R in the paper).
        fresh_weights: draw the prunable weights anew; otherwise the network's own are perturbed.
        batchnorm: ``train`` (default, batch statistics) or ``eval``.

    Raises:
        UserError: the input's shape is not known, or an option out of its range.
    """
    if batches.input_shape is None:
        raise UserError("ntk_sap needs the input's shape: pass example_input.")
    double = in_float64(model, batchnorm)
    weights = {name: weight.detach() for name, weight in prunable(double).items()}
    device = next(iter(weights.values())).device
    masks = {name: (weight != 0).double().requires_grad_() for name, weight in weights.items()}
    scores = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(device)

    for _ in range(repeats):
        images = normal(samples, *batches.input_shape)
        drawn = {
            name: normal(*weight.shape) * (2 / weight[0].numel()) ** 0.5 if fresh_weights else weight
            for name, weight in weights.items()
        }
        moved = {name: value + epsilon * normal(*value.shape) for name, value in drawn.items()}
        outputs = [
            functional_call(double, {name: masks[name] * value for name, value in some.items()}, (images,))
            for some in (drawn, moved)
        ]
        change = (outputs[0] - outputs[1]).square().sum() / samples
        for name, gradient in zip(masks, torch.autograd.grad(change, list(masks.values())), strict=True):
            scores[name] += gradient / repeats
    return {name: value.abs() for name, value in scores.items()}
