"""Cells of a job trained at once: the same records as one after another, and nothing finished is lost or done twice."""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pruneexp.records.store import Store
from pruneexp.training.train import Trained, train_together
from tests.command import SMALL, Outcome, in_process

SWEEP = (*SMALL, "seed=0", "scorer=magnitude", "masker=greedy", "densities=[1.0,0.2,0.1]")
Command = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: in_process(tmp_path, monkeypatch, capsys, *arguments)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the groups that are trained."""
    sizes: list[int] = []

    def spy(networks: list[Any], *means: Any, **options: Any) -> list[Trained]:
        sizes.append(len(networks))
        return train_together(networks, *means, **options)

    monkeypatch.setattr("pruneexp.trials.train_together", spy)
    return sizes


def records(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/record.json")}


def test_the_records_are_those_of_single_runs(tmp_path: Path, run: Command, groups: list[int]) -> None:
    assert run(*SWEEP, "results_dir=alone").code == 0
    assert groups == []
    outcome = run(*SWEEP, "results_dir=together", "trainer.members=2", "logger=csv")
    assert outcome.code == 0, outcome.err
    assert groups == [2]  # the last one is left, and trained alone
    alone, together = records(tmp_path / "alone"), records(tmp_path / "together")
    assert alone.keys() == together.keys()
    assert [record["notes"].get("members") for _, record in sorted(together.items())] == [2, None, 2]
    for key, record in together.items():
        expected = alone[key]
        assert record.keys() == expected.keys()
        assert record["notes"].keys() - {"members"} == expected["notes"].keys()
        assert record["train_loss"] == pytest.approx(expected["train_loss"], rel=0.05)
        for field in ("kept", "density", "lambda2_min", "imdb", "epochs", "diverged"):
            assert record[field] == expected[field]
        with (tmp_path / "together" / ".logs" / "csv" / key / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [float(row["train/loss"]) for row in rows if row["train/loss"]] == [pytest.approx(record["train_loss"])]
        assert [float(row["test/accuracy"]) for row in rows if row["test/accuracy"]] == [record["accuracy"]]
    assert outcome.out.count(" of 3  digits") == 3


def test_a_cell_that_another_process_works_on_is_left_out_of_its_group(
    run: Command, groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, waited = Store.claim, []

    @contextlib.contextmanager
    def busy(self: Store, key: str, wait: bool = False) -> Iterator[bool]:
        """As if another process held one cell, and let go of it unfinished when it is waited for."""
        if "d0.2" in key and not wait:
            yield False
            return
        if "d0.2" in key:
            waited.append(key)
        with claim(self, key, wait) as mine:
            yield mine

    monkeypatch.setattr(Store, "claim", busy)
    assert run(*SWEEP, "trainer.members=3").code == 0
    assert groups == [2]
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
        assert run(*SWEEP, "trainer.members=3").code == 1
    before = records(tmp_path / "results" / "runs")
    assert sorted(before) == sorted(written)
    assert run(*SWEEP, "trainer.members=3").code == 0
    assert groups == [3, 2]
    after = records(tmp_path / "results" / "runs")
    assert len(after) == 3
    assert all(after[key] == record for key, record in before.items())


def test_the_dense_network_that_others_start_from_is_trained_alone_first(
    tmp_path: Path, run: Command, groups: list[int]
) -> None:
    assert run(*SWEEP, "trainer.members=auto", "when=trained").code == 0
    assert sum(groups) in (0, 2)
    (dense,) = (record for key, record in records(tmp_path / "results" / "runs").items() if "dense" in key)
    assert "members" not in dense["notes"]


def test_a_network_with_dropout_refuses_members_before_anything_runs(tmp_path: Path, run: Command) -> None:
    outcome = run(*SWEEP, "trainer.members=2", "model=vgg13_2448", "model.hidden=8")
    assert outcome.code == 2
    assert "trainer.members=2 does not go with this network" in outcome.err
    assert not records(tmp_path / "results" / "runs")
