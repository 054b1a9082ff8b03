"""Which command lines name one cell, and which two."""

import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pruneexp.cell import Cell, digest, digests
from pruneexp.components.options import component
from pruneexp.maskers.sparsify import sparsify
from pruneexp.sweep import expand
from tests.properties import PROPERTY

BASE = ("densities=[0.1]", "masker=sparsify", "seed=0", "trainer.precision=float32")


def cells(*arguments: str) -> list[Cell]:
    """The cells that one job of the command line may be, one for each precision; later arguments go before `BASE`."""
    given = {argument.split("=")[0] for argument in arguments}
    grid = expand([*(argument for argument in BASE if argument.split("=")[0] not in given), *arguments])
    assert len(grid.jobs) == 1
    return grid.slots[0].cells


def key(*arguments: str) -> str:
    (cell,) = cells(*arguments)
    return cell.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["recipe.lr=1"], ["recipe.lr=1.0"]),
        (["recipe.weight_decay=0"], ["recipe.weight_decay=-0.0"]),
        (["masker=sparsify_global"], ["masker=sparsify", "masker.scope=global"]),
        (["masker=greedy_global"], ["masker=greedy", "masker.scope=global"]),
        (["scorer=least_central", "masker=structured"], ["scorer=eigenvector_centrality", "scorer.least=true", "masker=structured"]),
        (["scorer=snip"], ["scorer=snip", "scorer.samples=100"]),
        (["scorer=snip", "rounds=60", "round_counts=down", "scorer.samples=128", "scorer.fresh=true"], ["scorer=iter_snip"]),
        (["model=vgg16"], ["model=vgg11", "model.depth=16"]),
        ([], ["masker.name=mine"]),
        ([], ["trainer.threads=1", "trainer.members=1", "trainer.graphs=false", "logger=none", "name=x", "latency=true"]),
        ([], ["launcher=gpus", "data_dir=elsewhere", "results_dir=elsewhere", "report_dir=elsewhere", "topology=full"]),
        ([], ["rounds=1", "round_masker=greedy", "round_counts=up"]),
        (["masker=erk", "scorer=snip"], ["masker=erk", "scorer=magnitude"]),
        (["masker=erk", "rounds=3"], ["masker=erk"]),
        (["densities=[1.0]", "shuffle=true"], ["densities=[1.0]", "masker=erk"]),
        (["trainer.accelerator=cpu", "trainer.precision=auto"], []),
        (["masker=erk", "when=trained"], ["masker=erk"]),
        (["recipe.lr=0.0001"], ["recipe.lr=1e-4"]),
        ([], ["recipe.optimiser=sgd", "recipe.mixup=0", "recipe.cutmix=-0.0", "recipe.warmup_epochs=0", "recipe.lr_interval=epoch"]),
        (["recipe.cutmix=1"], ["recipe.cutmix=1.0"]),
    ],
    ids=lambda part: " ".join(part) or "-",
)  # fmt: skip
def test_two_ways_to_write_one_cell(one: list[str], other: list[str]) -> None:
    assert key(*one) == key(*other)


@pytest.mark.parametrize(
    "change",
    [
        "recipe.lr=0.012345", "recipe.shift=1", "masker.sampling=paper", "seed=1", "densities=[0.2]", "initialisation=kaiming_uniform",
        "batchnorm_init=uniform", "trainer.precision=bf16",
        "scorer=random", "masker=sparsify_tree", "shuffle=true", "dataset.mean=[0.1,0.1,0.1]",
        "dataset.name=digits2", "dataset.validation=10", "model=vgg11", "rounds=2", "when=trained", "recipe.epochs=1",
        "recipe.optimiser=adam", "recipe.mixup=0.2", "recipe.cutmix=1", "recipe.warmup_epochs=1",
    ],
)  # fmt: skip
def test_what_makes_the_result_differ_is_another_cell(change: str) -> None:
    changes = [change, *(["recipe.milestones=[]"] if change == "recipe.epochs=1" else [])]
    assert key(*changes) != key()


@pytest.mark.parametrize("change", ["select=best_validation", "patience=3"])
def test_the_selection_of_an_epoch_is_part_of_dense_and_pruned_cells(change: str) -> None:
    for density in ("densities=[1.0]", "densities=[0.2]"):
        held_out = (density, "dataset.validation=10")
        assert key(*held_out, change) != key(*held_out) == key(*held_out, "select=last", "patience=0")


def test_auto_precision_may_be_either() -> None:
    both = cells("trainer.precision=auto")
    assert [cell.precision for cell in both] == ["float32", "bf16"]
    assert [cell.key for cell in both] == [key(), key("trainer.precision=bf16")]


