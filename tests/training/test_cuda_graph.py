"""Recording and replaying steps, with a stand-in for CUDA's graphs that knows only the tensors it was recorded on."""

import contextlib
import copy
import dataclasses
import warnings
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import nn

from pruneexp.data.resident import Resident, Split
from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training import cuda_graph
from pruneexp.training.cuda_graph import WARM_UP, Replayed, few_launches
from pruneexp.training.device import Device
from pruneexp.training.round import Round, Steps
from pruneexp.training.train import train
from tests.helpers import toy_dataset

CPU = Device("cpu")
RECIPE = Recipe(epochs=3, batch_size=16, lr=0.05, weight_decay=5e-3, milestones=(2,), flip=True, shift=2)
Batch = tuple[torch.Tensor, torch.Tensor]


def list_images(batches: Sequence[Split]) -> list[torch.Tensor]:
    return [images for images, _ in batches]


class Tape:
    """A Recorder whose replay makes the step again on the recorded tensors, and puts the result where it once was."""

    def __init__(self) -> None:
        self.warm, self.recorded, self.replayed = 0, 0, 0

    def warm_up(self, steps: Steps, batches: Sequence[Split]) -> list[torch.Tensor]:
        self.warm += 1
        return steps(batches)

    def record(self, steps: Steps, batches: Sequence[Split]) -> tuple[Callable[[], None], list[torch.Tensor]]:
        self.recorded += 1
        results: list[torch.Tensor] = []

        def replay() -> None:
            self.replayed += 1
            results[:] = steps(batches)

        return replay, results


class Unrecordable(Tape):
    """As CUDA answers an operation that waits for the device."""

    def record(self, steps: Steps, batches: Sequence[Split]) -> tuple[Callable[[], None], list[torch.Tensor]]:
        self.recorded += 1
        raise RuntimeError("operation not permitted when stream is capturing\nand more lines")


def trained(monkeypatch: pytest.MonkeyPatch, recorder: Tape | None, recipe: Recipe = RECIPE) -> nn.Module:
    """A network trained on 135 images, nine batches of which the last is smaller."""
    if recorder is not None:
        monkeypatch.setattr(
            "pruneexp.training.classifier.few_launches",
            lambda steps, feeds, device: Replayed(Round(steps, feeds), recorder),
        )
    network = vgg_small(4, (3, 16, 16))
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    masks = {"fc.weight": torch.rand(network.fc.weight.shape, generator=stream(0, "mask")) < 0.5}
    train(network, masks, recipe, Resident(toy_dataset(135), recipe, 0, CPU.where), CPU)
    return network


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_replayed_training_is_the_direct_training_bit_for_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape()
    direct = trained(monkeypatch, None)
    assert same(direct, trained(monkeypatch, tape))
    # the smaller last batch of each epoch is recorded for itself, and would be replayed from the fourth epoch on
    assert (tape.warm, tape.recorded, tape.replayed) == (2 * WARM_UP, 1, 3 * 8 - WARM_UP)


def test_batches_of_two_shapes_are_recorded_each_and_further_ones_are_made() -> None:
    tape, seen = Tape(), []

    def steps(batches: Sequence[Split]) -> list[torch.Tensor]:
        seen.append(len(batches[0][1]))
        return [images.clone() for images, _ in batches]

    replayed = Replayed(steps, tape)
    for size in (4, 3, 2) * (WARM_UP + 2):
        images, labels = torch.full((size, 1), float(size)), torch.zeros(size, dtype=torch.int64)
        assert torch.equal(replayed([(images, labels)])[0], images)
    assert seen == [4, 3, 2] * (WARM_UP + 2)
    assert (tape.warm, tape.recorded, tape.replayed) == (2 * WARM_UP, 2, 4)


def test_a_training_that_cannot_be_recorded_goes_on_directly_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cuda_graph._say.cache_clear()
    tapes = [Unrecordable(), Unrecordable()]
    direct = trained(monkeypatch, None)
    assert all(same(direct, trained(monkeypatch, tape)) for tape in tapes)
    assert [tape.recorded for tape in tapes] == [1, 1]
    assert [tape.warm for tape in tapes] == [WARM_UP, WARM_UP]  # what failed is not tried again
    said = capsys.readouterr().out
    assert said.count("cannot be recorded as a CUDA graph (operation not permitted when stream is capturing)") == 1
    assert "trainer.graphs=false" in said


