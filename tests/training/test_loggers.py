"""Each cell is one finished run of its logger."""

import contextlib
import csv
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import WandbLogger

from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.loggers import logging_to
from pruneexp.training.train import train
from tests.helpers import toy_dataset

RECIPE = Recipe(epochs=2, batch_size=16, lr=0.05)
FIGURES = {"test/accuracy": 50.0, "graph/lambda2/fc.weight": 0.5}


def cell(loggers: list[Any]) -> None:
    """Train a small network under the loggers, then log a cell's figures."""
    network = vgg_small(4, (3, 16, 16))
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    data = Resident(toy_dataset(40), RECIPE, 0, Device("cpu").where)
    train(network, {}, RECIPE, data, Device("cpu"), loggers)
    for logger in loggers:
        logger.log_metrics(FIGURES, step=RECIPE.epochs)


def logged(kind: dict[str, Any], folder: Path, keys: tuple[str, ...] = ("cell",)) -> None:
    for key in keys:
        with logging_to(kind, folder, "group", key, {"density": 0.1}) as loggers:
            cell(loggers)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No W&B key anywhere, and nothing of W&B's outside `tmp_path`."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")


def test_none_writes_nothing(tmp_path: Path) -> None:
    with logging_to({"name": "none"}, tmp_path, "group", "cell", {}) as loggers:
        assert loggers == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"none, csv, tensorboard or wandb, got 'mlflow'"),
        logging_to({"name": "mlflow"}, tmp_path, "group", "cell", {}),
    ):
        pytest.fail("there is no such logger")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    logged({"name": "csv"}, tmp_path)
    table = rows(tmp_path / "csv" / "cell" / "metrics.csv")
    losses = [row["train/loss"] for row in table if row["train/loss"]]
    assert len(losses) == 2
    assert all(float(loss) > 0 for loss in losses)


def test_csv_has_the_test_accuracy_and_the_graphs_figures(tmp_path: Path) -> None:
    logged({"name": "csv"}, tmp_path)
    last = rows(tmp_path / "csv" / "cell" / "metrics.csv")[-1]
    assert {name: float(last[name]) for name in FIGURES} == FIGURES


def test_tensorboard_has_every_figure(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logged({"name": "tensorboard"}, tmp_path, ("first", "second"))
    for key in ("first", "second"):
        events = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / key))
        events.Reload()
        assert {name: events.Scalars(name)[-1].value for name in FIGURES} == FIGURES
        assert len(events.Scalars("train/loss")) == 2


def offline_runs(folder: Path) -> list[list[Any]]:
    """The records of each offline run, once W&B's background process has written its last."""
    import wandb

    wandb.teardown()
    return [wandb_records(path) for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]


def wandb_records(path: Path) -> list[Any]:
    """The records of an offline run's file: LevelDB's log format (blocks of 32 KiB) of protocol buffers."""
    Record = importlib.import_module("wandb.proto.wandb_internal_pb2").Record  # noqa: N806
    data, at, part, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if (rest := 32768 - at % 32768) < 7:
            at += rest
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(Record())
            found[-1].ParseFromString(part)
            part = b""
    return found


def test_wandb_without_a_key_leaves_one_finished_offline_run_for_each_cell(tmp_path: Path, offline: None) -> None:
    import wandb

    logged({"name": "wandb", "project": "pruneexp"}, tmp_path / "logs", ("first", "second"))
    assert wandb.run is None
    both = offline_runs(tmp_path / "logs")
    assert len(both) == 2
    names = set()
    for records in both:
        runs = [record.run for record in records if record.HasField("run")]
        names.add(runs[0].display_name)
        assert (runs[0].run_group, runs[0].project) == ("group", "pruneexp")
        assert [record.exit.exit_code for record in records if record.HasField("exit")] == [0]
        items = [item for record in records if record.HasField("history") for item in record.history.item]
        values = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}
        assert {name: values[name] for name in FIGURES} == FIGURES
        assert values["train/loss"] > 0
    assert names == {"first", "second"}


def test_wandb_runs_that_are_open_at_once_keep_their_figures_apart(tmp_path: Path, offline: None) -> None:
    with contextlib.ExitStack() as stack:
        kind = {"name": "wandb", "project": "pruneexp"}
        open_ = {
            key: stack.enter_context(logging_to(kind, tmp_path, "group", key, {"which": key}))
            for key in ("first", "second", "third")
        }
        for step in range(3):
            for number, loggers in enumerate(open_.values()):
                loggers[0].log_metrics({"train/loss": 10.0 * number + step}, step=step)
    found = {}
    for records in offline_runs(tmp_path):
        (name,) = {record.run.display_name for record in records if record.HasField("run")}
        items = [item for record in records if record.HasField("history") for item in record.history.item]
        values = [(item.key or "/".join(item.nested_key), json.loads(item.value_json)) for item in items]
        found[name] = [value for key, value in values if key == "train/loss"]
    assert found == {"first": [0, 1, 2], "second": [10, 11, 12], "third": [20, 21, 22]}


def test_a_run_that_fails_is_finished_too(tmp_path: Path, offline: None) -> None:
    def broken() -> None:
        with logging_to({"name": "wandb", "project": "pruneexp"}, tmp_path, "group", "broken", {}) as loggers:
            loggers[0].log_metrics(FIGURES)
            raise RuntimeError("the cell fails")

    with pytest.raises(RuntimeError, match="the cell fails"):
        broken()
    (records,) = offline_runs(tmp_path)
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [1]


def test_hyper_parameters_reach_the_wandb_run(tmp_path: Path, offline: None) -> None:
    with logging_to({"name": "wandb", "project": "p"}, tmp_path, "grouped", "named", {"density": 0.25}) as loggers:
        loggers[0].log_metrics(FIGURES)
        assert isinstance(loggers[0], WandbLogger)
        run = loggers[0].experiment
        assert (run.name, run.group, run.project) == ("named", "grouped", "p")
        assert json.loads(json.dumps(dict(run.config)))["density"] == 0.25
        assert run.offline
