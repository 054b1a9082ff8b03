"""A folder of records, shared safely by any number of processes.

``<results_dir>/<key>/`` holds ``record.json``, ``masks.safetensors`` and ``history.csv`` of one finished cell, for a
dense one its trained ``weights.safetensors``, and for one whose neurons were removed the trained ``network.pt2``.
It is filled under a scratch name and renamed, so that it is there completely or not at all, whatever kills the
process; ``<results_dir>/.<key>.checkpoint`` is where the training of an unfinished one goes on. A process that works
on a cell holds a lock on one byte of ``<results_dir>/.claims``, the byte numbered by the cell's hash: the operating
system lets go of it when the process dies, so there is no stale lock to clean up.
"""

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pruneexp import files as disk
from pruneexp.errors import UserError
from pruneexp.locks import lock

Record = dict[str, Any]
REPORTING = 2**61  # above every cell's byte
REQUIRED = (
    "key", "seconds", "layers", "accuracy", "loss", "train_loss", "density", "lambda2_min", "imdb", "dead_filters", "macs",
    "diverged", "device",
)  # fmt: skip


class Store:
    """The records under one folder.

    Args:
        results_dir: the folder; made when the first cell is claimed.
    """

    def __init__(self, results_dir: str | Path) -> None:
        self.folder = Path(results_dir)

    def __contains__(self, key: str) -> bool:
        return (self.folder / key / "record.json").exists()

    def read(self, key: str) -> Record | None:
        """The record of a finished cell, or None.

        Raises:
            UserError: the file is damaged.
        """
        path = self.folder / key / "record.json"
        try:
            record = json.loads(disk.read(path).decode())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise self._damaged(path, getattr(error, "strerror", None) or error) from error
        if not isinstance(record, dict) or any(field not in record for field in REQUIRED):
            raise self._damaged(path, "fields are missing")
        return record

    @staticmethod
    def _damaged(path: Path, why: object) -> UserError:
        return UserError(
            f"{path} is damaged ({why}): delete the folder {path.parent} and run the same command to have the cell made again."
        )

    @contextlib.contextmanager
    def claim(self, key: str, wait: bool = False) -> Iterator[bool]:
        """Hold a cell against other processes; yields False where another one holds it (or waits for it).

        Raises:
            UserError: the folder cannot be written.
        """
        with self._locked(int(key[-15:], 16), wait) as mine:
            if mine:
                for path in (self.folder / key, self.folder / key / "record.json", self.checkpoint(key)):
                    disk.remove_leftovers(path)  # of a process that was killed
            yield mine

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Hold the writing of reports against other processes.

        Raises:
            UserError: the folder cannot be written.
        """
        with self._locked(REPORTING, wait=True):
            yield

    @contextlib.contextmanager
    def _locked(self, byte: int, wait: bool) -> Iterator[bool]:
        with contextlib.ExitStack() as stack:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                mine = stack.enter_context(lock(self.folder / ".claims", byte, wait))
            except OSError as error:
                raise UserError(
                    f"results_dir={self.folder} cannot be written ({error.strerror}): choose another with results_dir=PATH."
                ) from error
            yield mine

    def write(
        self, key: str, record: Record, files: Mapping[str, bytes], history: Sequence[Mapping[str, float]]
    ) -> None:
        """Leave a finished cell behind, complete; the caller holds its claim.

        Args:
            record: what becomes record.json.
            files: contents by file name, masks.safetensors and what else there is.
            history: rows of history.csv.

        Raises:
            UserError: it cannot be written; nothing of it is left.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with disk.new_folder(
                self.folder / key, replace=True
            ) as scratch:  # of one whose record.json someone deleted
                for name, content in files.items():
                    disk.write(scratch / name, content)
                disk.write(scratch / "history.csv", _csv(history))
                disk.write(scratch / "record.json", _json(record))
            self.forget(key)
        except OSError as error:
            raise UserError(
                f"the record of {key} could not be written to {self.folder} ({error.strerror or error}): make room there and run"
                " the same command again; finished cells are kept."
            ) from error

    def amend(self, key: str, fields: Record) -> None:
        """Add fields to a finished cell's record; the caller holds its claim.

        Raises:
            UserError: it cannot be written; the record is as it was.
        """
        path = self.folder / key / "record.json"
        try:
            disk.write(path, _json({**(self.read(key) or {}), **fields}))
        except OSError as error:
            raise UserError(
                f"the record of {key} could not be amended ({error.strerror or error}): make room there."
            ) from error

    def checkpoint(self, key: str) -> Path:
        """Where the training of a cell leaves its checkpoint until the cell is finished."""
        return self.folder / f".{key}.checkpoint"

    def forget(self, key: str) -> None:
        """Delete a finished cell's checkpoint, where one is left."""
        self.checkpoint(key).unlink(missing_ok=True)


def _json(record: Record) -> str:
    return json.dumps(record, indent=1, default=float) + "\n"


def _csv(rows: Sequence[Mapping[str, float]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
