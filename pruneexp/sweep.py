"""A command line as grids of jobs: composed and checked before anything runs."""

import functools
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from pruneexp.cell import Cell, Options, hint
from pruneexp.components.component import Component
from pruneexp.components.values import value_of
from pruneexp.errors import UserError
from pruneexp.jobs.combining import SEED, Combinations
from pruneexp.jobs.composing import Source, composed, hydra, in_full, plain, state_of_folders
from pruneexp.jobs.contents import bodies, choosers
from pruneexp.jobs.declared import Declared, declared
from pruneexp.jobs.job import Job
from pruneexp.jobs.overrides import MOST, Parser, by_experiment
from pruneexp.jobs.setting import Setting
from pruneexp.jobs.words import GROUP_OF, check_off, last_words, opened
from pruneexp.system.shipped import conf_dir

SEARCHED = re.compile(r"file://([^,\]\"']+)")
AT_ONCE = ("mode", "launcher", "data_dir", "results_dir", "records")  # of all experiments of a command


@dataclass(frozen=True)
class Grid:
    """The jobs that one experiment asks for.

    Attributes:
        jobs: in the order they run.
        overrides: that compose each of the jobs.
        source: where configurations come from.
        typed: the overrides of the command line.
    """

    jobs: list[Job]
    overrides: list[list[str]]
    source: Source = field(default_factory=Source)
    typed: tuple[Override, ...] = ()

    @functools.cached_property
    def declared(self) -> Declared:
        """How the command line stands to the grid that its experiment declares."""
        with hydra(self.source) as loader:
            return declared(Parser(loader), self.source.name, self.typed, self.jobs[0].options.name)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those that are searched for configurations besides pruneexp's own."""
        return _searched(self.source, self.overrides[0] if self.overrides else [])

    @functools.cached_property
    def whole(self) -> "Grid | None":
        """The grid that this one is a part of, as the experiment declares it; itself where it is all of it, None where it is no part:
        words that choose some of its values mean something else without them."""
        if not self.declared.narrows:
            return self
        try:
            found = expand(self.declared.whole, self.source)
        except UserError:
            return None
        keys = {cell.key for slot in found.slots for cell in slot.cells}
        return found if all(slot.cells[0].key in keys for slot in self.slots) else None

    @functools.cached_property
    def by_job(self) -> list[list["Slot"]]:
        """The cells that each job asks for; one that several ask for is one object."""
        slots: dict[str, Slot] = {}
        found = []
        for job in self.jobs:
            own = [
                Slot(job, density, [job.cell(density, precision) for precision in job.precisions()])
                for density in job.densities
            ]
            found.append([slots.setdefault(slot.cells[0].key, slot) for slot in own])
        return found

    @functools.cached_property
    def slots(self) -> list["Slot"]:
        """The cells that are asked for, each once, in the order of the jobs."""
        return list({slot.cells[0].key: slot for own in self.by_job for slot in own}.values())


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

    @functools.cached_property
    def cell(self) -> Cell:
        """In the precision that it is trained in where the launcher puts it, as far as can be told from here."""
        there = precision_there(self.job)
        return next(cell for cell in self.cells if cell.precision == there)


def precision_there(job: Job) -> str:
    """The precision that the job's cells are trained in where its launcher puts it, as far as can be told from here."""
    precisions, launcher = job.precisions(), job.setting.components.get("launcher")
    if len(precisions) == 1:
        return precisions[0]
    if launcher is not None and launcher.about.name == "slurm":  # its nodes' GPUs are not this machine's
        return "bf16" if launcher.value("gpus_per_node") else "float32"
    import torch

    return "bf16" if torch.cuda.is_available() else "float32"


def expand(arguments: Sequence[str], source: Source | None = None) -> Grid:
    """The one grid that these overrides ask for; see `grids`.

    Raises:
        UserError: as `grids`; or they name several experiments.
    """
    first, *others = grids(arguments, source)
    if others:
        raise UserError(f"these overrides name {len(others) + 1} experiments: name one.")
    return first


def grids(arguments: Sequence[str], source: Source | None = None) -> list[Grid]:
    """Compose every job that a command line asks for: a grid for each experiment, which has its own sweep, name and report.

    Args:
        arguments: overrides as typed, for example ``["+experiment=vgg16_c100_sweep", "seed=0,1"]``.
        source: where configurations come from, unless from pruneexp alone.

    Raises:
        UserError: an override that cannot be parsed, or names or values that do not exist.
    """
    source = source or Source()
    with hydra(source) as loader:
        parser = Parser(loader)
        each = by_experiment(parser, parser.parse(arguments))
        found = [_grid(parser, source, overrides) for overrides in each]
    _check_at_once(found)
    return found


def first_words(arguments: Sequence[str], source: Source) -> list[str]:
    """The overrides, none of which sweeps, that compose the first job.

    Raises:
        UserError: as `grids`.
    """
    with hydra(source) as loader:
        return _first_words(Parser(loader), arguments, source)


