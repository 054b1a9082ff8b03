"""One job from start to finish: make the network, score it, and for each density mask, measure, train, record."""

import copy
import functools
import math
import time
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch import nn

from pruneexp.console import console
from pruneexp.job import Cell, Job
from pruneexp.layers import multiply_accumulates
from pruneexp.maskers.layer import Notes
from pruneexp.models.initialise import initialise
from pruneexp.pruning import Scores, mask, score
from pruneexp.records.measure import layer_rows, network_sums
from pruneexp.records.provenance import provenance
from pruneexp.records.store import Record, Store
from pruneexp.seeding import stream
from pruneexp.training.device import Device
from pruneexp.training.loggers import logging_to
from pruneexp.training.progress import CellProgress
from pruneexp.training.recipe import Recipe
from pruneexp.training.resident import Resident
from pruneexp.training.train import Trained, quiet_lightning, train


def run(config: DictConfig, command: str = "", first: int = 0) -> None:
    """Train the job's cells that have no record yet.

    Cells that another process is working on are left to it and looked at again at the end, so that the job ends
    when all its cells are recorded, whoever made them.

    Args:
        config: one job's configuration.
        command: that runs just this job, for the records.
        first: number of cells in the sweep before this job's, for the progress display.

    Raises:
        UserError: a configuration or data fault, or no room for a record.
    """
    job = Job(config)
    job.check()
    store = Store(config.results_dir)
    cells = job.cells()
    total = config.sweep_cells or len(cells)
    bench = Bench(job, command, total)
    for wait in (False, True):
        for number, cell in enumerate(cells, start=first + 1):
            if cell.key in store:
                continue
            with store.claim(cell.key, wait) as mine:
                if mine and cell.key not in store:
                    record, masks, history = bench.make(cell, number, console())
                    store.write(cell.key, record, masks, history)


class Bench:
    """What a job's cells share, each made once, when first needed."""

    def __init__(self, job: Job, command: str, total: int) -> None:
        self.job, self.command, self.total = job, command, total
        self.made: list[float] = []
        self.seconds: dict[str, float] = {"scoring": 0.0}

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
        return Resident(dataset, self.recipe, self.job.seed, self.device.where)

    @functools.cached_property
    def network(self) -> nn.Module:
        """At initialisation; every cell trains a copy."""
        data = self.data
        network: nn.Module = self.job.component("model", num_classes=self.classes, input_shape=self.input_shape)
        initialise(network, self.job.config.initialisation, stream(self.job.seed, "initialisation"))
        return network.to(data.device)

    @functools.cached_property
    def scores(self) -> Scores:
        network, batches = self.network, self.data.for_scoring()
        start = time.perf_counter()
        scores = score(network, self.job.component("scorer"), batches, self.job.seed)
        self.seconds["scoring"] = time.perf_counter() - start
        return scores

    def make(self, cell: Cell, number: int, out: Console) -> tuple[Record, bytes, list[dict[str, float]]]:
        """Mask, measure and train one cell: its record, masks file and history."""
        network, notes, masks = copy.deepcopy(self.network), Notes(), {}
        seconds = {"scoring": 0.0, "masking": 0.0}
        if cell.density < 1:
            scores = self.scores
            start = time.perf_counter()
            masks = mask(scores, self.job.component("masker"), cell.density, cell.seed, notes)
            seconds = {"scoring": self.seconds["scoring"], "masking": time.perf_counter() - start}
        start = time.perf_counter()
        layers = layer_rows(network, masks)
        sums = network_sums(layers, multiply_accumulates(network, self.input_shape))
        seconds["measuring"] = time.perf_counter() - start
        names = " ".join(cell.names[group] for group in ("dataset", "model", "scorer", "masker"))
        title = f"cell {number} of {self.total}  {names} density {cell.density:g} seed {cell.seed}"
        trained = self._train(cell, network, masks, sums, layers, CellProgress(title, out))
        seconds["training"] = trained.seconds
        outcome = "diverged" if trained.diverged else f"accuracy {trained.accuracy:.2f} %"
        took = sum(seconds.values())
        self.made.append(took)
        out.print(f"{title}: {outcome}, {took:.1f} s; {self.time_left(number)}", soft_wrap=True)
        record: Record = {
            "key": cell.key,
            "names": cell.names,
            "description": cell.description,
            "seed": cell.seed,
            "asked_density": cell.density,
            **sums,
            "accuracy": _finite(trained.accuracy),
            "loss": _finite(trained.loss),
            "train_loss": _finite(trained.history[-1]["train/loss"]),
            "train_accuracy": _finite(trained.history[-1]["train/accuracy"]),
            "diverged": trained.diverged,
            "epochs": len(trained.history),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "peak_memory_bytes": trained.peak_memory_bytes,
            "notes": notes,
            "layers": layers,
            **provenance(self.command, self.device.name, self.device.resolved_precision),
            "config": _portable(self.job.config),
        }
        return record, safetensors.torch.save(masks or _dense(network)), trained.history

    def time_left(self, number: int) -> str:
        """For the sweep's cells after this one, at the mean pace of this job's; finished ones will not need it."""
        minutes = (self.total - number) * sum(self.made) / len(self.made) / 60
        return f"at most {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"

    def _train(
        self,
        cell: Cell,
        network: nn.Module,
        masks: dict[str, torch.Tensor],
        sums: dict[str, Any],
        layers: list[dict[str, Any]],
        progress: CellProgress,
    ) -> Trained:
        config = self.job.config
        folder = Path(config.results_dir) / ".logs"
        kind: dict[str, Any] = OmegaConf.to_container(config.logger, resolve=True)  # type: ignore[assignment]
        with logging_to(kind, folder, config.name, cell.key, {**cell.names, **cell.description}) as loggers:
            try:
                trained = train(network, masks, self.recipe, self.data, self.device, loggers, [progress])
            finally:
                progress.stop()
            figures = {"test/accuracy": trained.accuracy, "test/loss": trained.loss, "density": sums["density"]}
            figures["graph/imdb"] = sums["imdb"]
            for row in layers:
                figures[f"graph/lambda2/{row['name']}"] = row["lambda2"]
                figures[f"graph/bound_gap/{row['name']}"] = row["bound_gap"]
            for logger in loggers:
                logger.log_metrics(
                    {name: value for name, value in figures.items() if value is not None}, step=self.recipe.epochs
                )
        return trained


def _dense(network: nn.Module) -> dict[str, torch.Tensor]:
    from pruneexp.layers import prunable

    return {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in prunable(network).items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _portable(config: DictConfig) -> dict[str, Any]:
    """The job's configuration without what belongs to one machine."""
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    for field in ("data_dir", "results_dir", "report_dir", "logger", "mode", "sweep_cells"):
        plain.pop(field)
    return plain
