"""Official files: found in the data directory, downloaded where missing, unpacked for as long as they are read."""

import contextlib
import hashlib
import http.client
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pruneexp.data.archives import DAMAGED, unpack
from pruneexp.errors import UserError, first_line
from pruneexp.system import files


@contextlib.contextmanager
def official(data_dir: Path, name: str, folder: str, archive: str, url: str, md5: str) -> Iterator[Path]:
    """The official ``<data_dir>/<folder>``, or a temporary one from ``<data_dir>/<archive>``, downloaded where missing.

    Raises:
        UserError: missing and not downloadable, not the official archive, or damaged.
    """
    if files.is_folder(data_dir / folder, "data_dir"):
        yield data_dir / folder
        return
    path = data_dir / archive
    fetch(path, url, md5, data_dir, name, f"{archive} (or its folder {folder}) into {data_dir}")
    with unpacked(path, data_dir, name) as inside:
        yield inside / folder


def fetch(path: Path, url: str, md5: str, data_dir: Path, name: str, what: str) -> None:
    """See that the official file `path` is there: one that is found is checked, one that is missing downloaded, all or nothing.

    Args:
        path: where the file is, or goes.
        url, md5: of the official file.
        data_dir, name: of the data set; half a file is in a scratch folder there that `dataset.make` cleans up.
        what: for the sentence, which official files belong where.

    Raises:
        UserError: not the official file, or missing and not downloadable.
    """
    from torchvision.datasets.utils import download_url

    if os.path.lexists(path):
        check_md5(path, md5, f"delete it to have it downloaded again, or put the official {what}")
        return
    try:
        with files.scratch_folder(data_dir / name) as folder:
            download_url(url, str(folder), path.name, md5)
            path.parent.mkdir(exist_ok=True)
            with files.opened(folder / path.name) as found, files.writing(path) as file:
                shutil.copyfileobj(found, file)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and files.no_room(error):
            raise UserError(files.unwritable(path, error, "data_dir")) from error
        raise UserError(
            f"{name} is not in {data_dir} and cannot be downloaded ({error}): put the official {what}, or the arrays"
            f" {{train,test}}_{{images,labels}}.npy into {data_dir / name}."
        ) from error


def check_md5(path: Path, md5: str, remedy: str) -> None:
    """Raise UserError, with what is to be done, where a file cannot be read or has another MD5 than the official one."""
    try:
        with files.opened(path) as file:
            files.check_size(os.fstat(file.fileno()), files.MOST)
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): {remedy}.") from error
    if found != md5:
        raise UserError(
            f"{path} is damaged or another file, its MD5 begins with {found[:8]} and the official one's with {md5[:8]}: {remedy}."
        )


@contextlib.contextmanager
def unpacked(archive: Path, data_dir: Path, name: str) -> Iterator[Path]:
    """A temporary folder with the contents of a .zip or .tar.gz; what is wrong with a file in it is told of the archive.

    Raises:
        UserError: the archive is damaged or holds what `archives.unpack` refuses, or cannot be read.
    """
    try:
        packed = files.opened(archive)
    except OSError as error:
        raise UserError(f"{archive} cannot be read: {error.strerror}.") from error
    with packed, files.scratch_folder(data_dir / name) as folder:
        try:
            unpack(packed, archive.suffix == ".zip", folder)
        except DAMAGED as error:
            raise UserError(
                f"{archive} is damaged ({first_line(error)}): delete it to have it downloaded again."
            ) from error
        try:
            yield folder
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(archive))) from error
