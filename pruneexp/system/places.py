"""Where things lie on this machine: nothing that is left for others says it."""

import os
import re
from pathlib import Path
from typing import Any

DIR = "DIR"  # in place of a folder, whose name may be a person's
URL = "file://"
OF_CELL = re.compile(r"-d[0-9.e-]+-s\d+-[0-9a-f]{16}$")  # a finished cell's folder, which its key names everywhere


def of_here(text: str) -> bool:
    """Whether a text is a path with a meaning on this machine alone: absolute, from a home folder, or out of where a command runs.

    >>> [of_here(text) for text in ("/home/me/w.pth", "~/w.pth", "../w.pth", "results/w.pth", "1/2")]
    [True, True, True, False, False]
    """
    path = text.removeprefix(URL)
    return bool(re.match(r"/.|~[^/]*/", path)) or ".." in path.split("/")


def told(value: Any) -> Any:
    """A value, with lists and mappings in it, as others are told it: of files that lie here the name alone, of folders ``DIR``.

    >>> told(["/home/me/w.pth", "/home/me", "results/w.pth", 0.1])
    ['w.pth', 'DIR', 'results/w.pth', 0.1]
    """
    if isinstance(value, dict):
        return {name: told(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [told(item) for item in value]
    return _name(value) if isinstance(value, str) and of_here(value) else value


def _name(text: str) -> str:
    path = Path(text.removeprefix(URL)).expanduser() if text.startswith("~/") else Path(text.removeprefix(URL))
    named = OF_CELL.search(path.name) or (not os.path.isdir(path) and (os.path.isfile(path) or path.suffix))
    return (URL if text.startswith(URL) else "") + (path.name if named else DIR)
