"""Which epoch's weights a training leaves, and when it ends early: by the validation images alone, interrupted or not, alone or not."""

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pruneexp.data.dataset import Dataset
from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.system import files
from pruneexp.training.branch import Branch
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.device import Device
from pruneexp.training.selection import LAST, Selection, best_epoch
from pruneexp.training.snapshot import Snapshot
from pruneexp.training.train import Trained, Trainee, train, train_together
from tests.helpers import at_forward_pass, toy_dataset
from tests.training.test_checkpoint import Interrupted, checkpoint, interrupt

SHAPE, CPU, SEEN = (
    (3, 8, 8),
    Device("cpu"),
    5,
)  # forward passes of an epoch: 40 images in batches of ten, and the validation images
RECIPE = Recipe(epochs=6, batch_size=10, lr=0.05, weight_decay=5e-3, schedule="cosine", flip=True, shift=1)
RUINED = dataclasses.replace(RECIPE, epochs=4, schedule="steps", milestones=(2,), gamma=1e4)  # after two epochs
BEST = Selection(best=True)
HUMP = [(1.0, 20.0), (0.9, 40.0), (0.7, 60.0), (0.8, 60.0), (0.7, 60.0), (0.5, 50.0)]  # its best epoch is 2
Figures = Sequence[tuple[float, float]]  # loss and accuracy of each epoch


def rows(figures: Figures) -> list[dict[str, float]]:
    return [{"validation/loss": loss, "validation/accuracy": accuracy} for loss, accuracy in figures]


def network(seed: int = 0) -> nn.Module:
    made = vgg_small(4, SHAPE)
    initialise(made, "kaiming_normal", stream(seed, "initialisation"))
    return made


def masks_of(made: nn.Module) -> Masks:
    draws = stream(0, "masks")
    return {name: torch.rand(weight.shape, generator=draws) < 0.5 for name, weight in prunable(made).items()}


def images(recipe: Recipe = RECIPE, seed: int = 0, validation: int = 20, data: Dataset | None = None) -> Resident:
    whole = data or toy_dataset(60, side=SHAPE[1])
    return Resident(dataclasses.replace(whole, validation=validation), recipe, seed, CPU.where)


def run(
    made: nn.Module,
    selection: Selection,
    *callbacks: lightning.Callback,
    passes: int = 0,
    epochs: int | None = None,
    recipe: Recipe = RECIPE,
    data: Resident | None = None,
) -> Trained:
    """Train under masks; with `passes` interrupted at that forward pass."""
    at_forward_pass(made, passes, interrupt)
    where = (data or images(recipe), CPU, (), callbacks)
    return train(made, masks_of(made), recipe, *where, epochs=epochs, selection=selection)


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def scripted(monkeypatch: pytest.MonkeyPatch, by_seed: Mapping[int, Figures]) -> None:
    """Have the validation images, which are looked at all the same, say this of each epoch of a network whose data has that seed."""
    whole = MaskedClassifier.evaluate

    def evaluate(self: MaskedClassifier, numbers: Sequence[int], split: str) -> dict[int, tuple[float, float]]:
        found = whole(self, numbers, split)
        branches = {number: self.branches[number] for number in numbers if split == "validation"}
        return found | {number: by_seed[one.data.seed][one.epoch] for number, one in branches.items()}

    monkeypatch.setattr(MaskedClassifier, "evaluate", evaluate)


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        (HUMP, 2),
        ([(0.1, 10.0), (9.0, 11.0)], 1),  # accuracy first
        ([(0.3, 10.0), (0.2, 10.0), (0.2, 10.0)], 1),  # then loss, then the earlier
        ([(0.3, 10.0), (math.nan, 90.0), (math.inf, 90.0)], 0),
        ([(math.nan, 10.0), (math.inf, 90.0)], 0),
        ([(math.nan, 10.0), (5.0, 0.0)], 1),
    ],
)
def test_the_best_epoch(figures: Figures, best: int) -> None:
    assert best_epoch(rows(figures)) == best
    assert (BEST.chosen(rows(figures)), LAST.chosen(rows(figures))) == (best, len(figures) - 1)


