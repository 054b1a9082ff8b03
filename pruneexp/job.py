"""A job's configuration, checked; and the cells it stands for."""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from pruneexp.cell import FIELDS, GROUPS, ROOT, Cell, Logger, Options, hint, marked
from pruneexp.components import foreign
from pruneexp.components.component import configured
from pruneexp.components.options import shown, value_of
from pruneexp.data.dataset import Dataset
from pruneexp.errors import UserError, unknown
from pruneexp.network.weights import fingerprint

PRECISIONS = ("float32", "bf16")
IN_ROUNDS = ("rounds", "round_masker")


class Setting:
    """A job's configuration, its seed aside, checked; of a sweep's jobs that differ in their seeds alone it is one object.

    Attributes:
        config: as composed.
        options: the schema's.
        components: dataset, model, scorer, masker, recipe and trainer; launcher where it is a component.

    Raises:
        UserError: a value that no job can have; what needs data or a network is checked when they are made.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[assignment]
        launcher, logger = plain.pop("launcher", {"name": "local"}), plain.pop("logger", {"name": "none"})
        self.components = {
            group: configured(group, plain.pop(group)) for group in (*GROUPS, "trainer") if group in plain
        }
        if isinstance(launcher, dict) and "_target_" in launcher:
            self.components["launcher"] = configured("launcher", launcher)
        elif launcher != {"name": "local"}:
            raise UserError(f"launcher must be local or a component with _target_, got {shown(launcher)}.")
        _check_logger(logger)
        for name in plain:
            if name not in FIELDS:
                raise UserError(unknown("option", str(name), [*FIELDS, *self.components, "logger"]))
        values = {name: value_of(name, hint(Options, name), value) for name, value in (ROOT | plain).items()}
        self.options = Options.model_construct(**values)
        self._check_together()

    @property
    def needs_scores(self) -> bool:
        """Whether the masker looks at scores: where it does not, neither scorer nor rounds are part of a cell."""
        return self.components["masker"].about.needs_scores

    @property
    def removes_neurons(self) -> bool:
        """Whether what the masks prune is taken out, and a smaller network trained."""
        return self.components["masker"].about.removes_neurons

    def _check_together(self) -> None:
        """Options that exclude or need each other."""
        options, masker, recipe = self.options, self.components["masker"].label, self.components["recipe"]
        recipe.make()
        if options.weights != "none":
            fingerprint(options.weights)
        if len(set(options.densities)) < len(options.densities):
            raise UserError(f"densities names one density twice: {options.densities}.")
        for option in ("shuffle", "repair"):
            if self.removes_neurons and getattr(options, option) not in (False, "none"):
                raise UserError(
                    f"{option}={getattr(options, option)} moves single weights, and masker={masker} removes neurons."
                )
        if self.removes_neurons and options.rounds > 1:
            raise UserError(f"masker={masker} removes neurons at once, and rounds={options.rounds}: set rounds=1.")
        if options.repair != "none" and not self.needs_scores:
            raise UserError(f"repair=paths places weights by their scores, and masker={masker} has none.")
        if options.repair != "none" and options.rounds > 1:
            raise UserError("repair=paths goes with rounds=1: a repair could bring back what an earlier round pruned.")
        if options.invert and not self.needs_scores:
            raise UserError(f"invert=true turns scores round, and masker={masker} has none.")
        if options.reinit and options.rewind != "init":
            raise UserError(
                f"reinit=true draws new weights, and rewind={options.rewind} brings back old ones: choose one."
            )
        if options.when == "init" and options.rewind != "init":
            raise UserError(
                f"rewind={options.rewind} needs when=trained: at initialisation there is nothing to rewind."
            )
        if (options.rewind == "epoch") != (options.rewind_epoch > 0):
            raise UserError("rewind=epoch and rewind_epoch=K (K at least 1) go together.")
        if (epochs := recipe.options.get("epochs")) is not None and options.rewind_epoch > epochs:
            raise UserError(f"rewind_epoch={options.rewind_epoch} lies beyond the recipe's {epochs} epochs.")

    def names(self, dense: bool = False) -> dict[str, str]:
        """The label of each group's choice; scorer "none" where the masker needs none, both "dense" of a dense cell."""
        names = {group: self.components[group].label for group in GROUPS}
        if dense:
            return names | {"scorer": "dense", "masker": "dense"}
        return names if self.needs_scores else names | {"scorer": "none"}

    def short(self, dense: bool) -> str:
        """The readable part of its cells' keys, density and seed aside."""
        parts = {group: self.components[group].short() for group in ("dataset", "model", "scorer", "masker")}
        if dense:
            parts |= {"scorer": "dense", "masker": "dense"}
        elif not self.needs_scores:
            parts["scorer"] = "none"
        return "-".join(parts.values())

    def describe(self, dense: bool) -> dict[str, Any]:
        """What is the same in the descriptions of all its cells, or of all its dense ones."""
        description: dict[str, Any] = {group: self.components[group].identity() for group in GROUPS}
        description |= {name: value for name in marked("identity") if (value := self.changed(name, dense)) is not None}
        if "weights" in description:
            description["weights"] = fingerprint(self.options.weights)
        if not self.needs_scores:
            description["scorer"] = "none"
        if dense:
            description |= {"scorer": "dense", "masker": "dense"}
        if (trainer := self.components.get("trainer")) is not None:
            devices = trainer.value("devices") or 1
            if devices > 1 and self.looks_at_batches():
                description["devices"] = devices
            if not foreign.is_ours(trainer.target):
                description["trainer"] = trainer.identity()
        return description

    def changed(self, name: str, dense: bool) -> Any:
        """The value of one of the schema's options where it makes a cell another one than the default would, else None."""
        options, value = self.options, getattr(self.options, name)
        if value == ROOT[name] or (dense and name not in marked("dense")):
            return None
        if name in IN_ROUNDS and (not self.needs_scores or options.rounds == 1):
            return None  # there is no round before the last
        if name == "when" and not self.needs_scores and options.rewind == "init":
            return None  # neither masks nor weights come from the trained network
        return value

    def looks_at_batches(self) -> bool:
        """Whether the network's result depends on which images share a device's batch: BatchNorm, dropout; of others' nobody knows."""
        if not foreign.is_ours(self.components["model"].target):
            return True
        dataset = self.components["dataset"]
        with torch.device("meta"):
            network = self.components["model"].make(
                num_classes=dataset.value("classes"), input_shape=tuple(dataset.value("image_shape"))
            )
        kinds = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)
        return any(isinstance(module, kinds) for module in network.modules())

    def precisions(self) -> tuple[str, ...]:
        """In which precisions its cells may be trained, as far as the configuration tells: under auto the device decides."""
        trainer = self.components.get("trainer")
        if trainer is None:
            return PRECISIONS
        if (precision := trainer.value("precision") or "auto") != "auto":
            return (precision,)
        return {"cpu": ("float32",), "cuda": ("bf16",)}.get(trainer.value("accelerator") or "auto", PRECISIONS)

    @functools.cached_property
    def described(self) -> dict[bool, tuple[dict[str, str], dict[str, Any], str]]:
        """Names, description and the key's readable part: of dense cells (True) and of pruned ones."""
        return {dense: (self.names(dense), self.describe(dense), self.short(dense)) for dense in (False, True)}


