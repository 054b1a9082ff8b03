"""Does what lies in a results folder fit itself? Every record, every file's digest, every mask's count."""

import os
import re
from collections.abc import Iterator, Sequence

import safetensors.torch
from safetensors import SafetensorError

from pruneexp.errors import UserError
from pruneexp.network.weights import MASKS
from pruneexp.records.record import Record
from pruneexp.records.store import Store, data_set, same_result
from pruneexp.system import files
from pruneexp.system.console import say, tell

KEY = re.compile(r"^[^.].*-s\d+-[0-9a-f]{16}$")
States = dict[tuple[str, str], dict[str, list[str]]]  # data set and its name, digest, keys


def check(results_dir: str, sources: Sequence[str] = ()) -> int:
    """Go over every finished cell, and say by name what does not fit and what to do; nothing is changed.

    Args:
        results_dir: the folder.
        sources: files of records; one that cannot be believed is an error.

    Returns:
        The exit code: 1 where something does not fit.

    Raises:
        UserError: there is no such folder, it cannot be read, or a source cannot be believed.
    """
    store = Store(results_dir, sources)
    store.seen.states.clear()  # each is looked at anew
    keys = [name for name in store.folders() if KEY.search(name)]
    if not sources and not files.is_folder(store.folder, "results_dir"):
        raise UserError(f"results_dir={results_dir} is no folder: name one that holds finished cells.")
    told = 0
    states: States = {}
    for key in keys:
        try:
            for what in _problems(store, key, states):
                say(key, what)
                told += 1
        except UserError as error:
            say(key, str(error))
            told += 1
    for (_, name), seen in states.items():
        if len(seen) > 1:
            told += 1
            counts = ", ".join(f"{len(some)} of {digest[:16]} such as {some[0]}" for digest, some in seen.items())
            tell(f"cells have seen {len(seen)} states of {name}: {counts}; no table mixes them.")
    also = f" and {len(store.sourced)} in files" if sources else ""
    tell(f"{len(keys)} cells{also} checked, {told or 'no'} problem{'' if told == 1 else 's'}.")
    return 1 if told else 0


def _problems(store: Store, key: str, states: States) -> Iterator[str]:
    """What does not fit of one cell; its data's digest is noted.

    Raises:
        UserError: its record cannot be believed, or nobody may look.
    """
    folder = store.folder / key
    # that it has no folder is also said of one that nobody may look into
    record = store.read(key) if store.has_folder(key) or files.kind_of(folder / "record.json") else None
    if record is None:
        yield "its record.json is missing: run the command that made it to have the cell made again."
        return
    if not same_result(store.sourced.get(key, record), record):
        yield "a file of records= has another result of it; tables take the one of the folder."
    if record["data"] is not None:
        name, digest = record["data"]["name"], record["data"]["sha256"]
        which = data_set(record["description"].get("dataset", {}), name), name
        states.setdefault(which, {}).setdefault(digest, []).append(key)
    for name in record["files"]:
        try:
            content = store.file(key, name)
            if name == MASKS and (why := _counts(record, content)):
                yield why
        except UserError as error:
            yield str(error)
    known = {"record.json", *record["files"]}
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise UserError(files.unreadable(folder, error)) from error
    if more := [name for name in names if name not in known and not name.startswith(".")]:
        yield f"{', '.join(more)} is not mentioned in its record: move it elsewhere."


def _counts(record: Record, content: bytes) -> str | None:
    """Whether the masks keep what the record says of its layers, where no neurons were removed from these."""
    try:
        kept = {name: int(mask.sum()) for name, mask in safetensors.torch.load(content).items()}
    except SafetensorError as error:
        return f"{MASKS} cannot be read ({error}): delete the cell's folder to have it made again."
    said = {layer["name"]: layer["kept"] for layer in record["layers"]}
    if "kept_neurons" not in record.get("notes", {}) and kept != said:
        differ = next(name for name in {**kept, **said} if kept.get(name) != said.get(name))
        return (
            f"its masks keep {kept.get(differ)} weights of {differ}, and its record says {said.get(differ)}:"
            " delete the cell's folder to have it made again."
        )
    return None
