"""A cell under way, and what is left of it: its record, its files, its last figures."""

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
from torch import nn

from pruneexp.artifacts import Artifacts
from pruneexp.cell import PLACES, Cell, marked
from pruneexp.jobs.job import Job
from pruneexp.layers import Notes
from pruneexp.levels import Levels
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.measuring.always import always
from pruneexp.measuring.asked import measured, with_names
from pruneexp.network.compaction import compact
from pruneexp.network.export import exported
from pruneexp.network.masks import Masks, everything
from pruneexp.network.prunable import freeze_biases, prunable
from pruneexp.network.removal import remove
from pruneexp.network.structure import Structure
from pruneexp.network.weights import MASKS, MASKS_AT_START, SMALLER, WEIGHTS, misfit, packed
from pruneexp.order import Piece
from pruneexp.records.artifact_store import tensors
from pruneexp.records.provenance import provenance
from pruneexp.records.record import Record
from pruneexp.system.places import told
from pruneexp.training.device import TEST_PRECISION
from pruneexp.training.train import Trained

OF_START = ("density", "effective_density", "lambda2_min", "imdb", "imdb_norm", "dead_filters")  # before masks change
OF_THIS_RUN = (*PLACES, *marked("command"), "launcher", "logger", "figure", "measurement")


@dataclass
class Trial:
    """A cell that is pruned and measured, before and after its training.

    Attributes:
        piece: which cell, of which job.
        network: what is trained, in place.
        masks: on it; none where what they prune was removed. Where masks change in training the masker's before it.
        notes: what the masker, treatments and training have to report.
        fields: of the record, measured.
        seconds: that scoring, masking and measuring took, and then training.
        pruned: all its masks, as the content of a file; where they change in training the masker's before it.
        epochs_before: of other trainings, as `pruneexp.levels.Levels` counts them.
        update: how they change in training.
        began: those that training begins with, as the content of a file, where they change.
    """

    piece: Piece
    network: nn.Module
    masks: Masks
    notes: Notes
    fields: Record
    seconds: dict[str, float]
    pruned: bytes
    epochs_before: int
    update: MaskUpdate | None = None
    began: bytes = b""

    @property
    def masks_digest(self) -> str:
        return hashlib.sha256(self.pruned).hexdigest()


def trainee_of(cell: Cell, shared: Artifacts, network: nn.Module, masks: Masks) -> nn.Module:
    """What is trained of a network: all of it, or a smaller one where neurons are removed; of a pruned one the biases as asked."""
    removes = shared.job.setting.removes_neurons and cell.density < 1
    trainee = remove(network, masks, shared.data.input_shape) if removes else network
    if shared.job.options.biases == "frozen" and cell.density < 1:
        freeze_biases(trainee)
    return trainee


def update_of(cell: Cell, shared: Artifacts) -> MaskUpdate | None:
    """How a cell's masks change while it trains, if they do."""
    if cell.density == 1 or "mask_update" not in shared.job.setting.components:
        return None
    update: MaskUpdate | None = shared.job.setting.make("mask_update")
    return update


def graph(shared: Artifacts, network: nn.Module, masks: Masks, trainee: nn.Module) -> Record:
    """What every record says of masks."""
    structure = shared.structure if trainee is network else Structure(trainee, shared.data.input_shape)
    return always(network, masks, trainee, shared.wiring, structure.macs)


def changed(trial: Trial, trained: Trained) -> None:
    """Put into a trial the masks that its training has left: what is said of the network is then said of these.

    The figures `OF_START` of those that it began with are nested under ``start``, beside ``mask_updates``, the number of updates made.
    """
    if trained.masks is None:
        return
    begin, shared = time.perf_counter(), trial.piece.order.shared
    network = shared.start(trial.piece.cell)
    start = {name: trial.fields[name] for name in OF_START}
    fields = graph(shared, network, trained.masks, network) | measure(shared, network, trained.masks, network)
    trial.fields = fields | {"start": start, "mask_updates": trained.updates}
    trial.masks, trial.pruned = trained.masks, safetensors.torch.save(trained.masks)
    trial.seconds["measuring"] += time.perf_counter() - begin


