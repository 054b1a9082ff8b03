"""Networks of different seeds trained side by side: each to the very numbers that it comes to alone, whatever becomes of the others."""

import dataclasses
import functools
import itertools
import math
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import nn

from pruneexp.data.resident import Resident
from pruneexp.models.vgg import VGG, M
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.system.signals import Stopped, heeded
from pruneexp.training.branch import Branch
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.cuda_graph import Replayed
from pruneexp.training.device import Device
from pruneexp.training.round import Round
from pruneexp.training.train import Trained, Trainee, train_together
from tests.helpers import toy_dataset
from tests.training.test_checkpoint import Interrupted
from tests.training.test_cuda_graph import Tape
from tests.training.test_snapshot import Interrupt

SHAPE, STEPS = (3, 8, 8), 5  # of an epoch: 38 images in batches of eight, the last of six
RECIPE = Recipe(
    epochs=10, batch_size=8, lr=0.05, weight_decay=5e-3, milestones=(6,), label_smoothing=0.1, flip=True, shift=1
)
SHORT = dataclasses.replace(RECIPE, epochs=6, milestones=(3,))
FROZEN = dataclasses.replace(RECIPE, epochs=5, milestones=(3,), frozen_epochs=2)
CPU = Device("cpu")
State = dict[str, torch.Tensor]


@dataclasses.dataclass(frozen=True)
class Member:
    """A network that is to be trained.

    Attributes:
        seed: of its initialisation, mask, split and data order.
        density: of its mask; 1 for none.
        ill: after so many training steps its logits are nan.
    """

    seed: int = 0
    density: float = 0.5
    ill: float = math.inf

    def network(self) -> nn.Module:
        network = VGG([8, M, 12], 4, SHAPE[0])
        initialise(network, "kaiming_normal", stream(self.seed, "initialisation"))
        steps = itertools.count()
        network.register_forward_hook(
            lambda module, _, logits: logits * math.nan if module.training and next(steps) >= self.ill else logits
        )
        return network

    def trainee(self, data: Resident) -> Trainee:
        network = self.network()
        draw = functools.partial(torch.rand, generator=stream(self.seed, "mask"))
        masks = {name: draw(weight.shape) < self.density for name, weight in prunable(network).items()}
        return Trainee(network, masks if self.density < 1 else {}, data)


THREE = (Member(0), Member(1, 0.2), Member(0, 1.0))


def residents(members: Sequence[Member], recipe: Recipe) -> list[Resident]:
    """Each one's images; of one seed the same ones, and of another other validation images."""
    data = dataclasses.replace(toy_dataset(46, side=SHAPE[1]), validation=8)
    made = {member.seed: Resident(data, recipe, member.seed, CPU.where) for member in members}
    return [made[member.seed] for member in members]


class Watch(lightning.Callback):
    """The branches that are trained."""

    branches: Sequence[Branch]

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.branches = pl_module.branches  # type: ignore[assignment]


def state(branch: Branch) -> State:
    """Copies of all that training changes: parameters, BatchNorm's statistics and counters, what the optimiser keeps."""
    buffers = {
        f"{name}.{kept}": value
        for name, parameter in branch.step.parameters.items()
        for kept, value in branch.step.optimiser.state[parameter].items()
    }
    return {name: value.clone() for name, value in (*branch.network.state_dict().items(), *buffers.items())}


def same(one: State, other: State) -> bool:
    """Bit for bit, nan or not."""
    return one.keys() == other.keys() and all(
        value.dtype == other[name].dtype and value.numpy().tobytes() == other[name].numpy().tobytes()
        for name, value in one.items()
    )


Result = tuple[State, str]  # what is left of a training, and all its figures but the seconds


def figures(trained: Trained) -> str:
    """As text, in which nan is nan."""
    return repr((trained.history, trained.accuracy, trained.loss, trained.diverged))


def run(
    members: Sequence[Member],
    recipe: Recipe = RECIPE,
    device: Device = CPU,
    callbacks: Sequence[lightning.Callback] = (),
    ended: Callable[[int, Trained], None] | None = None,
    hook: Callable[[int, nn.Module], object] = lambda number, network: None,
) -> list[Result]:
    """Train the members together; `hook` is told the number of each network before its forward passes."""
    trainees = [member.trainee(data) for member, data in zip(members, residents(members, recipe), strict=True)]
    for number, trainee in enumerate(trainees):
        tell = functools.partial(hook, number)
        trainee.network.register_forward_pre_hook(
            lambda module, _, tell=tell, own=trainee.network: tell(module) if module is own else None
        )
    watch = Watch()
    results = train_together(trainees, recipe, device, [*callbacks, watch], ended)
    return [(state(branch), figures(result)) for branch, result in zip(watch.branches, results, strict=True)]


