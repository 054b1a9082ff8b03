"""What the cells of a job share, when first needed: data, initial, dense and rewound network, scores.

What takes long is stored where other jobs find it (`pruneexp.records.artifact_store`): the network that training is rewound to, and
scores that took more than a second. The dense network lies in its cell's folder, made by whoever runs the job before
`dense` is asked for. The initial network follows from the seed alone, and is drawn faster than it would be read.
"""

import copy
import functools
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pruneexp import __version__
from pruneexp.cell import Cell
from pruneexp.data.batches import Batches
from pruneexp.data.dataset import Dataset
from pruneexp.data.resident import Resident
from pruneexp.errors import UserError
from pruneexp.jobs.job import Job
from pruneexp.means import Means
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.network.structure import Structure
from pruneexp.network.weights import WEIGHTS, misfit, not_finite
from pruneexp.network.wiring import Wiring
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.pruning.rounds import Pruned
from pruneexp.pruning.scoring import Scored, timed
from pruneexp.recipe import Recipe
from pruneexp.records.artifact_store import ArtifactStore, Tensors, put, tensors
from pruneexp.records.provenance import code_digest, git_commit
from pruneexp.records.store import Store
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.train import train
from pruneexp.treatments.treat import treat, treats

WORTH = 1.0  # seconds that scores must have taken to be stored
SECONDS = "/seconds"  # beside the scores, a name that no weight has


class Artifacts:
    """One job's means.

    Args:
        job: the job.
        store: where the dense network is found, and what is shared with other jobs.
        means: what the job has in common with others; its own unless given.
    """

    def __init__(self, job: Job, store: Store, means: Means | None = None) -> None:
        self.job, self.store, self.means = job, store, means or Means(job)

    @property
    def device(self) -> Device:
        return self.means.device

    @property
    def recipe(self) -> Recipe:
        return self.means.recipe

    @property
    def dataset(self) -> Dataset:
        return self.means.dataset

    @functools.cached_property
    def data(self) -> Resident:
        return self.means.data(self.job.seed)

    @functools.cached_property
    def method(self) -> Method:
        return Method.of(self.job.setting, self.job.seed)

    @property
    def made_by(self) -> dict[str, str]:
        """What must be equal for the work of another process to be used here."""
        return {
            "data": self.dataset.digest,
            "precision": self.device.resolved_precision,
            "version of torch": str(torch.__version__),
            "version of pruneexp": f"{__version__} {git_commit()}",
        }

    @functools.cached_property
    def stored(self) -> ArtifactStore:
        return ArtifactStore(self.store, self.made_by | {"device": self.device.name, "code": code_digest()})

    @functools.cached_property
    def initial(self) -> nn.Module:
        """The network at initialisation."""
        return _drawn(self.job, self.dataset).to(self.device.where)

    @functools.cached_property
    def structure(self) -> Structure:
        return Structure(self.initial, self.dataset.input_shape)

    @functools.cached_property
    def wiring(self) -> Wiring | None:
        """How the layers join; None where the channel graph has no meaning for the network."""
        try:
            return self.structure.wiring
        except UserError:
            return None

    @property
    def dense_cell(self) -> Cell:
        """The cell of the dense network, in the precision that this job trains in."""
        return self.job.cell(1.0, self.device.resolved_precision)

    @functools.cached_property
    def dense(self) -> nn.Module:
        """The dense network after training, with the epoch's weights that were selected, from the dense cell's folder: all jobs that need
        it share it.

        Raises:
            UserError: damaged, trained on other data, or of another network.
        """
        key = self.dense_cell.key
        _check_data(key, self.store, self.dataset)
        return filled(self, tensors(self.store, key, WEIGHTS, lambda found: _no_state(self, found)))

    @property
    def rewound_path(self) -> Path | None:
        """Where the dense network after `rewind_epoch` epochs lies, for whoever trains the dense network to leave it there."""
        options = self.job.options
        if options.rewind != "epoch":
            return None
        return self.stored.path("rewound", {"dense": self.dense_cell.description, "epochs": options.rewind_epoch})

    @functools.cached_property
    def rewound(self) -> nn.Module:
        """The dense network after `rewind_epoch` epochs, out of its training; trained so far where that left none or ended before."""
        path = self.rewound_path
        assert path is not None
        with self.stored.claimed(path, lambda found: _no_state(self, found)) as found:
            if found is None:
                network, epochs = copy.deepcopy(self.initial), self.job.options.rewind_epoch
                train(network, {}, self.recipe, self.data, self.device, epochs=epochs)
                found = dict(network.state_dict())
                put(path, found)
        return filled(self, found)

    @property
    def scored(self) -> nn.Module:
        """The network that is scored and masked."""
        return self.dense if self.job.scores_dense else self.initial

    @functools.cached_property
    def scores(self) -> Scored:
        """Of the whole network, for all densities of one round."""
        if self.method.scorer is None:
            return timed(self.initial, None, Batches(), self.job.seed)
        path = _scores_path(self)
        with self.stored.claimed(path, lambda found: _no_scores(self, found)) as found:
            if found is None:
                made = timed(self.scored, self.method.scorer, self.data.for_scoring(), self.job.seed)
                found = {**made.scores, SECONDS: torch.tensor(made.seconds, dtype=torch.float64)}
                if made.seconds > WORTH:
                    put(path, found)
        seconds = float(found[SECONDS])
        # in the network's order, which a file does not keep: maskers lay the layers end to end
        return Scored({name: found[name].to(self.device.where) for name in prunable(self.initial)}, seconds)

    def prune(self, density: float) -> Pruned:
        """The masks of one density, of the network that is scored."""
        scores = None if self.method.rounds > 1 else self.scores  # of a single round the job's
        looks = scores is None or self.method.counts_like_another
        batches = self.data.for_scoring() if looks else Batches(input_shape=self.data.input_shape)
        return pruned(self.method, self.scored, density, self.job.seed, batches, scores, structure=self.structure)

    def rewind(self, trained: nn.Module | None = None) -> nn.Module:
        """A copy of the network that training goes back to; for rewind=none of the trained one, the dense one unless given."""
        if (rewind := self.job.options.rewind) == "none" and trained is not None:
            return copy.deepcopy(trained)
        return copy.deepcopy(getattr(self, {"none": "dense", "epoch": "rewound", "init": "initial"}[rewind]))

    def start(self, cell: Cell, trained: nn.Module | None = None) -> nn.Module:
        """A copy of the network that the cell's training starts from, before its masks; `trained` as for `rewind`."""
        if cell.density == 1:
            return copy.deepcopy(self.initial)
        options, treatments, network = self.job.options, self.job.setting.treatments, self.rewind(trained)
        offered = {"initialisation": options.initialisation, "batchnorm_init": options.batchnorm_init}
        treated: nn.Module = treat("network", network, treatments, self.job.seed, **offered)
        return treated.to(self.device.where)