@pytest.mark.parametrize(("model", "matters"), [("vgg_small", True), ("vit_small", False)])
def test_processes_that_share_a_batch_matter_where_batchnorm_does(model: str, matters: bool) -> None:
    alone, together = key(f"model={model}"), key(f"model={model}", "trainer.devices=2")
    assert (alone != together) == matters


def test_of_a_network_from_outside_nobody_knows_whether_a_shared_batch_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import torch\ndef net(num_classes, input_shape):\n    return torch.nn.Linear(1, 1)\n"
    (tmp_path / "theirs_for_keys.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    model = "model._target_=theirs_for_keys.net"
    assert key(model) != key(model, "trainer.devices=2")


def test_a_trainer_from_outside_is_part_of_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_trainer.py").write_text(
        "from pruneexp.training.device import Device\nclass Plain(Device): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert key("trainer._target_=their_trainer.Plain") != key()


@pytest.mark.parametrize("shift", ["${seed}", "${seed }", "${oc.select:seed,0}"])
def test_an_option_that_follows_from_the_seed_does_so_in_a_sweep(shift: str) -> None:
    swept = expand([*BASE[:2], "trainer.precision=float32", f"recipe.shift='{shift}'", "seed=1,2"])
    alone = expand([*BASE[:2], "trainer.precision=float32", f"recipe.shift='{shift}'", "seed=2"])
    assert swept.slots[1].cells[0].key == alone.slots[0].cells[0].key


def fresh(monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., Any]) -> str:
    """`function` under a path inside pruneexp that was not there before."""
    module = types.ModuleType(f"pruneexp.{name}")
    module.moved = function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return f"{module.__name__}.moved"


def test_a_component_that_moved_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key(f"masker._target_={fresh(monkeypatch, 'elsewhere', sparsify)}") == key()


def made(version: int, **defaults: Any) -> Callable[..., Any]:
    """A model of pruneexp's at some version, with options at these defaults."""
    text = ", ".join(f"{name}: {type(value).__name__} = {value!r}" for name, value in defaults.items())
    space: dict[str, Any] = {"nn": nn, "torch": torch, "__name__": "pruneexp.models.made"}
    exec(
        f"def tiny(num_classes: int, input_shape: tuple[int, ...], {text}) -> nn.Module: return nn.Linear(1, 1)", space
    )
    declared: Callable[..., Any] = component("model", version=version)(space["tiny"])
    return declared


def test_an_option_added_at_its_default_changes_no_key_and_a_version_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def of(*arguments: str, version: int = 1, **defaults: Any) -> str:
        return key(f"model._target_={fresh(monkeypatch, 'made', made(version, **defaults))}", *arguments)

    first = of("model.width=3", width=2)
    assert of("model.width=3", width=2, trick=False) == first
    assert of("model.width=3", "model.trick=false", width=2, trick=False) == first
    assert of("model.width=3", "model.trick=true", width=2, trick=False) != first
    assert of("model.width=3", width=2, version=2) != first


def test_a_changed_default_is_only_safe_with_a_new_version() -> None:
    """What `test_pins` is there to notice: under one version the same command would name an old cell of another result."""
    (cell,) = cells()
    assert "options" not in cell.description["masker"]
    assert replace(cell, description=cell.description | {"masker": {"name": "sparsify", "version": 2}}).key != cell.key


@PROPERTY
@given(
    st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.lists(st.booleans())),
    st.dictionaries(st.text(max_size=4), st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)),
)
def test_a_digest_in_parts_is_that_of_the_whole(known: dict[str, Any], others: dict[str, Any]) -> None:
    assert digests(known)(others) == digest(known | others)


def test_how_batch_normalisation_starts_makes_a_dense_network_another_too() -> None:
    dense = ("densities=[1.0]",)
    assert key(*dense, "batchnorm_init=uniform") != key(*dense) == key(*dense, "batchnorm_init=ones")


def test_a_network_that_goes_on_from_an_epoch_is_none_that_was_trained_from_there_anew() -> None:
    """The key that rewind=epoch had while the whole recipe was trained from the rewound weights names another cell."""
    (cell,) = cells("when=trained", "rewind=epoch", "rewind_epoch=2")
    before = cell.description | {"rewind": "epoch"}
    assert cell.key_with(digest(before)) != cell.key


def test_dropout_makes_a_network_another_and_a_shared_batch_matter() -> None:
    plain, dropping = "model=vgg13_base", ("model=vgg13_base", "model.dropout=0.5")
    assert key(plain, "model.dropout=0.0") == key(plain) != key(*dropping)
    assert key(plain, "trainer.devices=2") == key(plain)
    assert key(*dropping, "trainer.devices=2") != key(*dropping)
