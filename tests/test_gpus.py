"""Which worker of ``launcher=gpus`` gets what, with workers that only wait."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.gpus import Gpus
from pruneexp.launchers.task import Outcome, Report
from tests.quick import job

Begun = list[tuple[int, tuple[str, ...]]]  # which worker, with which jobs


def launch(monkeypatch: pytest.MonkeyPatch, folder: Path, begun: Begun, enough: int, *titles: str) -> Report:
    """Two workers: a job called slow goes on until so many bundles have been begun, and a killer ends its worker."""

    class Worker:
        def __init__(self, number: int, visible: str, workers: int) -> None:
            self.number, self.process = number, SimpleNamespace(returncode=-9)

        def run(self, bundle: Bundle) -> Outcome | None:
            titles = tuple(task.title for task in bundle.tasks)
            begun.append((self.number, titles))
            if "killer" in titles:
                return None
            if "no worker" in titles:
                raise BlockingIOError("no more processes")
            end = time.monotonic() + 30
            while titles[0] == "slow" and len(begun) < enough and time.monotonic() < end:
                time.sleep(0.01)
            return Outcome()

        def end(self, read: bool = False) -> None:
            pass

    monkeypatch.setattr("pruneexp.launchers.gpus.Worker", Worker)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    return Gpus(devices=2).launch([job(title) for title in titles], str(folder))


def test_no_worker_gets_all_that_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: Begun = []
    launch(monkeypatch, tmp_path, begun, 3, "slow", *map(str, range(1, 12)))
    (slow,) = (one for one in begun if one[1][0] == "slow")
    others = [jobs for number, jobs in begun if number != slow[0]]
    assert slow[1] == ("slow", "1", "2", "3", "4", "5")
    assert others == [("6", "7", "8"), ("9", "10", "11")]


def test_jobs_whose_worker_died_are_shared_out_among_those_that_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what is done; and a job whose workers have died twice is not tried again."""
    (tmp_path / "done").mkdir()
    (tmp_path / "done/record.json").touch()
    begun: Begun = []
    report = launch(monkeypatch, tmp_path, begun, 4, "0", "1", "2", "done", "slow", "killer")
    who = {jobs: number for number, jobs in begun}
    assert who.keys() == {("0", "1", "2"), ("done", "slow", "killer"), ("slow",), ("killer",)}
    assert len(begun) == 4
    assert who["slow",] != who["killer",]
    assert {key: one.why for key, one in report.failures.items()} == {
        "killer": "2 worker processes died of the job, the last with exit code -9."
    }


def test_a_worker_that_cannot_be_started_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: Begun = []
    report = launch(monkeypatch, tmp_path, begun, 0, *map(str, range(5)), "no worker")
    assert {one for _, jobs in begun for one in jobs} >= {"0", "1", "2", "3", "4"}
    assert "no more processes" in report.failures["no worker"].why
