"""Masks on a network, in a file, and in torch.nn.utils.prune."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

import pruneexp
from pruneexp.errors import UserError
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Sequential(nn.Linear(16, 5)))


def masks(seed: int = 0) -> Masks:
    generator = torch.Generator().manual_seed(seed)
    return {
        "0.weight": torch.rand(4, 3, 3, 3, generator=generator) < 0.3,
        "3.0.weight": torch.rand(5, 16, generator=generator) < 0.3,
    }


def same(a: Masks, b: Masks) -> bool:
    return list(a) == list(b) and all(a[key].dtype == b[key].dtype and torch.equal(a[key], b[key]) for key in a)


def test_pruned_weights_become_zero_and_all_else_stays() -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parameters = [id(parameter) for parameter in model.parameters()]
    pruneexp.apply_masks(model, masks())
    for key, value in model.state_dict().items():
        want = before[key] * masks()[key] if key in masks() else before[key]
        assert torch.equal(value, want)
    assert [id(parameter) for parameter in model.parameters()] == parameters
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_layers_without_a_mask_stay_dense() -> None:
    model = network()
    before = model[3].get_parameter("0.weight").detach().clone()
    pruneexp.apply_masks(model, {"0.weight": masks()["0.weight"]})
    assert torch.equal(model[3].get_parameter("0.weight"), before)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"1.weight": torch.ones(4, dtype=torch.bool)}, "no prunable weight '1.weight'.* it has 0.weight, 3.0.weight"),
        ({"0.bias": torch.ones(4, dtype=torch.bool)}, "no prunable weight '0.bias'"),
        ({"3.0.weight": torch.ones(16, 5, dtype=torch.bool)}, r"has shape \[16, 5\], its weight \[5, 16\]"),
        ({"3.0.weight": torch.ones(16, dtype=torch.bool)}, r"has shape \[16\], its weight \[5, 16\]"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_before_anything_changes(bad: Masks, sentence: str) -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match=sentence):
        pruneexp.apply_masks(model, masks() | bad)
    with pytest.raises(UserError, match=sentence):
        pruneexp.to_torch_prune(model, masks() | bad)
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "masks.safetensors"
    pruneexp.save_masks(masks(), path)
    assert same(pruneexp.load_masks(path), masks())
    assert same(pruneexp.load_masks(str(path)), masks())
    assert [child.name for child in tmp_path.iterdir()] == ["masks.safetensors"]


def test_saving_again_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "masks.safetensors"
    pruneexp.save_masks(masks(0), path)
    pruneexp.save_masks(masks(1), path)
    assert same(pruneexp.load_masks(path), masks(1))


def test_masks_that_are_views_or_transposed_or_numbers_can_be_saved(tmp_path: Path) -> None:
    flat = torch.arange(24) % 3 == 0
    parts = {"a": flat[:12].reshape(3, 4), "b": flat[12:].reshape(4, 3).T, "c": (torch.arange(4) % 2).float()}
    pruneexp.save_masks(parts, tmp_path / "m")
    loaded = pruneexp.load_masks(tmp_path / "m")
    assert all(value.dtype == torch.bool for value in loaded.values())
    assert all(torch.equal(loaded[key], parts[key].bool()) for key in parts)


def test_one_mask_under_two_names_can_be_saved(tmp_path: Path) -> None:
    shared = torch.tensor([True, False])
    pruneexp.save_masks({"a": shared, "b": shared}, tmp_path / "m")
    assert same(pruneexp.load_masks(tmp_path / "m"), {"a": shared, "b": shared})


@pytest.mark.parametrize("damage", ["empty", "half", "header", "text"])
def test_a_damaged_file_is_refused_with_its_path(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "masks.safetensors"
    pruneexp.save_masks(masks(), path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "half": content[: len(content) // 2],
            "header": b"\xff" * 8 + content[8:],
            "text": b"these are no masks, and they never were",
        }[damage]
    )
    with pytest.raises(UserError, match=r"masks\.safetensors holds no readable masks"):
        pruneexp.load_masks(path)


def test_a_missing_file_or_a_folder_is_refused_with_its_path(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match=f"{path.name} holds no readable masks"):
            pruneexp.load_masks(path)


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "masks.safetensors"
    pruneexp.save_masks(masks(0), path)

    def no_space(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(UserError, match="No space left"):
        pruneexp.save_masks(masks(1), path)
    assert same(pruneexp.load_masks(path), masks(0))
    assert [child.name for child in tmp_path.iterdir()] == ["masks.safetensors"]


def test_torch_prune_gives_back_the_masks_it_was_given() -> None:
    model = network()
    pruneexp.to_torch_prune(model, masks())
    assert same(pruneexp.from_torch_prune(model), masks())
    assert torch_prune.is_pruned(model)
    assert not prunable(model)["0.weight"][~masks()["0.weight"]].any()


def test_torch_prune_works_on_a_lone_layer_and_reads_what_torch_pruned_itself() -> None:
    layer = nn.Linear(6, 5)
    torch_prune.l1_unstructured(layer, "weight", amount=20)
    found = pruneexp.from_torch_prune(layer)
    assert int(found["weight"].sum()) == 10
    again = nn.Linear(6, 5)
    pruneexp.to_torch_prune(again, found)
    assert same(pruneexp.from_torch_prune(again), found)


def test_under_torch_prune_any_training_loop_keeps_the_pruned_weights_at_zero() -> None:
    torch.manual_seed(0)
    model = network()
    pruneexp.to_torch_prune(model, masks())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        optimiser.zero_grad()
        model(torch.randn(8, 3, 4, 4)).square().mean().backward()
        optimiser.step()
    for name, mask in masks().items():
        torch_prune.remove(model.get_submodule(name.removesuffix(".weight")), "weight")
        weight = model.get_parameter(name)
        assert not weight[~mask].any()
        assert weight[mask].all()


def test_a_model_without_torch_prune_has_no_masks() -> None:
    assert pruneexp.from_torch_prune(network()) == {}
