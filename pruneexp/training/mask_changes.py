"""The masks of one network's training, changed while it goes on."""

import functools
from collections.abc import Mapping

import torch

from pruneexp.mask_updates.update import MaskUpdate, Moment, Weight, check_times
from pruneexp.network.masks import Masks
from pruneexp.seeding import stream
from pruneexp.training.step import Step


class MaskChanges:
    """Makes a mask update's updates of one network when they are due.

    All is changed in place, so that what is recorded of the steps goes on with the new masks. An update is a function of weights,
    gradients, masks and (seed, step), the same in all processes that share the batches: what processes have of the gradients is reduced
    before. A weight that is new has zero momentum, and with Adam zero moments; Adam's count of a parameter's steps goes on.

    Args:
        update: how masks change.
        masks: the masker's, by weight name.
        step: of the network, under the masks that training begins with.
        steps: of the whole training.
        seed: of the updates' random streams.

    Raises:
        UserError: the training is too short for an update.
    """

    def __init__(self, update: MaskUpdate, masks: Masks, step: Step, steps: int, seed: int) -> None:
        check_times(update, steps)
        self.update, self.step, self.steps, self.seed = update, step, steps, seed
        self.counts = {name: int(mask.sum()) for name, mask in masks.items()}
        self.times = update.times(steps)
        self.best: Masks = {}  # those of the best epoch so far, where it is asked for

    def made(self, done: int) -> int:
        """How many updates a training of so many steps has made."""
        return len(range(self.times.start, min(done, self.times.stop), self.times.step))

    def left(self, done: int) -> dict[str, int]:
        """How many weights of each layer are left after so many steps."""
        made, updates = self.made(done), len(self.times)
        sizes = {name: weight.numel() for name, weight in zip(self.counts, self.step.pruned, strict=True)}
        return {name: self.update.left(sizes[name], count, made, updates) for name, count in self.counts.items()}

    def before_step(self, done: int) -> None:
        """Make the update that is due after so many steps, or have the next step make it in place of the optimiser's."""
        self.step.instead = None
        if done in self.times and self.update.replaces:
            self.step.instead = functools.partial(self._make, done)
        elif done in self.times:
            self._make(done)
            self.step.settle()

    @torch.no_grad()
    def _make(self, done: int) -> None:
        moment = Moment(done, self.steps, self.made(done) + 1, len(self.times))
        generator = stream(self.seed, "mask_update", done)
        for count, weight, kept in zip(self.counts.values(), self.step.pruned, self.step.kept, strict=True):
            before = kept.bool()
            found = Weight(weight, before, weight.grad if self.update.replaces else None, count)
            after = self.update.mask(found, moment, generator)
            for value in self.step.optimiser.state.get(weight, {}).values():
                if value.shape == weight.shape:
                    value.masked_fill_(after & ~before, 0)
            kept.copy_(after)

    def masks(self) -> Masks:
        """As they are now: bool on the CPU, by weight name."""
        kept = zip(self.counts, self.step.kept, strict=True)
        return {name: mask.bool().cpu().contiguous() for name, mask in kept}

    def set(self, masks: Mapping[str, torch.Tensor]) -> None:
        """Go on with these masks; the weights are settled by whoever changes them too."""
        for name, kept in zip(self.counts, self.step.kept, strict=True):
            kept.copy_(masks[name])

    def state(self) -> dict[str, Masks]:
        """What goes on from a checkpoint: the masks, and those of the best epoch so far."""
        return {"last": self.masks(), "best": self.best}

    def restore(self, state: Mapping[str, Masks]) -> None:
        """Go on from a `state`."""
        self.set(state["last"])
        self.best = state["best"]
