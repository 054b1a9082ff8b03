"""The training of one network that was interrupted goes on from its last checkpoint, or its last epoch's end after a signal or an error.

A checkpoint holds what the rest of the training depends on at the end of an epoch: weights and BatchNorm statistics,
those of the best epoch where it is to be selected, masks that change, the optimiser's state, the epoch and the history. Learning
rate, data order, augmentation and dropout follow from (seed, epoch) alone, and so does when masks change, so no state of a random
generator is part of it, and a training that goes on ends in the very numbers of one that was never interrupted (bit for bit on a CPU).
"""

import copy
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import torch

from pruneexp.errors import first_line
from pruneexp.system import files
from pruneexp.training.branch import Branch
from pruneexp.training.classifier import MaskedClassifier
from pruneexp.training.going_on import fault


class Checkpoint(lightning.Callback):
    """Writes a checkpoint at the end of an epoch, no more often than every `every` seconds; goes on from one it finds.

    A training that a signal ends (`pruneexp.system.signals.Stopped`), or an error, leaves that of its last epoch's end at once.

    The file is replaced at once or not at all, and begins with the digest of what follows. One that is damaged, that
    another training made, or that holds what this training cannot have left (`pruneexp.training.going_on`), is left unused with a
    sentence, and the training starts anew. A disk without room is told in a sentence, and
    the training goes on; the older file gives its room to the newer, and stays where even that is too little.

    Args:
        path: the file.
        identity: what a checkpoint must have been made by to be used, by name: the cell, code version, precision, ...
        device: the hardware's name.
        every: seconds, above 0.
        say: told each sentence.
        number: of the branch whose training it is.

    After the fit, `seconds_before` is the time that the interrupted parts took up to their last checkpoints, and `devices`
    the hardware that all parts ran on.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, str],
        device: str,
        every: float,
        say: Callable[[str], None],
        number: int = 0,
    ) -> None:
        self.path, self.identity, self.every, self.say, self.number = path, dict(identity), every, say, number
        self.devices = [device]
        self.seconds_before = 0.0
        self.saved = time.perf_counter()
        self.told = ""  # why one could not be written, once
        self.kept: dict[str, Any] | None = None  # the state of the last epoch's end, where it is not written

    @property
    def state_key(self) -> str:
        """Lightning's: one for each of a training's checkpoints."""
        return self._generate_state_key(number=self.number)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, MaskedClassifier)
        branch = pl_module.branches[self.number]
        # one reads for all devices: they must agree on where to go on
        state = trainer.strategy.broadcast(self._usable(branch) if trainer.is_global_zero else None)
        if state is None:
            return
        branch.restore(state)
        self.seconds_before = state["seconds"]
        self.devices = list(dict.fromkeys([*state["devices"], *self.devices]))
        if trainer.is_global_zero:
            self.say(f"goes on after epoch {branch.epoch} of {branch.epochs}")

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._keep(trainer, pl_module)
        if self.kept is not None and time.perf_counter() - self.saved >= self.every:
            self._save()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._keep(trainer, pl_module)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Whatever ends the training, nothing of it is lost but the epoch that is under way."""
        assert isinstance(pl_module, MaskedClassifier)
        try:
            if not pl_module.branches[self.number].going:  # nothing changes it any more
                self._keep(trainer, pl_module)
            if self.kept is not None:
                self._save("")
        except RuntimeError as error:  # of a device that has failed, and gives nothing back
            self.say(f"no checkpoint could be written to {self.path} ({first_line(error)})")

    def _keep(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Keep the state at an epoch's end; the next epoch changes what it is a copy of."""
        assert isinstance(module, MaskedClassifier)
        branch = module.branches[self.number]
        self.kept = None
        if trainer.is_global_zero and branch.course.history and not branch.closed:
            self.kept = {
                "identity": self.identity,
                "network": copy.deepcopy(branch.network.state_dict()),
                "optimiser": copy.deepcopy(branch.step.optimiser.state_dict()),
                "history": [dict(row) for row in branch.course.history],
                "seconds": self.seconds_before + branch.course.seconds,
                "devices": self.devices,
                **({"best": branch.best} if branch.best else {}),  # which is not changed in place
                **({"masks": branch.changes.state()} if branch.changes is not None else {}),
            }

    def _save(self, then: str = "; training goes on") -> None:
        assert self.kept is not None
        try:
            self._write(self.kept)
        except OSError as error:
            why = f"({error.strerror or error}): {files.remedy(error)}"
            if why != self.told:
                self.say(f"no checkpoint could be written to {self.path} {why}{then}")
            self.told = why
        self.kept, self.saved = None, time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """What a fit in another process has to hand back."""
        return {"seconds_before": self.seconds_before, "devices": self.devices}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds_before, self.devices = state_dict["seconds_before"], state_dict["devices"]

    def _write(self, state: dict[str, Any]) -> None:
        content = io.BytesIO()
        torch.save(state, content)
        files.write_without(self.path, lambda: files.write_sealed(self.path, content.getbuffer()))

    def _usable(self, branch: Branch) -> dict[str, Any] | None:
        """The checkpoint's state, or None where there is none that the branch can go on from."""
        if (state := self._read()) is None:
            return None
        if why := fault(state, branch):
            self.say(f"the checkpoint {self.path} is none of this training ({why}); starting anew")
            return None
        return state

    def _read(self) -> dict[str, Any] | None:
        """The checkpoint's state, or None where there is none that this training has left."""
        try:
            content = files.read_sealed(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.say(f"the checkpoint {self.path} cannot be read ({error.strerror or error}); starting anew")
            return None
        except ValueError:
            self.say(f"the checkpoint {self.path} is damaged; starting anew")
            return None
        try:
            state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
            differ = [name for name, value in self.identity.items() if state["identity"].get(name) != value]
        except Exception as error:  # a pickle that is no checkpoint's can raise anything; none runs code
            self.say(
                f"the checkpoint {self.path} is no checkpoint of a training ({type(error).__name__}); starting anew"
            )
            return None
        if differ:
            self.say(f"the checkpoint {self.path} is of another {' and '.join(differ)}; starting anew")
            return None
        return state