def test_a_thawed_network_is_recorded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, tape = dataclasses.replace(RECIPE, frozen_epochs=1), Tape()
    direct = trained(monkeypatch, None, recipe)
    assert same(direct, trained(monkeypatch, tape, recipe))
    assert tape.recorded == 2


def test_results_are_copies_and_inputs_may_be_overwritten() -> None:
    seen: list[Batch] = []

    def steps(batches: Sequence[Split]) -> list[torch.Tensor]:
        ((images, labels),) = batches
        seen.append((images.clone(), labels.clone()))
        return [images.sum(dim=(1, 2, 3))]

    replayed = Replayed(steps, Tape())
    images, labels = torch.empty(2, 3, 4, 4), torch.empty(2, dtype=torch.int64)
    results = [replayed([(images.fill_(k), labels.fill_(k))])[0] for k in range(WARM_UP + 3)]
    assert [int(result[0]) for result in results] == [48 * k for k in range(WARM_UP + 3)]
    assert [(int(i[0, 0, 0, 0]), int(l[0])) for i, l in seen] == [(k, k) for k in range(WARM_UP + 3)]


class Stream:
    """Stands for a CUDA stream, all of whose work is done at once."""

    def wait_stream(self, other: "Stream") -> None:
        assert isinstance(other, Stream)


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The synchronisation debug modes that were set, on a pretended device."""
    seen: list[str] = []
    monkeypatch.setattr(cuda_graph, "streams", lambda number: [Stream() for _ in range(number)])
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", seen.append)
    return seen


def test_a_step_that_waits_for_the_device_is_not_recorded_but_made(
    modes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cuda_graph._say.cache_clear()

    def steps(batches: Sequence[Split]) -> list[torch.Tensor]:
        if modes and modes[-1] == "warn":
            warnings.warn("called a synchronizing CUDA operation", UserWarning, stacklevel=1)
        return [2 * images for images, _ in batches]

    replayed = Replayed(steps, cuda_graph.CudaGraph())
    images, labels = torch.ones(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64)
    for _ in range(WARM_UP + 2):
        assert torch.equal(replayed([(images, labels)])[0], 2 * images)
    assert modes == ["warn", "default"] * WARM_UP
    assert capsys.readouterr().out.count("(it waits for numbers from the device)") == 1


def test_the_debug_mode_is_put_back_when_a_step_fails(modes: list[str]) -> None:
    def steps(batches: Sequence[Split]) -> list[torch.Tensor]:
        raise ValueError("the network fails")

    with pytest.raises(ValueError, match="the network fails"):
        cuda_graph.CudaGraph().warm_up(steps, [(torch.ones(1), torch.ones(1))])
    assert modes == ["warn", "default"]


def test_memory_that_runs_out_while_recording_is_not_taken_for_an_unrecordable_step() -> None:
    class Full(Tape):
        def record(self, steps: Steps, batches: Sequence[Split]) -> tuple[Callable[[], None], list[torch.Tensor]]:
            raise torch.OutOfMemoryError("no room")

    replayed = Replayed(list_images, Full())
    batches = [(torch.ones(2, 3), torch.zeros(2, dtype=torch.int64))]
    for _ in range(WARM_UP):
        replayed(batches)
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        replayed(batches)


def test_the_fixed_inputs_have_the_batches_memory_layout() -> None:
    images = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
    replayed = Replayed(list_images, Tape())
    replayed([(images, torch.zeros(2, dtype=torch.int64))])
    (recording,) = replayed.recordings.values()
    assert recording.batches[0][0].is_contiguous(memory_format=torch.channels_last)


def test_on_a_cpu_the_steps_are_made_in_turn() -> None:
    made = few_launches([], [], CPU)
    assert isinstance(made, Round)
    assert made.streams == []


def test_graphs_are_on_or_off() -> None:
    with pytest.raises(UserError, match=r"Device's graphs must be true or false, got 'auto'"):
        Device("cpu", graphs="auto")  # type: ignore[arg-type]


def test_frozen_epochs_train_the_classifier_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    start = vgg_small(4, (3, 16, 16))
    initialise(start, "kaiming_normal", stream(0, "initialisation"))
    frozen = trained(monkeypatch, None, dataclasses.replace(RECIPE, frozen_epochs=3))
    before = copy.deepcopy(start).state_dict()
    changed = {name for name, value in frozen.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"fc.weight", "fc.bias"}
    thawed = trained(monkeypatch, None, dataclasses.replace(RECIPE, frozen_epochs=2))
    assert not torch.equal(thawed.get_parameter("layers.0.conv.weight"), before["layers.0.conv.weight"])
