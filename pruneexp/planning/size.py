"""How large the networks of cells are, counted without their numbers."""

import functools

import torch
from torch import nn

from pruneexp.cell import canonical
from pruneexp.components import foreign
from pruneexp.errors import UserError
from pruneexp.fits import without_numbers
from pruneexp.jobs.setting import Setting
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.cost import counted
from pruneexp.network.plain import is_ordinary
from pruneexp.network.prunable import prunable
from pruneexp.network.removal import shares_left, without
from pruneexp.network.structure import Structure
from pruneexp.sweep import Slot


class Size:
    """The network of one data set and model, and what cells leave of it.

    Args:
        setting: of any job that has them.
        alike: of the same model and image size: where the two networks differ in their numbers of outputs alone, as those of data sets
            with other classes do, how often a weight is used and which channels are coupled is the same, and found once.
    """

    def __init__(self, setting: Setting, alike: "Size | None" = None) -> None:
        classes, shape, _ = setting.sizes
        ours = foreign.is_ours(setting.components["model"].target)
        bare = without_numbers(setting, classes, shape) if ours else None
        self.bare = bare if bare is not None and is_ordinary(bare) else None
        self.network, self.shape = setting.network(classes, shape) if self.bare is None else self.bare, shape
        self.weights = {name: weight.numel() for name, weight in prunable(self.network).items()}
        self.read = [(name, weight.shape[1:]) for name, weight in prunable(self.network).items()]
        self.same: Size = alike.same if alike is not None and alike.read == self.read else self
        self.structure = Structure(self.network, shape)
        self.known: dict[str, tuple[int, int | None] | None] = {}

    def left(self, setting: Setting, density: float) -> tuple[int, int | None] | None:
        """Weights and multiply-accumulates (None of a network that cannot be traced) of a cell.

        Where neurons are removed, those of the smaller network. Elsewhere density times those of the layers that are pruned: a masker
        that gives layers different densities keeps as many weights, and its records have the exact multiply-accumulates.

        Returns:
            None where no neuron of the network can be removed.
        """
        options = setting.options
        known = canonical([density, setting.removes_neurons, options.only, options.exclude]).decode()
        if known not in self.known:
            self.known[known] = self._left(setting, density)
        return self.known[known]

    def _left(self, setting: Setting, density: float) -> tuple[int, int | None] | None:
        if density < 1 and setting.removes_neurons:
            try:
                groups, stay = self.same.structure.coupled, self._stay(setting, density)
            except UserError:
                return None
            shares = shares_left(groups, stay, self.same.network)
            weights = sum(round(shares[name] * count) for name, count in self.weights.items())
        else:
            chosen = self._chosen(setting)
            shares = {name: density if name in chosen else 1.0 for name in self.weights}
            pruned = sum(self.weights[name] for name in chosen)
            weights = sum(self.weights.values()) - pruned + round(density * pruned)
        return weights, self._macs(shares)

    def _macs(self, shares: dict[str, float]) -> int | None:
        """Multiply-accumulates where this share of each layer's weights is left."""
        macs = self.same.macs
        if macs is None:
            return None
        uses = {name: count // self.same.weights[name] for name, count in macs.items()}
        return round(sum(shares[name] * uses[name] * count for name, count in self.weights.items()))

    @functools.cached_property
    def macs(self) -> dict[str, int] | None:
        """Multiply-accumulates of each weight; None of a network that cannot be traced, where that is needed to tell."""
        found = None if self.bare is None else counted(self.bare, self.shape)
        return self.structure.macs if found is None else found

    def smaller(self, whole: nn.Module, setting: Setting, density: float) -> nn.Module:
        """A copy of the network with its numbers, `whole`, without the neurons that a cell removes; itself where it removes none.

        Raises:
            UserError: none can be removed.
        """
        if density == 1 or not setting.removes_neurons:
            return whole
        return without(whole, self.same.structure.coupled, self._stay(setting, density))

    def _chosen(self, setting: Setting) -> set[str]:
        return {*chosen_weights(self.network, setting.options.only, setting.options.exclude)}

    def _stay(self, setting: Setting, density: float) -> list[torch.Tensor]:
        """Which neurons of each group of coupled ones stay, bool [channels]: a share of each, though which ones nobody knows yet.

        Raises:
            UserError: none can be removed.
        """
        chosen, stay = self._chosen(setting), []
        for group in self.same.structure.coupled:
            share = density if group.outputs.keys() <= chosen else 1.0
            stay.append(torch.arange(group.channels) < max(1, round(share * group.channels)))
        return stay


class Sizes:
    """Of each data set and model once."""

    def __init__(self) -> None:
        self.known: dict[str, Size] = {}
        self.alike: dict[str, Size] = {}

    def of(self, slot: Slot) -> Size:
        setting = slot.job.setting
        model, sizes = setting.components["model"].identity(), setting.sizes
        whole, part = (canonical([model, *told]).decode() for told in (sizes[:2], sizes[1:2]))
        if whole not in self.known:
            self.known[whole] = Size(setting, self.alike.get(part))
            self.alike.setdefault(part, self.known[whole])
        return self.known[whole]
