"""BatchNorm scale: |gamma| of the channel."""

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable, prunable_layers
from pruneexp.scorers.derivatives import outputs
from pruneexp.scorers.float64 import in_float64
from pruneexp.scorers.neurons import of_weights, rows


@component("scorer")
def bn_scale(model: nn.Module, batches: Batches, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """|gamma_k| of the BatchNorm that normalises neuron k's output, for all of the neuron's weights (Liu et al. 2017).

    Neurons of layers that no BatchNorm follows directly have 1 each: nothing is said of them; of layers that the network does not use 0.

    Args:
        model: left as it is.
        batches: tells the input's shape.
        generator: not used.

    Raises:
        UserError: no layer is followed by a BatchNorm, or the input's shape is not known.
    """
    if batches.input_shape is None:
        raise UserError("bn_scale needs the input's shape: pass example_input.")
    followers, used = _followers(model, batches)
    weights, layers = prunable(model), prunable_layers(model)
    if not followers:
        raise UserError("bn_scale needs a BatchNorm after a layer, and this network has none: use l2 or taylor.")
    scores = {}
    for name, weight in weights.items():
        neurons = torch.full((len(rows(layers[name], weight)),), float(name in used), device=weight.device)
        if name in followers:
            neurons = model.get_submodule(followers[name]).get_parameter("weight").detach().abs()
        scores[name] = of_weights(neurons, layers[name], weight)
    return scores


def _followers(model: nn.Module, batches: Batches) -> tuple[dict[str, str], set[str]]:
    """By weight name, the name of the BatchNorm that takes the layer's output; and the names of the weights of layers that are used."""
    network = in_float64(model, "eval")
    inside = {id(one.out_proj): one for one in network.modules() if isinstance(one, nn.MultiheadAttention)}
    used: set[str] = set()
    made: dict[int, str] = {}
    kept: list[torch.Tensor] = []  # alive, so that no two outputs share an address
    followers: dict[str, str] = {}
    for name, layer in prunable_layers(network).items():

        def note(_: nn.Module, __: object, output: torch.Tensor, name: str = name) -> None:
            used.add(name)
            made[id(output)] = name
            kept.append(output)

        inside.get(id(layer), layer).register_forward_hook(note)  # attention reads its out_proj and does not call it
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.affine:

            def meet(_: nn.Module, inputs: tuple[torch.Tensor, ...], name: str = name) -> None:
                if id(inputs[0]) in made:
                    followers[made[id(inputs[0])]] = name

            module.register_forward_pre_hook(meet)
    with torch.no_grad():
        outputs(network, batches.one(0.0))
    return followers, used
