"""What a person watching sees: which cell of how many, epoch, accuracy, time left."""

import time
from typing import Any

import lightning
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pruneexp.system.console import console, visible


class CellProgress(lightning.Callback):
    """A bar for one cell, or for some trained at once, on a terminal; elsewhere one line when it is finished.

    Args:
        title: the cell and its number among how many.
        console: where to print.
    """

    def __init__(self, title: str, console: Console) -> None:
        self.title, self.console = visible(title), console
        self.start = time.perf_counter()
        self.bar: Progress | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self.console.is_terminal and trainer.is_global_zero:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[state]}", markup=False),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task(self.title, total=trainer.max_epochs, state="")
            self.bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar is not None:
            branches = [pl_module.branches[number] for number in pl_module.going]
            behind = min(branch.epoch for branch in branches)  # others may have gone on from a later one
            done = behind + (batch_idx + 1) / max(int(trainer.num_training_batches), 1)
            last = sorted(rows[-1]["train/accuracy"] for branch in branches if (rows := branch.course.history))
            accuracy = " to ".join(f"{value:.1f}" for value in sorted({*last[:1], *last[-1:]})) or "-"
            state = f"epoch {behind + 1}/{trainer.max_epochs}, training accuracy {accuracy} %"
            self.bar.update(self.task, completed=done, state=state)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self.stop()

    def __reduce__(self) -> tuple[Any, ...]:
        return _here, (self.title,)

    def stop(self) -> None:
        """Take the bar away, also after an exception."""
        if self.bar is not None:
            self.bar.stop()


def _here(title: str) -> CellProgress:
    """The same in another process, on the terminal that it shares."""
    return CellProgress(title, console())
