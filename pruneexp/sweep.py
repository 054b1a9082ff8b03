"""A command line as a grid of jobs: composed and checked before anything runs."""

import contextlib
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pruneexp.cell import FIELDS, GROUPS, OTHERS, SEVERAL, Cell, register
from pruneexp.components.component import Component
from pruneexp.components.values import shown
from pruneexp.errors import UserError, first_line, unknown
from pruneexp.jobs.job import Job
from pruneexp.jobs.setting import Setting
from pruneexp.jobs.words import GROUP_OF, check_off, last_words, of_today, opened
from pruneexp.system.shipped import conf_dir

ONCE = (  # options of the whole sweep
    "mode", "name", "launcher", "measurement", "figure", "records", "data_dir", "results_dir", "report_dir",
)  # fmt: skip
OF_HYDRA = ("hydra.searchpath", "hydra.sweeper.params")
SEARCHED = re.compile(r"file://([^,\]\"']+)")
OF_SEED = re.compile(r"\$\{[^}]*\bseed\b")  # another option that follows from the seed
SEED = re.compile(r"seed=(0|[1-9]\d*)")


@dataclass(frozen=True)
class Grid:
    """The jobs that a command line asks for.

    Attributes:
        jobs: in the order they run.
        overrides: that compose each of the jobs.
    """

    jobs: list[Job]
    overrides: list[list[str]]

    @functools.cached_property
    def slots(self) -> list["Slot"]:
        """The cells that are asked for, each once though several jobs may ask for it, in the order of the jobs."""
        slots: dict[str, Slot] = {}
        for job in self.jobs:
            for density in job.densities:
                cells = [job.cell(density, precision) for precision in job.precisions()]
                slots.setdefault(cells[0].key, Slot(job, density, cells))
        return list(slots.values())


@dataclass(frozen=True)
class Slot:
    """A cell that is asked for, as it is known before a device has trained it.

    Attributes:
        job: one that makes it.
        density: its density.
        cells: the cell in each precision that it may be trained in; any of them answers for it.
    """

    job: Job
    density: float
    cells: list[Cell]


def expand(arguments: list[str]) -> Grid:
    """Compose every job of the grid.

    Args:
        arguments: overrides as typed, for example ``["+experiment=vgg16_c100_sweep", "seed=0,1"]``.

    Raises:
        UserError: an override that cannot be parsed, or names or values that do not exist.
    """
    overrides = [opened(argument) for argument in arguments if argument not in ("-m", "--multirun")]
    with _hydra():
        parser = OverridesParser.create()
        parsed = parser.parse_overrides(overrides)
        _refuse(parsed)
        fixed = [text for text, override in zip(overrides, parsed, strict=True) if not override.is_sweep_override()]
        swept = [text for text, override in zip(overrides, parsed, strict=True) if override.is_sweep_override()]
        first = compose("config", _of_today(fixed), return_hydra_config=True)
        sweeper = first.hydra.sweeper.get("params") or {}
        given = {override.key_or_group for override in parsed}
        given |= {GROUP_OF[name] for name in given & GROUP_OF.keys()}
        sweeps = [opened(f"{key!s}={value!s}") for key, value in sweeper.items() if key not in given] + swept
        combinations = BasicSweeper.split_arguments(parser.parse_overrides(sweeps), max_batch_size=None)[0]
        composed = [fixed + combination for combination in combinations]
        with open_dict(first):
            del first["hydra"]
        jobs = _composed(composed, first if combinations == [[]] else None)
    if not jobs:
        raise UserError("this command line asks for no cell: one of its sweeps is empty.")
    return Grid(jobs, composed)


def setting_of(*overrides: str) -> Setting:
    """The one configuration that these overrides compose, for example ``setting_of("masker=erk", "hydra.searchpath=[file://MINE]")``.

    It is composed once, and anew when a file has changed that it could be made of.

    Raises:
        UserError: an override that cannot be parsed, or names or values that do not exist.
    """
    folders = [conf_dir(), *(Path(found) for override in overrides for found in SEARCHED.findall(override))]
    times = [path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*.yaml")]
    return _setting_of(overrides, hash(tuple(times)), os.getcwd())


@functools.lru_cache(maxsize=256)
def _setting_of(overrides: tuple[str, ...], state: int, folder: str) -> Setting:
    with _hydra():
        words = ["figure=[]", *(opened(override) for override in overrides)]  # no report is made of it
        return Setting(compose("config", _of_today(words)))


def named(group: str, name: str, *overrides: str) -> Component:
    """The component that a file of conf/<group>, or of a folder in hydra.searchpath, configures.

    Raises:
        UserError: there is no such file, or it configures nothing.
    """
    return setting_of(f"{group}={name}", *overrides).components[group]


@contextlib.contextmanager
def _hydra() -> Iterator[None]:
    """Hydra with our configurations; one that this process is in already has its state back afterwards.

    Raises:
        UserError: for whatever Hydra says of overrides and configurations.
    """
    register()
    running, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir()), job_name="pruneexp"):
            try:
                yield
            except (HydraException, OmegaConfBaseException, ValueError) as error:
                raise UserError(_sentence(error)) from error
    finally:
        GlobalHydra.instance().hydra = running


