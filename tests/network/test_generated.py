"""What holds for any network: of small random ones, as people build and bring them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

from pruneexp.api import prune
from pruneexp.errors import UserError
from pruneexp.network.keeping import keep_masks, masks_on
from pruneexp.network.masks import apply_masks
from pruneexp.network.plain import modules_by_name, plain
from pruneexp.network.prunable import outputs_first, prunable, prunable_layers
from pruneexp.network.removal import remove
from pruneexp.network.structure import Structure
from pruneexp.network.torch_prune import to_torch_prune
from tests.network.brought import revived
from tests.network.generated import Generated, networks
from tests.properties import PROPERTY

# a failure is shown as it was found: making a network smaller takes minutes
QUICK = settings(PROPERTY, phases=(Phase.explicit, Phase.generate))
MASKERS = ("greedy_global", "greedy", "sparsify", "uniform", "erk")
OPTIMISERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, weight_decay=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, 0.01, weight_decay=0.1),
}
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.MultiheadAttention)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks")


def found(model: nn.Module) -> dict[str, Any]:
    """All that must stay, by name."""
    state: dict[str, Any] = {f"{name} in the state": value.clone() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        grad = None if parameter.grad is None else parameter.grad.clone()
        state[name] = (id(parameter), parameter.requires_grad, grad)
    for name, module in model.named_modules():
        state[f"module {name}"] = (type(module), module.training, [list(getattr(module, hook)) for hook in HOOKS])
    return state


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    return all(map(same, a, b)) if isinstance(a, (tuple, list)) else bool(a == b)


def own_weights(model: nn.Module) -> int:
    """How many weights the layers of the model have, each that is shared once; counted over its modules."""
    sizes = {}
    for module in modules_by_name(model).values():
        if isinstance(module, nn.MultiheadAttention):
            sizes[id(module.in_proj_weight)] = 3 * module.embed_dim**2
        elif isinstance(module, LAYERS):
            assert isinstance(module.weight, torch.Tensor)
            owner = module._parameters.get("weight")
            sizes[id(module if owner is None else owner)] = module.weight.numel()
    return sum(sizes.values())


@settings(QUICK, max_examples=15)
@given(network=networks(), masker=st.sampled_from(MASKERS), density=st.sampled_from((0.1, 0.37, 0.7)))
def test_counts_are_exact_and_the_model_is_left(network: Generated, masker: str, density: float) -> None:
    network.model(network.images()).sum().backward()
    before = found(network.model)
    masks = prune(network.model, density, "magnitude", masker, example_input=network.images())
    after = found(network.model)
    assert before.keys() == after.keys()
    assert [name for name in before if not same(before[name], after[name])] == []
    assert sum(mask.numel() for mask in masks.values()) == own_weights(network.model)
    assert sum(int(mask.sum()) for mask in masks.values()) == round(density * own_weights(network.model))
    assert not any(bool((masks[name] & ~on).any()) for name, on in masks_on(network.model).items())


@settings(QUICK, max_examples=20)
@given(networks(), st.sampled_from(sorted(OPTIMISERS)), st.sampled_from([to_torch_prune, keep_masks]))
def test_masks_stay_on_through_three_steps(
    network: Generated, optimiser: str, keep: Callable[[nn.Module, Any], Any]
) -> None:
    model, images = network.model.train(), network.images()
    masks = prune(model, 0.4, masker="greedy_global")
    if network.computed and keep is to_torch_prune:
        with pytest.raises(UserError, match="use keep_masks"):
            keep(model, masks)
        return
    keep(model, masks)
    assert revived(model, masks) == 0
    before = model(images).detach()
    steps = OPTIMISERS[optimiser](model.parameters())
    for _ in range(3):
        steps.zero_grad()
        (model(images) - 1).square().mean().backward()
        steps.step()
    after = model(images)
    assert revived(model, masks) == 0
    assert not torch.equal(before, after)
    assert bool(torch.isfinite(after).all())


def test_the_removed_network_gives_the_masked_ones_outputs() -> None:
    smaller = []
    kinds = ("layer", "residual", "concatenation", "gate", "twice", "tied")

    @settings(QUICK, max_examples=8)
    @given(networks(kinds, ("weight_norm",), (torch.float64,), wrapped=False))
    def check(network: Generated) -> None:
        model, images = network.model.eval(), network.images()
        try:
            masks = prune(model, 0.6, "l2", "structured", example_input=images)
        except UserError:  # nothing can go
            return
        removed, masked = remove(model, masks, network.shape), plain(model)
        apply_masks(masked, masks)
        assert torch.allclose(removed(images), masked(images), atol=1e-9)
        smaller.append(count(removed) < count(masked))

    check()
    assert len(smaller) >= 5
    assert sum(smaller) >= 4


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def counted(model: nn.Module, images: torch.Tensor) -> dict[str, int]:
    """Multiply-accumulate operations by weight name, counted by hooks: how often a layer is called, at how many positions."""
    uses: dict[str, int] = {}

    def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
        at = (
            inputs[0] if isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.MultiheadAttention)) else output
        )
        channels = at.shape[-1] if isinstance(module, (nn.Linear, nn.MultiheadAttention)) else at.shape[1]
        mine = [module, module.out_proj] if isinstance(module, nn.MultiheadAttention) else [module]
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and any(parameter is own for m in mine for own in m._parameters.values()):
                uses[name] = uses.get(name, 0) + parameter.numel() * at.numel() // channels

    for module in model.modules():
        if isinstance(module, LAYERS):
            module.register_forward_hook(hook)
    with torch.no_grad():
        model.eval()(images)
    return uses


@settings(QUICK, max_examples=8)
@given(networks(wrapped=False))
def test_wiring_and_operations_are_those_of_the_layers(network: Generated) -> None:
    model = plain(network.model)
    structure, weights, layers = Structure(model, network.shape), prunable(model), prunable_layers(model)
    expected = dict.fromkeys(weights, 0) | counted(copy.deepcopy(model), network.images(1))
    assert structure.macs == expected
    wiring = structure.wiring
    assert list(wiring.sources) == list(wiring.targets) == list(weights)
    for name, weight in weights.items():
        shape = outputs_first(layers[name], weight).shape
        sources, targets = wiring.sources[name], wiring.targets[name]
        assert targets.shape == shape[:1]
        assert len(targets.unique()) == len(targets)
        assert sources.expand(shape[:2]).shape == shape[:2]
        assert int(torch.cat([sources.ravel(), targets]).min()) >= 0
        assert int(torch.cat([sources.ravel(), targets]).max()) < wiring.vertices