def measure(shared: Artifacts, network: nn.Module, masks: Masks, trainee: nn.Module) -> Record:
    """What the job asks to be measured, as fields of the record."""
    wanted, shape = shared.job.setting.measurements, shared.data.input_shape
    return measured(
        wanted, network=network, masks=masks, trainee=trainee, input_shape=shape, device=shared.device
    )  # fmt: skip


def measure_later(piece: Piece) -> Record:
    """What `measure` gives, of a cell that is finished: of its stored masks and the network that its training started from."""
    cell, shared = piece.cell, piece.order.shared
    network = Levels(piece).start()
    wanted = everything(prunable(network))
    found = tensors(shared.store, cell.key, MASKS, lambda found: misfit(found, wanted))
    masks = {name: found[name] for name in wanted}  # in no fixed order there
    record = shared.store.read(cell.key) or {}
    fields = measure(shared, network, masks, trainee_of(cell, shared, network, masks))
    for name, value in fields.items():  # what was measured before stays
        if isinstance(value, dict) and isinstance(record.get(name), dict):
            fields[name] = record[name] | value
    return with_names(fields, record)


def record_of(trial: Trial, trained: Trained, devices: list[str]) -> Record:
    """The record of a trained cell."""
    order, cell, row = trial.piece.order, trial.piece.cell, trained.history[trained.chosen]
    shared = order.shared
    return {
        "key": cell.key,
        "names": cell.names,
        "description": cell.description,
        "seed": cell.seed,
        "asked_density": cell.density,
        **trial.fields,
        "accuracy": _finite(trained.accuracy),
        "loss": _finite(trained.loss),
        "train_loss": _finite(row["train/loss"]),
        "train_accuracy": _finite(row["train/accuracy"]),
        **_held_out(row),
        "diverged": trained.diverged,
        "epochs": len(trained.history),
        "total_epochs": trial.epochs_before + len(trained.history),
        "seconds": {name: round(value, 3) for name, value in trial.seconds.items()},
        "peak_memory_bytes": trained.peak_memory_bytes,
        "notes": trial.notes,
        **provenance(order.command, " + ".join(devices), shared.device.resolved_precision),
        "test_precision": TEST_PRECISION,
        "data": {"name": shared.dataset.name, "sha256": shared.dataset.digest},
        "classes": shared.dataset.classes,
        "input_shape": list(shared.dataset.input_shape),
        "config": _portable(order.job),
    }


def _held_out(row: Mapping[str, float]) -> Record:
    """Figures of the validation images, where there are any, and the epoch whose weights they, the test and the files are of."""
    if "validation/loss" not in row:
        return {}
    figures = {f"validation_{name}": _finite(row[f"validation/{name}"]) for name in ("accuracy", "loss")}
    return figures | {"selected_epoch": int(row["epoch"])}


def files_of(trial: Trial) -> dict[str, bytes]:
    """What the folder of a trained cell holds besides its record: masks and trained network; see `pruneexp.loading`."""
    shared = trial.piece.order.shared
    if shared.job.setting.removes_neurons and trial.piece.cell.density < 1:
        network = {SMALLER: exported(trial.network, shared.data.input_shape)}
    else:
        network = {WEIGHTS: packed(compact(trial.network.state_dict(), trial.masks))}
    return {MASKS: trial.pruned, **network} | ({MASKS_AT_START: trial.began} if trial.began else {})


def last_figures(trial: Trial, trained: Trained) -> dict[str, float]:
    """What loggers are told of a cell at its end."""
    fields = trial.fields
    figures = {"test/accuracy": trained.accuracy, "test/loss": trained.loss, "density": fields["density"]}
    figures |= {f"graph/{name}": fields[name] for name in ("imdb", "imdb_norm")}
    figures |= {f"topology/{name}": value for name, value in fields.get("topology", {}).items()}
    for row in fields["layers"]:
        figures[f"graph/lambda2/{row['name']}"] = row["lambda2"]
        figures[f"graph/bound_gap/{row['name']}"] = row["bound_gap"]
    return {name: value for name, value in figures.items() if value is not None}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _portable(job: Job) -> dict[str, Any]:
    """The job's configuration without what belongs to one run, and to one machine."""
    config: dict[str, Any] = told({name: value for name, value in job.config.items() if name not in OF_THIS_RUN})
    for group, component in job.setting.components.items():
        if component.contents:  # the description has the digest of what lies there
            config[group] = {name: value for name, value in config[group].items() if name not in component.contents}
    return config
