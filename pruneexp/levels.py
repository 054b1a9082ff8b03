"""Iterative magnitude pruning with rewinding: train, prune a little, go back, and train what is left, level by level.

Frankle et al. 2020, "Linear mode connectivity and the lottery ticket hypothesis", Algorithm 2; Renda et al. 2020, "Comparing
rewinding and fine-tuning in neural network pruning".

They prune a fifth of what is left at each level: 5 % are left after levels=13, and levels=4 prunes 53 % each time. Each level sees the
images in the order of the seed, as the dense network did; their code (facebookresearch/open_lth) shuffles anew unless told not to.
"""

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from pruneexp.artifacts import dense_digest, described_before, filled
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import freeze_biases, prunable
from pruneexp.network.weights import misfit, packed
from pruneexp.order import Piece
from pruneexp.pruning.level_counts import as_typed, count_after
from pruneexp.pruning.prune import pruned, treated
from pruneexp.pruning.rounds import Pruned
from pruneexp.pruning.target import Target
from pruneexp.records.artifact_store import Tensors, put
from pruneexp.system.console import console, say
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.progress import CellProgress
from pruneexp.training.selection import Selection
from pruneexp.training.train import Trainee, train_together
from pruneexp.treatments.treat import treats

MASK, EPOCHS = "/mask/", "/epochs"  # in an artifact, names that no weight has


@dataclass(frozen=True)
class Level:
    """What a level leaves.

    Attributes:
        network: as trained.
        masks: on it, by weight name; none on the dense network, which level 0 leaves.
        epochs: that stand behind its weights, of the dense network and of all levels so far.
    """

    network: nn.Module
    masks: Masks
    epochs: int


