"""Each cell is one finished run of its logger."""

import contextlib
import csv
import errno
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import Logger

from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.system.tracking import MODE, check_installed
from pruneexp.training import loggers, wandb_run
from pruneexp.training.about import About
from pruneexp.training.device import Device
from pruneexp.training.lenient import Lenient
from pruneexp.training.loggers import logging_to
from pruneexp.training.train import train
from tests.helpers import toy_dataset
from tests.wandb_runs import offline_runs

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


def about(key: str = "cell", **config: Any) -> About:
    """A run of the experiment "group"."""
    return About(key, f"name of {key}", "group", "pruned", ("group", "digits"), config)


def logged(kind: dict[str, Any], folder: Path, keys: tuple[str, ...] = ("cell",)) -> None:
    for key in keys:
        with logging_to(kind, folder, about(key, density=0.1)) as loggers:
            cell(loggers)


def test_none_writes_nothing(tmp_path: Path) -> None:
    with logging_to({"name": "none"}, tmp_path, about()) as loggers:
        assert loggers == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_logger_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"none, csv, tensorboard or wandb, got 'mlflow'"),
        logging_to({"name": "mlflow"}, tmp_path, about()),
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
        assert len(list((tmp_path / "tensorboard" / key).glob("events.*"))) == 1
        events = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / key))
        events.Reload()
        assert {name: events.Scalars(name)[-1].value for name in FIGURES} == FIGURES
        assert len(events.Scalars("train/loss")) == 2


def test_tensorboards_table_has_the_options_of_all_runs_with_their_accuracies(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    runs: dict[str, dict[str, Any]] = {
        "a": {"masker": "dense"},
        "b": {"masker": "greedy", "options": {"scope": "global"}},
    }
    with contextlib.suppress(RuntimeError):
        for key, config in (runs | {"c": {}}).items():
            with logging_to({"name": "tensorboard"}, tmp_path, about(key, **config)) as loggers:
                loggers[0].log_metrics({"test/accuracy": 50.0, "density": 0.5}, step=1)
                if key == "c":
                    raise RuntimeError
    experiment, sessions = hparams_tab(tmp_path / "tensorboard")
    assert {one.name for one in experiment.hparam_infos} == {"masker", "options/scope"}
    assert {one.name.tag for one in experiment.metric_infos} == {"test/accuracy", "density"}
    told = {
        key: {name: value.string_value for name, value in start.hparams.items()} for key, (start, _) in sessions.items()
    }
    assert told == {"a": {"masker": "dense"}, "b": {"masker": "greedy", "options/scope": "global"}, "c": {}}
    assert {key for key, (_, end) in sessions.items() if end is not None} == {"a", "b"}


def hparams_tab(folder: Path) -> tuple[Any, dict[str, tuple[Any, Any]]]:
    """The columns of TensorBoard's HParams tab, and how each run began and ended."""
    processing = "backend.event_processing"
    data_provider, multiplexer, context, plugin, backend, metadata = (
        importlib.import_module(f"tensorboard.{name}")
        for name in (
            f"{processing}.data_provider", f"{processing}.plugin_event_multiplexer", "context", "plugins.base_plugin",
            "plugins.hparams.backend_context", "plugins.hparams.metadata",
        )
    )  # fmt: skip
    runs = multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(folder))
    tab, request = backend.Context(plugin.TBContext(data_provider=provider)), context.RequestContext()
    found = tab.hparams_metadata(request, "")
    none = tab.hparams_from_data_provider(request, "", None)
    sessions = {
        run: (
            metadata.parse_session_start_info_plugin_data(tags[metadata.SESSION_START_INFO_TAG]),
            metadata.parse_session_end_info_plugin_data(tags[metadata.SESSION_END_INFO_TAG])
            if metadata.SESSION_END_INFO_TAG in tags
            else None,
        )
        for run, tags in found.items()
    }
    return tab.experiment_from_metadata(request, "", True, found, none), sessions


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
    assert names == {"name of first", "name of second"}