@dataclass(frozen=True)
class Job:
    """One (dataset, model, scorer, masker, seed) and its densities: what one process runs."""

    setting: Setting
    seed: int

    @staticmethod
    def of(config: DictConfig) -> "Job":
        """The job that a configuration describes."""
        setting = Setting(config)
        return Job(setting, setting.options.seed)

    def with_seed(self, seed: int) -> "Job":
        """The job that differs from this one in its seed."""
        return Job(self.setting, seed)

    @functools.cached_property
    def config(self) -> DictConfig:
        """The job's own configuration, as composed."""
        return OmegaConf.merge(self.setting.config, {"seed": self.seed})  # type: ignore[return-value]

    @property
    def options(self) -> Options:
        """The schema's options; the seed is the job's own attribute."""
        return self.setting.options

    @property
    def densities(self) -> list[float]:
        return self.options.densities

    @property
    def needs_scores(self) -> bool:
        return self.setting.needs_scores

    @property
    def removes_neurons(self) -> bool:
        return self.setting.removes_neurons

    @property
    def rounds(self) -> int:
        return self.options.rounds if self.needs_scores else 1

    def names(self) -> dict[str, str]:
        """The label of each group's choice."""
        return self.setting.names()

    def cells(self, precision: str) -> list[Cell]:
        """The job's cells as trained in one precision, in the order of its densities."""
        return [self.cell(density, precision) for density in self.densities]

    def cell(self, density: float, precision: str) -> Cell:
        """The cell at one density, trained in one precision."""
        names, description, short = self.setting.described[density == 1]
        own = {"density": density, "seed": self.seed, "precision": precision}
        return Cell(dict(names), density, self.seed, precision, description | own, short)

    def component(self, group: str, **arguments: Any) -> Any:
        """What a group's configuration describes; see `Component.make`."""
        return self.setting.components[group].make(**arguments)

    def dataset(self) -> Dataset:
        """The job's data set, made first where it is missing.

        Raises:
            UserError: missing and not to be had, or damaged.
        """
        dataset: Dataset = self.component("dataset", data_dir=self.options.data_dir)
        return dataset


def _check_logger(node: Any) -> None:
    if not isinstance(node, dict):
        raise UserError(f"logger must be none, csv, tensorboard or wandb, got {shown(node)}.")
    for name in node:
        if name not in Logger.model_fields:
            raise UserError(unknown("option", f"logger.{name}", [f"logger.{known}" for known in Logger.model_fields]))
    for name in Logger.model_fields.keys() & {"name", *node}:
        value_of("logger" if name == "name" else f"logger.{name}", hint(Logger, name), node.get(name))
