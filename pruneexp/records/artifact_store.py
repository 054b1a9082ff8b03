"""Tensors that cells share, made by one process and read by all: ``<results_dir>/.artifacts/``.

What is there can be deleted at any time: it is made again by whoever needs it next.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from pruneexp.cell import digest
from pruneexp.errors import reason
from pruneexp.network.weights import packed
from pruneexp.records.store import Store, damaged
from pruneexp.system import files
from pruneexp.system.console import say

Tensors = dict[str, torch.Tensor]


class ArtifactStore:
    """The artifacts beside a folder of records.

    Args:
        store: the folder.
        made_by: what must be equal for an artifact to be used: data, code, device, by name.
    """

    def __init__(self, store: Store, made_by: Mapping[str, Any]) -> None:
        self.store, self.made_by = store, dict(made_by)

    def path(self, kind: str, identity: Mapping[str, Any]) -> Path:
        """Where an artifact lies.

        Args:
            kind: of the artifact, the readable part of the file's name.
            identity: plain JSON, all that makes its content differ.
        """
        return self.store.folder / ".artifacts" / f"{kind}-{digest({**self.made_by, **identity})}"

    @contextlib.contextmanager
    def claimed(self, path: Path, fault: Callable[[Tensors], str]) -> Iterator[Tensors | None]:
        """The tensors at `path`, on the CPU; or None where they are not there, or damaged: then the block makes and `put`s them, and
        processes that want them meanwhile wait for it.

        Args:
            path: of the file.
            fault: why tensors, whole as they are, are not those that belong there; nothing where they are.

        Raises:
            UserError: the folder cannot be written.
        """
        found = _read(path, fault)
        if found is not None:
            yield found
            return
        with self.store.claim(path.name, wait=True):
            files.remove_leftovers(path)
            yield _read(path, fault)


def put(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Store tensors at `path`; where there is no room for them a sentence says so, and they are made again when needed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_sealed(path, packed(tensors))
    except OSError as error:
        say(
            str(path), f"could not be written ({error.strerror or error}): {files.remedy(error)}; it will be made again"
        )


def tensors(store: Store, key: str, name: str, fault: Callable[[Tensors], str] = lambda _: "") -> Tensors:
    """One of a finished cell's files, on the CPU.

    Args:
        store, key, name: where it lies.
        fault: as of `ArtifactStore.claimed`.

    Raises:
        UserError: it is not what the record says, or not what belongs there.
    """
    found, why = _loaded(store.file(key, name), fault)
    if why:
        raise damaged(store.folder / key / name, why)
    return found


def _read(path: Path, fault: Callable[[Tensors], str]) -> Tensors | None:
    try:
        content = files.read_sealed(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        found, why = Tensors(), reason(error)
    else:
        found, why = _loaded(content, fault)
    if why:
        say(str(path), f"cannot be used ({why}); it is made again")
        return None
    return found


def _loaded(content: bytes, fault: Callable[[Tensors], str]) -> tuple[Tensors, str]:
    """What a file holds, and why it cannot be used; nothing where it can."""
    try:
        found = safetensors.torch.load(content)
    except Exception as error:  # a damaged file can make the reader fail in any way
        return {}, reason(error)
    return found, fault(found)
