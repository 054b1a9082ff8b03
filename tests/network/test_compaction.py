"""What is kept of a pruned network's weights is all of it: `compact` and `restore` are inverses."""

import math

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.network.compaction import State, compact, restore
from pruneexp.network.masks import Masks
from pruneexp.network.weights import packed
from tests.properties import PROPERTY

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Of any shape, dtype and layout: permuted, with gaps, of one value that stands for all."""
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    order = draw(st.permutations(range(len(shape))))
    step = draw(st.integers(1, 2))
    numbers = torch.randint(1, 100, [size * step for size in shape], generator=seeded(draw))
    value = numbers[tuple(slice(None, None, step) for _ in shape)].permute(order).to(draw(st.sampled_from(DTYPES)))
    assert list(value.shape) == [shape[k] for k in order]
    return value.new_ones(()).expand(value.shape) if draw(st.booleans()) else value


@st.composite
def pruned(draw: st.DrawFn) -> tuple[State, Masks]:
    """A state dict and masks of some of it, zero where they prune."""
    state = {f"layer{k}.weight": value for k, value in enumerate(draw(st.lists(tensors(), max_size=4)))}
    masks = {}
    for name in draw(st.lists(st.sampled_from(sorted(state)), unique=True)) if state else []:
        share = draw(st.sampled_from([0.0, 0.3, 1.0]))
        masks[name] = torch.rand(state[name].shape, generator=seeded(draw)) < share
        state[name] = state[name] * masks[name]
    return state, masks


def seeded(draw: st.DrawFn) -> torch.Generator:
    return torch.Generator().manual_seed(draw(st.integers(0, 2**32)))


def same(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@PROPERTY
@given(pruned())
def test_they_are_inverses_and_nothing_else_is_stored(case: tuple[State, Masks]) -> None:
    state, masks = case
    before = {name: value.clone() for name, value in state.items()}
    left = compact(state, masks)
    assert all(left[name].shape == (int(mask.sum()),) for name, mask in masks.items())
    assert same({name: left[name] for name in state.keys() - masks.keys()}, without(state, masks))
    assert same(restore(left, masks), state)
    assert same(compact(restore(left, masks), masks), left)
    assert same(restore(safetensors.torch.load(packed(left)), masks), state)
    assert same(state, before)


def without(state: State, masks: Masks) -> State:
    return {name: value for name, value in state.items() if name not in masks}


@PROPERTY
@given(tensors(), st.integers(0, 2**32))
def test_the_order_is_row_major_whatever_the_layout(weight: torch.Tensor, seed: int) -> None:
    mask = torch.rand(weight.shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    kept = compact({"weight": weight}, {"weight": mask})["weight"].tolist()
    every = weight.reshape(math.prod(weight.shape)).tolist()
    assert kept == [value for value, stays in zip(every, mask.flatten().tolist(), strict=True) if stays]


def test_what_masks_prune_is_left_out_whatever_it_is() -> None:
    weight, mask = torch.tensor([[math.nan, -0.0, 3.0]]), torch.tensor([[False, False, True]])
    found = restore(compact({"weight": weight}, {"weight": mask}), {"weight": mask})["weight"]
    assert [math.copysign(1, value) for value in found[0].tolist()] == [1, 1, 1]
    assert found.tolist() == [[0.0, 0.0, 3.0]]


def test_parameters_on_a_graph_are_detached() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    left = compact({"weight": weight, "bias": weight}, {"weight": torch.eye(2, dtype=torch.bool)})
    assert not any(value.requires_grad for value in left.values())


def test_masks_that_do_not_fit_are_refused() -> None:
    mask = torch.tensor([[True, False]])
    with pytest.raises(UserError, match=r"the mask of a has shape \[1, 2\], its weight \[2, 1\]"):
        compact({"a": torch.ones(2, 1)}, {"a": mask})
    with pytest.raises(UserError, match="there is no prunable weight 'b'"):
        compact({"a": torch.ones(1, 2)}, {"b": mask})
    for values in (torch.ones(2), torch.ones(0), torch.ones(1, 2), torch.ones(())):
        with pytest.raises(UserError, match=r"the mask of a keeps 1 weights, and their values have shape"):
            restore({"a": values}, {"a": mask})
    with pytest.raises(UserError, match=r"the mask of a keeps 1 weights"):
        restore({}, {"a": mask})