def alike(found: Sequence[Result], expected: Sequence[Result]) -> list[bool]:
    return [same(one[0], other[0]) and one[1] == other[1] for one, other in zip(found, expected, strict=True)]


def checkpoints(
    folder: Path, numbers: Sequence[int], every: float = 3600, told: list[str] | None = None
) -> list[Checkpoint]:
    """For a training of these of some members, each its file in the folder."""
    say = (told if told is not None else []).append
    return [
        Checkpoint(folder / str(number), {"cell": str(number)}, "one", every, say, place)
        for place, number in enumerate(numbers)
    ]


def interrupted(
    members: Sequence[Member], epochs: dict[int, int], folder: Path, recipe: Recipe, device: Device = CPU
) -> None:
    """Leave checkpoints of some of the members, each after so many epochs of a training alone."""
    for number, epoch in epochs.items():
        (checkpoint,) = checkpoints(folder, [number], every=1e-9)
        with pytest.raises(Interrupted):
            run([members[number]], recipe, device, [checkpoint, Interrupt(epoch)])


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_each_comes_to_the_numbers_that_it_comes_to_alone(precision: Any) -> None:
    """Different seeds are different initialisations, masks, orders and validation images."""
    members = [Member(0), Member(1, 0.3), Member(0, 0.2), Member(2, 1.0), Member(1, 0.1)]
    device = Device("cpu", precision)
    together = run(members, device=device)
    alone = [run([member], device=device)[0] for member in members]
    assert alike(together, alone) == [True] * 5
    for left, _ in together:
        assert int(left["layers.0.bn.num_batches_tracked"]) == RECIPE.epochs * STEPS >= 50
    assert len({told for _, told in together}) == 5


