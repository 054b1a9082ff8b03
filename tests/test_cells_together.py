"""Cells of one job or of several trained at once: the records of single runs, and nothing finished is lost or done twice."""

import contextlib
import csv
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.cell import GROUPS, marked
from pruneexp.errors import UserError
from pruneexp.network.initialise import initialise
from pruneexp.records.store import Store
from pruneexp.seeding import stream
from pruneexp.training.lenient import Lenient
from pruneexp.training.step import Step
from pruneexp.training.train import Trained, Trainee, train_together
from pruneexp.trials import prepared
from tests.command import SMALL, Outcome, in_process
from tests.test_structured_cells import MODEL

VGG = (*SMALL, "seed=0", "scorer=magnitude", "masker=greedy", "densities=[1.0,0.2,0.1]")
SWEEP = (*VGG, *MODEL)
Command = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: in_process(tmp_path, monkeypatch, capsys, *arguments)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the groups that are trained."""
    sizes: list[int] = []

    def spy(trainees: list[Trainee], *means: Any, **options: Any) -> list[Trained]:
        sizes.append(len(trainees))
        return train_together(trainees, *means, **options)

    monkeypatch.setattr("pruneexp.trials.train_together", spy)
    return sizes


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/record.json")}


UNLIKE = {"seconds", "peak_memory_bytes", "command", "config", "digest", "notes"}  # what is not of the cell itself


def test_the_records_are_those_of_single_runs(tmp_path: Path, run: Command, groups: list[int]) -> None:
    """Bit for bit, across jobs of other maskers and seeds."""
    sweep = (*VGG, "seed=0,1", "masker=greedy,sparsify", "recipe.epochs=2", "logger=csv")
    assert run(*sweep, "results_dir=alone").code == 0
    assert groups == [1] * 10
    outcome = run(*sweep, "results_dir=together", "trainer.members=4")
    assert outcome.code == 0, outcome.err
    assert groups == [1] * 10 + [4, 4, 2]
    alone, together = records(tmp_path / "alone"), records(tmp_path / "together")
    assert alone.keys() == together.keys()
    assert len(alone) == 10
    assert sorted(record["notes"]["members"] for record in together.values()) == [2] * 2 + [4] * 8
    for key, record in together.items():
        expected = alone[key]
        assert record.keys() == expected.keys()
        assert {name: record[name] for name in record.keys() - UNLIKE} == {
            name: expected[name] for name in record.keys() - UNLIKE
        }
        assert {**record["notes"], "members": 1} == {**expected["notes"], "members": 1}
        for file in ("history.csv", "weights.safetensors", "masks.safetensors"):
            assert (tmp_path / "together" / key / file).read_bytes() == (tmp_path / "alone" / key / file).read_bytes()
        logs = [tmp_path / which / ".logs" / "csv" / key / "metrics.csv" for which in ("together", "alone")]
        assert logs[0].read_text() == logs[1].read_text()
        with logs[0].open() as log:
            rows = list(csv.DictReader(log))
        assert [float(row["train/loss"]) for row in rows if row["train/loss"]][-1:] == [record["train_loss"]]
        assert [float(row["test/accuracy"]) for row in rows if row["test/accuracy"]] == [record["accuracy"]]
    assert outcome.out.count(" of 10  digits") == 10


def test_each_cell_has_its_own_command_and_configuration(tmp_path: Path, run: Command) -> None:
    assert run(*SWEEP, "seed=0,1", "trainer.members=4").code == 0
    for record in records(tmp_path / "results" / "runs").values():
        assert f"seed={record['seed']} " in record["command"] + " "
        assert record["config"]["seed"] == record["seed"]
        assert not record["config"].keys() & {*marked("command"), "launcher", "logger", "figure"}
        assert record["config"].keys() >= {"name", "densities", *GROUPS}


def test_cells_that_another_process_works_on_are_made_together_if_it_leaves_them(
    run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = Store.claim
    waited: list[str] = []

    @contextlib.contextmanager
    def busy(self: Store, key: str, wait: bool = False) -> Iterator[bool]:
        """As if another process held two cells, and let go of them unfinished when one is waited for."""
        if "d0." in key and not wait and not waited:
            yield False
            return
        if "d0." in key and wait:
            waited.append(key)
        with claim(self, key, wait) as mine:
            yield mine

    monkeypatch.setattr(Store, "claim", busy)
    assert run(*SWEEP, "trainer.members=3").code == 0
    assert groups == [1, 2]
    assert len(waited) == 1


def test_an_interrupted_group_keeps_what_is_recorded(
    tmp_path: Path, run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Store.write
    written: list[str] = []

    def broken(self: Store, key: str, *parts: Any) -> None:
        if len(written) == 1:
            raise OSError("the disk is gone")
        written.append(key)
        write(self, key, *parts)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", broken)
        outcome = run(*SWEEP, "trainer.members=3")
    assert outcome.code == 1
    assert "pruneexp: 2 of 3 cells could not be made" in outcome.err
    before = records(tmp_path / "results" / "runs")
    assert sorted(before) == sorted(written)
    assert run(*SWEEP, "trainer.members=3").code == 0
    assert groups == [3, 2]
    after = records(tmp_path / "results" / "runs")
    assert len(after) == 3
    assert all(after[key] == record for key, record in before.items())


def test_the_dense_networks_that_others_start_from_are_trained_first(
    tmp_path: Path, run: Command, groups: list[int]
) -> None:
    sweep = (*SWEEP, "seed=0,1", "when=trained", "results_dir=together")
    assert run(*sweep, "trainer.members=3").code == 0
    assert groups == [2, 3, 1]  # of both seeds; then what is pruned
    assert run(*sweep, "results_dir=alone").code == 0
    alone, together = records(tmp_path / "alone"), records(tmp_path / "together")
    assert {key: record["loss"] for key, record in alone.items()} == {
        key: record["loss"] for key, record in together.items()
    }


def test_a_dense_network_that_cannot_be_made_takes_its_own_seeds_cells_alone(
    tmp_path: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(piece: Any) -> Any:
        if piece.cell.density == 1 and piece.cell.seed == 1:
            raise UserError("the dense one is ill.")
        return prepared(piece)

    monkeypatch.setattr("pruneexp.running.prepared", fails)
    outcome = run(*SWEEP, "seed=0,1", "when=trained", "trainer.members=3")
    assert outcome.code == 1
    assert "pruneexp: 3 of 6 cells could not be made" in outcome.err
    assert (
        "density 0.2 seed 1 and 1 other: it needs the trained dense network, and the dense one is ill." in outcome.err
    )
    assert {record["seed"] for record in records(tmp_path / "results" / "runs").values()} == {0}


def test_neurons_may_be_removed(tmp_path: Path, run: Command, groups: list[int]) -> None:
    """The networks differ in shape then."""
    sweep = (*SWEEP, "masker=structured", "scorer=least_central", "densities=[0.5,0.3]")
    assert run(*sweep, "results_dir=together", "trainer.members=2").code == 0
    assert run(*sweep, "results_dir=alone").code == 0
    assert groups == [2, 1, 1]
    alone, together = records(tmp_path / "alone"), records(tmp_path / "together")
    assert {key: record["loss"] for key, record in alone.items()} == {
        key: record["loss"] for key, record in together.items()
    }


def dropping(num_classes: int, input_shape: tuple[int, int, int]) -> nn.Sequential:
    """The smallest network with dropout."""
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(8, num_classes)
    )


def test_a_network_with_dropout_is_trained_by_itself(tmp_path: Path, run: Command, groups: list[int]) -> None:
    model = ("model=vgg_small", "model._target_=tests.test_cells_together.dropping")
    outcome = run(*SWEEP, "densities=[1.0,0.1]", "trainer.members=2", *model)
    assert outcome.code == 0, outcome.err
    said = " ".join(outcome.out.split())
    assert said.count("One network at a time, whatever trainer.members says: it draws random numbers") == 1
    assert groups == [1, 1]


def test_what_cannot_be_trained_together_is_trained_one_by_one(
    tmp_path: Path, run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if there were memory for one network only, and one could not be trained at all."""
    real = Step.__call__

    def step(self: Step, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if groups[-1] > 1:
            raise torch.OutOfMemoryError("no room\nand more lines")
        return real(self, images, labels)

    monkeypatch.setattr(Step, "__call__", step)
    outcome = run(*SWEEP, "trainer.members=3")
    assert outcome.code == 0, outcome.err
    assert groups == [3, 1, 1, 1]
    assert outcome.out.count("is trained by itself (no room)") == 3
    assert ["members" in record["notes"] for record in records(tmp_path / "results" / "runs").values()] == [False] * 3


def test_what_goes_wrong_with_one_costs_the_others_no_epoch(
    tmp_path: Path, run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cell's second epoch ends; what a logger itself raises stops nothing."""
    real = Lenient.log_metrics

    def log(self: Lenient, row: dict[str, float], step: int | None = None) -> None:
        if "-d0.2-" in str(getattr(self._log, "__self__").version) and step == 1:  # noqa: B009  (a method's)
            raise RuntimeError("no more of it")
        real(self, row, step)

    monkeypatch.setattr(Lenient, "log_metrics", log)
    outcome = run(*SWEEP, "trainer.members=3", "recipe.epochs=3", "logger=csv")
    assert outcome.code == 1
    assert groups == [3, 1, 1, 1]
    assert outcome.out.count("goes on after epoch 1 of 3") == 3
    assert "pruneexp: 1 of 3 cells could not be made" in outcome.err
    assert outcome.out.count("; that was the last") == 1  # nobody waits for the one that failed
    assert sorted(record["asked_density"] for record in records(tmp_path / "results" / "runs").values()) == [0.1, 1]


def test_a_network_that_cannot_be_drawn_takes_no_other_cell_with_it(
    tmp_path: Path, run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(network: nn.Module, name: str, generator: torch.Generator, batchnorm: Any) -> None:
        if generator.initial_seed() == stream(0, "initialisation").initial_seed():
            raise UserError("no network of this seed.")
        initialise(network, name, generator, batchnorm)

    monkeypatch.setattr("pruneexp.artifacts.initialise", drawn)
    outcome = run(*SWEEP, "seed=0,1", "trainer.members=3")
    assert outcome.code == 1
    assert "pruneexp: 3 of 6 cells could not be made" in outcome.err
    assert {record["seed"] for record in records(tmp_path / "results" / "runs").values()} == {1}
    assert sum(groups) == 3


def test_what_cannot_be_prepared_beside_others_is_made_after_them(
    tmp_path: Path, run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if there were memory for two networks."""
    living: list[Any] = []

    def tight(piece: Any) -> Any:
        living[:] = [one for one in living if one() is not None]
        if len(living) == 2:
            raise torch.OutOfMemoryError("no room")
        made = prepared(piece)
        living.append(weakref.ref(made.network))
        return made

    monkeypatch.setattr("pruneexp.running.prepared", tight)
    outcome = run(*SWEEP, "seed=0,1", "trainer.members=4")
    assert outcome.code == 0, outcome.err
    assert groups == [2, 1, 1, 2]
    assert len(records(tmp_path / "results" / "runs")) == 6


def test_a_job_is_forgotten_after_its_last_cell(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another process has held them all, and let go of them unfinished."""
    claim, alive, most = Store.claim, weakref.WeakSet(), []  # type: ignore[var-annotated]

    @contextlib.contextmanager
    def busy(self: Store, key: str, wait: bool = False) -> Iterator[bool]:
        if not wait and "d" in key:
            yield False
            return
        with claim(self, key, wait) as mine:
            yield mine

    def counted(piece: Any) -> Any:
        alive.add(piece.order.shared)
        most.append(len(alive))
        return prepared(piece)

    monkeypatch.setattr(Store, "claim", busy)
    monkeypatch.setattr("pruneexp.running.prepared", counted)
    gc.disable()
    try:
        assert run(*SWEEP, "seed=0,1,2,3", "trainer.members=2").code == 0
    finally:
        gc.enable()
    assert len(most) == 12
    assert max(most) == 1


def test_a_branch_that_diverges_leaves_the_others_alone(
    tmp_path: Path, run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dense network's numbers are no longer finite in its second epoch."""
    real = Step.settle

    def settle(self: Step) -> None:
        real(self)
        if not self.pruned and hasattr(self, "optimiser") and self.optimiser.param_groups[0]["lr"] < self.recipe.lr:
            self.parameters["fc.weight"].data.fill_(torch.nan)

    monkeypatch.setattr(Step, "settle", settle)
    sweep = (*VGG, "recipe.epochs=4", "recipe.milestones=[1]", "seed=0,1")
    assert run(*sweep, "results_dir=together", "trainer.members=6").code == 0
    assert run(*sweep, "results_dir=alone").code == 0
    assert groups == [6, *[1] * 6]
    alone, together = records(tmp_path / "alone"), records(tmp_path / "together")
    assert {(record["asked_density"] == 1, record["diverged"], record["epochs"]) for record in together.values()} == {
        (True, True, 2),
        (False, False, 4),
    }
    for key, record in together.items():
        for name in ("loss", "accuracy", "epochs", "diverged", "train_loss"):
            assert record[name] == alone[key][name]
