"""Masks that stay on through any training loop: parametrizations, and torch.nn.utils.prune."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as torch_prune

import pruneexp
from pruneexp.errors import UserError
from pruneexp.network.keeping import keep_masks, masks_on
from pruneexp.network.masks import Masks, apply_masks
from pruneexp.network.plain import plain
from pruneexp.network.prunable import prunable
from pruneexp.network.torch_prune import from_torch_prune, to_torch_prune
from tests.network.brought import (
    LAYERS,
    WRAPPINGS,
    Shared,
    at,
    compiled,
    encoder,
    hooked,
    parametrized,
    perceptron,
    revived,
    some_masks,
)

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.9, weight_decay=0.1),
    "adamw": lambda weights: torch.optim.AdamW(weights, 0.1, weight_decay=0.1),
    "lbfgs": lambda weights: torch.optim.LBFGS(weights, lr=0.1, max_iter=2),
}
WAYS = {"keep": keep_masks, "torch": to_torch_prune}


def same(a: Masks, b: Masks) -> bool:
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def trained(model: nn.Module, optimiser: torch.optim.Optimizer, draw: Callable[[], torch.Tensor], masks: Masks) -> None:
    """Three steps, after each of which, and in each forward pass, the pruned weights are zero."""
    x = draw()

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = model(x).square().mean()
        value.backward()
        return value

    for _ in range(3):
        optimiser.step(loss)  # type: ignore[arg-type]
        assert revived(model, masks) == 0


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(LAYERS)),
    st.sampled_from(["bare", "parallel", "within"]),
    st.sampled_from(sorted(OPTIMISERS)),
    st.sampled_from(sorted(WAYS)),
    st.integers(0, 99),
)
def test_masks_stay_on_in_any_training_loop(kind: str, wrapping: str, optimiser: str, way: str, seed: int) -> None:
    torch.manual_seed(seed)
    make, draw = LAYERS[kind]
    model = WRAPPINGS[wrapping](make())
    first, second = some_masks(model), some_masks(model)
    if way == "torch" and kind in ("parametrized", "hooked"):
        with pytest.raises(
            UserError, match=r"0\.weight is computed by a parametrization or a hook, .*: use keep_masks"
        ):
            to_torch_prune(model, first)
        return
    both = {name: first[name] & second[name] for name in first}
    before = from_torch_prune(model)
    WAYS[way](model, first)
    trained(model, OPTIMISERS[optimiser](list(model.parameters())), draw, first)
    WAYS[way](model, second)
    trained(model, OPTIMISERS[optimiser](list(model.parameters())), draw, both)
    assert same(masks_on(model), both | {name: both[name] & mask for name, mask in before.items()})
    if way == "torch":
        assert same(from_torch_prune(model), masks_on(model))
    x = draw()
    with torch.no_grad():  # in eval mode attention reads weights without calling the layers
        torch.testing.assert_close(model.eval()(x), plain(model)(x))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("way", sorted(WAYS))
def test_masks_stay_on_in_a_compiled_model(way: str, backend: str) -> None:
    torch.manual_seed(0)
    model = compiled(perceptron(), backend)
    model(torch.randn(4, 6))  # compiled before it has masks
    masks = some_masks(model)
    WAYS[way](model, masks)
    trained(model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), lambda: torch.randn(4, 6), masks)
    x = torch.randn(4, 6)
    torch.testing.assert_close(model(x), plain(model)(x))  # in training mode, of the weights after the last step
    assert same(masks_on(model), masks)


@pytest.mark.parametrize("make", [perceptron, encoder, Shared, parametrized, hooked])
def test_removing_leaves_the_zeros_in_ordinary_weights(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make()
    masks, parameters = some_masks(model), dict(model.named_parameters())
    handle = keep_masks(model, masks)
    other = copy.deepcopy(model)
    want = prunable(plain(model), embeddings=True)
    handle.remove()
    assert masks_on(model) == {}
    assert revived(model, masks) == 0
    assert all(torch.equal(weight, want[name]) for name, weight in prunable(plain(model), embeddings=True).items())
    if make in (perceptron, encoder, Shared):
        assert {name: id(one) for name, one in model.named_parameters()} == {n: id(p) for n, p in parameters.items()}
    handle.remove()  # once more changes nothing
    assert same(masks_on(other), masks)  # a copy made before has its masks still
    assert revived(other, masks) == 0


def test_a_checkpoint_of_kept_masks_is_loaded_where_masks_are_kept_and_a_plain_one_after_they_are_removed() -> None:
    one, other = perceptron(), perceptron()
    masks = some_masks(one)
    handle = keep_masks(one, masks)
    keep_masks(other, some_masks(other))
    assert {"0.parametrizations.weight.original", "0.parametrizations.weight.0.mask"} <= set(one.state_dict())
    other.load_state_dict(one.state_dict())
    assert same(masks_on(other), masks)
    handle.remove()
    one.load_state_dict(perceptron().state_dict())
    assert revived(one, masks) > 0


class More(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + 1


@pytest.mark.parametrize("put", [apply_masks, keep_masks])
def test_a_mask_is_the_last_of_what_computes_a_weight_whatever_followed_an_older_one(
    put: Callable[..., object],
) -> None:
    model = perceptron()
    masks = some_masks(model)
    keep_masks(model, masks)
    torch.nn.utils.parametrize.register_parametrization(model[0], "weight", More())
    assert revived(model, masks) > 0
    put(model, masks)
    assert revived(model, masks) == 0
    assert same(masks_on(model), masks)


def test_nan_and_infinity_become_zero_too() -> None:
    for put in (apply_masks, keep_masks, to_torch_prune):
        model = perceptron()
        at(model, "0.weight").data[0] = torch.tensor([float("nan"), float("inf"), -float("inf"), 1, 1, 1])
        masks = {"0.weight": torch.ones(5, 6, dtype=torch.bool)}
        masks["0.weight"][0, :3] = False
        put(model, masks)
        assert at(model, "0.weight")[0].tolist() == [0, 0, 0, 1, 1, 1]
        model(torch.randn(4, 6)).sum().backward()
        assert at(model, "0.weight")[0].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_apply_masks_leaves_the_weight_times_the_mask_also_at_the_next_forward_pass(kind: str) -> None:
    torch.manual_seed(0)
    make, draw = LAYERS[kind]
    model = WRAPPINGS["within"](make()).eval().requires_grad_(False)
    masks = some_masks(model)
    want = {name: weight * masks[name] for name, weight in prunable(plain(model), embeddings=True).items()}
    apply_masks(model, masks)
    for _ in range(2):
        assert revived(model, masks) == 0
        assert all(torch.equal(want[name], weight) for name, weight in prunable(plain(model), embeddings=True).items())
        assert bool(model(draw()).isfinite().all())


def test_rows_that_are_pruned_altogether_give_no_nan_in_normalised_weights() -> None:
    for make in (parametrized, hooked):
        model = make()
        masks = {name: torch.ones_like(mask) for name, mask in some_masks(model).items()}
        for mask in masks.values():
            mask[:2] = False
        apply_masks(model, masks)
        model(torch.randn(4, 6)).sum().backward()
        assert all(bool(weight.isfinite().all()) for weight in prunable(plain(model)).values())
        assert all(one.grad is None or bool(one.grad.isfinite().all()) for one in model.parameters())


def test_attention_under_torch_prune_has_one_mask_for_one_matrix_and_gives_three_back() -> None:
    model = encoder()
    masks = some_masks(model)
    to_torch_prune(model, masks)
    attention = model.get_submodule("layers.0.self_attn")
    assert torch_prune.is_pruned(attention)
    thirds = [masks[f"layers.0.self_attn.{which}_proj_weight"] for which in "qkv"]
    assert torch.equal(attention.get_buffer("in_proj_weight_mask"), torch.cat(thirds).float())
    found = from_torch_prune(model)
    other = encoder()
    apply_masks(other, found)
    assert same(found, masks)
    assert revived(other, masks) == 0


def test_a_shared_weight_has_its_mask_in_each_of_its_layers() -> None:
    model = Shared()
    to_torch_prune(model, some_masks(model))
    assert model.a.weight_orig is model.b.weight_orig
    assert model.embed.weight_orig is model.head.weight_orig
    assert torch.equal(model.a.weight_mask, model.b.weight_mask)  # type: ignore[arg-type]


def test_a_model_under_torch_prune_is_pickled_and_its_state_loaded_as_torchs_own() -> None:
    model, x = encoder(), torch.randn(2, 4, 8)
    masks = some_masks(model)
    to_torch_prune(model, masks)
    again = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(again(x), model(x))
    trained(again, torch.optim.SGD(again.parameters(), 0.1), lambda: x, masks)
    other = encoder()
    to_torch_prune(other, {name: torch.ones_like(mask) for name, mask in masks.items()})
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(x), model(x))
    assert same(from_torch_prune(other), masks)
    torch_prune.remove(model.get_submodule("layers.0.linear1"), "weight")
    assert revived(model, masks) == 0


def test_of_torch_prunes_masks_only_those_of_prunable_weights_come_back() -> None:
    model = WRAPPINGS["within"](perceptron())
    layers = at(model, "1.module.module")
    torch_prune.l1_unstructured(layers[0], "bias", 2)
    assert from_torch_prune(model) == {}
    torch_prune.l1_unstructured(layers[1], "weight", 2)
    torch_prune.l1_unstructured(layers[3], "weight", 7)
    found = from_torch_prune(model)
    assert list(found) == ["1.3.weight"]
    assert int(found["1.3.weight"].sum()) == 13


@pytest.mark.parametrize("put", [apply_masks, keep_masks, to_torch_prune])
@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (
            {"0.wieght": torch.ones(5, 6)},
            r"no prunable weight '0\.wieght' in this model; it has 0\.weight, 3\.weight\.$",
        ),
        ({"0.weight": [[1] * 6] * 5}, r"the mask of 0\.weight must be a bool tensor, got "),
        ({"0.weight": torch.full((5, 6), 0.5)}, r"the mask of 0\.weight must be bool, or hold nothing but 0 .* and 1"),
        ({"0.weight": torch.ones(6, 5)}, r"the mask of 0\.weight has shape \[6, 5\], its weight \[5, 6\]"),
        ([torch.ones(5, 6)], r"masks must be a mapping of bool tensors by weight name"),
    ],
)
def test_what_is_no_mask_is_refused_in_a_sentence(put: Callable[..., None], bad: Masks, sentence: str) -> None:
    model = perceptron()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(UserError, match=sentence):
        put(model, bad)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_of_many_weights_the_nearest_are_named() -> None:
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(100)])
    with pytest.raises(UserError, match=r"it has 100, of which 42\.weight") as caught:
        apply_masks(model, {"module.42.weight": torch.ones(2, 2)})
    assert len(str(caught.value)) < 200


def test_masks_of_numbers_are_masks() -> None:
    model = perceptron()
    masks = {name: mask.float() for name, mask in some_masks(model).items()}
    pruneexp.keep_masks(model, masks)
    assert same(pruneexp.masks_on(model), {name: mask.bool() for name, mask in masks.items()})
