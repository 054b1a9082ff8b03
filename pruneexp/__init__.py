"""Pruning experiments on neural networks seen as graphs.

The names below are loaded on first use, so that ``import pruneexp`` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pruneexp import graphs
    from pruneexp.api import prune, run
    from pruneexp.components.options import component
    from pruneexp.errors import UserError
    from pruneexp.loading import load_cell
    from pruneexp.network.masks import apply_masks, from_torch_prune, load_masks, save_masks, to_torch_prune
    from pruneexp.network.removal import remove
    from pruneexp.reports.frame import load_results

__version__ = "0.1.0"
__all__ = [
    "UserError",
    "apply_masks",
    "component",
    "from_torch_prune",
    "graphs",
    "load_cell",
    "load_masks",
    "load_results",
    "prune",
    "remove",
    "run",
    "save_masks",
    "to_torch_prune",
]

_HOME = {
    "UserError": "errors",
    "apply_masks": "network.masks",
    "component": "components.options",
    "from_torch_prune": "network.masks",
    "load_cell": "loading",
    "load_masks": "network.masks",
    "load_results": "reports.frame",
    "prune": "api",
    "remove": "network.removal",
    "run": "api",
    "save_masks": "network.masks",
    "to_torch_prune": "network.masks",
}


def __getattr__(name: str) -> Any:
    if name == "graphs":
        return importlib.import_module("pruneexp.graphs")
    if name in _HOME:
        return getattr(importlib.import_module(f"pruneexp.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pruneexp' has no attribute {name!r}")
