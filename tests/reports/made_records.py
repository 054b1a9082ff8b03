"""Records made by hand, for grids that nobody trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pruneexp.grid import Grid
from pruneexp.job import Cell
from pruneexp.records.store import Store


def record(cell: Cell, accuracy: float, **changes: Any) -> dict[str, Any]:
    """A finished cell's record with every field that reports read."""
    return {
        "key": cell.key,
        "names": cell.names,
        "seed": cell.seed,
        "asked_density": cell.density,
        "accuracy": accuracy,
        "loss": 1.0,
        "train_loss": 0.5,
        "density": cell.density + 0.001 * (cell.density < 1),
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
        "layers": [],
        "device": "a machine",
        "precision": "float32",
        **changes,
    }


def fill(grid: Grid, results_dir: Path, make: Callable[[Cell], dict[str, Any] | None]) -> None:
    """Write the record that `make` gives for each cell; None leaves the cell missing."""
    store = Store(results_dir)
    for key, (_, cell) in grid.cells().items():
        made = make(cell)
        if made is not None:
            store.write(key, made, {}, [])
