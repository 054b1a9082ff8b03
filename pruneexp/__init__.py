"""Pruning experiments on neural networks seen as graphs.

The names below are loaded on first use, so that ``import pruneexp`` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from pruneexp.system.torchvision_compat import prepare_in_time

if TYPE_CHECKING:
    from pruneexp import graphs, topology
    from pruneexp.api import prune, run
    from pruneexp.components.options import component
    from pruneexp.errors import UserError
    from pruneexp.exporting import export
    from pruneexp.loading import load_cell
    from pruneexp.network.keeping import keep_masks, masks_on
    from pruneexp.network.masks import apply_masks, load_masks, save_masks
    from pruneexp.network.plain import plain
    from pruneexp.network.removal import remove
    from pruneexp.network.torch_prune import from_torch_prune, to_torch_prune
    from pruneexp.reports.frame import load_results

__version__ = "0.1.0"
__all__ = [
    "UserError",
    "apply_masks",
    "component",
    "export",
    "from_torch_prune",
    "graphs",
    "keep_masks",
    "load_cell",
    "load_masks",
    "load_results",
    "masks_on",
    "plain",
    "prune",
    "remove",
    "run",
    "save_masks",
    "to_torch_prune",
    "topology",
]

_HOME = {
    "UserError": "errors",
    "apply_masks": "network.masks",
    "component": "components.options",
    "export": "exporting",
    "from_torch_prune": "network.torch_prune",
    "keep_masks": "network.keeping",
    "load_cell": "loading",
    "load_masks": "network.masks",
    "load_results": "reports.frame",
    "masks_on": "network.keeping",
    "plain": "network.plain",
    "prune": "api",
    "remove": "network.removal",
    "run": "api",
    "save_masks": "network.masks",
    "to_torch_prune": "network.torch_prune",
}

prepare_in_time()


def __getattr__(name: str) -> Any:
    if name in ("graphs", "topology"):
        return importlib.import_module(f"pruneexp.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"pruneexp.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pruneexp' has no attribute {name!r}")
