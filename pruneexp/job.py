"""A job's configuration, checked; and the cells it stands for."""

import copy
import functools
import inspect
import re
from dataclasses import dataclass, field
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from pruneexp.choices import check_choices
from pruneexp.config import ABOUT, digest, identity, locate, unknown
from pruneexp.data.dataset import Dataset
from pruneexp.errors import UserError, true_or_false, whole_number
from pruneexp.models.weights import fingerprint

GROUPS = ("dataset", "model", "scorer", "masker", "recipe")
# options of a cell outside the groups; left out of its description at these values, so that new ones change no old key
DEFAULTS = {
    "initialisation": "kaiming_normal",
    "weights": "none",
    "rounds": 1,
    "round_masker": "masker",
    "when": "init",
    "rewind": "init",
    "rewind_epoch": 0,
    "repair": "none",
    "invert": False,
    "shuffle": False,
    "reinit": False,
}
DENSE_OPTIONS = ("initialisation", "weights")  # those that concern a dense network too
LOGGERS = ("none", "csv", "tensorboard", "wandb")
FIGURES = ("accuracy", "lambda2", "macs")
CHOICES = {
    "initialisation": ("kaiming_normal", "kaiming_uniform"),
    "mode": ("run", "plan", "report"),
    "round_masker": ("masker", "greedy"),
    "when": ("init", "trained"),
    "rewind": ("init", "epoch", "none"),
    "repair": ("none", "paths"),
    "topology": ("none", "ramanujan", "full"),
}


@dataclass(frozen=True)
class Cell:
    """One network to train.

    Attributes:
        names: the chosen configuration of each group; scorer and masker are "dense" at density 1, where they do not matter.
        description: everything that makes the result differ; the key is its hash.
    """

    names: dict[str, str]
    density: float
    seed: int
    description: dict[str, Any]

    @functools.cached_property
    def key(self) -> str:
        names = "-".join(self.names[group] for group in ("dataset", "model", "scorer", "masker"))
        return f"{names}-d{self.density:g}-s{self.seed}-{digest(self.description)}"