def filled(shared: Artifacts, state: Tensors) -> nn.Module:
    """The job's network with these numbers."""
    network = copy.deepcopy(shared.initial)
    network.load_state_dict(state)
    return network


def _no_state(shared: Artifacts, found: Tensors) -> str:
    """Why tensors are no state of the job's network; one whose training has diverged is."""
    return misfit(found, shared.initial.state_dict())


def _no_scores(shared: Artifacts, found: Tensors) -> str:
    """Why tensors are no scores of it, with the seconds that they took."""
    wanted = {**prunable(shared.initial), SECONDS: torch.zeros(())}
    why = misfit(found, wanted, exact=False) or not_finite(found)
    return why or ("they took less than no time" if found[SECONDS] < 0 else "")


def _drawn(job: Job, dataset: Dataset) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # from which modules draw what `initialise` does not fill
        torch.default_generator.manual_seed(stream(job.seed, "construction").initial_seed())
        network = job.setting.network(dataset.classes, dataset.input_shape)
    options = job.options
    initialise(network, options.initialisation, stream(job.seed, "initialisation"), options.batchnorm_init)
    job.setting.load_weights(network)
    return network


def _check_data(key: str, store: Store, dataset: Dataset) -> None:
    """Raise UserError where the dense network was trained on other data than those that are here."""
    if ((store.read(key) or {}).get("data") or {}).get("sha256") != dataset.digest:
        raise UserError(
            f"the dense network {key} was trained on another state of {dataset.name} than the one that is here: bring that"
            " data back, or take another results_dir."
        )


def dense_digest(shared: Artifacts) -> str:
    """Of the dense network's weights: one that was made again may be another one."""
    digest: str = (shared.store.read(shared.dense_cell.key) or {})["files"][WEIGHTS]
    return digest


def described_before(job: Job, later: set[str]) -> dict[str, Any]:
    """What pruned cells of a job are, seed and all, but for their densities, for what comes `later`, and for treatments of masks and
    networks."""
    later = later | {name for name, treatment in job.setting.treatments.items() if treats(treatment) != "scores"}
    described = job.setting.described[False][1] | {"seed": job.seed}
    return {name: value for name, value in described.items() if name not in later}


def _scores_path(shared: Artifacts) -> Path:
    """Where the scores lie: they follow from all that a pruned cell is but for what comes after them."""
    later = {"masker", "allocation", "mask_update", "levels", "rewind", "rewind_epoch", "biases", "only", "exclude"}
    identity = described_before(shared.job, later)
    if shared.scored is not shared.initial:
        identity["dense"] = dense_digest(shared)
    return shared.stored.path("scores", identity)
