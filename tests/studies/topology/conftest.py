"""A small pool, and records of our own, as files."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.studies.prediction.pool import METRICS, RIVALS, load_pool
from pruneexp.system.shipped import published_dir


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Two of the pool's networks without the rolled encodings."""
    frame = pd.read_csv(published_dir() / "mge_pool.csv.gz")
    frame = frame[frame["model"].isin(("conv6", "resnet20"))]
    frame.drop(columns=frame.filter(regex="^(rolled|channel)_").columns).to_csv(tmp_path / "pool.csv", index=False)
    return tmp_path / "pool.csv"


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """SNIP's and ERK's Conv-6 on CIFAR-10 in the pool, and the dense one, as cells of our own."""
    frame = load_pool().dropna(subset=METRICS)
    wanted = (frame["model"] == "conv6") & (frame["dataset"] == "cifar10") & frame["method"].isin(("snip", "erk"))
    common = {"dataset": "cifar10", "model": "conv6", "recipe": "topology"}
    dense = {
        "names": common | {"scorer": "dense", "masker": "dense"},
        "asked_density": 1.0,
        "seed": 0,
        "accuracy": 93.2,
    }
    rows = [dense]
    for row in frame[wanted].to_dict("records"):
        by = ("none", "erk") if row["method"] == "erk" else ("snip", "greedy_global")
        topology = {f"{name}_norm": row[name] for name in METRICS} | {name: row[name] for name in RIVALS}
        rows.append(
            {
                "names": common | {"scorer": by[0], "masker": by[1]}, "asked_density": 1 - row["sparsity"], "seed": row["seed"],
                "accuracy": 100 * row["accuracy"], "topology": topology,
            }
        )  # fmt: skip
    (tmp_path / "ours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "ours.jsonl"
