"""Which functions a record may have called, where another person may have written it."""

import inspect
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pruneexp.components.component import dotted, locate
from pruneexp.components.options import About
from pruneexp.errors import UserError


def check_recorded(group: str, node: Any, arguments: Collection[str] = ()) -> None:
    """Look at what a recorded configuration names, before `pruneexp.components.component.configured` imports it.

    A command that is typed names the code that its user wants to run; a record names what its writer wanted, and a digest proves nothing,
    as whoever forges a record seals it too. So a record imports nothing: its components are pruneexp's own, or of modules that the
    calling program has imported, and of these only what says by its signature that it is meant for `arguments` - ``torch.hub.load`` is
    imported with torch, and takes anything. This does not look into such a function: one that was written for these arguments and does
    harm with the other options of a record does it here as well.

    Args:
        group: ``model`` or ``dataset``, as in `configured`.
        node: the configuration, with whatever is in it.
        arguments: what it is called with; none where it is not called.

    Raises:
        UserError: it names something else.
    """
    for target in _targets(node):
        module, name = dotted(group, target)
        if module.partition(".")[0] == "pruneexp":
            if not isinstance(getattr(locate(group, target), "about", None), About):
                raise UserError(f"the record names {target} as its {group}, which is no component of pruneexp.")
            continue
        space = getattr(
            sys.modules.get(module), "__dict__", {}
        )  # not by getattr: a module's own __getattr__ may import
        found = space.get(name)
        if found is None:
            raise UserError(
                f"the record names {target} as its {group}, and a record imports nothing: `import {module}` first, if it is yours or"
                " you would run it, and load the cell again."
            )
        if not set(arguments) <= set(_named(found)):
            raise UserError(
                f"the record names {target} as its {group}, whose signature does not name {' and '.join(arguments)}: it is not called"
                " because a record says so, for that could do anything; train with a function of yours that names them."
            )


def _targets(node: Any) -> Iterator[Any]:
    """Each ``_target_``, however deep."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node["_target_"]
        for part in node.values():
            yield from _targets(part)
    elif isinstance(node, list):
        for part in node:
            yield from _targets(part)


def _named(function: Any) -> list[str]:
    """The arguments that a function or class names, those that it gathers in ``**options`` aside."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # nothing that is called, or written in C
        return []
    return [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
