"""How large the networks of cells are, counted without their numbers."""

import torch
from torch import nn

from pruneexp.cell import canonical
from pruneexp.components import foreign
from pruneexp.errors import UserError
from pruneexp.fits import without_numbers
from pruneexp.jobs.setting import Setting
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.plain import is_plain
from pruneexp.network.prunable import prunable
from pruneexp.network.removal import shares_left, without
from pruneexp.network.structure import Structure
from pruneexp.sweep import Slot


class Size:
    """The network of one data set and model, and what cells leave of it.

    Args:
        setting: of any job that has them.
    """

    def __init__(self, setting: Setting) -> None:
        classes, shape, _ = setting.sizes
        ours = foreign.is_ours(setting.components["model"].target)
        bare = without_numbers(setting, classes, shape) if ours else None
        self.network = bare if bare is not None and is_plain(bare) else setting.network(classes, shape)
        self.structure = Structure(self.network, shape)
        self.weights = {name: weight.numel() for name, weight in prunable(self.network).items()}

    def left(self, setting: Setting, density: float) -> tuple[int, int | None] | None:
        """Weights and multiply-accumulates (None of a network that cannot be traced) of a cell.

        Where neurons are removed, those of the smaller network. Elsewhere density times those of the layers that are pruned: a masker
        that gives layers different densities keeps as many weights, and its records have the exact multiply-accumulates.

        Returns:
            None where no neuron of the network can be removed.
        """
        chosen = chosen_weights(self.network, setting.options.only, setting.options.exclude)
        macs = self.structure.macs
        if density < 1 and setting.removes_neurons:
            try:
                shares = shares_left(self.structure.coupled, self._stay(setting, density), self.network)
            except UserError:
                return None
            weights = sum(round(shares[name] * count) for name, count in self.weights.items())
        else:
            shares = {name: density if name in chosen else 1.0 for name in self.weights}
            pruned = sum(self.weights[name] for name in chosen)
            weights = sum(self.weights.values()) - pruned + round(density * pruned)
        return weights, None if macs is None else round(sum(shares[name] * count for name, count in macs.items()))

    def smaller(self, whole: nn.Module, setting: Setting, density: float) -> nn.Module:
        """A copy of the network with its numbers, `whole`, without the neurons that a cell removes; itself where it removes none.

        Raises:
            UserError: none can be removed.
        """
        if density == 1 or not setting.removes_neurons:
            return whole
        return without(whole, self.structure.coupled, self._stay(setting, density))

    def _stay(self, setting: Setting, density: float) -> list[torch.Tensor]:
        """Which neurons of each group of coupled ones stay, bool [channels]: a share of each, though which ones nobody knows yet.

        Raises:
            UserError: none can be removed.
        """
        chosen = {*chosen_weights(self.network, setting.options.only, setting.options.exclude)}
        stay = []
        for group in self.structure.coupled:
            share = density if group.outputs.keys() <= chosen else 1.0
            stay.append(torch.arange(group.channels) < max(1, round(share * group.channels)))
        return stay


class Sizes:
    """Of each data set and model once."""

    def __init__(self) -> None:
        self.known: dict[str, Size] = {}

    def of(self, slot: Slot) -> Size:
        components = slot.job.setting.components
        name = canonical([components[group].identity() for group in ("dataset", "model")]).decode()
        if name not in self.known:
            self.known[name] = Size(slot.job.setting)
        return self.known[name]
