"""On a terminal a bar says cell, epoch, accuracy and time left in one line, and what is told meanwhile has lines of its own."""

import io
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pruneexp.system.console import say
from pruneexp.training.progress import CellProgress

TITLES = [
    "cell 2 of 9  cifar100 resnet20 snip greedy density 0.2 seed 0",
    "cell 2/9 snip greedy 0.2 seed 0",
    "cell 2/9",
]
TRAINER: Any = SimpleNamespace(is_global_zero=True, max_epochs=160, num_training_batches=10)


def module(*epochs: int, **more: float) -> Any:
    branches = [
        SimpleNamespace(epoch=k, course=SimpleNamespace(history=[{"train/accuracy": 84.123 + k} | more] * k))
        for k in epochs
    ]
    return SimpleNamespace(branches=branches, going=range(len(branches)))


class Clock:
    """Ten seconds an epoch."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn(monkeypatch: pytest.MonkeyPatch, width: int, *epochs: int, **more: float) -> tuple[str, str]:
    """The line after some batches, and all that the terminal was given; a sentence is told at the first."""
    terminal, clock = io.StringIO(), Clock()
    screen = Console(file=terminal, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(screen, "get_time", clock)
    monkeypatch.setattr(sys, "stdout", terminal)
    progress = CellProgress(TITLES, screen)
    progress.on_train_start(TRAINER, module(*epochs))
    assert progress.bar is not None
    say("cell 2 of 9", "goes on after epoch 3 of 160")
    for batch in (0, 4, 9):
        clock.now = 5.0 + batch
        progress.on_train_batch_end(TRAINER, module(*epochs, **more), None, None, batch)
    line = io.StringIO()
    Console(file=line, width=width).print(progress.bar.get_renderable())
    progress.teardown(TRAINER, module(*epochs), "fit")
    return line.getvalue(), terminal.getvalue()


@pytest.mark.parametrize(
    ("width", "title", "state"),
    [
        (140, TITLES[0], "epoch 4/160, training accuracy 87.1 %, 26 min left"),
        (80, TITLES[1], "epoch 4/160, train 87.1 %, 26 min left"),
        (56, TITLES[2], "epoch 4/160, train 87.1 %, 26 min left"),
    ],
)
def test_one_line_says_it_all(monkeypatch: pytest.MonkeyPatch, width: int, title: str, state: str) -> None:
    (line,) = drawn(monkeypatch, width, 3)[0].splitlines()
    assert line.startswith(title + " ")
    assert line.rstrip().endswith(state)
    early = drawn(monkeypatch, width, 0)[0]
    assert early.index("epoch") == line.index("epoch") or width > 100
    assert "…" not in line
    assert set(line[len(title) : line.index("epoch")]) <= set(" ━╸╺")
    assert len(line.rstrip()) <= width - 3


def test_of_several_cells_the_range_of_accuracies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "epoch 3/160, training accuracy 86.1 to 88.1 %, " in drawn(monkeypatch, 140, 2, 4)[0]
    assert "accuracy" not in drawn(monkeypatch, 140, 0)[0]


@pytest.mark.parametrize(
    ("width", "state"),
    [(140, "training accuracy 87.1 %, validation 71.2 %, 26 min left"), (80, "train 87.1 %, 26 min left")],
)
def test_held_out_images_have_an_accuracy_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, width: int, state: str
) -> None:
    (line,) = drawn(monkeypatch, width, 3, **{"validation/accuracy": 71.23})[0].splitlines()
    assert line.rstrip().endswith(f" epoch 4/160, {state}")
    assert len(line.rstrip()) <= width - 3


def test_what_is_told_meanwhile_stands_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(monkeypatch, 80, 3)[1]
    lines = [line.rpartition("\x1b[2K")[2] for line in whole.replace("\r", "").splitlines()]
    assert "cell 2 of 9: goes on after epoch 3 of 160" in lines


def test_elsewhere_there_is_no_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    progress = CellProgress(TITLES, Console(file=io.StringIO()))
    progress.on_train_start(TRAINER, module(0))
    progress.on_train_batch_end(TRAINER, module(0), None, None, 0)
    assert progress.bar is None
    assert pickle.loads(pickle.dumps(progress)).titles == TITLES
    assert capsys.readouterr().out == ""