def first_config(arguments: Sequence[str], source: Source) -> Any:
    """The configuration of the first job, interpolations as they are, with Hydra's own node; for people to look at.

    Raises:
        UserError: as `grids`.
    """
    with hydra(source) as loader:
        return in_full(source.name, _first_words(Parser(loader), arguments, source))


def _first_words(parser: Parser, arguments: Sequence[str], source: Source) -> list[str]:
    overrides = by_experiment(parser, parser.parse(arguments))[0]
    fixed, swept, _ = _split(parser, source.name, overrides)
    return [*fixed, *(word for one in swept for word in parser.dimension(one).words[:1])]


def _grid(parser: Parser, source: Source, overrides: Sequence[Override]) -> Grid:
    name = source.name
    fixed, swept, start = _split(parser, name, overrides)
    dimensions = [parser.dimension(override) for override in swept]
    experiment = next((str(override.value()) for override in overrides if override.key_or_group == "experiment"), None)
    said, followed = _said(parser, name, experiment, overrides), choosers(parser.loader, name, experiment)

    def compose(words: list[str]) -> DictConfig:
        return start if words == fixed else composed(name, words).config

    count = math.prod(len(one.words) for one in dimensions)
    if count > MOST:
        raise UserError(f"this command line asks for {count:,} jobs, and {MOST:,} are the most: sweep in parts.")
    combinations = Combinations(compose, fixed, dimensions, said, followed)
    shared: dict[int, Setting] = {}  # by configuration
    known: dict[str, Component] = {}
    jobs, words = [], []
    for combination, config in combinations:
        own = [*fixed, *combination]
        seeds = [int(word.partition("=")[2]) for word in own if SEED.fullmatch(word)]
        if id(config) not in shared:
            shared[id(config)] = setting = Setting(config, known)
            check_off(last_words(own), [*setting.treatments, *setting.measurements])
        setting = shared[id(config)]
        for seed in seeds[-1:]:
            value_of("seed", hint(Options, "seed"), seed)
        jobs.append(Job(setting, seeds[-1] if seeds else setting.options.seed))
        words.append(own)
    if not jobs:
        raise UserError("this command line asks for no cell: one of its sweeps is empty.")
    return Grid(jobs, words, source, tuple(overrides))


def _searched(source: Source, overrides: Sequence[str]) -> tuple[Path, ...]:
    """The folders of configurations that are named besides pruneexp's own."""
    own = [] if source.folder is None else [source.folder]
    return tuple(Path(found) for found in (*own, *(one for word in overrides for one in SEARCHED.findall(word))))


def _said(parser: Parser, name: str, experiment: str | None, overrides: Sequence[Override]) -> set[str] | None:
    """The nodes of which something besides their files says something."""
    said = bodies(parser.loader, name, experiment)
    typed = {override.key_or_group.partition(".")[0] for override in overrides if "." in override.key_or_group}
    return None if said is None or any(override.package for override in overrides) else said | typed


def _split(parser: Parser, name: str, overrides: Sequence[Override]) -> tuple[list[str], list[Override], DictConfig]:
    """The overrides that all jobs have; those that sweep, of the configuration's own sweep first; what the former compose."""
    fixed = [str(override.input_line) for override in overrides if not override.is_sweep_override()]
    given = {override.key_or_group for override in overrides}
    given |= {GROUP_OF[name] for name in given & GROUP_OF.keys()}
    found = composed(name, fixed)
    own = parser.parse([f"{key!s}={value!s}" for key, value in found.params.items() if key not in given])
    return fixed, own + [override for override in overrides if override.is_sweep_override()], found.config


def _check_at_once(found: Sequence[Grid]) -> None:
    """Raise UserError where the experiments of one command cannot run in one."""
    for name in AT_ONCE:
        first, *others = [grid.jobs[0].setting.config.get(name) for grid in found]
        if differ := [other for other in others if other != first]:
            raise UserError(
                f"the experiments of one command have one {name}, got {first!r} and {differ[0]!r}: run them one after another, or add"
                f" {name}=VALUE."
            )


def setting_of(*overrides: str) -> Setting:
    """The one configuration that these overrides compose, for example ``setting_of("masker=erk", "hydra.searchpath=[file://MINE]")``.

    It is composed once, and anew when a file has changed that it could be made of.

    Raises:
        UserError: an override that cannot be parsed, or names or values that do not exist.
    """
    state = state_of_folders([conf_dir(), *_searched(Source(), overrides)])
    return _setting_of(overrides, state, os.getcwd())


@functools.lru_cache(maxsize=256)
def _setting_of(overrides: tuple[str, ...], state: int, folder: str) -> Setting:
    with hydra(Source()):
        words = ["figure=[]", *(opened(override) for override in overrides)]  # no report is made of it
        return Setting(plain(composed("config", words).config))


def named(group: str, name: str, *overrides: str) -> Component:
    """The component that a file of conf/<group>, or of a folder in hydra.searchpath, configures.

    Raises:
        UserError: there is no such file, or it configures nothing.
    """
    return setting_of(f"{group}={name}", *overrides).components[group]
