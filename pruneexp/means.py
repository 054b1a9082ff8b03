"""What jobs of one data set, model, recipe and trainer have in common, when first needed: the device, and the data on it."""

import functools
import json
import weakref

from pruneexp.data.dataset import Dataset
from pruneexp.data.resident import Resident
from pruneexp.jobs.job import Job
from pruneexp.recipe import Recipe
from pruneexp.training.device import Device

ALIKE = ("dataset", "model", "recipe", "trainer", "data_dir", "results_dir", "records")


def kind(config: dict[str, object]) -> str:
    """What jobs must have in common for their cells to be trained side by side, of a job's configuration."""
    return json.dumps([config.get(name) for name in ALIKE], sort_keys=True, default=str)


class Means:
    """Of the jobs of one `kind`.

    Args:
        job: one of them.

    Attributes:
        timed: seconds of a training step for each of so many networks trained at once, as far as they were measured.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.timed: dict[int, float] = {}
        self._data: weakref.WeakValueDictionary[int, Resident] = weakref.WeakValueDictionary()

    @functools.cached_property
    def device(self) -> Device:
        device: Device = self.job.setting.make("trainer")
        device.prepare()
        return device

    @functools.cached_property
    def recipe(self) -> Recipe:
        recipe: Recipe = self.job.setting.make("recipe")
        return recipe

    @functools.cached_property
    def dataset(self) -> Dataset:
        return self.job.setting.dataset()

    def data(self, seed: int) -> Resident:
        """The data as one seed orders it, on the device for as long as somebody holds it."""
        if (found := self._data.get(seed)) is None:
            found = Resident(self.dataset, self.recipe, seed, self.device.where, next(iter(self._data.values()), None))
            self._data[seed] = found
        return found
