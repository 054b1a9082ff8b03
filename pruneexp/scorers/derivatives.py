"""A network's outputs, its loss and their derivatives, for the scorers that look at them; what cannot be computed is one sentence."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from pruneexp.errors import UserError, first_line
from pruneexp.network.outputs import logits

IGNORED = -100  # the label that cross_entropy leaves out
NO_DERIVATIVE = "the network's output has no derivative in any weight: its forward runs under torch.no_grad() or detaches what it returns."


def outputs(
    network: nn.Module, inputs: torch.Tensor, weights: Mapping[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """The logits of a network, with other weights where some are given.

    Args:
        inputs: [n, ...], moved to the network's device, numbers also to its dtype; whole numbers are indices and stay.
        weights: by parameter name.

    Raises:
        UserError: the network cannot be run on them, or returns no tensor.
    """
    like = next(parameter for parameter in network.parameters() if parameter.is_floating_point())
    inputs = inputs.to(like.device, like.dtype if inputs.is_floating_point() else torch.int64)
    try:
        with sdpa_kernel(SDPBackend.MATH):  # the other ways to compute attention have no second derivatives
            found = network(inputs) if weights is None else functional_call(network, dict(weights), (inputs,))
    except (UserError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a network can raise anything
        raise UserError(
            f"a copy of the network in {str(like.dtype).removeprefix('torch.')} cannot be run on inputs of shape {list(inputs.shape)}"
            f" ({first_line(error)}): pass inputs of the shape that it takes, and let it make no tensors of a dtype of their own."
        ) from error
    return logits(found)


def cross_entropy(found: torch.Tensor, labels: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    """Cross-entropy of logits [n, C] and labels [n], of [n, C, ...] and [n, ...] or, as language models have it, [n, ..., C] and [n, ...],
    or of labels shaped as the logits, the classes' probabilities.

    Raises:
        UserError: the shapes do not go together, or a label is no class.
    """
    labels = labels.to(found.device)
    if labels.shape == found.shape and found.dim() > 1:
        return functional.cross_entropy(found, labels.to(found.dtype), reduction=reduction)
    if found.dim() > 2 and labels.shape == found.shape[:-1] and labels.shape[1:] != found.shape[2:]:
        found = found.movedim(-1, 1)
    if found.dim() < 2 or labels.shape != (len(found), *found.shape[2:]):
        raise UserError(
            f"the network's outputs have shape {list(found.shape)} and the labels {list(labels.shape)}: outputs [n, classes] go with labels"
            " [n], the class of each sample, or [n, classes], the classes' probabilities."
        )
    if labels.is_floating_point():
        raise UserError(
            f"labels of shape {list(labels.shape)} must be whole numbers, got {labels.dtype}: pass labels.long()."
        )
    classes, counted = found.shape[1], labels[labels != IGNORED]
    least, most = (int(counted.min()), int(counted.max())) if len(counted) else (0, 0)
    if least < 0 or most >= classes:
        why = ": the labels count from 1, subtract 1" if (least, most) == (1, classes) else ""
        raise UserError(
            f"the labels are {least} to {most}, and the network has {classes} outputs, which are classes 0 to {classes - 1}{why}."
        )
    return functional.cross_entropy(found, labels, reduction=reduction, ignore_index=IGNORED)


def gradients(
    value: torch.Tensor, weights: Sequence[torch.Tensor], create_graph: bool = False
) -> tuple[torch.Tensor, ...]:
    """d value / d w of each weight; of weights that the value does not depend on zeros.

    Raises:
        UserError: it depends on none by a derivative.
    """
    if not value.requires_grad:
        raise UserError(NO_DERIVATIVE)
    return torch.autograd.grad(value, weights, create_graph=create_graph, materialize_grads=True)


def gradients_along(
    slopes: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], vector: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """d <slopes, vector> / d w of each weight: the Hessian times the vector where the slopes are gradients, with the graph of their own.

    Raises:
        UserError: the slopes depend on no weight by a derivative.
    """
    pairs = [(slope, part) for slope, part in zip(slopes, vector, strict=True) if slope.requires_grad]
    if not pairs:
        raise UserError(NO_DERIVATIVE)
    some, along = zip(*pairs, strict=True)
    return torch.autograd.grad(some, weights, along, materialize_grads=True)
