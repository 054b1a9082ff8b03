"""Records made by hand, for grids that nobody trained."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from pruneexp.cell import FIELDS, GROUPS, ROOT, Cell
from pruneexp.components.component import Component
from pruneexp.jobs.job import Job
from pruneexp.jobs.setting import Setting
from pruneexp.records.store import Store
from pruneexp.reports.frame import tidy
from pruneexp.reports.labels import Labels
from pruneexp.reports.presets import Presets
from pruneexp.sweep import Grid, expand
from pruneexp.system.shipped import conf_dir
from tests.helpers import cells_of

CHOSEN = {"dataset": "digits", "model": "vgg_small", "scorer": "magnitude", "masker": "sparsify", "recipe": "digits"}
KNOWN: dict[str, Component] = {}


def made_cell(
    *treatments: str,
    seed: int = 0,
    density: float = 0.1,
    precision: str = "float32",
    folder: Path | None = None,
    **changes: Any,
) -> Cell:
    """A cell of the files of conf/, put together without Hydra, for time.

    Args:
        treatments: names.
        seed, density, precision: the cell's.
        folder: searched first.
        changes: files by group, options of the schema, and options of components with two underscores for the dot: ``recipe__lr``.
    """
    config: dict[str, Any] = dict(ROOT)
    for group in (*GROUPS, *(("trainer",) if "trainer" in changes else ())):
        config |= _said(group, changes.get(group, CHOSEN.get(group)), folder)
    config["treatment"] = {name: _said("treatment", name, folder)["treatment"] for name in treatments}
    for name, value in changes.items():
        group, dots, option = name.partition("__")
        if dots:
            config[group] = config[group] | {option: value}
        elif name in FIELDS:
            config[name] = value
    return Job(Setting(config, KNOWN), seed).cell(density, precision)


def _said(group: str, name: Any, folder: Path | None) -> dict[str, Any]:
    """What a file says, by node."""
    paths = [place / group / f"{name}.yaml" for place in (folder, conf_dir()) if place is not None]
    path = next(path for path in paths if path.exists())
    said: Any = OmegaConf.to_container(OmegaConf.load(path))
    return said if group in said else {group: said}


def layer(name: str, kept: int, **changes: Any) -> dict[str, Any]:
    """What a record says of a linear layer of a thousand weights."""
    return {
        "name": name,
        "shape": [10, 100],
        "kept": kept,
        "density": kept / 1000,
        "lambda2": 0.25,
        "lambda2_weighted": 0.2,
        "bound_gap": 0.5,
        "imdb": 0.5,
        "imdb_norm": 0.1,
        "dead_filters": 0,
        "idle_inputs": 0,
        "components": 1,
        **changes,
    }


def record(cell: Cell, accuracy: float | None, **changes: Any) -> dict[str, Any]:
    """A finished cell's record that can be believed, with every field that reports read; the store adds the digests."""
    layers = changes.get("layers", [layer("fc.weight", round(1000 * cell.density))])
    return {
        "key": cell.key,
        "names": cell.names,
        "description": cell.description,
        "seed": cell.seed,
        "asked_density": cell.density,
        "accuracy": accuracy,
        "loss": 1.0,
        "train_loss": 0.5,
        "density": cell.density + 0.001 * (cell.density < 1),
        "kept": sum(one["kept"] for one in layers),
        "prunable": 1000 * len(layers),
        "lambda2_min": 0.25,
        "imdb": 0.5,
        "imdb_sum": 1.5,
        "imdb_norm": 0.1,
        "imdb_layers": 3,
        "effective_density": cell.density,
        "collapsed_layers": 0,
        "parameters": 1200,
        "dead_filters": cell.seed,
        "macs": 1000,
        "diverged": False,
        "seconds": {"scoring": 1.0, "masking": 2.0, "measuring": 9.0, "training": 10.0 + cell.seed},
        "layers": layers,
        "device": "a machine",
        "precision": cell.precision,
        "versions": {"torch": "2.13.0"},
        "git_commit": None,
        "command": "python -m pruneexp",
        "data": {"name": cell.names.get("dataset", "data"), "sha256": "0" * 64},
        **changes,
    }


def fill(grid: Grid, results_dir: Path, make: Callable[[Cell], dict[str, Any] | None]) -> None:
    """Write the record that `make` gives for each cell; None leaves the cell missing."""
    store = Store(results_dir)
    for key, (_, cell) in cells_of(grid).items():
        made = make(cell)
        if made is not None:
            store.write(key, made, {}, [])


@functools.cache
def grid_of(experiment: str) -> Grid:
    """An experiment's grid of one seed, composed once."""
    return expand([f"+experiment={experiment}", "seed=0"])


def framed(grid: Grid, accuracy: float | None = 80.0) -> pd.DataFrame:
    """The tidy frame of a grid with a made-up record for every cell."""
    cells = [cell for _, cell in cells_of(grid).values()]
    return tidy(((record(cell, accuracy, digest="d"), cell.names) for cell in cells), Labels(Presets(grid.folders)))
