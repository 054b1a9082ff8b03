"""NTK-SAP: the sensitivity of the neural tangent kernel's trace, estimated by perturbing the weights."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count, Positive
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable, prunable_layers
from pruneexp.scorers.derivatives import gradients, outputs
from pruneexp.scorers.float64 import drawn_anew, in_float64


@component("scorer", version=2)
def ntk_sap(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    samples: Annotated[int, Field(ge=1, le=100_000)] = 128,
    epsilon: Positive = 1e-2,
    repeats: Count = 1,
    fresh_weights: bool = True,
    batchnorm: Literal["frozen", "train", "eval"] = "frozen",
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
        repeats: draws that are averaged in a round (R in the paper; 5 on CIFAR-10 in its authors' script).
        fresh_weights: draw the prunable weights anew; otherwise the network's own are perturbed.
        batchnorm: ``frozen`` (default, as its authors' code: the statistics that the unperturbed network has on the inputs of the repeat,
            for both networks, without a gradient through them), ``train`` (each network its own batch statistics) or ``eval``.

    Raises:
        UserError: the input's shape is not known, or an option out of its range.
    """
    if batches.input_shape is None:
        raise UserError("ntk_sap needs the input's shape: pass example_input.")
    if batches.indices is not None:
        raise UserError("ntk_sap draws Gaussian inputs, and this network reads indices: use snip or synflow.")
    double = in_float64(model, "train" if batchnorm == "train" else "eval")
    weights, layers = {name: weight.detach() for name, weight in prunable(double).items()}, prunable_layers(double)
    device = next(iter(weights.values())).device
    masks = {name: (weight != 0).double().requires_grad_() for name, weight in weights.items()}
    scores = {name: torch.zeros_like(weight) for name, weight in weights.items()}

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(device)

    for _ in range(repeats):
        images = normal(samples, *batches.input_shape)
        drawn = {
            name: drawn_anew(layers[name], weight, generator) if fresh_weights else weight
            for name, weight in weights.items()
        }
        moved = {name: value + epsilon * normal(*value.shape) for name, value in drawn.items()}
        pair = [{name: masks[name] * value for name, value in some.items()} for some in (drawn, moved)]
        if batchnorm == "frozen":
            _freeze(double, pair[0], images)
        first, second = (outputs(double, images, some) for some in pair)
        change = (first - second).square().sum() / samples
        for name, gradient in zip(masks, gradients(change, list(masks.values())), strict=True):
            scores[name] += gradient / repeats
    return {name: value.abs() for name, value in scores.items()}


@torch.no_grad()
def _freeze(network: nn.Module, weights: dict[str, torch.Tensor], images: torch.Tensor) -> None:
    """Make the batch statistics that the network with these weights has on the images its BatchNorm layers' running ones."""
    layers = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for layer in layers:
        layer.momentum = 1.0  # the last batch's alone; as in PyTorch, the unbiased variance
        layer.train()
    outputs(network, images, weights)
    for layer in layers:
        layer.eval()
