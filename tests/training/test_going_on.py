"""A checkpoint with the right seal and a false content is left unused, and the network is not touched by it."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pruneexp.system import files
from pruneexp.training.branch import Branch
from pruneexp.training.selection import LAST, Selection
from pruneexp.training.train import train
from tests.training.test_checkpoint import RECIPE, Interrupted, checkpoint, run
from tests.training.test_train import CPU, random_masks, resident, small

State = dict[str, Any]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an interrupted training has left."""
    path = tmp_path_factory.mktemp("left") / "file"
    with pytest.raises(Interrupted):
        run(small(), checkpoint(path), passes=12)
    return files.read_sealed(path)


def weight(state: State, change: Callable[[torch.Tensor], object]) -> None:
    name = next(iter(state["network"]))
    state["network"][name] = change(state["network"][name])


def momentum(state: State, change: Callable[[torch.Tensor], object]) -> None:
    state["optimiser"]["state"][0]["momentum_buffer"] = change(state["optimiser"]["state"][0]["momentum_buffer"])


def rows(state: State, **figures: object) -> None:
    state["history"][-1].update(figures)


FALSE: dict[str, Callable[[State], object]] = {
    "its network is missing": lambda state: state.pop("network"),
    "its optimiser is list": lambda state: state.update(optimiser=[]),
    "its history is str": lambda state: state.update(history="history"),
    "its seconds is str": lambda state: state.update(seconds="1"),
    "its seconds or devices are none": lambda state: state.update(seconds=math.nan),
    "its devices is missing": lambda state: state.pop("devices"),
    "is missing)": lambda state: state["network"].pop(next(iter(state["network"]))),
    "of its network other is not known here": lambda state: state["network"].update(other=torch.zeros(1)),
    "and should be float32 [": lambda state: weight(state, lambda old: old[:-1]),
    "is float64 [": lambda state: weight(state, torch.Tensor.double),
    "is str and should be a tensor": lambda state: weight(state, lambda _: "weights"),
    "is no array of plain numbers": lambda state: weight(state, torch.Tensor.to_sparse),
    "no array of plain numbers": lambda state: weight(state, lambda old: old.to("meta")),
    "is not finite": lambda state: weight(state, lambda old: old * math.nan),
    "of its optimiser momentum_buffer 0 is float32 [3": lambda state: momentum(state, lambda _: torch.zeros(3)),
    "momentum_buffer 0 is not finite": lambda state: momentum(state, lambda old: old + math.inf),
    "of its optimiser momentum_buffer 0 is missing": lambda state: state["optimiser"]["state"].pop(0),
    "of its optimiser options are others": lambda state: state["optimiser"]["param_groups"][0].update(momentum=0.5),
    "of its optimiser parts are missing": lambda state: state["optimiser"]["param_groups"].clear(),
    "its history has 0 epochs of 4": lambda state: state["history"].clear(),
    "its history has 8 epochs of 4": lambda state: state.update(history=state["history"] * 4),
    "its history is not this recipe's in epoch 1": lambda state: rows(state, epoch=7),
    "is not this recipe's in epoch 1": lambda state: rows(state, learning_rate=1.0),
    "has something else than numbers in epoch 1": lambda state: rows(state, epoch="1"),
    "something else than numbers in epoch 1": lambda state: rows(state, **{"train/loss": torch.zeros(2)}),
    "its history has not the figures of a training in epoch 1": lambda state: state["history"][1].pop("train/loss"),
    "has not the figures of a training in epoch 0": lambda state: state["history"].__setitem__(0, "row"),
    "has an accuracy that is none in epoch 1": lambda state: rows(state, **{"train/accuracy": 101.0}),
    "goes on after its loss was not finite": lambda state: state["history"][0].update({"train/loss": math.nan}),
}


def branch(selection: Selection = LAST) -> Branch:
    network = small()
    data = resident(RECIPE, validation=20)
    return Branch(network, random_masks(network), RECIPE, data, CPU, [], RECIPE.epochs, selection=selection)


@pytest.mark.parametrize("why", FALSE)
def test_what_no_training_leaves_is_not_gone_on_from(tmp_path: Path, left: bytes, why: str) -> None:
    state, content, told = torch.load(io.BytesIO(left), weights_only=True), io.BytesIO(), list[str]()
    FALSE[why](state)
    torch.save(state, content)
    files.write_sealed(tmp_path / "file", content.getvalue())
    assert checkpoint(tmp_path / "file", told)._usable(branch()) is None
    (sentence,) = told
    assert "is none of this training (" in sentence
    assert why in sentence
    assert sentence.endswith("); starting anew")


