"""What the cells of a job share: data, network, scores, each made once, when first needed."""

import copy
import functools
import time
from collections.abc import Callable

import safetensors.torch
from torch import nn

from pruneexp.cell import Cell
from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.job import Job
from pruneexp.maskers.layer import Notes
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.weights import load_weights
from pruneexp.network.wiring import Wiring, trace
from pruneexp.pruning import Scorer, Scores, in_rounds, mask, score, unscored
from pruneexp.recipe import Recipe
from pruneexp.records.store import Store
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.fit import quiet_lightning
from pruneexp.training.train import train
from pruneexp.treatments.invert import inverted
from pruneexp.treatments.repair import repair_paths
from pruneexp.treatments.shuffle import shuffled


class Workbench:
    """One job's means.

    Args:
        job: the job.
        store: where the trained dense network is found.
        finish: trains and records one cell; called for the dense network where it is needed and not recorded yet.
    """

    def __init__(self, job: Job, store: Store, finish: Callable[[Cell], None]) -> None:
        self.job, self.store, self.finish = job, store, finish
        self.scoring_seconds = 0.0

    @functools.cached_property
    def device(self) -> Device:
        device: Device = self.job.component("trainer")
        device.prepare()
        quiet_lightning()
        return device

    @functools.cached_property
    def recipe(self) -> Recipe:
        recipe: Recipe = self.job.component("recipe")
        return recipe

    @functools.cached_property
    def data(self) -> Resident:
        dataset = self.job.dataset()
        self.classes, self.input_shape = dataset.classes, dataset.input_shape
        self.data_name, self.data_digest = dataset.name, dataset.digest
        return Resident(dataset, self.recipe, self.job.seed, self.device.where)

    @functools.cached_property
    def initial(self) -> nn.Module:
        """The network at initialisation."""
        data = self.data
        network: nn.Module = self.job.component("model", num_classes=self.classes, input_shape=self.input_shape)
        initialise(network, self.job.options.initialisation, stream(self.job.seed, "initialisation"))
        if self.job.options.weights != "none":
            architecture = self.job.setting.components["model"].options.get("architecture")
            load_weights(network, self.job.options.weights, architecture)
        return network.to(data.device)

    @functools.cached_property
    def trained(self) -> nn.Module:
        """The dense network after training, from the dense cell's folder: all jobs that need it share it."""
        dense = self.job.cell(1.0, self.device.resolved_precision)
        if not self.store.has_folder(dense.key):  # a record from elsewhere has no weights
            self.finish(dense)
        network = copy.deepcopy(self.initial)
        of_data = (self.store.read(dense.key) or {}).get("data") or {}
        if of_data.get("sha256") != self.data_digest:
            raise UserError(
                f"the dense network {dense.key} was trained on another state of {self.data_name} than the one that is here: bring that"
                " data back, or take another results_dir."
            )
        network.load_state_dict(safetensors.torch.load(self.store.file(dense.key, "weights.safetensors")))
        return network

    @functools.cached_property
    def rewound(self) -> nn.Module:
        """The dense network after `rewind_epoch` epochs."""
        network = copy.deepcopy(self.initial)
        train(network, {}, self.recipe, self.data, self.device, epochs=self.job.options.rewind_epoch)
        return network.to(self.data.device)

    @property
    def scored(self) -> nn.Module:
        """The network that is scored."""
        return self.trained if self.job.options.when == "trained" else self.initial

    @property
    def start(self) -> nn.Module:
        """The network that training starts from, before its masks."""
        if self.job.options.reinit:
            network = copy.deepcopy(self.initial).cpu()
            initialise(network, self.job.options.initialisation, stream(self.job.seed, "reinitialisation"))
            return network.to(self.data.device)
        if self.job.options.rewind == "none":
            return self.trained
        if self.job.options.rewind == "epoch":
            return self.rewound
        return self.initial

    @functools.cached_property
    def wiring(self) -> Wiring | None:
        """How the layers join; None where the channel graph has no meaning for the network."""
        try:
            return trace(self.initial)
        except UserError:
            return None

    @functools.cached_property
    def scorer(self) -> Scorer:
        scorer: Scorer = self.job.component("scorer")
        if not self.job.options.invert:
            return scorer
        return lambda model, batches, generator: inverted(scorer(model, batches, generator))

    @functools.cached_property
    def scores(self) -> Scores:
        if not self.job.needs_scores:
            self.scoring_seconds = 0.0
            return unscored(self.initial)
        network, batches = self.scored, self.data.for_scoring()
        begin = time.perf_counter()
        scores = score(network, self.scorer, batches, self.job.seed)
        self.scoring_seconds = time.perf_counter() - begin
        return scores

    def masks(self, density: float, notes: Notes) -> tuple[Masks, dict[str, float]]:
        """The masks of one density, and the seconds that scoring and masking took (scores shared by densities count for each)."""
        options, masker = self.job.options, self.job.component("masker")
        if self.job.rounds == 1:
            scores = self.scores
            begin = time.perf_counter()
            masks = mask(scores, masker, density, self.job.seed, notes, self.initial, input_shape=self.data.input_shape)
            scoring = self.scoring_seconds
        else:
            scorer, batches, network = self.scorer, self.data.for_scoring(), self.scored
            begin = time.perf_counter()
            masks = in_rounds(
                network, scorer, masker, density, self.job.seed, batches, notes, options.rounds, options.round_masker
            )
            scoring = notes.pop("scoring_seconds")
            begin += scoring
        if options.repair == "paths" and density < 1:
            masks = repair_paths(masks, self.scores, trace(self.initial), notes)
        if options.shuffle and density < 1:
            masks = shuffled(masks, stream(self.job.seed, "shuffle", str(density)))
        return masks, {"scoring": scoring, "masking": time.perf_counter() - begin}
