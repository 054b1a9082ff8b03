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
    imported with torch, and takes anything. What stands within a component is made with a record's options alone: it is pruneexp's own
    too, or is defined by the package that the component is of. This does not look into such functions: one that was written for these
    arguments, or stands beside one, and does harm with the other options of a record does it here as well.

    Args:
        group: ``model`` or ``dataset``, as in `configured`.
        node: the configuration, with whatever is in it.
        arguments: what it is called with; none where nothing is called.

    Raises:
        UserError: it names something else.
    """
    package = ""
    for target in _targets(node):
        module, name = dotted(group, target)
        home, said = module.partition(".")[0], f"the record names {target} {'within' if package else 'as'} its {group}"
        if home == "pruneexp":
            if not isinstance(getattr(locate(group, target), "about", None), About):
                raise UserError(f"{said}, which is no component of pruneexp.")
        elif not package or not arguments:
            found = _imported(said, module, name)
            if not set(arguments) <= set(_named(found)):
                raise UserError(
                    f"{said}, whose signature does not name {' and '.join(arguments)}: it is not called"
                    " because a record says so, for that could do anything; train with a function of yours that names them."
                )
        elif home != package or _defined_in(_imported(said, module, name)) != package:
            also = "" if package == "pruneexp" else f" and what {package} itself defines"
            raise UserError(
                f"{said}, and there components of pruneexp{also} are called because a record says so, for others could do anything:"
                " train with a model of yours that makes it itself."
            )
        package = package or home


def _imported(said: str, module: str, name: str) -> Any:
    """What a module that is imported holds by a name; not by getattr, as a module's own ``__getattr__`` may import."""
    if module not in sys.modules:
        raise UserError(
            f"{said}, and a record imports nothing: `import {module}` first, if it is yours or you would run it, and load the cell again"
            " (with mode=export type the model= that trained it)."
        )
    found = getattr(sys.modules[module], "__dict__", {}).get(name)
    if found is None:
        raise UserError(
            f"{said}, and {module}, which is imported, does not hold that name (its own __getattr__, if it has one, is not asked): define"
            f" {name} in it, or import it there, and load the cell again."
        )
    return found


def _defined_in(found: Any) -> str:
    """The package or module of a function or class, up to the first dot."""
    return str(getattr(found, "__module__", "")).partition(".")[0]


def _targets(node: Any) -> Iterator[Any]:
    """Each ``_target_``, however deep; a component's own before those within it."""
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
