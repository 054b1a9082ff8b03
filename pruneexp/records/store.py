"""A folder of records, shared safely by any number of processes.

``<results_dir>/<key>/`` holds ``record.json``, ``masks.safetensors`` and ``history.csv`` of one finished cell, and its
trained network: ``weights.safetensors``, of a pruned one the kept values alone (`pruneexp.network.compaction`; earlier
versions kept nothing of these), or ``network.pt2`` where neurons were removed. It is filled under a scratch name and
renamed, so that it is there completely or not at all, whatever kills the process; ``<results_dir>/.<key>.checkpoint`` is
where the training of an unfinished one goes on. A process that works on a cell holds a lock on one byte of
``<results_dir>/.claims``, the byte numbered by the cell's hash: the operating system lets go of it when the process dies,
so there is no stale lock to clean up.
"""

import contextlib
import csv
import errno
import functools
import hashlib
import io
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json  # three times as fast as Python's own

from pruneexp.cell import canonical
from pruneexp.errors import UnwritableError, UserError, reason
from pruneexp.records.claims import Claims, ends_sweep
from pruneexp.records.record import Record, problem, sealed
from pruneexp.records.seen import Seen, state_of
from pruneexp.system import files as disk

LONGEST = 1 << 26  # bytes of a line that may be a record; one of a thousand layers has a hundredth of it
KEY = re.compile(rb'"key": ?"([^"\\]+)"')  # of a record in a line


