"""Masks that change while a network trains: at every step the right counts and weights, whatever interrupts, joins or records it."""

import copy
import dataclasses
import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.data.resident import Resident, Split
from pruneexp.errors import UserError
from pruneexp.mask_updates.gmp import GMP
from pruneexp.mask_updates.rigl import RigL
from pruneexp.mask_updates.set_ import Set
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.system import files
from pruneexp.training.branch import Branch
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.cuda_graph import Replayed
from pruneexp.training.device import Device
from pruneexp.training.processes import RankFailed
from pruneexp.training.round import Round
from pruneexp.training.selection import LAST, Selection
from pruneexp.training.train import Trained, Trainee, train, train_together
from tests.helpers import at_forward_pass, modern
from tests.training.test_checkpoint import Interrupted, checkpoint, interrupt
from tests.training.test_cuda_graph import Tape
from tests.training.test_data_parallel import TWO, Ends, Exact, broken
from tests.training.test_train import CPU, random_masks, resident, small

RECIPE = Recipe(epochs=4, batch_size=16, lr=0.05, weight_decay=5e-3, schedule="cosine", flip=True, shift=2)
STEPS = 20  # of which an epoch has five
EXCHANGES: list[MaskUpdate] = [RigL(interval=3), Set(interval=3)]  # after 3, 6, 9 and 12 steps
UPDATES: list[MaskUpdate] = [*EXCHANGES, GMP(interval=3, begin=0.1)]  # after 5, 8, 11 and 14
NAMES = ["rigl", "set", "gmp"]
each = pytest.mark.parametrize("update", UPDATES, ids=NAMES)


def branch(
    update: MaskUpdate, recipe: Recipe = RECIPE, device: Device = CPU, network: nn.Module | None = None
) -> Branch:
    network = network or device.place(small())
    data = resident(recipe, 80)
    return Branch(network, random_masks(network), recipe, data, device, [], recipe.epochs, update=update)


def batches(one: Branch) -> Iterator[Split]:
    """What it is trained on, each epoch begun and ended."""
    for epoch in range(one.epochs):
        one.begin_epoch()
        for chunk in one.data.epoch(epoch):
            for batch in chunk:
                yield batch
                one.batches += 1
        one.end_epoch()
        one.note(1.0, 50.0)


def patterns(one: Branch) -> Masks:
    assert one.changes is not None
    return one.changes.masks()


def buffers(one: Branch) -> list[list[torch.Tensor]]:
    """What the optimiser keeps of each pruned weight, in its shape."""
    kept = [one.step.optimiser.state[weight].values() for weight in one.step.pruned]
    return [
        [value for value in some if value.shape == weight.shape]
        for some, weight in zip(kept, one.step.pruned, strict=True)
    ]


