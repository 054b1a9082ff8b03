"""The shipped pool's shape, and the same frame from records."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.prediction.pool import METRICS, NETWORK, RIVALS, ROLLED, from_records, load_pool
from pruneexp.topology.measure import METRICS as MEASURED


def record(masker: str, density: float, seed: int = 0, scorer: str = "snip", **changed: Any) -> dict[str, Any]:
    names = {"dataset": "cifar10", "model": "conv6", "scorer": scorer, "masker": masker, "recipe": "topology"}
    topology = {f"{name}_norm": density * k for k, name in enumerate(METRICS)} | dict.fromkeys(METRICS, -1.0)
    layers = [{"density": density}, {"density": 3 * density}]
    made = {"names": names, "asked_density": density, "seed": seed, "accuracy": 90 * density**0.1, "layers": layers}
    return made | {"topology": topology} | changed


def test_the_pool_is_the_papers() -> None:
    pool = load_pool()
    assert len(pool) == 1258
    assert not pool.duplicated(NETWORK).any()
    assert pool["method"].nunique() == 7
    assert pool.groupby("model").size().to_dict() == {"conv6": 315, "resnet20": 314, "resnet32": 315, "wrn28_2": 314}
    assert pool["spectral_gap"].notna().sum() == 1251
    assert pool[list(METRICS)].notna().all(axis=1).sum() == 1247
    assert pool[[f"{kind}_{name}" for kind in ("rolled", "channel") for name in ROLLED]].notna().all(axis=None)
    assert pool["layer_density"].between(0, 1).all()
    assert pool["accuracy"].between(0, 1).all()
    first = pool[(pool["dataset"] == "cifar10") & (pool["model"] == "conv6")].iloc[0]
    assert first["drop"] == pytest.approx(1 - first["accuracy"] / 0.932)
    # what leaves sources goes with sources, what arrives in sinks with sinks
    assert (pool.loc[pool["sink"] == 0, "r_in"] == 0).all()
    assert (pool.loc[pool["source"] == 0, "r_out"] == 0).all()


def test_the_metrics_are_those_that_topology_measures() -> None:
    assert tuple(MEASURED) == METRICS


def test_records_and_the_frame_they_make() -> None:
    records = [
        record("dense", 1.0, scorer="dense", topology=None),
        record("greedy_global", 0.1),
        record("greedy_global", 0.1, seed=1),
        record("erk", 0.02, scorer="none"),
        record("sparsify", 0.02, scorer="magnitude"),
    ]
    frame = from_records(json.loads(json.dumps(records)))
    assert list(frame["method"]) == ["snip", "snip", "erk", "magnitude+sparsify"]
    assert list(frame["sparsity"]) == [0.9, 0.9, 0.98, 0.98]
    assert frame["drop"].to_numpy() == pytest.approx(1 - np.array([0.1, 0.1, 0.02, 0.02]) ** 0.1)
    assert list(frame["layer_density"]) == pytest.approx([0.2, 0.2, 0.04, 0.04])
    assert list(frame.loc[0, list(METRICS)]) == pytest.approx([0.1 * k for k in range(len(METRICS))])
    assert set(frame.columns) <= {*NETWORK, "accuracy", "drop", *METRICS, *RIVALS}


def test_the_pool_goes_through_records_unchanged() -> None:
    pool = load_pool()
    part = pool[(pool["model"] == "wrn28_2") & (pool["seed"] == 0)].dropna(subset=["n1"]).reset_index(drop=True)
    maskers = {"er", "erk", "uniform"}
    rows = []
    for row in part.to_dict("records"):
        scorer, masker = ("none", row["method"]) if row["method"] in maskers else (row["method"], "greedy_global")
        names = {"dataset": row["dataset"], "model": row["model"], "recipe": "topology"}
        made: dict[str, Any] = {"names": names | {"scorer": scorer, "masker": masker}, "seed": row["seed"]}
        made |= {"asked_density": 1 - row["sparsity"], "accuracy": 100 * row["accuracy"]}
        topology = {f"{name}_norm": row[name] for name in METRICS} | {name: row[name] for name in RIVALS}
        rows.append(made | {"topology": topology})
    for dataset, dense in {"cifar10": 94.4, "cifar100": 74.2, "tiny_imagenet32": 48.6}.items():
        names = {"dataset": dataset, "model": "wrn28_2", "scorer": "dense", "masker": "dense", "recipe": "topology"}
        rows.append({"names": names, "asked_density": 1.0, "seed": 0, "accuracy": dense})
    again = from_records(rows)
    columns = [*NETWORK, "accuracy", "drop", *METRICS, *RIVALS]
    pd.testing.assert_frame_equal(again[columns], part[columns], rtol=1e-9)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([record("dense", 1.0)], "no pruned network"),
        ([], "no pruned network"),
        ([record("erk", 0.1)], "needs its dense network's accuracy"),
        ([record("dense", 1.0), record("erk", 0.1), record("erk", 0.1)], "same network"),
        ([record("dense", 1.0), record("erk", 0.1, topology=None)], "no topology metrics"),
        ([{"seed": 0}], "lacks the field 'names'"),
        (
            [record("dense", 1.0, accuracy=None, key="a-s0")],
            "the training of a-s0 has diverged, and has no accuracy: leave",
        ),
        (
            [record("dense", 1.0, names=record("erk", 1)["names"] | {"recipe": "smoke"}), record("erk", 0.1)],
            "several recipes",
        ),
    ],
)
def test_records_that_make_no_frame(records: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_records(records)


def test_a_pool_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no pool"):
        load_pool(tmp_path / "pool.csv.gz")
    load_pool().drop(columns="drop").assign(note="of somebody's own").to_csv(tmp_path / "more.csv", index=False)
    assert len(load_pool(tmp_path / "more.csv")) == len(load_pool())
    (tmp_path / "pool.csv").write_text("dataset,model\ncifar10,conv6\n")
    with pytest.raises(UserError, match="lacks the columns method, sparsity"):
        load_pool(tmp_path / "pool.csv")
