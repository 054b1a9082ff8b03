"""Files of one JSON object a line, which one process writes and another reads meanwhile."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    """The rows that are there so far; a line that is no object, or not yet whole, is passed over."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def add(path: Path, row: Mapping[str, Any]) -> None:
    """One row more."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


class News:
    """The rows that have come since one last asked.

    Args:
        path: the file, from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.known = path, 0

    def __call__(self) -> list[Row]:
        found = rows(self.path)[self.known :]
        self.known += len(found)
        return found
