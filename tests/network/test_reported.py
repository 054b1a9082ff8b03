"""What people report of tools that prune: copies, hooks of parameters, odd tensors, global state."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from pruneexp.api import prune
from pruneexp.errors import UserError
from pruneexp.network.keeping import keep_masks
from pruneexp.network.masks import apply_masks
from pruneexp.network.plain import plain
from pruneexp.network.removal import remove
from pruneexp.network.torch_prune import from_torch_prune, to_torch_prune
from tests.network.brought import perceptron, some_masks


class Sharded(torch.Tensor):
    """A tensor of a kind of its own."""


def test_a_model_can_be_copied_right_after_its_masks_went_on() -> None:
    model = perceptron()
    masks = some_masks(model)
    to_torch_prune(model, masks)
    copied, images = copy.deepcopy(model), torch.randn(4, 6)
    assert torch.equal(copied.eval()(images), model.eval()(images))
    assert copied[0].get_buffer("weight_mask").data_ptr() != model[0].get_buffer("weight_mask").data_ptr()


def test_kept_masks_leave_a_parameters_own_hooks() -> None:
    model, seen = perceptron(), []
    weight = model[0].get_parameter("weight")
    weight.register_post_accumulate_grad_hook(lambda parameter: seen.append(parameter))
    accumulates = weight.expand_as(weight).grad_fn.next_functions[0][0]  # type: ignore[union-attr]
    accumulates.register_hook(lambda *_: seen.append(weight))  # type: ignore[union-attr]  # as DistributedDataParallel does
    keep_masks(model, some_masks(model))
    model(torch.randn(4, 6)).sum().backward()
    assert len(seen) == 2
    assert all(one is weight for one in seen)


@pytest.mark.parametrize("way", [apply_masks, to_torch_prune, keep_masks, lambda model, _: from_torch_prune(model)])
@pytest.mark.parametrize("model", [nn.Linear, None, {"weight": torch.ones(2, 2)}], ids=["class", "none", "state"])
def test_what_is_no_module_is_refused(way: Callable[[Any, Any], Any], model: Any) -> None:
    with pytest.raises(UserError, match="must be a torch"):
        way(model, {"weight": torch.ones(2, 2, dtype=torch.bool)})


@pytest.mark.parametrize("way", [to_torch_prune, keep_masks])
def test_weights_without_values_and_those_of_inference_are_refused(way: Callable[[Any, Any], Any]) -> None:
    masks = {"weight": torch.ones(2, 3, dtype=torch.bool)}
    with pytest.raises(UserError, match="on the meta device"):
        way(nn.Linear(3, 2, device="meta"), masks)
    with torch.inference_mode():
        model = nn.Linear(3, 2)
    with pytest.raises(UserError, match="and cannot be trained"):
        way(model, masks)
    assert list(model.state_dict()) == ["weight", "bias"]


def test_tensors_of_another_kind_are_refused() -> None:
    model = nn.Linear(3, 2)
    model.weight = nn.Parameter(torch.randn(2, 3).as_subclass(Sharded))
    with pytest.raises(UserError, match="weight is a Sharded in layout strided"):
        apply_masks(model, {"weight": torch.ones(2, 3, dtype=torch.bool)})


def test_a_layer_without_elements_is_none() -> None:
    model = nn.Sequential(nn.Linear(6, 1), nn.Linear(1, 5), nn.Linear(5, 4))
    for layer, shape in zip(model, ((0, 6), (5, 0)), strict=False):
        layer.weight = nn.Parameter(torch.empty(shape))
    masks = prune(model, 0.5)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"2.weight": 10}


def test_sparse_gradients_are_scored_and_not_kept() -> None:
    model = nn.Sequential(nn.Embedding(7, 4, sparse=True), nn.Flatten(), nn.Linear(12, 3))
    words = torch.arange(300).reshape(100, 3) % 7
    masks = prune(model, 0.5, "snip", "greedy_global", data=(words, torch.arange(100) % 3), embeddings=True)
    assert sum(int(mask.sum()) for mask in masks.values()) == 32
    assert model[0].sparse
    with pytest.raises(UserError, match="use sparse=False"):
        keep_masks(model, masks)


def test_channels_go_whatever_the_default_dtype_and_the_copy_can_be_pickled() -> None:
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, 4, 1)), nn.ConvTranspose2d(4, 6, 3, groups=2), nn.Conv2d(6, 4, 1),
        nn.ReLU(), nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3),
    ).eval()  # fmt: skip
    images = torch.randn(2, 3, 5, 5)
    masks = prune(model, 0.8, "l2", "structured", example_input=images)
    torch.set_default_dtype(torch.float16)
    try:
        smaller = remove(model, masks, (3, 5, 5))
    finally:
        torch.set_default_dtype(torch.float32)
    masked = plain(model)
    apply_masks(masked, masks)
    loaded = pickle.loads(pickle.dumps(smaller))
    assert torch.allclose(loaded(images), masked(images), atol=1e-6)
    assert sum(map(torch.numel, smaller.parameters())) < sum(map(torch.numel, masked.parameters()))
