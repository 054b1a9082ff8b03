"""Records made by hand, for grids that nobody trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pruneexp.cell import Cell
from pruneexp.records.store import Store
from pruneexp.sweep import Grid
from tests.helpers import cells_of


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
