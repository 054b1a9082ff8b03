"""A sweep that another process works on too: what that has taken comes last, and nothing is made twice."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pruneexp.records.store import Store
from pruneexp.trials import prepared
from tests.command import SMALL, Outcome, in_process

SWEEP = (*SMALL, "scorer=magnitude", "masker=greedy", "seed=0,1")
Command = Callable[..., Outcome]
Made = list[tuple[int, float]]  # seed and density


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: in_process(tmp_path, monkeypatch, capsys, *arguments)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """The cells in the order in which they are trained."""
    found: Made = []

    def noted(piece: Any) -> Any:
        found.append((piece.cell.seed, piece.cell.density))
        return prepared(piece)

    monkeypatch.setattr("pruneexp.running.prepared", noted)
    return found


def held(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """As if another process worked on the cells whose keys have this in them, and died when one of them is waited for."""
    claim, died = Store.claim, list[str]()

    @contextlib.contextmanager
    def busy(self: Store, key: str, wait: bool = False) -> Iterator[bool]:
        if part in key and not wait and not died:
            yield False
            return
        if part in key:
            died.append(key)
        with claim(self, key, wait) as mine:
            yield mine

    monkeypatch.setattr(Store, "claim", busy)


def test_a_process_makes_all_that_it_can_before_it_waits(
    run: Command, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(monkeypatch, "-d0.2-s0")
    outcome = run(*SWEEP, "densities=[0.2,0.1]")
    assert outcome.code == 0, outcome.err
    assert made == [(0, 0.1), (1, 0.2), (1, 0.1), (0, 0.2)]


def test_what_needs_a_dense_network_that_another_process_trains_comes_after_what_does_not(
    run: Command, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(monkeypatch, "-d1-s0")
    outcome = run(*SWEEP, "densities=[0.2]", "when=trained", "rewind=init")
    assert outcome.code == 0, outcome.err
    assert made == [(1, 1.0), (1, 0.2), (0, 1.0), (0, 0.2)]


def test_what_could_not_be_made_is_not_tried_again(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def failing(piece: Any) -> Any:
        tried.append((piece.cell.seed, piece.cell.density))
        if piece.cell.seed == 0:
            raise ValueError("no")
        return prepared(piece)

    monkeypatch.setattr("pruneexp.running.prepared", failing)
    held(monkeypatch, "-d0.2-s1")
    assert run(*SWEEP, "densities=[0.2]").code == 1
    assert tried == [(0, 0.2), (1, 0.2)]
