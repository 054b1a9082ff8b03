"""A network as it is in the middle of its training, kept in a file."""

from collections.abc import Callable
from pathlib import Path

import lightning

from pruneexp.network.weights import packed
from pruneexp.system import files
from pruneexp.training.classifier import MaskedClassifier


class Snapshot(lightning.Callback):
    """Writes the network's state dict when so many epochs are done: what `train(..., epochs=after)` ends with.

    Weights, BatchNorm's statistics and counters, on several devices those after the epoch's averaging. The file is
    replaced at once or not at all. Nothing is written by a training that ends before, or there with the weights of an
    earlier epoch, or that goes on from beyond.
    A disk without room is told in a sentence, and the training goes on.

    Args:
        after: epochs.
        path: the file, safetensors after their digest (`pruneexp.system.files.write_sealed`).
        say: told the sentence.
        number: of the branch whose network it is.
    """

    def __init__(self, after: int, path: Path, say: Callable[[str], None], number: int = 0) -> None:
        self.after, self.path, self.say, self.number = after, path, say, number
        self.written = False  # a branch that has ended stays at its last epoch, while others go on

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._write_if_due(trainer, pl_module)  # Lightning calls callbacks before the module ends its epoch: it has now

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._write_if_due(trainer, pl_module)  # no epoch starts after the last

    def _write_if_due(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        assert isinstance(module, MaskedClassifier)
        branch = module.branches[self.number]
        if not trainer.is_global_zero or branch.epoch != self.after or self.written or branch.is_earlier:
            return
        self.written = True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_sealed(self.path, packed(branch.network.state_dict()))
        except OSError as error:
            self.say(
                f"no snapshot could be written to {self.path} ({error.strerror or error}): {files.remedy(error)}; training goes on"
            )