class Levels:
    """The levels of one pruned cell: after level k = 1 ... n a share density^(k/n) of the weights is left.

    Level k scores the network that was trained at level k - 1, at first the dense one, and masks it; what is pruned stays pruned. The
    weights that are left are rewound and trained. The last level's training is the cell's own; that of every other one is an artifact,
    found by all that have the levels up to it in common: whatever density and number of levels they end with. The last one's is left to
    them too.

    Args:
        piece: the cell, of a job whose masker looks at scores where it has more than one level.
    """

    def __init__(self, piece: Piece) -> None:
        self.piece, self.shared, self.job = piece, piece.order.shared, piece.order.job
        self.last = self.job.options.levels if piece.cell.density < 1 else 1

    @functools.cached_property
    def counts(self) -> list[int]:
        """Of the weights left after each level."""
        density, last = self.piece.cell.density, self.last
        return [count_after(level, last, density, self.total) for level in range(1, last + 1)]

    @functools.cached_property
    def total(self) -> int:
        """Of the weights to be pruned."""
        options, weights = self.job.options, prunable(self.shared.initial)
        return sum(weights[name].numel() for name in chosen_weights(self.shared.initial, options.only, options.exclude))

    @functools.cached_property
    def before(self) -> Level:
        """What the level before the cell's own leaves."""
        return self.trained(self.last - 1)

    def pruned(self) -> Pruned:
        """The cell's masks: of the last level, treated."""
        density, shared = self.piece.cell.density, self.shared
        if self.last == 1:
            return shared.prune(density)
        found = self.masked(self.last, self.before)
        return treated(found, shared.method, Target(shared.initial, shared.structure), density, self.job.seed)

    def start(self) -> nn.Module:
        """The network that the cell's training starts from, before its masks."""
        goes_on = self.last > 1 and self.job.options.rewind == "none"
        return self.shared.start(self.piece.cell, self.before.network if goes_on else None)

    def masked(self, level: int, before: Level) -> Pruned:
        """The masks of one level, not treated yet, of what the level before it leaves."""
        shared, density = self.shared, as_typed(self.counts[level - 1], self.total)
        method, scores = replace(shared.method, treatments={}), shared.scores if level == 1 else None
        batches = shared.data.for_scoring()
        return pruned(method, before.network, density, self.job.seed, batches, scores, before.masks, shared.structure)

    @property
    def epochs_before(self) -> int:
        """That stand behind the weights which the cell's training starts from, or those which its masks are of."""
        if self.piece.cell.density == 1:
            return 0
        if self.last > 1:
            return self.before.epochs
        return self._epochs_of_dense if self.job.needs_dense else self.job.options.rewind_epoch

    @property
    def _epochs_of_dense(self) -> int:
        record = self.shared.store.read(self.shared.dense_cell.key) or {}
        return int(record.get("epochs") or self.shared.recipe.epochs)

    def trained(self, level: int) -> Level:
        """What a level before the last leaves, made where it is not there."""
        if level == 0:
            return Level(self.shared.dense, {}, self._epochs_of_dense)
        path = self._path(level)
        with self.shared.stored.claimed(path, self._fault) as found:
            if found is None:
                found = self._made(level, path.name)
                put(path, found)
        self.shared.store.forget(path.name)  # its checkpoint
        state = {name: value for name, value in found.items() if not name.startswith("/")}
        masks = {name: found[MASK + name] for name in prunable(self.shared.initial)}
        return Level(filled(self.shared, state), masks, int(found[EPOCHS]))

    def _made(self, level: int, name: str) -> Tensors:
        """Prune, rewind and train."""
        before = self.trained(level - 1)
        masks, network = self.masked(level, before).masks, self.shared.rewind(before.network)
        if self.job.options.biases == "frozen":
            freeze_biases(network)
        return _content(network, masks, before.epochs + self._train(level, name, network, masks))

    def leave(self, network: nn.Module, masks: Masks, epochs: int) -> None:
        """Leave what the cell's own training has made to cells that go on from there.

        Args:
            network, masks: of the trained cell.
            epochs: that stand behind it.
        """
        after = any(treats(treatment) != "scores" for treatment in self.job.setting.treatments.values())
        if self.last > 1 and not after:  # treatments of the last level, which deeper ones do not have there
            put(self._path(self.last), _content(network, masks, epochs))

    def _train(self, level: int, name: str, network: nn.Module, masks: Masks) -> int:
        """Train a level in place as a cell is trained, from its last checkpoint on; gives the number of epochs."""
        shared, order, cell = self.shared, self.piece.order, self.piece.cell
        titles = [f"{title}, level {level} of {self.last}" for title in order.countdown.titles(cell)]
        identity = {"level": name, "mask": hashlib.sha256(packed(masks)).hexdigest(), **shared.made_by}
        place, every = shared.store.checkpoint(name), shared.device.checkpoint_seconds
        checkpoint = Checkpoint(place, identity, shared.device.name, every, functools.partial(say, titles))
        progress = CellProgress(titles, console())
        trainee = Trainee(
            network,
            masks,
            shared.data,
            start=self.job.first_epoch(cell.density),
            selection=Selection.of(self.job.options),
        )
        try:
            callbacks = [progress, *([checkpoint] if every else [])]
            (how,) = train_together([trainee], shared.recipe, shared.device, callbacks)
        finally:
            progress.stop()
        outcome = "diverged" if how.diverged else f"accuracy {how.accuracy:.2f} %"
        say(titles, f"{outcome}, {how.seconds + checkpoint.seconds_before:.1f} s")
        return len(how.history)

    def _path(self, level: int) -> Path:
        """Where what a level leaves lies: it follows from all that a pruned cell is, but for what comes after it."""
        own = {"dense": dense_digest(self.shared), "kept": self.counts[:level]}
        return self.shared.stored.path("level", described_before(self.job, {"levels"}) | own)

    def _fault(self, found: Tensors) -> str:
        """Why tensors are not what a level of the job's network leaves."""
        initial = self.shared.initial
        masks = {MASK + name: mask for name, mask in everything(prunable(initial)).items()}
        return misfit(found, {**initial.state_dict(), **masks, EPOCHS: torch.tensor(0)})


def _content(network: nn.Module, masks: Masks, epochs: int) -> Tensors:
    """A level as it is stored."""
    kept = {MASK + weight: mask for weight, mask in masks.items()}
    return {**network.state_dict(), **kept, EPOCHS: torch.tensor(epochs)}
