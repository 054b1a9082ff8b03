"""A cell under way: pruned and measured, then trained, then a record."""

import hashlib
import math
import time
from dataclasses import dataclass
from typing import Any

import safetensors.torch
from omegaconf import OmegaConf
from torch import nn

from pruneexp.artifacts import Artifacts
from pruneexp.cell import Cell
from pruneexp.jobs.job import Job
from pruneexp.measuring.always import always
from pruneexp.measuring.asked import measured, with_names
from pruneexp.network.export import exported
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import prunable
from pruneexp.network.removal import remove
from pruneexp.pruning import Pruned
from pruneexp.records.provenance import provenance
from pruneexp.records.record import Record
from pruneexp.training.train import Trained

OF_THIS_MACHINE = (
    "data_dir", "results_dir", "report_dir", "launcher", "logger", "mode", "figure", "measurement", "weights", "records",
)  # fmt: skip


@dataclass
class Trial:
    """A cell about to be trained.

    Attributes:
        cell: which.
        network: to be trained, in place.
        masks: on it; none where what they prune was removed.
        pruned: its masks before that, and how they were made.
        fields: of the record, measured.
        seconds: that scoring, masking and measuring took.
        files: contents that its folder will hold, by name.
    """

    cell: Cell
    network: nn.Module
    masks: Masks
    pruned: Pruned
    fields: Record
    seconds: dict[str, float]
    files: dict[str, bytes]

    @property
    def masks_digest(self) -> str:
        return hashlib.sha256(self.files["masks.safetensors"]).hexdigest()


def prepare(cell: Cell, shared: Artifacts) -> Trial:
    """Prune the cell's network and measure what is left.

    Raises:
        UserError: what scorer, masker, treatments and measurements raise.
    """
    found = shared.prune(cell.density) if cell.density < 1 else Pruned({})
    network = shared.start(cell)
    begin = time.perf_counter()
    trainee = trained_of(cell, shared, network, found.masks)
    fields = always(network, found.masks, trainee, shared.data.input_shape, shared.wiring)
    fields |= measure(shared, network, found.masks, trainee)
    seconds = {"scoring": found.scoring, "masking": found.masking, "measuring": time.perf_counter() - begin}
    files = {"masks.safetensors": safetensors.torch.save(found.masks or everything(prunable(network)))}
    return Trial(cell, trainee, found.masks if trainee is network else {}, found, fields, seconds, files)


def trained_of(cell: Cell, shared: Artifacts, network: nn.Module, masks: Masks) -> nn.Module:
    """What is trained of a network: all of it, or a smaller one where neurons are removed."""
    removes = shared.job.setting.removes_neurons and cell.density < 1
    return remove(network, masks, shared.data.input_shape) if removes else network


def measure(shared: Artifacts, network: nn.Module, masks: Masks, trainee: nn.Module) -> Record:
    """What the job asks to be measured, as fields of the record."""
    return measured(
        shared.job.setting.measurements, network=lambda: network, masks=lambda: masks, trainee=lambda: trainee,
        input_shape=lambda: shared.data.input_shape, device=lambda: shared.device,
    )  # fmt: skip


def measure_later(cell: Cell, shared: Artifacts) -> Record:
    """The same of a cell that is finished."""
    network = shared.start(cell)
    found = safetensors.torch.load(shared.store.file(cell.key, "masks.safetensors"))  # in no fixed order
    masks = {name: found[name] for name in prunable(network)}
    fields = measure(shared, network, masks, trained_of(cell, shared, network, masks))
    return with_names(fields, shared.store.read(cell.key))


def record_of(trial: Trial, trained: Trained, shared: Artifacts, devices: list[str], command: str) -> Record:
    """The record of a trained cell."""
    cell, job, last = trial.cell, shared.job, trained.history[-1]
    return {
        "key": cell.key,
        "names": cell.names,
        "description": cell.description,
        "seed": cell.seed,
        "asked_density": cell.density,
        **trial.fields,
        "accuracy": _finite(trained.accuracy),
        "loss": _finite(trained.loss),
        "train_loss": _finite(last["train/loss"]),
        "train_accuracy": _finite(last["train/accuracy"]),
        "diverged": trained.diverged,
        "epochs": len(trained.history),
        "seconds": {name: round(value, 3) for name, value in trial.seconds.items()},
        "peak_memory_bytes": trained.peak_memory_bytes,
        "notes": trial.pruned.notes,
        **provenance(command, " + ".join(devices), shared.device.resolved_precision),
        "data": {"name": shared.dataset.name, "sha256": shared.dataset.digest},
        "config": _portable(job),
    }


def files_of(trial: Trial, shared: Artifacts) -> dict[str, bytes]:
    """What the folder of a trained cell holds besides its record: masks, and the trained network of some."""
    if trial.cell.density == 1:
        return {**trial.files, "weights.safetensors": _packed(trial.network)}
    if shared.job.setting.removes_neurons:
        return {**trial.files, "network.pt2": exported(trial.network, shared.data.input_shape)}
    return trial.files


def last_figures(trial: Trial, trained: Trained) -> dict[str, float]:
    """What loggers are told of a cell at its end."""
    fields = trial.fields
    figures = {"test/accuracy": trained.accuracy, "test/loss": trained.loss, "density": fields["density"]}
    figures["graph/imdb"] = fields["imdb"]
    figures |= {f"topology/{name}": value for name, value in fields.get("topology", {}).items()}
    for row in fields["layers"]:
        figures[f"graph/lambda2/{row['name']}"] = row["lambda2"]
        figures[f"graph/bound_gap/{row['name']}"] = row["bound_gap"]
    return {name: value for name, value in figures.items() if value is not None}


def _packed(network: nn.Module) -> bytes:
    return safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _portable(job: Job) -> dict[str, Any]:
    """The job's configuration without what belongs to one machine."""
    plain: dict[str, Any] = OmegaConf.to_container(job.config, resolve=True)  # type: ignore[assignment]
    return {name: value for name, value in plain.items() if name not in OF_THIS_MACHINE}
