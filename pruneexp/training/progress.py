"""What a person watching sees: which cell of how many, epoch, accuracy, time left."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from pruneexp.system.console import console, fitting, visible
from pruneexp.system.durations import in_words

EVERY = 0.1  # seconds: steps may be a thousand times as fast as eyes
BEHIND = 3  # characters that stay free: a ^C that the terminal shows there would begin a line
ACCURACIES = ("train/accuracy", "validation/accuracy")  # the test's is another one, and told at the end
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
            self.bar.update(self.task, completed=done)
            left = self.bar.tasks[0].time_remaining
            told = _accuracies([history[-1] for branch in branches if (history := branch.course.history)])
            first, end = f"epoch {behind + 1}/{trainer.max_epochs}", [] if left is None else [f"{in_words(left)} left"]
            self._fit([", ".join([first, *filter(None, [accuracy]), *end]) for accuracy in told])

    def _fit(self, states: Sequence[str]) -> None:
        """Have title, bar and state fit one line: the state is the first that leaves half of it, the title the longest that leaves room
        for a bar, or, where only the last would, that fits without."""
        assert self.bar is not None
        most = f"epoch {self.bar.tasks[0].total:g}/{self.bar.tasks[0].total:g}, train 100.0 %, 59 min left"
        state = fitting(states, self.console.width // 2)
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


def _accuracies(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """What the networks' last epochs say, the longest first; of several the range."""
    train, validation = (_range(row[name] for row in rows if name in row) for name in ACCURACIES)
    if not train:
        return [""]
    both = [f"training accuracy {train}, validation {validation}"] if validation else []
    return [*both, f"training accuracy {train}", f"train {train}"]


def _range(percentages: Iterable[float]) -> str:
    found = sorted(percentages)
    return f"{' to '.join(dict.fromkeys(f'{value:.1f}' for value in (found[0], found[-1])))} %" if found else ""


def _here(titles: Sequence[str]) -> CellProgress:
    """The same in another process, on the terminal that it shares."""
    return CellProgress(titles, console())
