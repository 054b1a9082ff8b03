"""The records and the checkpoints of a folder of cells, each in one file that can be read whenever the power goes.

``records.tar.gz`` holds of every finished cell its folder without the trained weights, ``checkpoints.tar.gz`` where the unfinished ones
go on. Unpacked into a results_dir they count as any other cells do.
"""

import contextlib
import io
import math
import re
import tarfile
import time
import zlib
from collections.abc import Iterable
from pathlib import Path

from pruneexp.errors import UserError, first_line
from pruneexp.records.claims import CHECKPOINT
from pruneexp.system import files

LEFT_OUT = "weights.safetensors"  # the largest file of a cell, and no part of a report
RECORDS, CHECKPOINTS = "records.tar.gz", "checkpoints.tar.gz"
EVERY = 20.0  # seconds between two archives of checkpoints
OF_CELL = re.compile(r"([^/.][^/]*)/([^/.][^/]*)")
OF_TRAINING = re.compile(rf"\.([^/.][^/]*)\.{CHECKPOINT}")


class Archives:
    """The archives of a results_dir, which follow what lies in it.

    Args:
        folder: the results_dir.
        out: where the archives lie; what a killed process has left there half written is deleted.
    """

    def __init__(self, folder: Path, out: Path) -> None:
        self.folder, self.records, self.checkpoints = folder, out / RECORDS, out / CHECKPOINTS
        self.cells: set[str] = set()
        self.trainings: dict[Path, int] = {}
        self.packed = -math.inf
        for archive in (self.records, self.checkpoints):
            files.remove_leftovers(archive)

    def follow(self, at_once: bool = False) -> set[str]:
        """Pack anew what has changed; the keys of the cells that have come.

        Args:
            at_once: pack checkpoints too, however lately that was done.

        Raises:
            OSError: an archive cannot be written; it is as it was.
        """
        cells = {path.parent.name for path in self.folder.glob("[!.]*/record.json")}  # not under a scratch name
        if new := cells - self.cells:
            places = sorted(path for key in cells for path in (self.folder / key).iterdir())
            _pack([path for path in places if path.name != LEFT_OUT], self.records, self.folder)
            self.cells = cells
        trainings = _written(self.folder)
        changed = (
            trainings != self.trainings or self.packed == -math.inf
        )  # what another lease has left may be finished by now
        if changed and (at_once or time.monotonic() - self.packed > EVERY):
            _pack(trainings, self.checkpoints, self.folder)
            self.trainings, self.packed = trainings, time.monotonic()
        return new


def _written(folder: Path) -> dict[Path, int]:
    """When each checkpoint was written, in nanoseconds; one of a cell that is finished meanwhile goes."""
    found = {}
    for path in sorted(folder.glob(f".*.{CHECKPOINT}")):
        with contextlib.suppress(FileNotFoundError):
            found[path] = path.stat().st_mtime_ns
    return found


def _pack(paths: Iterable[Path], archive: Path, folder: Path) -> None:
    with files.writing(archive) as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):  # as above
                content, state = files.contents(path)
                member = tarfile.TarInfo(str(path.relative_to(folder)))
                member.size, member.mtime = len(content), int(state.st_mtime)
                tar.addfile(member, io.BytesIO(content))


def unpack(archive: Path, folder: Path) -> int:
    """Put the archive's cells and checkpoints into the folder, but those that are there; how many were put.

    Raises:
        UserError: it is damaged, or no archive of a lease.
    """
    cells, trainings = _read(archive)
    new = [key for key in cells if not (folder / key).exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for key in new:
        with files.new_folder(folder / key) as scratch:
            for name, content in cells[key].items():
                files.write(scratch / name, content)
    unfinished = [key for key in trainings if not (folder / key).exists() and not _checkpoint(folder, key).exists()]
    for key in unfinished:
        files.write(_checkpoint(folder, key), trainings[key])
    return len(new) + len(unfinished)


def _checkpoint(folder: Path, key: str) -> Path:
    return folder / f".{key}.{CHECKPOINT}"


def _read(archive: Path) -> tuple[dict[str, dict[str, bytes]], dict[str, bytes]]:
    """The files of each cell by name, and the checkpoint of each that is under way, by key."""
    cells: dict[str, dict[str, bytes]] = {}
    trainings: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None and (found := OF_CELL.fullmatch(member.name)):
                    cells.setdefault(found[1], {})[found[2]] = content.read()
                elif content is not None and (found := OF_TRAINING.fullmatch(member.name)):
                    trainings[found[1]] = content.read()
                else:
                    raise ValueError(f"it holds {member.name}")
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise UserError(
            f"{archive} is not an archive that a lease has left ({first_line(error)}): name others with --resume, or move it away."
        ) from error
    return cells, trainings
