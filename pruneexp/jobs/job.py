"""A job: one (dataset, model, scorer, masker, seed) and its densities; and the cells it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pruneexp.cell import Cell, Options
from pruneexp.jobs.identity import looks_at_network
from pruneexp.jobs.setting import Setting

PRECISIONS = ("float32", "bf16")


@dataclass(frozen=True)
class Job:
    """What one process runs.

    Attributes:
        setting: its configuration but for the seed.
        seed: of all its random choices.
    """

    setting: Setting
    seed: int

    @staticmethod
    def of(config: Mapping[str, Any]) -> "Job":
        """The job that a configuration describes.

        Raises:
            UserError: a value that no job can have.
        """
        setting = Setting(config)
        return Job(setting, setting.options.seed)

    @property
    def config(self) -> dict[str, Any]:
        """The job's own configuration, as composed."""
        return {**self.setting.config, "seed": self.seed}

    @property
    def options(self) -> Options:
        """The schema's options; the seed is the job's own attribute."""
        return self.setting.options

    @property
    def densities(self) -> list[float]:
        return self.options.densities

    def cells(self, precision: str) -> list[Cell]:
        """The job's cells as trained in one precision, in the order of its densities."""
        return [self.cell(density, precision) for density in self.densities]

    def cell(self, density: float, precision: str) -> Cell:
        """The cell at one density, trained in one precision."""
        names, description, short = self.setting.described[density == 1]
        own = {"density": density, "seed": self.seed, "precision": precision}
        cell = Cell(dict(names), density, self.seed, precision, description | own, short)
        vars(cell)["key"] = cell.key_with(self.setting.digests[density == 1](own))  # the property's value, made faster
        return cell

    @property
    def scores_dense(self) -> bool:
        """Whether it is the trained dense network that is scored and masked."""
        return self.options.when == "trained" and looks_at_network(self.setting.components)

    @property
    def needs_dense(self) -> bool:
        """Whether its pruned cells need the trained dense network, which must lie in its cell's folder before they are made."""
        return self.scores_dense or self.options.rewind == "none"

    def first_epoch(self, density: float) -> int:
        """The recipe's epoch that a cell's training begins with: weights rewound to epoch K go on with it (Renda et al. 2020)."""
        return self.options.rewind_epoch if density < 1 else 0  # it is 0 unless rewind=epoch

    def precisions(self) -> tuple[str, ...]:
        """In which precisions its cells may be trained, as far as the configuration tells: under auto the device decides."""
        trainer = self.setting.components.get("trainer")
        if trainer is None:
            return PRECISIONS
        if (precision := trainer.value("precision") or "auto") != "auto":
            return (precision,)
        return {"cpu": ("float32",), "cuda": ("bf16",)}.get(trainer.value("accelerator") or "auto", PRECISIONS)
