"""What tells one state of a component from outside pruneexp from another: its code's digest, or its distribution's version."""

import ast
import functools
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from pruneexp.errors import UserError
from pruneexp.system import files

OURS = Path(__file__).resolve().parents[1]


def folders_of_installed(path: Iterable[str]) -> tuple[Path, ...]:
    """Where packages are installed: this environment's folders, and those on a search path of the user, the system or the environment
    that this one lies over."""
    others = (folder for folder in path if Path(folder).name in ("site-packages", "dist-packages"))
    return tuple({*OWN, *(Path(folder).resolve() for folder in others)})


OWN = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")})  # this environment's
INSTALLED = folders_of_installed(sys.path)
STANDARD = Path(sysconfig.get_path("stdlib")).resolve()


def is_ours(target: Callable[..., Any]) -> bool:
    """Whether a component is part of pruneexp, with nothing of others around it: it then has a name and a version of its own."""
    return all(_home(layer).partition(".")[0] == "pruneexp" for layer in _layers(target))


def is_pythons(target: Callable[..., Any]) -> bool:
    """Whether it comes with Python itself, as ``os.system`` does: no component does, and such a one would be called by a slip."""
    module = _home(target).partition(".")[0]
    return module in sys.stdlib_module_names and module not in ("functools", "__main__")


def fingerprint(target: Callable[..., Any], named_in: str) -> str:
    """Of an installed component its distribution's name and version; else ``sha256:...`` over the files that define it and the
    user's modules that these import, directly or through others, with the packages that they lie in.

    A file defines it if the component is named in it, or one of the decorators and functions that it is made of is written in it.
    Over the files' bytes: a syntax tree is written differently by each version of Python.

    Args:
        target: the component.
        named_in: the module that it was found in.

    Raises:
        UserError: no file defines it, or nobody may look at one.
    """
    modules = {named_in, *map(_home, _layers(target))}
    defining = {name: path for name in modules if (path := _file(name)) is not None and OURS not in path.parents}
    if not defining:
        raise UserError(
            f"no file defines {named_in}.{getattr(target, '__qualname__', '')}, so that a change of it could not be noticed: put it into"
            " a module, or add `version: 1` to its YAML file and raise it with each change."
        )
    known = {_distribution(name) for name, path in defining.items() if _installed(path)}
    written = {name: path for name, path in defining.items() if not _installed(path) and STANDARD not in path.parents}
    if not written:
        return ", ".join(sorted(known))
    paths = {found for name, path in written.items() for found in _with_imports(path, name)}
    parts = sorted([*known, *(hashlib.sha256(files.read(path)).hexdigest() for path in paths)])
    return f"sha256:{hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]}"


def _layers(target: Any) -> Iterator[Any]:
    """A component and what it wraps: decorated functions, functions with options given in advance."""
    while target is not None:
        yield target
        target = target.func if isinstance(target, functools.partial) else getattr(target, "__wrapped__", None)


def _home(layer: Any) -> str:
    """The module that a function or class is written in; a decorator's function says another's in its ``__module__``."""
    space = getattr(layer, "__globals__", None)
    return (
        str(space["__name__"])
        if space is not None
        else str(getattr(layer, "__module__", None) or type(layer).__module__)
    )


def _file(module: str) -> Path | None:
    """A module's file, a compiled one's too."""
    name = getattr(sys.modules.get(module), "__file__", None)
    path = None if name is None else Path(name).resolve()
    return path if path is not None and files.is_file(path) else None


def _installed(path: Path) -> bool:
    """Whether a file is some distribution's, whose version tells it: in this environment's folders any, and in others, where people put
    files by hand too, one of a module that a distribution has."""
    return any(
        folder in path.parents
        and (folder in OWN or path.relative_to(folder).parts[0].partition(".")[0] in _distributions())
        for folder in INSTALLED
    )


def _distribution(module: str) -> str:
    """``name version`` of the distribution that a module came with."""
    top = module.partition(".")[0]
    names = _distributions().get(top)
    return f"{names[0]} {version(names[0])}" if names else top


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return {name: list(found) for name, found in packages_distributions().items()}


def _with_imports(path: Path, module: str) -> set[Path]:
    """The file, and the user's files that it imports: neither Python's own, nor installed ones, nor pruneexp's."""
    found, waiting = {path}, [(path, module)]
    while waiting:
        path, module = waiting.pop()
        if path.suffix != ".py":
            continue
        for name in (module.rpartition(".")[0], *_imported(path, module)):
            for whole in _prefixes(name):  # importing a.b.c runs a and a.b first
                origin = _origin(whole)
                if origin is not None and origin not in found:
                    found.add(origin)
                    waiting.append((origin, whole))
    return found


def _prefixes(name: str) -> Iterator[str]:
    """a, a.b and a.b.c of a.b.c."""
    parts = name.split(".") if name else []
    yield from (".".join(parts[: k + 1]) for k in range(len(parts)))


def _imported(path: Path, module: str) -> Iterator[str]:
    """The dotted names of the modules that a file may import, wherever in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(files.read(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if node.level else []
            parts = parts[: len(parts) - node.level + 1]
            base = ".".join([*parts, *([node.module] if node.module else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


@functools.cache
def _origin(name: str) -> Path | None:
    """The user's file that defines a module, or None."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    if found is None or not found.origin or not found.origin.endswith(".py"):
        return None
    path = Path(found.origin).resolve()
    own = OURS in path.parents or _installed(path) or STANDARD in path.parents
    return None if own else path
