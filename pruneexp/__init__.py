"""Pruning experiments on neural networks seen as graphs.

The names below are loaded on first use, so that ``import pruneexp`` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pruneexp import graphs
    from pruneexp.errors import UserError
    from pruneexp.masks import apply_masks, from_torch_prune, load_masks, save_masks, to_torch_prune
    from pruneexp.options import component
    from pruneexp.pruning import prune
    from pruneexp.structure import remove

__version__ = "0.1.0"
__all__ = [
    "UserError",
    "apply_masks",
    "component",
    "from_torch_prune",
    "graphs",
    "load_masks",
    "prune",
    "remove",
    "save_masks",
    "to_torch_prune",
]

_HOME = {
    "UserError": "errors",
    "apply_masks": "masks",
    "component": "options",
    "from_torch_prune": "masks",
    "load_masks": "masks",
    "prune": "pruning",
    "remove": "structure",
    "save_masks": "masks",
    "to_torch_prune": "masks",
}


def __getattr__(name: str) -> Any:
    if name == "graphs":
        return importlib.import_module("pruneexp.graphs")
    if name in _HOME:
        return getattr(importlib.import_module(f"pruneexp.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pruneexp' has no attribute {name!r}")