def test_members_of_one_seed_share_each_batch_and_no_others_do() -> None:
    members = (Member(0), Member(1), Member(0, 0.2), Member(1, 1.0), Member(2))
    trainees = [member.trainee(data) for member, data in zip(members, residents(members, RECIPE), strict=True)]
    seen: list[list[torch.Tensor]] = [[] for _ in members]
    for trainee, images in zip(trainees, seen, strict=True):
        trainee.network.register_forward_pre_hook(
            lambda module, inputs, images=images: images.append(inputs[0]) if module.training else None
        )
    train_together(trainees, dataclasses.replace(RECIPE, epochs=2), CPU)
    assert [len(images) for images in seen] == [2 * STEPS] * 5
    for (one, mine), (other, theirs) in itertools.combinations(zip(members, seen, strict=True), 2):
        shared = one.seed == other.seed
        assert [a is b for a, b in zip(mine, theirs, strict=True)] == [shared] * 2 * STEPS
        assert shared or not any(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_one_that_ends_early_one_that_starts_anew_and_one_that_diverges(tmp_path: Path) -> None:
    members = (Member(0), Member(1, 0.2), Member(0, 1.0, ill=2 * STEPS + 1), Member(1))
    interrupted(members, {0: 4, 3: 3}, tmp_path, SHORT)
    watch, moments, then = Watch(), [], {}

    def ended(number: int, trained: Trained) -> None:
        moments.append((number, [branch.epoch for branch in watch.branches], figures(trained)))
        then[number] = state(watch.branches[number])

    places = checkpoints(tmp_path, range(4))
    together = run(members, SHORT, callbacks=[*places, watch], ended=ended)
    assert [(number, epochs) for number, epochs, _ in moments] == [
        (0, [6, 2, 2, 5]),  # of which the first goes on after its fourth epoch, the last after its third
        (2, [6, 3, 3, 6]),  # ill in its third; these two end at once
        (3, [6, 3, 3, 6]),
        (1, [6, 6, 3, 6]),
    ]
    assert [told for _, _, told in moments] == [together[number][1] for number, _, _ in moments]
    assert all(same(then[number], together[number][0]) for number in range(4))  # nothing of it has changed since
    alone = [run([member], SHORT)[0] for member in members]
    assert alike(together, alone) == [True] * 4
    assert ["nan" in told for _, told in together] == [False, False, True, False]


def test_no_checkpoint_is_written_of_one_that_somebody_has_taken_over(tmp_path: Path) -> None:
    members = (Member(0), Member(1), Member(0, 0.2, ill=0))
    interrupted(members, {0: 4}, tmp_path, SHORT)
    there = []

    def ended(number: int, _: Trained) -> None:
        (tmp_path / str(number)).unlink(missing_ok=True)
        there.append(sorted(path.name for path in tmp_path.iterdir()))

    run(members, SHORT, callbacks=checkpoints(tmp_path, range(3), every=1e-9), ended=ended)
    assert there == [["0"], ["1"], []]  # the third diverges in its first epoch; the first ends after two
    assert list(tmp_path.iterdir()) == []


# a signal


@dataclasses.dataclass
class Signal:
    """Sends this process SIGTERM before one of the forward passes of one of the networks."""

    number: int
    passes: int

    def __call__(self, number: int, _: nn.Module) -> None:
        self.passes -= number == self.number
        if self.passes == 0 and number == self.number:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def whole() -> list[Result]:
    """What the three come to uninterrupted."""
    return run(THREE, SHORT)


@pytest.mark.parametrize("groups", [[[0, 1, 2]], [[2], [1, 0]]], ids=str)
@pytest.mark.parametrize(
    ("number", "passes", "epoch"),  # of an epoch five passes are training and one is validation; the last is the test
    [(0, 14, 2), (1, 15, 2), (2, 18, 2), (1, 37, 6)],
    ids=["first of a round", "in a round", "validation", "test"],
)
def test_a_signal_leaves_a_checkpoint_of_each_and_each_goes_on_from_it_in_other_company_too(
    tmp_path: Path, whole: list[Result], number: int, passes: int, epoch: int, groups: list[list[int]]
) -> None:
    with pytest.raises(Stopped), heeded():
        run(THREE, SHORT, callbacks=checkpoints(tmp_path, range(3)), hook=Signal(number, passes))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    told: list[str] = []
    for group in groups:
        found = run([THREE[one] for one in group], SHORT, callbacks=checkpoints(tmp_path, group, told=told))
        assert alike(found, [whole[one] for one in group]) == [True] * len(group)
    assert told == [f"goes on after epoch {epoch} of 6"] * 3


def test_those_that_a_signal_finds_at_different_epochs_go_on_together(tmp_path: Path, whole: list[Result]) -> None:
    interrupted(THREE, {1: 3, 2: 5}, tmp_path, SHORT)
    ended = []
    with pytest.raises(Stopped), heeded():
        run(
            THREE,
            SHORT,
            callbacks=checkpoints(tmp_path, range(3)),
            ended=lambda number, _: ended.append(number),
            hook=Signal(0, 15),  # in its third epoch, when the last has ended
        )
    assert ended == [2]
    told: list[str] = []
    found = run(THREE[:2], SHORT, callbacks=checkpoints(tmp_path, [0, 1], told=told))
    assert told == ["goes on after epoch 2 of 6", "goes on after epoch 5 of 6"]
    assert alike(found, whole[:2]) == [True] * 2


# frozen epochs


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_branches_at_different_epochs_are_frozen_each_in_its_own(tmp_path: Path, precision: Any) -> None:
    members, device = (Member(0), Member(0, 0.2), Member(1), Member(2, 1.0)), Device("cpu", precision)
    interrupted(members, {1: 1, 2: 3}, tmp_path, FROZEN, device)
    trains: list[list[bool]] = [[] for _ in members]

    def hook(number: int, network: nn.Module) -> None:
        if network.training:
            trains[number].append(next(network.parameters()).requires_grad)

    told: list[str] = []
    together = run(members, FROZEN, device, checkpoints(tmp_path, range(4), told=told), hook=hook)
    assert told == ["goes on after epoch 1 of 5", "goes on after epoch 3 of 5"]
    frozen = FROZEN.frozen_epochs
    for epochs, mine in zip((0, 1, 3, 0), trains, strict=True):
        expected = [epoch >= frozen for epoch in range(epochs, FROZEN.epochs) for _ in range(STEPS)]
        assert mine == expected
    assert alike(together, [run([member], FROZEN, device)[0] for member in members]) == [True] * 4
    counted = {int(left["layers.0.bn.num_batches_tracked"]) for left, _ in together}
    assert counted == {(FROZEN.epochs - frozen) * STEPS}


def test_what_is_recorded_is_recorded_anew_when_a_branch_thaws_or_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = (Member(0), Member(0, 0.2), Member(1))
    interrupted(members, {1: 1, 2: 3}, tmp_path, FROZEN)
    made: list[tuple[int, list[int]]] = []
    tape = Tape()

    def few_launches(steps: list[Any], feeds: list[int], device: Device) -> Replayed:
        made.append((len(steps), feeds))
        return Replayed(Round(steps, feeds), tape)

    with monkeypatch.context() as patch:
        patch.setattr("pruneexp.training.classifier.few_launches", few_launches)
        together = run(members, FROZEN, callbacks=checkpoints(tmp_path, range(3)))
    # the first two are of one seed, one epoch apart; the third ends after two epochs, the second after four
    assert made == [(3, [0, 1, 2]), (3, [0, 1, 2]), (2, [0, 1]), (1, [0])]
    assert tape.recorded == len(made)
    assert alike(together, [run([member], FROZEN)[0] for member in members]) == [True] * 3