def _of_today(overrides: list[str]) -> list[str]:
    return [word for override in last_words(overrides) for word in of_today(override)]


def _composed(jobs: list[list[str]], known: DictConfig | None = None) -> list[Job]:
    """The jobs that these overrides compose; those that differ in nothing but their seeds share one composition.

    Args:
        jobs: overrides.
        known: the composition of the only job, where it is known.
    """
    shared: dict[tuple[str, ...], Job] = {}
    found = []
    for overrides in jobs:
        rest = tuple(override for override in overrides if not SEED.fullmatch(override))
        seeds = [int(override.partition("=")[2]) for override in overrides if SEED.fullmatch(override)]
        if rest in shared and seeds:
            found.append(Job(shared[rest].setting, seeds[-1]))
            continue
        found.append(Job.of(compose("config", _of_today(overrides)) if known is None else known))
        setting = found[-1].setting
        check_off(last_words(overrides), [*setting.treatments, *setting.measurements])
        if not OF_SEED.search(OmegaConf.to_yaml(found[-1].setting.config)):  # no other option follows from it
            shared[rest] = found[-1]
    return found


def _refuse(overrides: list[Override]) -> None:
    """Raise UserError for overrides that Hydra takes and that mean nothing here."""
    for override in overrides:
        name = override.key_or_group
        if override.is_sweep_override() and GROUP_OF.get(name, name.split(".")[0]) in ONCE:
            raise UserError(f"{name} has one value for all jobs of a sweep, got several.")
        if name.startswith(("hydra.", "hydra/")) and not name.startswith(OF_HYDRA):
            raise UserError(
                f"{name} is Hydra's own and cannot be set, only {' and '.join(OF_HYDRA)}; where jobs run says launcher=."
            )
        if override.is_delete() and name in (*FIELDS, *GROUPS, *OTHERS, *SEVERAL):
            raise UserError(f"{name} cannot be taken away: give it another value.")
        if name in (*GROUPS, *OTHERS, *SEVERAL, "experiment") and not override.is_delete():
            for value in override.sweep_iterator() if override.is_sweep_override() else [override.value()]:
                _refuse_choice(name, value)
        plain = "/" not in name and "." not in name and "@" not in name
        if override.is_add() and not override.is_force_add() and name != "experiment" and plain:
            raise UserError(f"there is no option {name!r} to add: only an experiment is added with a plus.")


def _refuse_choice(group: str, value: Any) -> None:
    """Raise UserError where a group's choice is no name of a file, or, of a group of which several are chosen, no list of names."""
    several = group in SEVERAL and isinstance(value, list)
    for name in value if several else [value]:
        if not isinstance(name, str) or "${" in name or len(name) > 200:
            what = "names of files" if several else "the name of a file"
            raise UserError(f"{group} must be {what} in conf/{group}, got {shown(value)}.")


def _sentence(error: Exception) -> str:
    """One sentence for what Hydra or OmegaConf says in several lines."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and "/" in error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return unknown(group, name, error.options or GlobalHydra.instance().config_loader().get_group_options(group))
    key = re.search(r"Could not (?:override|append to config\S*) '(\S+?)'", text) or re.search(
        r"Key '(\S+)' is not in struct", text
    )
    if isinstance(error, ConfigCompositionException) and key:
        option = key.group(1).lstrip("+~").partition("=")[0]
        if option == "experiment":
            typed = re.search(r"\+experiment=\S+", text)  # Hydra says it too, in its own words
            return f"an experiment is added with a plus: type {typed.group() if typed else '+experiment=NAME'}."
        return unknown("option", option, [*FIELDS, *GROUPS, *OTHERS, *SEVERAL])
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key} has no value: {first_line(error)}."
    return " ".join(text.split()).rstrip(".") + "."
