"""Tables and lists of a study's command line, or that lie in its --report-dir, read without trust."""

import contextlib
import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.errors import UserError, first_line, reason
from pruneexp.system import files


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """The block reads a file, and nothing else: whatever it raises is told of the file.

    Raises:
        UserError: in place of every other exception, for false content can make a reader fail in any way.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}.") from error
    except PermissionError as error:
        raise UserError(files.unreadable(path, error)) from error
    except KeyError as error:
        raise UserError(f"{path} is damaged or another file: it lacks {error}.") from error
    except Exception as error:
        raise UserError(f"{path} is damaged or another file ({reason(error)}).") from error


def there(path: Path) -> bool:
    """Whether anything has this name, be it no file: a link that leads nowhere is read, and told."""
    return os.path.lexists(path)


def content(path: Path) -> bytes:
    """What is in a regular file, unpacked where its name ends with .gz.

    Raises:
        UserError: missing, not readable, no regular file, damaged, or it is or grows to more than `files.MOST` bytes.
    """
    with told(path):
        found = files.read(path)
        if path.suffix == ".gz":
            with gzip.open(io.BytesIO(found)) as file:
                found = file.read(files.MOST + 1)
            if len(found) > files.MOST:
                raise ValueError(f"it grows to more than {files.MOST >> 20} MiB")
        return found


def table(path: Path, **options: Any) -> pd.DataFrame:
    """A CSV file, packed as `content` has it.

    Args:
        path: to the file.
        options: `pandas.read_csv`'s.

    Raises:
        UserError: as `content`, or it is no table.
    """
    with told(path):
        found: pd.DataFrame = pd.read_csv(io.BytesIO(content(path)), **options)
        return found


def numbers(path: Path, found: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """A table that was read from `path`, these of its columns as numbers.

    Raises:
        UserError: one is missing, or has something else.
    """
    with told(path):
        for column in columns:
            try:
                found = found.assign(**{column: pd.to_numeric(found[column])})
            except (TypeError, ValueError) as error:
                raise ValueError(f"column {column}: {first_line(error)}") from error
        return found


def lines(path: Path) -> list[Any]:
    """The values of a file of JSON, one a line; empty lines are passed over.

    Raises:
        UserError: as `content`, or a line is no JSON.
    """
    text = content(path)
    try:
        return [json.loads(line) for line in text.decode().splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not one JSON object a line: {reason(error)}.") from error