def test_wandb_runs_that_are_open_at_once_keep_their_figures_apart(tmp_path: Path, offline: None) -> None:
    with contextlib.ExitStack() as stack:
        kind = {"name": "wandb", "project": "pruneexp"}
        open_ = {
            key: stack.enter_context(logging_to(kind, tmp_path, about(key, which=key)))
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
    assert found == {
        f"name of {key}": rows
        for key, rows in {"first": [0, 1, 2], "second": [10, 11, 12], "third": [20, 21, 22]}.items()
    }


def test_a_run_that_fails_is_finished_too(tmp_path: Path, offline: None) -> None:
    def broken() -> None:
        with logging_to({"name": "wandb", "project": "pruneexp"}, tmp_path, about("broken")) as loggers:
            loggers[0].log_metrics(FIGURES)
            raise RuntimeError("the cell fails")

    with pytest.raises(RuntimeError, match="the cell fails"):
        broken()
    (records,) = offline_runs(tmp_path)
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [1]


def test_hyper_parameters_reach_the_wandb_run(tmp_path: Path, offline: None) -> None:
    with logging_to({"name": "wandb", "project": "p"}, tmp_path, about("named", density=0.25)) as loggers:
        loggers[0].log_metrics(FIGURES)
    (records,) = offline_runs(tmp_path)
    run = next(record.run for record in records if record.HasField("run"))
    assert (run.display_name, run.run_group, run.project) == ("name of named", "group", "p")
    assert {item.key: json.loads(item.value_json) for item in run.config.update}["density"] == 0.25


def test_wandb_is_told_nothing_of_the_machine_and_says_nothing(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "host-of-the-test")
    with logging_to({"name": "wandb", "project": "p"}, tmp_path / "logs", about(a=1)) as loggers:
        loggers[0].log_metrics(FIGURES)
        print("a line of the program's own")
    assert capfd.readouterr() == ("a line of the program's own\n", "")
    offline_runs(tmp_path)
    (folder,) = (tmp_path / "logs" / "wandb").glob("offline-run-*")
    sent = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")
    assert b"graph/lambda2" in sent
    host = Path("/proc/sys/kernel/hostname").read_text(encoding="utf-8").strip()
    hidden = [
        str(tmp_path),
        tmp_path.name,
        str(Path.cwd()),
        Path.cwd().name + "/",
        sys.executable,
        Path(sys.argv[0]).name,
    ]
    hidden += [
        "host-of-the-test",
        *([host] if len(host) > 4 else []),
        "git@",
        "https://",
        "own\n",
        "a line of the program",
    ]
    assert [word for word in hidden if word.encode() in sent] == []


def test_what_the_user_asks_wandb_to_tell_is_told(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_HOST", "asked-for")
    assert "host" not in wandb_run._quiet(["host", "email"])
    monkeypatch.setenv("WANDB__DISABLE_META", "false")
    assert wandb_run._quiet(["x_disable_meta", "unknown"]) == {}


def test_wandb_writes_where_and_as_the_user_says(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"name": "wandb", "project": "p"}
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "own"))
    for mode in ("offline", "disabled"):
        monkeypatch.setenv("WANDB_MODE", mode)
        with logging_to(kind, tmp_path / "logs", about(mode)) as loggers:
            loggers[0].log_metrics(FIGURES)
    assert len(offline_runs(tmp_path / "logs")) == 0
    ((first, *_),) = offline_runs(tmp_path / "own")
    assert first is not None


def without_trouble(folder: Path, kinds: Sequence[str], during: Callable[[], object] = lambda: None) -> None:
    """Two cells, each logged twice."""
    for kind in kinds:
        for key in ("first", "second"):
            with logging_to({"name": kind, "project": "p"}, folder, about(key)) as loggers:
                loggers[0].log_metrics({"train/loss": 1.0}, step=0)
                during()
                loggers[0].log_metrics({"train/loss": 0.5}, step=1)


