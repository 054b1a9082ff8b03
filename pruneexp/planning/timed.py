"""How long cells would take of which none is recorded, by timing a few steps here."""

from collections.abc import Callable, Sequence

from torch import nn

from pruneexp.cell import canonical
from pruneexp.fits import images_of_epoch
from pruneexp.jobs.setting import Setting
from pruneexp.planning.size import Size
from pruneexp.recipe import Recipe
from pruneexp.sweep import Slot
from pruneexp.training.device import Device
from pruneexp.training.pace import epoch_seconds

ALL, EACH = 20.0, 5.0  # seconds that the timing of all kinds of networks may take together, and that of one
FROZEN = 1 / 3  # of an epoch's time where only the classifier is trained: the forward pass's share


class Timed:
    """Seconds of all the recipe's epochs, of each kind of network once.

    Of one kind are networks of the same model, image size and recipe, and where neurons are removed of the same density; data sets that
    differ in their classes share a time, and so do densities where weights are masked, which costs what the dense network costs.

    Args:
        slots: of all cells whose times are asked for.
        device: where they are timed.
        tell: told what is timed.
    """

    def __init__(self, slots: Sequence[Slot], device: Device, tell: Callable[[str], None]) -> None:
        self.device, self.tell = device, tell
        self.most = min(EACH, ALL / max(1, len({_kind(slot) for slot in slots})))
        self.known: dict[str, float] = {}
        self.networks: dict[str, nn.Module] = {}

    def training(self, slot: Slot, size: Size) -> float:
        """Seconds of a cell's training in all epochs.

        Raises:
            UserError: what cannot be made.
        """
        setting = slot.job.setting
        recipe: Recipe = setting.make("recipe")
        frozen = recipe.frozen_epochs == recipe.epochs
        if (kind := _kind(slot)) not in self.known:
            self.tell(f"timing {setting.names()['model']} at density {slot.density:g}")
            network = size.smaller(self._whole(setting), setting, slot.density)
            images = images_of_epoch(setting, recipe)
            self.known[kind] = (
                epoch_seconds(network, recipe, self.device, setting.sizes, images, self.most, frozen) / images
            )
        epochs = recipe.epochs if frozen else recipe.epochs - (1 - FROZEN) * recipe.frozen_epochs
        return epochs * images_of_epoch(setting, recipe) * self.known[kind]

    def _whole(self, setting: Setting) -> nn.Module:
        """The network with its numbers, kept until another is asked for."""
        if (name := canonical([_model(setting), setting.sizes]).decode()) not in self.networks:
            self.networks = {name: setting.network(setting.sizes.classes, setting.sizes.input_shape)}
        return self.networks[name]


def _kind(slot: Slot) -> str:
    setting = slot.job.setting
    options, smaller = setting.options, setting.removes_neurons and slot.density < 1
    left = [slot.density, options.only, options.exclude] if smaller else []
    recipe = setting.components["recipe"].identity()
    return canonical([_model(setting), setting.sizes.input_shape, recipe, left]).decode()


def _model(setting: Setting) -> object:
    return setting.components["model"].identity()