@given(
    st.lists(st.tuples(st.sampled_from([0.5, 1.0, math.nan]), st.sampled_from([10.0, 20.0, 30.0])), max_size=12),
    st.integers(0, 4),
)
def test_patience_is_counted_as_early_stopping_counts_it(figures: Figures, patience: int) -> None:
    best, waited, expected = (False, 0.0, 0.0), 0, [False]
    for loss, accuracy in figures:
        now = (True, accuracy, -loss) if math.isfinite(loss) else (False, 0.0, 0.0)
        better = len(expected) == 1 or now > best
        best, waited = (now, 0) if better else (best, waited + 1)
        expected.append(0 < patience <= waited)
    history, selection = rows(figures), Selection(patience=patience)
    assert [selection.ends(history[:done]) for done in range(len(history) + 1)] == expected


def test_the_selected_weights_are_those_that_a_training_of_so_many_epochs_ends_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted(monkeypatch, {0: HUMP})
    whole, selected, short = network(), network(), network()
    last, best, three = run(whole, LAST), run(selected, BEST), run(short, LAST, epochs=3)
    assert best.history == last.history
    assert (last.chosen, best.chosen, three.chosen) == (5, 2, 2)
    assert same(selected, short)
    assert not same(selected, whole)
    assert (best.accuracy, best.loss) == (three.accuracy, three.loss)
    assert not best.diverged
    for name, mask in masks_of(selected).items():
        assert not prunable(selected)[name].detach()[~mask].any()


@pytest.mark.parametrize(("patience", "epochs"), [(1, 4), (2, 5), (3, 6), (4, 6)])
def test_patience_ends_the_training_and_selects_nothing(
    monkeypatch: pytest.MonkeyPatch, patience: int, epochs: int
) -> None:
    scripted(monkeypatch, {0: HUMP})
    found, expected = network(), network()
    trained = run(found, Selection(patience=patience))
    assert (len(trained.history), trained.chosen) == (epochs, epochs - 1)
    whole = run(expected, LAST, epochs=epochs)
    assert (trained.history, trained.loss) == (whole.history, whole.loss)
    assert same(found, expected)


BOTH = Selection(best=True, patience=2)  # five epochs, the third of which counts


@pytest.mark.parametrize("selection", [BEST, BOTH])
def test_an_interrupted_training_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selection: Selection
) -> None:
    scripted(monkeypatch, {0: HUMP})
    whole = network()
    expected = run(whole, selection)
    assert expected.chosen == 2
    path = tmp_path / "file"
    end = SEEN * len(expected.history)
    # before the best epoch, in the one after it, two later, and in the test; each goes on from the one before
    for passes in (SEEN + 2, 2 * SEEN + 2, SEEN + 1, end - 4 * SEEN + 1):
        with pytest.raises(Interrupted):
            run(network(), selection, checkpoint(path), passes=passes)
    resumed, told = network(), list[str]()
    found = run(resumed, selection, checkpoint(path, told))
    assert told == [f"goes on after epoch {len(expected.history)} of 6"]
    assert found.history == expected.history
    assert (found.accuracy, found.loss, found.chosen) == (expected.accuracy, expected.loss, expected.chosen)
    assert same(resumed, whole)


def test_an_error_when_the_last_and_best_epoch_has_its_row_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, {0: [(1.0, 10.0 + epoch) for epoch in range(6)]})
    whole, resumed, told = network(), network(), list[str]()
    expected = run(whole, BEST)
    log = Branch._log

    def raising(self: Branch, row: dict[str, float]) -> None:
        log(self, row)
        if row["epoch"] == 5:
            raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(Branch, "_log", raising)
        with pytest.raises(Interrupted):
            run(network(), BEST, checkpoint(tmp_path / "file", told, every=3600))
    found = run(resumed, BEST, checkpoint(tmp_path / "file", told))
    assert told == ["goes on after epoch 6 of 6"]
    assert (found.history, found.loss, found.chosen) == (expected.history, expected.loss, 5)
    assert same(resumed, whole)