@pytest.mark.parametrize("name", ["csv", "tensorboard", "wandb"])
def test_a_folder_that_cannot_be_made_is_a_sentence_and_no_cell_fails(
    name: str, tmp_path: Path, offline: None, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(name)
    (tmp_path / "file").write_text("", encoding="utf-8")
    without_trouble(tmp_path / "file", [name])
    out, err = capfd.readouterr()
    (sentence,) = out.splitlines()
    assert sentence == (
        f"logger={name}: nothing more can be logged under {tmp_path}/file/{name} ({os.strerror(sentence_number(sentence))}):"
        " training goes on without."
    )
    assert err == ""


def test_curves_that_cannot_be_saved_at_the_end_are_a_sentence_and_no_cell_fails(
    tmp_path: Path, offline: None, capfd: pytest.CaptureFixture[str]
) -> None:
    def in_the_way() -> None:
        for key in ("first", "second"):
            (tmp_path / "csv" / key / "metrics.csv").mkdir(parents=True, exist_ok=True)

    without_trouble(tmp_path, ["csv"], in_the_way)
    out, err = capfd.readouterr()
    assert (
        out
        == f"logger=csv: nothing more can be logged under {tmp_path}/csv (Is a directory): training goes on without.\n"
    )
    assert err == ""


def sentence_number(sentence: str) -> int:
    """What the machine says of a folder under a file: not a directory, or that it is there and none."""
    return errno.EEXIST if os.strerror(errno.EEXIST) in sentence else errno.ENOTDIR


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # wandb's, who does not wait for it
def test_wandbs_process_may_die_in_the_middle(tmp_path: Path, offline: None, capfd: pytest.CaptureFixture[str]) -> None:
    def kill() -> None:
        for number in list(wandb_run._services())[: len(killed) == 0]:
            os.kill(number, signal.SIGKILL)
            killed.append(number)
            time.sleep(0.05)

    killed: list[int] = []
    offline_runs(tmp_path)  # a service of its own
    without_trouble(tmp_path, ["wandb"], kill)
    assert len(killed) == 1
    out, err = capfd.readouterr()
    assert out.count("logger=wandb: nothing more can be logged under ") == 1
    assert "Traceback" not in out + err
    assert os.environ[MODE] == "disabled"
    assert list(wandb_run._services()) == []
    gc.collect()


def test_nothing_waits_at_the_end_for_wandbs_process(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[Callable[[], None]] = []
    monkeypatch.setattr("atexit.register", ends.append)
    wandb_run._end_in_time.cache_clear()
    without_trouble(tmp_path, ["wandb"])
    assert ends[-1:] == [wandb_run.abandon]  # after wandb's own, before which it is called
    assert ends.count(wandb_run.abandon) == 1
    for number in (services := list(wandb_run._services())):
        os.kill(number, signal.SIGSTOP)
    begin = time.monotonic()
    ends[-1]()
    assert len(services) == 1
    assert time.monotonic() - begin < 3
    while list(wandb_run._services()) and time.monotonic() - begin < 5:  # on a busy machine it dies a little later
        time.sleep(0.01)
    assert list(wandb_run._services()) == []


class Hangs:
    """A run whose service does not answer any more."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: time.sleep(3 if name == self.where else 0)


@pytest.mark.parametrize("where", ["init", "define_metric", "log", "finish"])
def test_nothing_waits_long_for_wandb(
    where: str, tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(MODE, "online")
    for name in ("START", "FINISH", "HUNG", "GRACE"):
        monkeypatch.setattr(wandb_run, name, 0.05)
    monkeypatch.setattr("wandb.init", lambda **_: time.sleep(3) if where == "init" else Hangs(where))
    begin = time.monotonic()
    without_trouble(tmp_path, ["wandb"])
    assert time.monotonic() - begin < 1
    told = capsys.readouterr().out
    first, *second = told.splitlines()
    assert "W&B cannot be reached (it does not answer within 0." in first
    assert all("nothing more can be logged" in line for line in second)  # offline it hangs as well


def test_later_errors_of_runs_that_were_online_leave_the_mode_at_offline(tmp_path: Path, offline: None) -> None:
    for error in (ConnectionError("gone"), RuntimeError("revoked"), TimeoutError("hangs")):
        loggers._lowered(None, tmp_path, error)
        assert os.environ[MODE] == "offline"
    loggers._lowered("offline", tmp_path, RuntimeError("broken"))
    assert os.environ[MODE] == "disabled"
    os.environ[MODE] = "online"
    loggers._lowered("online", tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert os.environ[MODE] == "disabled"


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_package_that_is_missing_is_told_with_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        UserError, match=rf"logger={name} needs the {name} package: pip install {name}, or take logger=csv"
    ):
        check_installed(name)
    for other in ("none", "csv"):
        check_installed(other)


def test_threads_of_trackers_die_in_silence_and_others_do_not() -> None:
    usual = threading.excepthook
    heard: list[threading.ExceptHookArgs] = []
    threading.excepthook = heard.append
    try:
        loggers.hush.__wrapped__()
        for package in ("wandb.sdk.wandb_run", "tensorboard.summary", "wandbering"):
            body: dict[str, Any] = {"__name__": package}
            exec("def body(): raise OSError", body)
            (thread := threading.Thread(target=body["body"])).start()
            thread.join()
    finally:
        threading.excepthook = usual
    assert [one.thread is thread for one in heard] == [True]


class Breaks(Logger):
    """Fails at one of its steps."""

    name = version = None

    def __init__(self, where: str) -> None:
        self.where, self.rows, self.ends = where, 0, 0
        self.fail("make")

    def fail(self, where: str) -> None:
        if where == self.where:
            raise RuntimeError(where)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows += 1
        self.fail("log")

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        pass

    def close(self, whole: bool) -> None:
        self.ends += 1
        self.fail("close")


@pytest.mark.parametrize(("where", "rows", "ends"), [("make", 0, 0), ("log", 1, 1), ("close", 2, 1), ("", 2, 1)])
def test_a_logger_gives_up_after_its_first_error(where: str, rows: int, ends: int) -> None:
    made: list[Breaks] = []
    errors: list[Exception] = []

    def make() -> Breaks:
        made.append(Breaks(where))
        return made[-1]

    lenient = Lenient(make, Breaks.close, errors.append)
    for step in range(2):
        lenient.log_metrics({"x": 1.0}, step)
    for _ in range(2):
        lenient.close(whole=True)
    lenient.log_metrics({"x": 1.0}, 3)
    assert list(map(str, errors)) == [where] * bool(where)
    assert (sum(one.rows for one in made), sum(one.ends for one in made)) == (rows, ends)


def test_a_logger_that_fails_at_the_end_logs_no_more() -> None:
    made, errors = Breaks("conclusion"), list[Exception]()
    lenient = Lenient(lambda: made, Breaks.close, errors.append, lambda one, figures: one.fail(*figures))
    for _ in range(2):
        lenient.conclude({"conclusion": 1.0})
        lenient.log_metrics({"x": 1.0}, 1)
    lenient.close(whole=True)
    assert list(map(str, errors)) == ["conclusion"]
    assert (made.rows, made.ends) == (0, 1)
