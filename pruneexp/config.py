"""Where configurations live, what makes a cell itself, and sentences for names that do not exist."""

import difflib
import hashlib
import importlib
import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pruneexp.errors import UserError

ABOUT = ("needs_scores", "removes_neurons")  # what a component's file says of it to others; no option of its function
PACKAGE = Path(__file__).resolve().parent


def conf_dir() -> Path:
    """The checkout's conf/, or the copy shipped inside the installed package."""
    return _shipped("conf")


def published_dir() -> Path:
    """The papers' numbers: the checkout's results/published/, or the installed package's copy."""
    return _shipped("published", "results/published")


def _shipped(name: str, in_checkout: str | None = None) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / (in_checkout or name)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """One sentence for a name that does not exist, with the nearest that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return f"there is no {what} {name!r}.{guess} Available: {', '.join(names)}."


def identity(node: Any) -> Any:
    """What of a configured component makes results differ: its target and every option away from its default.

    A default is that of the target's signature, so that an option added later does not change old keys. ``name`` is
    only a label, ``_partial_`` only a way of calling.
    """
    if isinstance(node, Mapping):
        options = {key: identity(value) for key, value in node.items() if key != "_partial_"}
        if "_target_" in options:
            parameters = inspect.signature(locate(options["_target_"])).parameters
            options = {
                key: value
                for key, value in options.items()
                if key not in parameters or identity(parameters[key].default) != value
            }
        return options
    if isinstance(node, (list, tuple)):
        return [identity(item) for item in node]
    return node


def digest(description: Any) -> str:
    """The first 16 hex digits of SHA-256 over the canonical JSON of `description`."""
    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def locate(target: str) -> Any:
    """The object that a dotted path names."""
    module, _, name = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"_target_={target} names nothing that can be imported: {error}.") from error