def test_what_a_training_has_left_is(tmp_path: Path, left: bytes) -> None:
    files.write_sealed(tmp_path / "file", left)
    state = checkpoint(tmp_path / "file")._usable(branch())
    assert state is not None
    assert [row["epoch"] for row in state["history"]] == [0, 1]


def test_a_network_that_has_diverged_may_have_weights_that_are_not_finite(tmp_path: Path, left: bytes) -> None:
    state, content = torch.load(io.BytesIO(left), weights_only=True), io.BytesIO()
    weight(state, lambda old: old * math.nan)
    rows(state, **{"train/loss": math.inf})
    torch.save(state, content)
    files.write_sealed(tmp_path / "file", content.getvalue())
    assert checkpoint(tmp_path / "file")._usable(branch()) is not None


def test_buffers_may_be_complex_and_not_finite_on_purpose(tmp_path: Path) -> None:
    def masked() -> torch.nn.Module:
        network = small()
        network.register_buffer("unseen", torch.full((2, 2), -math.inf).triu(1))
        network.register_buffer("turns", torch.polar(torch.ones(3), torch.arange(3.0)))
        return network

    with pytest.raises(Interrupted):
        run(masked(), checkpoint(tmp_path / "file"), passes=12)
    network, told = masked(), list[str]()
    own = Branch(network, random_masks(network), RECIPE, resident(RECIPE, validation=20), CPU, [], RECIPE.epochs)
    assert checkpoint(tmp_path / "file", told)._usable(own) is not None, told


def best(state: State, change: Callable[[torch.Tensor], object]) -> None:
    """The best epoch's network, where the last one of the history is it."""
    state["best"] = {name: change(value) for name, value in state["network"].items()}
    rows(state, **{"validation/accuracy": 100.0, "validation/loss": 0.0})


OF_BEST: dict[str, Callable[[State], object]] = {
    "of its best epoch it is NoneType and should hold tensors by name": lambda state: None,
    "of its best epoch it is str": lambda state: state.update(best="best"),
    " is float64 [": lambda state: best(state, torch.Tensor.double),
    " is not finite": lambda state: best(state, lambda old: old * math.nan if old.is_floating_point() else old),
    "its history goes on after 1 epochs that were no better": lambda state: state["history"].append(
        state["history"][1] | {"epoch": 2, "learning_rate": RECIPE.learning_rate(2)}
    ),
}


@pytest.mark.parametrize("why", OF_BEST)
def test_of_a_training_that_selects_the_best_epoch_is_looked_at_too(tmp_path: Path, left: bytes, why: str) -> None:
    state, content, told = torch.load(io.BytesIO(left), weights_only=True), io.BytesIO(), list[str]()
    state["history"][0].update({"validation/accuracy": 50.0})
    rows(state, **{"validation/accuracy": 40.0})
    OF_BEST[why](state)
    torch.save(state, content)
    files.write_sealed(tmp_path / "file", content.getvalue())
    assert checkpoint(tmp_path / "file", told)._usable(branch(Selection(best=True, patience=1))) is None
    assert why in told[0]


def test_a_best_epoch_may_have_weights_that_are_not_finite_where_none_is_better(tmp_path: Path, left: bytes) -> None:
    state, content = torch.load(io.BytesIO(left), weights_only=True), io.BytesIO()
    best(state, lambda old: old * math.nan if old.is_floating_point() else old)
    for row in state["history"]:
        row["validation/loss"] = math.nan
    torch.save(state, content)
    files.write_sealed(tmp_path / "file", content.getvalue())
    assert checkpoint(tmp_path / "file")._usable(branch(Selection(best=True))) is not None


def test_a_training_beside_a_false_checkpoint_is_as_without(tmp_path: Path, left: bytes) -> None:
    state, content, told = torch.load(io.BytesIO(left), weights_only=True), io.BytesIO(), list[str]()
    momentum(state, lambda _: torch.zeros(3))  # the network before it would fit
    torch.save(state, content)
    files.write_sealed(tmp_path / "file", content.getvalue())
    network, alone = small(), small()
    data = resident(RECIPE)
    found = train(network, {}, RECIPE, data, CPU, [], [checkpoint(tmp_path / "file", told, every=3600)])
    assert found.history == train(alone, {}, RECIPE, data, CPU).history
    assert len(told) == 1
    for name, value in alone.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name