@dataclass(frozen=True)
class Job:
    """One (dataset, model, scorer, masker, seed) and its densities: what one process runs.

    Attributes:
        shared: the configuration, but for the seed where there is a `given_seed`: of a sweep's jobs that differ in
            nothing but their seeds it is one and the same object.
        given_seed: the seed, where it is not that of `shared`.
    """

    shared: DictConfig
    given_seed: int | None = None
    _described: dict[bool, tuple[dict[str, str], dict[str, Any]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def with_seed(self, seed: int) -> "Job":
        """The job that differs from this one in its seed."""
        return Job(self.shared, seed, self._described)

    @functools.cached_property
    def config(self) -> DictConfig:
        """The job's own configuration."""
        if self.given_seed is None:
            return self.shared
        config = copy.deepcopy(self.shared)
        config.seed = self.given_seed
        return config

    @property
    def seed(self) -> int:
        return int(self.shared.seed) if self.given_seed is None else self.given_seed

    @property
    def densities(self) -> list[float]:
        return [float(density) for density in self.shared.densities]

    @property
    def needs_scores(self) -> bool:
        """Whether the masker looks at scores: where it does not, neither scorer nor rounds are part of a cell."""
        return bool(self.shared.masker.get("needs_scores", True))

    @property
    def removes_neurons(self) -> bool:
        """Whether what the masks prune is taken out, and a smaller network trained."""
        return bool(self.shared.masker.get("removes_neurons", False))

    @property
    def rounds(self) -> int:
        return int(self.shared.rounds) if self.needs_scores else 1

    def names(self) -> dict[str, str]:
        """The chosen configuration of each group; scorer "none" where the masker needs none."""
        names = {group: str(self.shared[group].name) for group in GROUPS}
        return names if self.needs_scores else names | {"scorer": "none"}

    def cells(self) -> list[Cell]:
        """The job's cells, in the order of its densities."""
        return [self.cell(density) for density in self.densities]

    def cell(self, density: float) -> Cell:
        """The cell at one density."""
        dense = density == 1
        if dense not in self._described:
            ours = {"scorer": "dense", "masker": "dense"} if dense else {}
            self._described[dense] = self.names() | ours, self._describe(dense)
        names, description = self._described[dense]
        return Cell(dict(names), density, self.seed, description | {"density": density, "seed": self.seed})

    def _describe(self, dense: bool) -> dict[str, Any]:
        """What is the same in the descriptions of all cells, or of all dense ones, of the jobs that share a configuration."""
        config = self.shared
        groups = {group: identity(_plain(config[group])) for group in GROUPS}
        for node in groups.values():
            for label in ("name", *ABOUT):
                node.pop(label, None)
        description: dict[str, Any] = {**groups, "density": None, "seed": None}
        for option, default in DEFAULTS.items():
            if config.get(option, default) != default and (not dense or option in DENSE_OPTIONS):
                description[option] = config[option]
        if "weights" in description:
            description["weights"] = fingerprint(config.weights)
        if not self.needs_scores:
            description["scorer"] = "none"
            description.pop("rounds", None)
        if config.get("rounds", 1) == 1 or not self.needs_scores:
            description.pop("round_masker", None)
        precision = config.get("trainer", {}).get("precision", "auto")
        if precision != "auto":  # as the device has it
            description["precision"] = precision
        if dense:
            description |= {"scorer": "dense", "masker": "dense"}
        return description

    def component(self, group: str, **arguments: Any) -> Any:
        """The object or function that a group's configuration describes.

        Raises:
            UserError: the options are not what it takes.
        """
        node = _plain(self.config[group])
        name = node.pop("name", "")
        for about in ABOUT:
            node.pop(about, None)
        target = locate(node["_target_"])
        check_choices(target, node)
        for option in node.keys() - {"_target_", "_partial_"} - inspect.signature(target).parameters.keys():
            raise UserError(unknown(f"option of {group}={name}", option, inspect.signature(target).parameters))
        try:
            return instantiate(node, **arguments)
        except Exception as error:
            # Hydra wraps what the target raised
            cause = error.__cause__ or error
            if isinstance(cause, UserError):
                raise cause from None
            if isinstance(cause, TypeError):
                raise UserError(f"{group}={name} does not take these options: {cause}.") from error
            raise

    def dataset(self) -> Dataset:
        """The job's data set, made first where it is missing.

        Raises:
            UserError: missing and not to be had, or damaged.
        """
        config = self.config
        dataset: Dataset = self.component("dataset", name=config.dataset.name, data_dir=config.data_dir)
        return dataset

    def check(self) -> None:
        """Raise UserError for values that no job can have; what needs data or a model is checked when they are made."""
        config = self.shared
        for option, choices in CHOICES.items():
            if config[option] not in choices:
                raise UserError(f"{option} must be one of {', '.join(choices)}, got {config[option]!r}.")
        for option in ("invert", "shuffle", "reinit", "latency"):
            true_or_false(option, config[option])
        for option in ("shuffle", "repair"):
            if self.removes_neurons and config[option] not in (False, "none"):
                raise UserError(
                    f"{option}={config[option]} moves single weights, and masker={config.masker.name} removes neurons."
                )
        if not isinstance(config.weights, str):
            raise UserError(f"weights must be none, imagenet or a path, got {config.weights}.")
        if config.weights != "none":
            fingerprint(config.weights)
        shape = config.dataset.image_shape
        if not OmegaConf.is_list(shape) or len(shape) != 3:
            raise UserError(f"dataset.image_shape must be [channels, height, width], got {shape}.")
        for length in shape:
            whole_number("each number of dataset.image_shape", length, 1)
        whole_number("rounds", config.rounds, 1)
        if self.removes_neurons and config.rounds > 1:
            raise UserError(
                f"masker={config.masker.name} removes neurons at once, and rounds={config.rounds}: set rounds=1."
            )
        whole_number("rewind_epoch", config.rewind_epoch, 0)
        if config.repair != "none" and not self.needs_scores:
            raise UserError(f"repair=paths places weights by their scores, and masker={config.masker.name} has none.")
        if config.reinit and config.rewind != "init":
            raise UserError(
                f"reinit=true draws new weights, and rewind={config.rewind} brings back old ones: choose one."
            )
        if config.invert and not self.needs_scores:
            raise UserError(f"invert=true turns scores round, and masker={config.masker.name} has none.")
        if config.repair != "none" and config.rounds > 1:
            raise UserError("repair=paths goes with rounds=1: a repair could bring back what an earlier round pruned.")
        if isinstance(config.recipe.epochs, int) and config.rewind_epoch > config.recipe.epochs:
            raise UserError(
                f"rewind_epoch={config.rewind_epoch} lies beyond the recipe's {config.recipe.epochs} epochs."
            )
        for group in GROUPS:
            if not re.fullmatch(r"[\w.+-]+", str(config[group].name)):
                raise UserError(f"{group}.name must be made of letters, digits, '.', '_', '+' and '-'.")
        if config.logger.name not in LOGGERS:
            raise UserError(f"logger must be one of {', '.join(LOGGERS)}, got {config.logger.name!r}.")
        if config.when == "init" and config.rewind != "init":
            raise UserError(f"rewind={config.rewind} needs when=trained: at initialisation there is nothing to rewind.")
        if (config.rewind == "epoch") != (config.rewind_epoch > 0):
            raise UserError("rewind=epoch and rewind_epoch=K (K at least 1) go together.")
        for option in ("data_dir", "results_dir", "report_dir"):
            if not isinstance(config[option], str):
                raise UserError(f"{option} must be a folder, got {config[option]}.")
        if not OmegaConf.is_list(config.figures) or any(figure not in FIGURES for figure in config.figures):
            raise UserError(f"figures must be a list of {', '.join(FIGURES)}, got {config.figures}.")
        if not re.fullmatch(r"[\w.+-]+", str(config.name)):
            raise UserError(f"name must be made of letters, digits, '.', '_', '+' and '-', got {config.name!r}.")
        if not OmegaConf.is_list(config.densities) or not len(config.densities):
            raise UserError(f"densities must be a list such as [0.1,0.02], got {config.densities!r}.")
        if any(OmegaConf.is_missing(config.densities, k) for k in range(len(config.densities))):
            raise UserError("densities has a missing value: each must be above 0 and at most 1.")
        for density in config.densities:
            if isinstance(density, bool) or not isinstance(density, (int, float)) or not 0 < density <= 1:
                raise UserError(
                    f"each density must be above 0 and at most 1 (the share of weights kept), got {density}."
                )
        if len(set(self.densities)) < len(self.densities):
            raise UserError(f"densities names one density twice: {self.densities}.")
        whole_number("seed", config.seed if self.given_seed is None else self.given_seed, 0)


def _plain(node: DictConfig) -> dict[str, Any]:
    plain: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    return plain
