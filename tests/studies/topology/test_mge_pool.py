"""The pool from tables in the authors' form, by hand: one network of two layers, and what is left out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.prediction.pool import METRICS
from pruneexp.studies.topology import mge_pool

ABOUT = {"sparsity": 0.9, "model": "CONV-6", "dataset": "CIFAR-10", "accuracy": 0.8}
FEATURES = dict.fromkeys(mge_pool.LAYERS, 12.0)


def authors_tables(folder: Path, **changed: float) -> None:
    """Seeds 0 and 1 of SNIP's Conv-6; beside them a method that is not of the paper."""
    unrolled, layers, measured = [], [], []
    for method, seed in (("snip", 0), ("snip", 1), ("static_er", 0)):
        of = ABOUT | {"pruning_algorithm": method, "seed": seed, "file": f"{method}{seed}"}
        values = {name: k + 100.0 * seed for k, name in enumerate(mge_pool.UNROLLED)}
        unrolled.append({**ABOUT, "pruning": method, "seed": seed, "nodes": 40, "edges": 60, **values})
        for layer, edges in enumerate((48, 0)):  # of 6 x 16 weights
            rolled = {"layer_id": layer, "layer_sparsity": edges / 96, "nodes": 22, "edges": edges}
            layers.append(of | rolled | (FEATURES if edges else dict.fromkeys(FEATURES, np.nan)))
            found = {"no_weights": edges, "no_params": 96, "degree_bound": 0.25, "iterative_degree_bound": 1.0 + layer}
            measured.append(of | found | {"iterative_spectral_gap": 3.0 + seed} | changed)
    tables = {"unrolled": unrolled, "rolled": layers, "rolled_channel": layers, "ramanujan": measured}
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv.gz", index=False)


def test_the_pool_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authors_tables(tmp_path)
    mge_pool.main([str(tmp_path), "--report-dir", str(tmp_path / "out")])
    assert capsys.readouterr().out == "2 networks, 2 with every metric; 2 layers\n"
    pool = pd.read_csv(tmp_path / "out" / "published" / "mge_pool.csv.gz")
    assert list(zip(pool["dataset"], pool["model"], pool["method"], pool["seed"], strict=True)) == [
        ("cifar10", "conv6", "snip", seed) for seed in (0, 1)
    ]
    assert pool[list(METRICS)].to_numpy()[1].tolist() == [100 + k for k in range(16)]
    assert dict(zip(METRICS, mge_pool.UNROLLED, strict=True))["r_out"] == "r-in"  # the authors' names are exchanged
    first = pool.to_dict("records")[0]
    assert first["layer_density"] == pytest.approx((48 / 96 + 0) / 2)
    assert first["imdb"] == pytest.approx(1.5)
    assert first["rolled_n1"] == pytest.approx((12 / 48 + 0) / 2)  # by edges, an empty layer's are 0
    assert first["channel_mean_component"] == pytest.approx((12 / 22 + 0) / 2)  # by nodes
    assert first["rolled_components"] == pytest.approx((12 + 0) / 2)
    # degrees 48/6 and 48/16 of the full layer; the empty one's bound is 0
    assert first["difference_of_bound"] == pytest.approx(0.25 * (7**0.5 + 2**0.5) / 2)
    layers = pd.read_csv(tmp_path / "out" / "published" / "mge_pool_layers.csv.gz")
    assert layers["imsg"].tolist() == [3.5, 3.5]  # of both seeds
    assert layers["layer_density"].tolist() == [0.5, 0]


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    authors_tables(tmp_path)
    for out in ("a", "b"):
        mge_pool.main([str(tmp_path), "--report-dir", str(tmp_path / out)])
    a, b = ((tmp_path / out / "published" / "mge_pool.csv.gz").read_bytes() for out in ("a", "b"))
    assert a == b


def test_tables_that_make_no_pool(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unrolled.csv.gz does not exist; the folder must hold unrolled.csv.gz, "):
        mge_pool.pool(tmp_path)
    authors_tables(tmp_path, no_weights=7)
    with pytest.raises(UserError, match="do not describe the same layers"):
        mge_pool.pool(tmp_path)
