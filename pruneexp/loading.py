"""A finished cell from its folder: the trained network, its masks and its record."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from pruneexp.cell import canonical
from pruneexp.components.component import configured, plain_json
from pruneexp.components.recorded import check_recorded
from pruneexp.errors import UserError, first_line
from pruneexp.network.compaction import restore
from pruneexp.network.exported import load_exported
from pruneexp.network.masks import Masks
from pruneexp.network.plain import plain
from pruneexp.network.weights import MASKS, SMALLER, WEIGHTS
from pruneexp.records.artifact_store import tensors
from pruneexp.records.claims import CHECKPOINT
from pruneexp.records.record import Record
from pruneexp.records.store import Store
from pruneexp.system.files import is_folder


class LoadedCell(NamedTuple):
    """What `load_cell` finds.

    Attributes:
        model: the network after its training, float32 on the CPU, in eval mode; masked weights are exactly zero. Of a cell whose
            neurons were removed the smaller network as torch.export holds it: it has eval mode's outputs for batches of any size, and no
            other mode (``train()`` raises NotImplementedError).
        masks: bool on the CPU by weight name, in the model's order; of removed neurons those of the network before.
        record: what record.json says.
    """

    model: nn.Module
    masks: Masks
    record: Record


def load_cell(folder: str | Path) -> LoadedCell:
    """The network that a cell's folder holds, its masks and its record; nothing else is needed but the code of its model.

    As in ``model, masks, record = pruneexp.load_cell("results/runs/<key>")``. The model is built as the record's configuration
    says, and whoever wrote the folder may not be you: nothing is imported, unpickled or evaluated for it. A model of yours must be
    imported before (``import mine``), and name ``num_classes`` and ``input_shape`` in its signature.

    Args:
        folder: of a finished cell, ``<results_dir>/<key>``.

    Raises:
        UserError: it is no such folder, something in it is damaged or of a version that kept no weights, or the model cannot be built
            here, is another one here, or is none that a record may name (`pruneexp.components.recorded`).
    """
    path = Path(os.path.realpath(folder))
    store, key = Store(path.parent), path.name
    there = is_folder(folder)
    record = store.read(key) if there else None
    if record is None:
        raise _no_cell(folder, path, there)
    masks = _masks(store, key, record)
    if SMALLER in record["files"]:
        name = f"the {SMALLER} of {key}, of torch {record['versions'].get('torch')},"
        return LoadedCell(load_exported(store.file(key, SMALLER), name), masks, record)
    if WEIGHTS not in record["files"] or "config" not in record:
        raise UserError(
            f"{folder} is of an earlier version, which kept too little to build its trained network from: delete the folder and run the"
            f" command that made it to have the cell made again, or take load_masks of its {MASKS}."
        )
    model, content = plain(built(record)), tensors(store, key, WEIGHTS)
    try:
        model.load_state_dict(restore(content, {} if record["asked_density"] == 1 else masks))
    except RuntimeError as error:  # other names or shapes
        raise _otherwise(record) from error
    return LoadedCell(model.eval(), masks, record)


def _masks(store: Store, key: str, record: Record) -> Masks:
    """Its masks, in the order of its layers."""
    names = [layer["name"] for layer in record["layers"]]

    def fault(found: Masks) -> str:
        whole = set(names) <= found.keys() and all(mask.dtype == torch.bool for mask in found.values())
        return "" if whole else "it has no mask of each layer that the record tells of"

    found = tensors(store, key, MASKS, fault)  # in no fixed order
    return {name: found[name] for name in names}


def _no_cell(folder: str | Path, path: Path, there: bool) -> UserError:
    """What is there instead."""
    # of a name so long that its checkpoint's is too long there is none
    if path.name.endswith(f".{CHECKPOINT}") or os.path.exists(path.with_name(f".{path.name}.{CHECKPOINT}")):
        return UserError(
            f"{folder} is of a cell that is not finished, there is only a checkpoint: run the command that trains it again."
        )
    lacking = f"{folder} has no record.json" if there else f"there is no folder {folder}"
    return UserError(
        f"{lacking}: load_cell takes a finished cell's folder, <results_dir>/<key>; a record in a file of records= has no weights."
    )


def built(record: Record) -> nn.Module:
    """The record's model on the CPU as its code makes it, with whatever weights; the global random state stays as it is.

    Raises:
        UserError: as `load_cell`, of the model.
    """
    config = _config_of(record)
    check_recorded("model", config.get("model"), ("num_classes", "input_shape"))
    _check_dataset(record)
    try:
        model = configured("model", config.get("model"))
        same = canonical(model.identity()) == canonical(plain_json(record["description"]["model"]))
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            network: nn.Module | None = model.make(**_sizes(record)) if same else None
    except Exception as error:  # a user's module or function can raise anything
        raise UserError(
            f"the network of {record['key']} cannot be built here ({first_line(error)}): load_cell needs the code of its model as it was."
        ) from error
    if network is None:
        raise _otherwise(record)
    return network


def input_shape_of(record: Record) -> tuple[int, ...]:
    """Of one image, as its network takes it.

    Raises:
        UserError: as `load_cell`, of a data set whose options alone say it.
    """
    _check_dataset(record)
    shape: tuple[int, ...] = _sizes(record)["input_shape"]
    return shape


def _check_dataset(record: Record) -> None:
    """Raise UserError where a record's data set has to say what the network's sizes are, and is none that a record may name."""
    if "input_shape" not in record:
        check_recorded("dataset", _config_of(record).get("dataset"))


def _config_of(record: Record) -> Mapping[str, Any]:
    """The record's configuration; what is none says nothing."""
    return record["config"] if isinstance(record["config"], Mapping) else {}


def _sizes(record: Record) -> dict[str, Any]:
    """What the program says to a model; earlier versions recorded it with the data set's options alone."""
    if "input_shape" in record:
        return {"num_classes": record["classes"], "input_shape": tuple(record["input_shape"])}
    dataset = configured("dataset", _config_of(record).get("dataset"))
    return {"num_classes": dataset.value("classes"), "input_shape": tuple(dataset.value("image_shape"))}


def _otherwise(record: Record) -> UserError:
    """The model that is here is not the one that was trained, or the record has less of a path than its digest came from."""
    trained, kept = record["description"]["model"], record["config"]["model"]
    options = trained.get("options") if isinstance(trained, Mapping) else None
    for name, value in options.items() if isinstance(options, Mapping) else ():
        if str(value).startswith("sha256:") and plain_json(kept.get(name)) != value:
            return UserError(
                f"the model of {record['key']} was given a path as its {name}, of which records keep no more than the name: give it one"
                " relative to the folder in which commands run, and train the cell again."
            )
    return UserError(
        f"{record['config']['model']['_target_']} builds another model than the one that {record['key']} trained: bring back the code"
        " that it was trained with, yours or pruneexp's, or delete the cell's folder and train it again."
    )
