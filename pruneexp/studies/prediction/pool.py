"""Networks and their metrics as one frame, a row a network: the published pool, or this project's own records.

Columns: `NETWORK` (dataset, model, method, sparsity, seed), accuracy (a fraction), drop, `METRICS` normalised as in Cunegatti et al.,
Table 2, `RIVALS` averaged over layers, and in the published pool ``rolled_<name>`` and ``channel_<name>`` for each name in `ROLLED`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pruneexp.components.values import shown
from pruneexp.errors import UserError, first_line
from pruneexp.studies import reading
from pruneexp.system.shipped import published_dir

NETWORK = ["dataset", "model", "method", "sparsity", "seed"]
METRICS = ("sink", "source", "disconnected", "r_out", "r_in", "n1", "n2", "motif4", "k_core", "strength",
           "components", "mean_component", "cut_edges", "cut_nodes", "spectral_gap", "spectral_radius")  # fmt: skip
RIVALS = ("layer_density", "difference_of_bound", "imdb", "imsg")
ROLLED = ("n1", "motif3", "k_core", "strength", "components", "mean_component", "cut_edges", "cut_nodes",
          "spectral_gap", "spectral_radius")  # fmt: skip
MODELS = {"conv6": "Conv-6", "resnet20": "ResNet-20", "resnet32": "ResNet-32", "wrn28_2": "WRN-28-2"}


def load_pool(path: Path | None = None) -> pd.DataFrame:
    """The published pool with `drop` against the dense accuracies of the paper's Tables 8-10.

    Args:
        path: of a file in the shipped one's form; the shipped one where left out.

    Raises:
        UserError: no such file, damaged, columns missing, or something else than numbers in one.
    """
    path = path or published_dir() / "mge_pool.csv.gz"
    if not reading.there(path):
        raise UserError(f"there is no pool {path}; pruneexp.studies.topology.mge_pool makes it.")
    frame = reading.table(path)
    missing = [name for name in [*NETWORK, "accuracy", *METRICS, "layer_density"] if name not in frame]
    if missing:
        raise UserError(f"the pool {path} lacks the columns {', '.join(missing)}.")
    rivals = [name for name in RIVALS if name in frame]
    frame = reading.numbers(path, frame, ["sparsity", "seed", "accuracy", "layer_density", *METRICS, *rivals])
    printed = pd.read_csv(published_dir() / "topology_tables8_10.csv", comment="#")
    dense = printed[printed["density"] == 1].set_index(["dataset", "model"])["accuracy"] / 100
    return with_drop(frame, dense)


def with_drop(frame: pd.DataFrame, dense: pd.Series) -> pd.DataFrame:
    """Add ``drop`` = 1 - accuracy / accuracy of the dense network (`dense`: by (dataset, model)).

    Raises:
        UserError: a dense network is missing or has accuracy 0.
    """
    wanted = pd.MultiIndex.from_frame(frame[["dataset", "model"]])
    of = dense.reindex(wanted).to_numpy()
    if not (of > 0).all():
        dataset, model = wanted[np.flatnonzero(~(of > 0))[0]]
        raise UserError(
            f"the accuracy drop of {model} on {dataset} needs its dense network's accuracy (density 1), above 0."
        )
    return frame.assign(drop=1 - frame["accuracy"] / of)


def from_records(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The same frame from finished cells that carry a ``topology`` dict; the dense accuracy is the mean of the cells at density 1.

    A metric's value is ``topology["<name>_norm"]``, or ``topology["<name>"]`` where there is none; a metric not measured is NaN.
    `method` is the scorer under greedy_global, the masker where no scorer is asked, otherwise "scorer+masker".

    Raises:
        UserError: a field is missing or of another kind, no pruned network, several recipes, two cells of one network, or no
            dense one.
    """
    rows = [_believed(record) for record in records]
    if len({row["recipe"] for row in rows}) > 1:
        raise UserError(f"records of several recipes do not mix: {', '.join(sorted({row['recipe'] for row in rows}))}.")
    if not any(row["sparsity"] > 0 for row in rows):
        raise UserError("the records hold no pruned network.")
    frame = pd.DataFrame(rows).drop(columns="recipe")
    pruned = frame[frame["sparsity"] > 0].reset_index(drop=True)
    twice = pruned[pruned.duplicated(NETWORK)]
    if len(twice):
        raise UserError(f"two records describe the same network {_called(twice)}.")
    measured = pruned[list(METRICS)].notna().any(axis=1)
    if not measured.all():
        raise UserError(f"the record of {_called(pruned[~measured])} has no topology metrics.")
    dense = frame[frame["sparsity"] == 0].groupby(["dataset", "model"])["accuracy"].mean()
    return with_drop(pruned, dense)


def _believed(record: Any) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise UserError(f"a record is one JSON object, got {shown(record)}.")
    try:
        return _row(record)
    except KeyError as missing:
        raise UserError(f"a record lacks the field {missing}.") from None
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"a record has a field of another kind than records have ({first_line(error)}).") from error


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    names, density = record["names"], record["asked_density"]
    row: dict[str, Any] = {name: str(names[name]) for name in ("recipe", "dataset", "model")}
    row["method"] = _method(str(names["scorer"]), str(names["masker"]), record.get("description", {}))
    row |= {"sparsity": round(1 - float(density), 9), "seed": int(record["seed"])}
    if record["accuracy"] is None:
        raise UserError(f"the training of {record.get('key')} has diverged, and has no accuracy: leave its line out.")
    row["accuracy"] = float(record["accuracy"]) / 100
    found = record.get("topology") or {}
    layers = record.get("layers") or []
    row |= {name: _number(found.get(f"{name}_norm", found.get(name))) for name in (*METRICS, *RIVALS)}
    if np.isnan(row["layer_density"]) and layers:
        row["layer_density"] = float(np.mean([layer["density"] for layer in layers]))
    return row


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)


def _called(frame: pd.DataFrame) -> str:
    return " ".join(str(frame[name].iloc[0]) for name in NETWORK)


def _method(scorer: str, masker: str, description: Mapping[str, Any]) -> str:
    """With the options of a cell that make it another method: controls, repair, pruning after training."""
    chosen = [
        f"{option}={description[option]}"
        for option in ("invert", "shuffle", "reinit", "repair", "when")
        if option in description
    ]
    options = f"[{','.join(chosen)}]" if chosen else ""
    if scorer in ("none", "dense"):
        return masker + options
    return (scorer if masker == "greedy_global" else f"{scorer}+{masker}") + options
