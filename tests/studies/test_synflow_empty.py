"""Layers that are counted as empty, and paths that are left."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from pruneexp.network.masks import Masks
from pruneexp.pruning.rounds import Pruned
from pruneexp.studies import synflow_empty


def test_empty_layers_weights_and_paths_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def network() -> nn.Module:
        layers = [nn.Flatten(), nn.Linear(3 * 32 * 32, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)]
        return nn.Sequential(*layers)

    def masks(seed: int) -> Masks:
        found = {f"{k}.weight": torch.zeros(2, 2 if k > 1 else 3 * 32 * 32, dtype=torch.bool) for k in (1, 3, 5)}
        found["1.weight"][0, :5] = True  # five weights lead to the first neuron
        found["3.weight"][0, 0] = seed == 0
        found["5.weight"][1, 0] = True
        found["5.weight"][0, 1] = True  # on no path
        return found

    monkeypatch.setattr(synflow_empty, "NETWORKS", {"vgg16": network})
    monkeypatch.setattr(synflow_empty, "pruned", lambda method, model, density, seed, batches: Pruned(masks(seed)))
    synflow_empty.main(["--report-dir", str(tmp_path), "--networks", "vgg16", "--seeds", "2"])
    (row,) = pd.read_csv(tmp_path / "tables" / "synflow_empty.csv").to_dict("records")
    assert row["layers"] == 3
    assert row["n"] == 2
    assert (row["empty"], row["empty_spread"]) == (0.5, 0.5)
    assert (row["kept"], row["kept_spread"]) == (7.5, 0.5)
    assert (row["effective"], row["effective_spread"]) == pytest.approx((3.5, 3.5))
    assert row["path"] == 50
    text = (tmp_path / "tables" / "synflow_empty.md").read_text()
    assert "0.5 ± 0.5" in text
    assert "50 %" in text


def test_the_masks_are_those_of_synflows_hundred_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.ReLU(), nn.Linear(8, 8))
    monkeypatch.setattr(synflow_empty, "NETWORKS", {"resnet20": lambda: network})
    monkeypatch.setattr(synflow_empty, "DENSITY", 0.01)
    row = synflow_empty.row_of("resnet20", 0)
    assert row["kept"] == row["effective"] == round(0.01 * (3 * 32 * 32 * 8 + 64))
    assert (row["empty"], row["path"]) == (0, 100)
