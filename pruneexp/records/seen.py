"""Which records of a folder were looked at before, and are as they were.

To believe a record its types, ranges, key and digest are checked (`pruneexp.records.record.problem`). In a folder of many
thousands that is most of what a command waits for; so the file ``.seen`` says in which state each was when it was found sound:
its inode, size and times, as git's index does. Any write to a file changes its inode or its time of change, which no program
can set. The file can be deleted at any time.
"""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from pruneexp.records import record
from pruneexp.system import files

FEW = 1000  # records that are looked at anew rather than the file written for them
FRESH = 2.0  # seconds for which a file may change again without its times telling
State = tuple[int, int, int, int]
Data = tuple[str, str] | None


def state_of(stat: os.stat_result) -> State:
    """What tells one state of a file from another."""
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


class Seen:
    """The file of one folder.

    Args:
        folder: of records.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".seen"
        self.rules = hashlib.sha256(Path(record.__file__).read_bytes()).hexdigest()
        self.states: dict[str, tuple[State, Data]] = {}
        self.new = 0
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said: dict[str, Any] = from_json(files.read_sealed(self.path))
            if said["rules"] == self.rules:
                self.states = {
                    str(key): ((int(a), int(b), int(c), int(d)), None if data is None else (str(data[0]), str(data[1])))
                    for key, ((a, b, c, d), data) in said["states"].items()
                }

    def sound(self, key: str, state: State) -> bool:
        """Whether the record was found sound in this very state."""
        known = self.states.get(key)
        return known is not None and known[0] == state

    def data(self, key: str) -> Data:
        """Name and digest of the data that a sound record has seen."""
        return self.states[key][1]

    def add(self, key: str, state: State, data: Data) -> None:
        """A record is sound in this state."""
        if time.time() - state[3] / 1e9 > FRESH:
            self.states[key] = state, data
            self.new += 1

    def save(self) -> None:
        """Write the file, where that saves much; a folder that cannot be written does without."""
        if self.new >= FEW:
            content = json.dumps({"rules": self.rules, "states": self.states}, separators=(",", ":"))
            with contextlib.suppress(OSError):
                files.write_sealed(self.path, content.encode())
            self.new = 0