def test_beside_others_each_is_what_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {0: HUMP, 1: HUMP[::-1]})
    asked = [(0, BEST), (1, BOTH), (0, Selection(patience=1)), (1, LAST)]

    def trainee(seed: int, selection: Selection) -> Trainee:
        made = network(seed)
        return Trainee(made, masks_of(made), images(seed=seed), selection=selection)

    together = [trainee(*one) for one in asked]
    found = train_together(together, RECIPE, CPU)
    assert [len(one.history) for one in found] == [6, 4, 4, 6]
    assert [one.chosen for one in found] == [2, 1, 3, 5]
    for one, beside, result in zip(asked, together, found, strict=True):
        alone = trainee(*one)
        (expected,) = train_together([alone], RECIPE, CPU)
        assert (result.history, result.accuracy, result.loss) == (expected.history, expected.accuracy, expected.loss)
        assert same(beside.network, alone.network)


def test_test_images_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    data = toy_dataset(60, side=SHAPE[1])
    poisoned = dataclasses.replace(data, test_images=255 - data.test_images, test_labels=(data.test_labels + 1) % 4)
    looks: list[str] = []
    whole = MaskedClassifier.evaluate

    def watched(self: MaskedClassifier, numbers: Sequence[int], split: str) -> dict[int, tuple[float, float]]:
        looks.append(split)
        return whole(self, numbers, split)

    monkeypatch.setattr(MaskedClassifier, "evaluate", watched)
    networks, results = (network(), network()), []
    for made, its in zip(networks, (data, poisoned), strict=True):
        results.append(run(made, BOTH, recipe=RUINED, data=images(RUINED, data=its)))
    clean, other = results
    assert clean.chosen < len(clean.history) - 1  # there was something to select
    assert (other.chosen, repr(other.history)) == (clean.chosen, repr(clean.history))
    assert same(*networks)
    assert other.accuracy != clean.accuracy
    assert looks == 2 * [*["validation"] * len(clean.history), "test"]
    # and what was selected has the validation figures that stand in its row
    shown, labels = next(iter(images(RUINED).batches(images(RUINED).validation)))
    with torch.no_grad():
        hits = networks[0](shown).argmax(dim=1) == labels
    assert 100 * hits.double().mean() == pytest.approx(clean.history[clean.chosen]["validation/accuracy"])


def test_a_training_that_diverges_leaves_the_weights_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {0: [(1.0, 30.0), (0.9, 40.0), (math.nan, 90.0)]})
    found, short = network(), network()
    recipe = copy.copy(RUINED)
    object.__setattr__(recipe, "gamma", 1e30)  # beyond all that are allowed
    trained = run(found, BEST, recipe=recipe)
    assert (len(trained.history), trained.chosen, trained.diverged) == (3, 1, True)
    expected = run(short, LAST, recipe=recipe, epochs=2)
    assert same(found, short)
    assert trained.loss == expected.loss


def test_a_snapshot_is_never_of_another_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {0: HUMP})
    for selection, name in ((BOTH, "selected"), (Selection(patience=2), "last")):
        run(network(), selection, *(Snapshot(after, tmp_path / f"{name} {after}", pytest.fail) for after in (3, 5)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last 3", "last 5", "selected 3"]
    assert files.read_sealed(tmp_path / "last 3") == files.read_sealed(tmp_path / "selected 3")


@pytest.mark.parametrize("selection", [BEST, Selection(patience=1)])
def test_without_validation_images_nothing_is_trained(selection: Selection) -> None:
    made, before = network(), network()
    with pytest.raises(UserError, match=r"^select=best_validation and patience go by images held out .*validation=N"):
        run(made, selection, data=images(validation=0))
    assert all(map(torch.equal, made.buffers(), before.buffers()))


def test_a_branch_keeps_a_copy_of_no_epoch_that_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    leave = Branch.leave

    def watched(self: Branch) -> None:
        kept.append(bool(self.best))
        leave(self)

    monkeypatch.setattr(Branch, "leave", watched)
    for selection in (LAST, Selection(patience=5), BEST):
        run(network(), selection, epochs=1)
    assert kept == [False, False, True]
