"""A command line as a grid of jobs: composed and checked before anything runs."""

import functools
import re
from dataclasses import dataclass, field

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pruneexp.config import conf_dir, unknown
from pruneexp.errors import UserError
from pruneexp.job import Cell, Job

ONCE = ("mode", "name", "launcher", "data_dir", "results_dir", "report_dir")  # options of the whole sweep
SEED = re.compile(r"seed=(0|[1-9]\d*)")


@dataclass(frozen=True)
class Grid:
    """The jobs that a command line asks for.

    Attributes:
        jobs: in the order they run.
        arguments: the same command line for Hydra, with the sweeps of the experiment that the user gave no value for
            written out.
        overrides: that compose each of the jobs.
    """

    jobs: list[Job]
    arguments: list[str]
    overrides: list[list[str]] = field(default_factory=list)

    @property
    def config(self) -> DictConfig:
        """The first job's: mode, name and folders are those of every job."""
        return self.jobs[0].config

    def cells(self) -> dict[str, tuple[Job, Cell]]:
        """Every cell of the grid once, by key, with a job that makes it."""
        return self._cells

    @functools.cached_property
    def _cells(self) -> dict[str, tuple[Job, Cell]]:
        cells: dict[str, tuple[Job, Cell]] = {}
        for job in self.jobs:
            for cell in job.cells():
                cells.setdefault(cell.key, (job, cell))
        return cells


def expand(arguments: list[str]) -> Grid:
    """Compose every job of the grid.

    Args:
        arguments: overrides as typed, for example ``["+experiment=vgg16_c100_sweep", "seed=0,1"]``.

    Raises:
        UserError: an override that cannot be parsed, or names or values that do not exist.
    """
    overrides = [argument for argument in arguments if argument not in ("-m", "--multirun")]
    GlobalHydra.instance().clear()
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir()), job_name="pruneexp"):
        try:
            parser = OverridesParser.create()
            parsed = parser.parse_overrides(overrides)
            fixed = [text for text, override in zip(overrides, parsed, strict=True) if not override.is_sweep_override()]
            swept = [text for text, override in zip(overrides, parsed, strict=True) if override.is_sweep_override()]
            sweeper = compose("config", fixed, return_hydra_config=True).hydra.sweeper.get("params") or {}
            given = {override.key_or_group for override in parsed}
            sweeps = [f"{key!s}={value!s}" for key, value in sweeper.items() if key not in given] + swept
            combinations = BasicSweeper.split_arguments(parser.parse_overrides(sweeps), max_batch_size=None)[0]
            composed = [fixed + combination for combination in combinations]
            jobs = _composed(composed)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise UserError(_sentence(error, overrides)) from error
    _refuse(parsed)
    for job in {
        id(job.shared): job for job in jobs
    }.values():  # seeds of those that share a configuration are whole numbers
        try:
            job.check()
            job.cells()
        except (OmegaConfBaseException, ValueError) as error:
            raise UserError(_sentence(error, overrides)) from error
    return Grid(jobs, [*fixed, *sweeps, "hydra.sweeper.params=null"], composed)


def _composed(jobs: list[list[str]]) -> list[Job]:
    """The jobs that these overrides compose; those that differ in nothing but their seeds share one composition."""
    shared: dict[tuple[str, ...], Job] = {}
    found = []
    for overrides in jobs:
        rest = tuple(override for override in overrides if not SEED.fullmatch(override))
        seeds = [int(override.partition("=")[2]) for override in overrides if SEED.fullmatch(override)]
        if rest in shared and seeds:
            found.append(shared[rest].with_seed(seeds[-1]))
            continue
        found.append(Job(compose("config", overrides)))
        if "seed}" not in OmegaConf.to_yaml(found[-1].shared):  # no other option follows from it
            shared[rest] = found[-1]
    return found


def _refuse(overrides: list[Override]) -> None:
    """Raise UserError for overrides that Hydra takes and that mean nothing here."""
    for override in overrides:
        name = override.key_or_group
        if override.is_sweep_override() and name.split(".")[0] in ONCE:
            raise UserError(f"{name} has one value for all jobs of a sweep, got several.")
        if override.is_add() and name != "experiment" and "." not in name and "/" not in name:
            raise UserError(f"there is no option {name!r} to add: only an experiment is added with a plus.")


def _sentence(error: Exception, overrides: list[str]) -> str:
    """One sentence for what Hydra or OmegaConf says in several lines."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options is not None:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return unknown(group, name, error.options)
    key = re.search(r"Could not (?:override|append to config\S*) '(\S+?)'", text) or re.search(
        r"Key '(\S+)' is not in struct", text
    )
    if isinstance(error, ConfigCompositionException) and key:
        option = key.group(1).split("=")[0].lstrip("+~")
        if option == "experiment":
            return (
                "an experiment is added with a plus: type +" + next(o for o in overrides if o.startswith(option)) + "."
            )
        return unknown("option", option, _options(compose("config", _groups(overrides))))
    return " ".join(text.split()).rstrip(".") + "."


def _groups(overrides: list[str]) -> list[str]:
    """Those overrides that choose a file of a group (the first of a sweep's), whose options can be overridden too."""
    chosen = []
    for override in overrides:
        group, _, names = override.partition("=")
        name = names.split(",")[0]
        if (conf_dir() / group.lstrip("+") / f"{name}.yaml").exists():
            chosen.append(f"{group}={name}")
    return chosen


def _options(config: DictConfig) -> list[str]:
    """Every option's dotted name."""
    names = []
    for key, value in config.items_ex(resolve=False):
        option = str(key)
        names.append(option)
        if OmegaConf.is_dict(value):
            names += [f"{option}.{inner}" for inner in value if not str(inner).startswith("_")]
    return names
