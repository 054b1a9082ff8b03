"""What a person watching sees: which cell of how many, epoch, accuracy, time left."""

from collections.abc import Sequence
from typing import Any

import lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pruneexp.system.console import console, fitting, visible
from pruneexp.system.durations import in_words

EVERY = 0.1  # seconds: steps may be a thousand times as fast as eyes
BEHIND = 3  # characters that stay free: a ^C that the terminal shows there would begin a line
LONGEST, SHORTEST = 40, 6  # characters of a bar; where there is no room for the shortest, there is none


class CellProgress(lightning.Callback):
    """A bar for one cell, or for some trained at once, on a terminal; elsewhere one line when it is finished.

    Args:
        titles: of the cell, with its number among how many; each shorter than the one before, for narrower terminals.
        console: where to print.
    """

    def __init__(self, titles: Sequence[str], console: Console) -> None:
        self.titles, self.console = [visible(title) for title in titles], console
        self.shown = -EVERY
        self.bar: Progress | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.console.is_terminal and trainer.is_global_zero:
            self.texts = (
                TextColumn("{task.description}", markup=False),
                TextColumn("{task.fields[state]}", markup=False),
            )
            self.bar = Progress(*self.texts, console=self.console, transient=True)
            self.task = self.bar.add_task(fitting(self.titles, self.console.width), total=trainer.max_epochs, state="")
            self.bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar is not None and self.console.get_time() - self.shown >= EVERY:
            self.shown = self.console.get_time()
            branches = [pl_module.branches[number] for number in pl_module.going]
            behind = min(branch.epoch for branch in branches)  # others may have gone on from a later one
            done = behind + (batch_idx + 1) / max(int(trainer.num_training_batches), 1)
            last = sorted(rows[-1]["train/accuracy"] for branch in branches if (rows := branch.course.history))
            accuracy = " to ".join(f"{value:.1f}" for value in sorted({*last[:1], *last[-1:]}))
            self.bar.update(self.task, completed=done)
            left = self.bar.tasks[0].time_remaining
            told = [f"epoch {behind + 1}/{trainer.max_epochs}", *([f"training accuracy {accuracy} %"] if last else [])]
            self._fit(", ".join([*told, *([] if left is None else [f"{in_words(left)} left"])]))

    def _fit(self, state: str) -> None:
        """Have title, bar and state fit one line: the title is the longest that leaves room for a bar, or, where only the last would,
        that fits without."""
        assert self.bar is not None
        most = f"epoch {self.bar.tasks[0].total:g}/{self.bar.tasks[0].total:g}, accuracy 100.0 %, 59 min left"
        state = fitting([state, state.replace("training ", "")], self.console.width // 2)
        state = state.ljust(len(most))  # so that nothing moves as it grows
        room = self.console.width - BEHIND - len(state) - 2  # a blank beside each column
        with_bar = [title for title in self.titles[:-1] if len(title) <= room - SHORTEST]
        title = fitting([*with_bar, *self.titles], room)
        rest = room - len(title)
        drawn = [BarColumn(min(LONGEST, rest))] if rest >= SHORTEST else []
        self.bar.columns = (self.texts[0], *drawn, self.texts[1])
        self.bar.update(self.task, description=title, state=state)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.stop()

    def __reduce__(self) -> tuple[Any, ...]:
        return _here, (self.titles,)

    def stop(self) -> None:
        """Take the bar away, also after an exception."""
        if self.bar is not None:
            self.bar.stop()


def _here(titles: Sequence[str]) -> CellProgress:
    """The same in another process, on the terminal that it shares."""
    return CellProgress(titles, console())
