"""GraSP: gradient signal preservation, w * Hg."""

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count, Positive
from pruneexp.data.batches import Batches
from pruneexp.network.prunable import prunable, prunable_layers
from pruneexp.scorers.convolution import Winograd
from pruneexp.scorers.derivatives import cross_entropy, gradients, gradients_along, outputs
from pruneexp.scorers.float64 import BatchNorm, drawn_anew, in_float64


@component("scorer")
def grasp(
    model: nn.Module,
    batches: Batches,
    generator: torch.Generator,
    per_class: Count = 10,
    temperature: Positive = 200.0,
    batchnorm: BatchNorm = "train",
    chunk: Count = 256,
    halves: bool = False,
    score_on: Literal["own", "redrawn"] = "own",
) -> dict[str, torch.Tensor]:
    """w * Hg of each weight, g the gradient and H the Hessian of the mean cross-entropy of logits / `temperature`, float64.

    Removing a weight changes ||g||^2 by about -2 w (Hg) (Wang et al. 2020, "Picking winning tickets before training by
    preserving gradient flow", eq. 8): what lowers the gradient's norm most when removed, the largest w * Hg, is kept, as the original
    implementation does; their S(-w) is this score's negative. Scores have both signs.

    Args:
        model: any classifier; left as it is.
        batches: the images; the first `per_class` of each class are taken, as in the paper's Algorithm 2.
        generator: of the weights that ``score_on=redrawn`` draws; else not used, the samples are drawn once for the job.
        per_class: 10 in the original's CIFAR experiments, 25 in its code's default and in Cunegatti et al.'s public code.
        temperature: divides the logits; 200 in the original implementation, not in the paper's formula (1 leaves it out).
        batchnorm: ``train`` (default, batch statistics; the original's mode) or ``eval``.
        chunk: images to a batch; with batch statistics more than one chunk has more than one set of them.
        halves: two batches instead, the first half of the classes' images and the second, with losses that are means over their half,
            as in the original implementation: g is the sum of both halves' gradients, H that of their Hessians.
        score_on: ``own`` weights, or ``redrawn``: a copy whose weights are drawn anew, N(0, 2 / fan_in), is scored in the network's
            stead, so that the scores say nothing of the weights that are trained. Cunegatti et al.'s public code does so; the
            original implementation redraws Linear weights alone (Xavier). Weights that are exactly zero are taken for pruned.

    Raises:
        UserError: fewer than `per_class` images of some class.
    """
    images, labels = batches.balanced(per_class)
    double = in_float64(model, batchnorm)
    weights = prunable(double)
    if score_on == "redrawn":
        for layer, weight in zip(prunable_layers(double).values(), weights.values(), strict=True):
            weight.data = torch.where(weight.detach() != 0, drawn_anew(layer, weight, generator), 0.0)
    wanted = list(weights.values())
    sizes = [len(images) // 2, len(images) - len(images) // 2] if halves else chunk
    chunks = list(zip(images.split(sizes), labels.split(sizes), strict=True))

    def gradient(part: tuple[torch.Tensor, torch.Tensor], create_graph: bool) -> tuple[torch.Tensor, ...]:
        """This part's share of g."""
        with Winograd():
            loss = cross_entropy(outputs(double, part[0]) / temperature, part[1], reduction="sum")
        return gradients(loss / (len(part[0]) if halves else len(images)), wanted, create_graph)

    single = len(chunks) == 1  # whose gradient is g, so that one graph serves for both derivatives
    g = _summed(gradient(part, create_graph=single) for part in chunks)
    vector = [slope.detach() for slope in g]
    hg = _summed(gradients_along(g if single else gradient(part, True), wanted, vector) for part in chunks)
    return {name: weight.detach() * value for (name, weight), value in zip(weights.items(), hg, strict=True)}


def _summed(several: Iterable[Sequence[torch.Tensor]]) -> Sequence[torch.Tensor]:
    """Of one it is what was given."""
    total: Sequence[torch.Tensor] = ()
    for shares in several:
        total = [sum_ + share for sum_, share in zip(total, shares, strict=True)] if total else shares
    return total
