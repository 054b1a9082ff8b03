"""What tells one state of a component from outside pruneexp from another: its code's digest, or its distribution's version."""

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from pruneexp import files
from pruneexp.errors import UserError

OURS = Path(__file__).resolve().parent
INSTALLED = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")})
STANDARD = Path(sysconfig.get_path("stdlib")).resolve()


def is_ours(target: Callable[..., Any]) -> bool:
    """Whether a component is part of pruneexp: it then has a name and a version of its own."""
    return _bare(target).__module__.partition(".")[0] == "pruneexp"


def fingerprint(target: Callable[..., Any]) -> str:
    """Of an installed distribution its name and version; else ``sha256:...`` over the file that defines the component and the
    user's modules that this imports, directly or through others.

    Over the files' bytes: a syntax tree is written differently by each version of Python.

    Raises:
        UserError: no file defines it.
    """
    bare = _bare(target)
    code, module = getattr(bare, "__code__", None), sys.modules.get(bare.__module__)
    name = code.co_filename if code is not None else getattr(module, "__file__", None)
    path = None if name is None else Path(name).resolve()
    if path is not None and _installed(path):
        return _distribution(bare.__module__)
    if path is None or path.suffix != ".py" or not path.is_file():
        raise UserError(
            f"no file defines {bare.__qualname__}, so that a change of it could not be noticed: put it into a module, or add"
            " `version: 1` to its YAML file and raise it with each change."
        )
    digests = sorted(hashlib.sha256(files.read(one)).hexdigest() for one in _with_imports(path, bare.__module__))
    return f"sha256:{hashlib.sha256(''.join(digests).encode()).hexdigest()[:16]}"


def _bare(target: Callable[..., Any]) -> Any:
    """The function or class itself, without decorators and options given in advance."""
    bare: Any = inspect.unwrap(target)
    while isinstance(bare, functools.partial):
        bare = inspect.unwrap(bare.func)
    return bare


def _installed(path: Path) -> bool:
    return any(folder in path.parents for folder in INSTALLED)


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
        for name in _imported(*waiting.pop()):
            origin = _origin(name)
            if origin is not None and origin not in found:
                found.add(origin)
                waiting.append((origin, name))
    return found


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