class Store(Claims):
    """The records under one folder, and those of files that others have left.

    Args:
        results_dir: the folder; made when the first cell is claimed.
        sources: files of records, one in a line: their cells are finished too, without masks and weights.

    Raises:
        UserError: a source cannot be read, or a record in it cannot be believed.
    """

    def __init__(self, results_dir: str | Path, sources: Sequence[str | Path] = ()) -> None:
        super().__init__(Path(results_dir))
        self.sourced: dict[str, Record] = {}
        for source in sources:
            for key, record in read_records(Path(source)).items():
                if not same_result(self.sourced.setdefault(key, record), record):
                    raise UserError(
                        f"{source} and another file of records= have different results of {key}: name one of them."
                    )

    def __contains__(self, key: str) -> bool:
        return self.has_folder(key) or key in self.sourced

    def folders(self) -> list[str]:
        """The names of what lies here, most of them keys of finished cells; none where there is no folder.

        Raises:
            UserError: the folder cannot be read.
        """
        try:
            return sorted(name for name in os.listdir(self.folder) if not name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise UserError(disk.unreadable(self.folder, error)) from error

    def read_all(self, keys: Iterable[str]) -> dict[str, Record]:
        """The records of those cells that are finished, in this order, as `read`; the folder is listed once."""
        there = {*self.sourced, *self.folders()}
        found = {key: self.read(key) for key in keys if key in there}
        self.seen.save()
        return {key: record for key, record in found.items() if record is not None}

    def read(self, key: str) -> Record | None:
        """The record of a finished cell, or None.

        Raises:
            UserError: it is damaged, or that of another cell.
        """
        place = os.path.join(self.folder, key, "record.json")
        try:
            content, stat = disk.contents(place)
            record = from_json(content)
        except (FileNotFoundError, NotADirectoryError) as error:
            if os.path.islink(place):
                raise damaged(Path(place), "it is a link to nothing") from error
            return self.sourced.get(key)
        except OSError as error:
            raise _unreadable(Path(place), error) from error
        except (ValueError, RecursionError) as error:
            raise damaged(Path(place), reason(error)) from error
        if not self.seen.sound(key, state := state_of(stat)):
            if why := problem(record, key):
                raise damaged(Path(place), why)
            data = record["data"]
            self.seen.add(key, state, None if data is None else (data["name"], data["sha256"]))
        found: Record = record
        return found

    @functools.cached_property
    def seen(self) -> Seen:
        """Which records were found sound before."""
        return Seen(self.folder)

    def data_of(self, key: str) -> tuple[str, str] | None:
        """Name and digest of the data that a finished cell has seen; None where there is no record, or it does not know.

        Raises:
            UserError: as `read`, which is only needed where the record was not seen before.
        """
        with contextlib.suppress(OSError):
            if self.seen.sound(key, state_of(os.lstat(self.folder / key / "record.json"))):
                return self.seen.data(key)
        record = self.read(key)
        data = None if record is None else record["data"]
        return None if data is None else (data["name"], data["sha256"])

    def file(self, key: str, name: str) -> bytes:
        """The content of one of a finished cell's files.

        Raises:
            UserError: it is not what the record says.
        """
        path, record = self.folder / key / name, self.read(key)
        try:
            return disk.read_known(path, "" if record is None else record["files"].get(name, ""))
        except OSError as error:
            raise _unreadable(path, error) from error
        except ValueError as error:
            raise damaged(path, "it has another digest than its record says") from error

    def write(
        self, key: str, record: Record, files: Mapping[str, bytes], history: Sequence[Mapping[str, float]]
    ) -> None:
        """Leave a finished cell behind, complete; the caller holds its claim.

        Args:
            record: what becomes record.json, with the digests of the files and its own.
            files: contents by file name, masks.safetensors and what else there is.
            history: rows of history.csv.

        Raises:
            UserError: it cannot be written; nothing of it is left.
        """
        contents = {**files, "history.csv": _csv(history).encode()}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        contents["record.json"] = _json({**record, "files": digests}).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            disk.write_without(self.checkpoint(key), lambda: self._leave(key, contents))
            self.forget(key)
        except OSError as error:
            kind = UnwritableError if ends_sweep(error) else UserError
            raise kind(
                f"the record of {key} could not be written to {self.folder} ({error.strerror or error}), it takes"
                f" {sum(map(len, contents.values())):,} bytes in {len(contents)} files: {disk.remedy(error, 'results_dir')}, and run"
                " the same command again; finished cells are kept."
            ) from error

    def _leave(self, key: str, contents: Mapping[str, bytes]) -> None:
        with disk.new_folder(self.folder / key, replace=True) as scratch:  # of one whose record.json someone deleted
            for name, content in contents.items():
                disk.write(scratch / name, content)

    def amend(self, key: str, fields: Record) -> None:
        """Add fields to a finished cell's record; the caller holds its claim.

        Raises:
            UserError: it cannot be written; the record is as it was.
        """
        path = self.folder / key / "record.json"
        try:
            disk.write(path, _json({**(self.read(key) or {}), **fields}))
        except OSError as error:
            kind = UnwritableError if ends_sweep(error) else UserError
            raise kind(
                f"the record of {key} could not be amended ({error.strerror or error}): {disk.remedy(error)}."
            ) from error


def data_set(told: Mapping[str, Any], name: str) -> str:
    """What tells the data set of a record from others: its name, or, of data of one's own, what the description says of it.

    Data sets of one's own that nobody named are all called as their preset is.

    Args:
        told: the description's, a component's identity.
        name: as the record calls it.
    """
    return canonical(told).decode() if "content" in told else name


def read_records(path: Path, known: Collection[str] = ()) -> dict[str, Record]:
    """A file's records by key, one in a line, as reports leave them.

    Args:
        path: to the file.
        known: keys of those that are of no interest: their lines are not looked at further.

    Raises:
        UserError: it cannot be read, or a record in it cannot be believed.
    """
    found: dict[str, Record] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or ((key := KEY.search(line)) and key[1].decode() in known):
            continue
        try:
            record = from_json(line)
            why = problem(record)
        except (ValueError, RecursionError) as error:
            why = reason(error)
        if why:
            raise UserError(
                f"line {number} of {path} is no record that can be believed ({why}): take the file from where it came again."
            )
        if not same_result(found.setdefault(record["key"], record), record):
            raise UserError(
                f"line {number} of {path} has another result of {record['key']} than a line before it: delete one."
            )
    return found


def _lines(path: Path) -> Iterator[bytes]:
    """A file's, one after the other; of one that is too long for a record no more than tells that."""
    try:
        with disk.opened(path) as file:
            while line := file.readline(LONGEST):
                yield line
    except OSError as error:
        raise UserError(
            f"records={path} cannot be read ({reason(error)}): name files that a report has left."
        ) from error


def same_result(one: Record, other: Record) -> bool:
    """Whether two records of a cell say the same of it, what was measured later and times aside."""
    return all(
        one.get(name) == other.get(name) for name in ("accuracy", "loss", "train_loss", "kept", "diverged", "data")
    )


def _unreadable(path: Path, error: OSError) -> UserError:
    """A file that is missing or no file is damage; one that the system fails to read may be sound."""
    if error.errno in (errno.EINVAL, errno.EISDIR, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
        return damaged(path, reason(error))
    return UserError(disk.unreadable(path, error))


def damaged(path: Path, why: str) -> UserError:
    """What is said of a finished cell's file that cannot be used."""
    return UserError(
        f"{path} is damaged ({why}): delete the folder {path.parent} and run the command that made it to have the cell made again."
    )


def _json(record: Record) -> str:
    return json.dumps(sealed(record), indent=1) + "\n"


def _csv(rows: Sequence[Mapping[str, float]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