@pytest.mark.parametrize("recipe", [RECIPE, modern(RECIPE, mixup=0.0, cutmix=0.0)], ids=["sgd", "adamw"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("update", EXCHANGES, ids=NAMES[:2])
def test_counts_are_constant_at_every_step(update: MaskUpdate, recipe: Recipe, precision: Any) -> None:
    one = branch(update, recipe, Device("cpu", precision))
    counts, seen, changes = {name: int(mask.sum()) for name, mask in patterns(one).items()}, 0, []
    places = [kept.data_ptr() for kept in one.step.kept]
    for images, labels in batches(one):
        before, old = patterns(one), buffers(one)
        weights = [weight.detach().clone() for weight in one.step.pruned]
        momenta = [[value.clone() for value in some] for some in old]
        one.begin_step()
        if not update.replaces:  # between two steps: momentum is looked at before the next
            momenta = [[value.clone() for value in some] for some in buffers(one)]
        one.step(images, labels)
        after = patterns(one)
        assert {name: int(mask.sum()) for name, mask in after.items()} == counts
        if any(not torch.equal(before[name], mask) for name, mask in after.items()):
            changes.append(seen)
        for name, weight, was, mine, theirs in zip(after, one.step.pruned, weights, momenta, buffers(one), strict=True):
            new, stayed = after[name] & ~before[name], after[name] & before[name]
            assert not weight.detach()[~after[name]].any()
            if seen in (3, 6, 9, 12) and update.replaces:
                assert not weight.detach()[new].any()
                assert torch.equal(weight.detach()[stayed], was[stayed])
                assert all(torch.equal(a[~new], b[~new]) for a, b in zip(mine, theirs, strict=True))
                assert not any(value[new].any() for value in theirs)
            elif seen in (3, 6, 9, 12):
                assert not any(value[new].any() for value in mine)
        if one.step.shadow is not None:
            copies = one.step.shadow.copies.values()
            assert all(
                torch.equal(copied.detach(), weight.detach().bfloat16())
                for copied, weight in zip(copies, one.step.shadow.weights, strict=True)
            )
        seen += 1
    assert (seen, changes) == (STEPS, [3, 6, 9, 12])
    assert places == [kept.data_ptr() for kept in one.step.kept]  # where a recording reads them


def test_rigl_grows_by_a_dense_gradient_that_is_computed_otherwise() -> None:
    one = branch(RigL(interval=3))
    for seen, (images, labels) in enumerate(batches(one)):
        before = patterns(one)
        apart = copy.deepcopy(one.network).train()
        functional.cross_entropy(apart(images), labels).backward()
        gradients = {name: weight.grad for name, weight in prunable(apart).items()}
        weights = {name: weight.detach().clone() for name, weight in prunable(one.network).items()}
        one.begin_step()
        one.step(images, labels)
        if seen not in (3, 6, 9, 12):
            continue
        share = 0.3 / 2 * (1 + math.cos(math.pi * seen / 15))
        for name, mask in patterns(one).items():
            gradient = gradients[name]
            assert gradient is not None
            k = math.floor(share * int(before[name].sum()))
            size = weights[name].abs().where(before[name], math.inf).flatten()
            stays = before[name].flatten().clone()
            stays[size.argsort(stable=True)[:k]] = False
            steepest = gradient.abs().flatten().where(~stays, -1.0).argsort(descending=True, stable=True)[:k]
            stays[steepest] = True
            assert torch.equal(mask.flatten(), stays), name


def test_rigls_update_counts_for_batchnorm_and_moves_nothing_else() -> None:
    one = branch(RigL(interval=3))
    for seen, (images, labels) in enumerate(batches(one)):
        parameters = {name: value.detach().clone() for name, value in one.network.named_parameters()}
        means = {name: value.clone() for name, value in one.network.named_buffers() if name.endswith("running_mean")}
        one.begin_step()
        one.step(images, labels)
        moved = {
            name for name, value in one.network.named_parameters() if not torch.equal(value.detach(), parameters[name])
        }
        state = one.network.state_dict()
        assert all(not torch.equal(state[name], mean) for name, mean in means.items())
        unmasked = parameters.keys() - prunable(one.network).keys()
        assert bool(moved & unmasked) == (seen not in (3, 6, 9, 12))


def test_set_grows_what_its_own_stream_says() -> None:
    one = branch(Set(interval=3))
    for seen, (images, labels) in enumerate(batches(one)):
        before = patterns(one)
        weights = {name: weight.detach().clone() for name, weight in prunable(one.network).items()}
        one.begin_step()
        if seen in (3, 6, 9, 12):
            generator = stream(one.data.seed, "mask_update", seen)
            share = 0.3 / 2 * (1 + math.cos(math.pi * seen / 15))
            for name, mask in patterns(one).items():
                order = torch.randperm(mask.numel(), generator=generator)
                stays = before[name].flatten().clone()
                k = math.floor(share * int(stays.sum()))
                stays[weights[name].abs().where(before[name], math.inf).flatten().argsort(stable=True)[:k]] = False
                stays[order.where(~stays, -1).argsort(descending=True, stable=True)[:k]] = True
                assert torch.equal(mask.flatten(), stays), name
                assert not one.network.get_parameter(name).detach()[mask & ~before[name]].any()
        one.step(images, labels)


def test_gmp_meets_its_schedule_and_ends_at_the_maskers_counts() -> None:
    one = branch(GMP(interval=3, begin=0.1))
    counts = {name: int(mask.sum()) for name, mask in random_masks(one.network).items()}
    assert all(mask.all() for mask in patterns(one).values())
    made, before = 0, patterns(one)
    for seen, (images, labels) in enumerate(batches(one)):
        weights = {name: weight.detach().abs() for name, weight in prunable(one.network).items()}
        one.begin_step()
        made += seen in (5, 8, 11, 14)
        after = patterns(one)
        for name, mask in after.items():
            sparsity = 1 - counts[name] / mask.numel()
            expected = sparsity - sparsity * (1 - made / 4) ** 3
            assert int(mask.sum()) == round(mask.numel() * (1 - expected)), (seen, name)
            assert not (mask & ~before[name]).any()
            if (gone := before[name] & ~mask).any():
                assert weights[name][gone].max() <= weights[name][mask].min()
        one.step(images, labels)
        assert torch.equal(patterns(one)["fc.weight"], after["fc.weight"])
        before = after
    assert {name: int(mask.sum()) for name, mask in before.items()} == counts


def run(
    network: nn.Module,
    update: MaskUpdate | None,
    *callbacks: lightning.Callback,
    recipe: Recipe = RECIPE,
    selection: Selection = LAST,
    passes: int = 0,
    device: Device = CPU,
    start: int = 0,
) -> Trained:
    if passes:  # other processes could not be given the hook
        at_forward_pass(network, passes, interrupt)
    data, masks = resident(recipe, 100, validation=20), random_masks(network, 0.3)
    return train(
        network, masks, recipe, data, device, (), callbacks, selection=selection, update=update, start=start
    )  # fmt: skip


def alike(one: tuple[nn.Module, Trained], other: tuple[nn.Module, Trained]) -> bool:
    """Bit for bit, masks too."""
    (network, trained), (again, resumed) = one, other
    assert trained.masks is not None
    assert resumed.masks is not None
    pairs = [*zip(network.state_dict().values(), again.state_dict().values(), strict=True)]
    pairs += [(mask, resumed.masks[name]) for name, mask in trained.masks.items()]
    figures = [(each.history, each.accuracy, each.chosen, each.updates) for each in (trained, resumed)]
    return all(torch.equal(a, b) for a, b in pairs) and figures[0] == figures[1]


@each
@pytest.mark.parametrize("recipe", [RECIPE, modern(RECIPE)], ids=["sgd", "adamw"])
def test_a_training_that_goes_on_ends_byte_equal(tmp_path: Path, update: MaskUpdate, recipe: Recipe) -> None:
    whole, resumed, told = small(), small(), list[str]()
    expected = run(whole, update, recipe=recipe)
    for passes in (3, 14, 9):  # in the epochs 0, 2 and 3; an epoch has six passes, the last of them the validation
        with pytest.raises(Interrupted):
            run(small(), update, checkpoint(tmp_path / "file", told), recipe=recipe, passes=passes)
    found = run(resumed, update, checkpoint(tmp_path / "file", told), recipe=recipe)
    assert told == ["goes on after epoch 2 of 4", "goes on after epoch 3 of 4"]
    assert alike((whole, expected), (resumed, found))
    assert expected.updates == 4


class AtEnds(lightning.Callback):
    """The masks at the end of each epoch."""

    def __init__(self) -> None:
        self.masks: list[Masks] = []

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, MaskedClassifier)
        self.masks.append(patterns(pl_module.branches[0]))


# the last epochs ruin the network, so that one of before is selected, with its masks
RUINED = dataclasses.replace(RECIPE, schedule="steps", milestones=(2,), gamma=300.0)


@pytest.mark.parametrize("update", EXCHANGES, ids=NAMES[:2])
def test_the_best_epochs_masks_are_those_of_its_weights(tmp_path: Path, update: MaskUpdate) -> None:
    whole, resumed, ends = small(), small(), AtEnds()
    expected = run(whole, update, ends, recipe=RUINED, selection=Selection(best=True))
    assert expected.chosen < 2
    assert expected.masks is not None
    for name, mask in ends.masks[expected.chosen + 1].items():  # as the next epoch begins
        assert torch.equal(expected.masks[name], mask)
        assert not whole.get_parameter(name).detach()[~mask].any()
    assert any(not torch.equal(expected.masks[name], mask) for name, mask in ends.masks[3].items())
    assert expected.updates == sum(t < 5 * (expected.chosen + 1) for t in update.times(STEPS))
    with pytest.raises(Interrupted):
        run(small(), update, checkpoint(tmp_path / "file"), recipe=RUINED, selection=Selection(best=True), passes=20)
    found = run(resumed, update, checkpoint(tmp_path / "file"), recipe=RUINED, selection=Selection(best=True))
    assert alike((whole, expected), (resumed, found))


FALSE: dict[str, Callable[[dict[str, Any]], object]] = {
    "KeyError: 'masks'": lambda state: state.pop("masks"),
    "of its last masks fc.weight is missing": lambda state: state["masks"]["last"].pop("fc.weight"),
    "of its last masks fc.weight is float32": lambda state: state["masks"]["last"].update(
        {"fc.weight": state["masks"]["last"]["fc.weight"].float()}
    ),
    "of its last masks that of fc.weight keeps": lambda state: state["masks"]["last"]["fc.weight"].fill_(True),
}


@pytest.mark.parametrize("why", FALSE)
def test_masks_that_no_training_leaves_are_not_gone_on_from(tmp_path: Path, why: str) -> None:
    with pytest.raises(Interrupted):
        run(small(), RigL(interval=3), checkpoint(tmp_path / "file"), passes=14)
    state = read(tmp_path / "file")
    FALSE[why](state)
    write(tmp_path / "file", state)
    told: list[str] = []
    again = run(small(), RigL(interval=3), checkpoint(tmp_path / "file", told))
    assert "is none of this training (" in told[0]
    assert why in told[0]
    assert again.history == run(small(), RigL(interval=3)).history


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(io.BytesIO(files.read_sealed(path)), weights_only=True)
    return found


def write(path: Path, state: dict[str, Any]) -> None:
    content = io.BytesIO()
    torch.save(state, content)
    files.write_sealed(path, content.getvalue())


def test_a_checkpoint_of_masks_that_stay_is_what_it_was(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(small(), None, checkpoint(tmp_path / "file"), passes=14)
    assert read(tmp_path / "file").keys() == {"identity", "network", "optimiser", "history", "seconds", "devices"}
    assert run(small(), None).masks is None


def test_a_training_that_goes_on_with_a_later_epoch_counts_its_own_steps() -> None:
    trained = run(small(), RigL(interval=4), start=2)
    assert trained.updates == 1  # after 4 of its 10 steps, not at 8, which is beyond three quarters
    with pytest.raises(UserError, match="never change in the 10 steps"):
        run(small(), RigL(interval=9), start=2)


def test_frozen_layers_keep_their_masks_until_they_thaw() -> None:
    recipe = dataclasses.replace(RECIPE, frozen_epochs=2)
    one = branch(RigL(interval=3), recipe)
    first = patterns(one)
    for seen, (images, labels) in enumerate(batches(one)):
        one.begin_step()
        one.step(images, labels)
        changed = {name for name, mask in patterns(one).items() if not torch.equal(mask, first[name])}
        expected = set() if seen < 3 else {"fc.weight"} if seen < 12 else set(first)
        assert changed == expected, seen


@each
def test_beside_others_each_is_as_alone(update: MaskUpdate) -> None:
    updates: Sequence[MaskUpdate | None] = (update, None, RigL(interval=2), update)
    data: list[Resident] = [resident(RECIPE, 100, seed, validation=20) for seed in (0, 0, 1, 1)]

    def trainees() -> list[Trainee]:
        networks = [small() for _ in updates]
        parts = zip(networks, data, updates, strict=True)
        return [Trainee(one, random_masks(one, 0.3), its, update=how) for one, its, how in parts]

    together, alone = trainees(), trainees()
    found = train_together(together, RECIPE, CPU)
    expected = [train_together([one], RECIPE, CPU)[0] for one in alone]
    assert [one.history for one in found] == [one.history for one in expected]
    for one, other in zip(together, alone, strict=True):
        for name, value in one.network.state_dict().items():
            assert torch.equal(value, other.network.state_dict()[name]), name


@each
def test_two_processes_make_the_updates_of_one(update: MaskUpdate) -> None:
    alone, shared = Exact(), Exact()
    expected, found = run(alone, update), run(shared, update, device=TWO)
    assert expected.masks is not None
    assert found.masks is not None
    assert found.updates == expected.updates == 4
    for name, mask in expected.masks.items():
        assert torch.equal(found.masks[name], mask), name
        assert not shared.get_parameter(name).detach()[~mask].any()
    for mine, theirs in zip(shared.parameters(), alone.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_two_processes_go_on_from_a_checkpoint_byte_equal(tmp_path: Path) -> None:
    whole, resumed, update = Exact(), Exact(), RigL(interval=3)
    expected = run(whole, update, device=TWO)
    with pytest.raises(RankFailed):
        run(Exact(), update, Checkpoint(tmp_path / "file", {}, "one", 1e-9, print), Ends(2, broken), device=TWO)
    found = run(resumed, update, Checkpoint(tmp_path / "file", {}, "one", 1e-9, print), device=TWO)
    assert alike((whole, expected), (resumed, found))


@each
def test_a_recording_is_replayed_between_the_updates(monkeypatch: pytest.MonkeyPatch, update: MaskUpdate) -> None:
    direct, recorded, tape = small(), small(), Tape()
    expected = run(direct, update)
    monkeypatch.setattr(
        "pruneexp.training.classifier.few_launches",
        lambda steps, feeds, device: Replayed(
            Round(steps, feeds), tape, lambda: any(step.instead is not None for step in steps)
        ),
    )
    assert alike((direct, expected), (recorded, run(recorded, update)))
    made = 4 if update.replaces else 0  # of RigL's the three that come when something is recorded are no replays
    assert (tape.warm, tape.recorded, tape.replayed) == (3, 1, STEPS - 3 - made)
