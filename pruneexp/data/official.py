"""Official files: found in the data directory, downloaded where missing, unpacked for as long as they are read."""

import contextlib
import gzip
import http.client
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from pruneexp.errors import UserError
from pruneexp.system import files

DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError)


@contextlib.contextmanager
def official(data_dir: Path, name: str, folder: str, archive: str, url: str, md5: str) -> Iterator[Path]:
    """The official ``<data_dir>/<folder>``, or a temporary one from ``<data_dir>/<archive>``, downloaded where missing.

    Raises:
        UserError: missing and not downloadable, or damaged.
    """
    if (data_dir / folder).is_dir():
        yield data_dir / folder
        return
    path = data_dir / archive
    if not path.exists():
        download(path, url, md5, data_dir, name, f"{archive} (or its folder {folder}) into {data_dir}")
    with unpacked(path, data_dir, name) as inside:
        yield inside / folder


def download(path: Path, url: str, md5: str, data_dir: Path, name: str, what: str) -> None:
    """Download `path`, all or nothing.

    Args:
        path: where the file goes.
        url, md5: of the official file.
        data_dir, name: of the data set; half a file is in a scratch folder there that `dataset.make` cleans up.
        what: for the sentence, which official files belong where.

    Raises:
        UserError: not downloadable, or not the official file.
    """
    from torchvision.datasets.utils import download_url

    try:
        with files.scratch_folder(data_dir / name) as folder:
            download_url(url, str(folder), path.name, md5)
            path.parent.mkdir(exist_ok=True)
            with files.opened(folder / path.name) as found, files.writing(path) as file:
                shutil.copyfileobj(found, file)
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and files.no_room(error):
            raise
        raise UserError(
            f"{name} is not in {data_dir} and cannot be downloaded ({error}): put the official {what}, or the arrays"
            f" {{train,test}}_{{images,labels}}.npy into {data_dir / name}."
        ) from error


@contextlib.contextmanager
def unpacked(archive: Path, data_dir: Path, name: str) -> Iterator[Path]:
    """A temporary folder with the contents of a .zip or .tar.gz; what is wrong with a file in it is told of the archive.

    Raises:
        UserError: the archive is damaged, or cannot be read.
    """
    try:
        packed = files.opened(archive)
    except OSError as error:
        raise UserError(f"{archive} cannot be read: {error.strerror}.") from error
    with packed, files.scratch_folder(data_dir / name) as folder:
        try:
            if archive.suffix == ".zip":
                with zipfile.ZipFile(packed) as file:
                    file.extractall(folder)
            else:
                with gzip.open(packed) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
                    # no path may lead out of the folder; the first releases of Python 3.11 have no filters
                    tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
                    tar.extractall(folder)
                    while stream.read(1 << 20):  # to the checksum at the end: tarfile stops at a damaged header
                        pass
        except DAMAGED as error:
            raise UserError(f"{archive} is damaged ({error}): delete it to have it downloaded again.") from error
        try:
            yield folder
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(archive))) from error
