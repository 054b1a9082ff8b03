"""Cells of networks as people bring them: layers of every kind, a dict for an output, and weights that are left out."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import pruneexp
from pruneexp.artifacts import Artifacts
from pruneexp.data.resident import Resident
from pruneexp.network.masks import load_masks
from pruneexp.network.prunable import prunable
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from pruneexp.training.device import Device
from tests.command import SMALL, in_process


class Mixed(nn.Module):
    """Convolutions, a transposed and one along a sequence, attention, an embedding and a parameter of its own; its output is a dict."""

    def __init__(self, num_classes: int, input_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(input_shape[0], 8, 8, stride=8), nn.BatchNorm2d(8)
        self.up, self.along = nn.ConvTranspose2d(8, 6, 2), nn.Conv1d(6, 8, 3, stride=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.place, self.shift = nn.Embedding(12, 8), nn.Parameter(torch.randn(8))
        self.head = nn.Linear(8, num_classes)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        x = self.along(self.up(torch.relu(self.norm(self.stem(x)))).flatten(2)).transpose(1, 2)
        x = x + self.place(torch.arange(12, device=x.device)) + self.shift
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return {"aux": None, "logits": self.head(x.mean(1))}


LEFT_OUT = {"stem.weight": 3 * 8 * 64, "head.weight": 80}
CHOSEN = {
    "up.weight": 192, "along.weight": 144, "attention.q_proj_weight": 64, "attention.k_proj_weight": 64,
    "attention.v_proj_weight": 64, "attention.out_proj.weight": 64,
}  # fmt: skip
WORDS = (*SMALL, "model=vgg_small", "model._target_=tests.test_brought_cells.Mixed", "seed=0",
         "masker=greedy_global", "scorer=snip", "densities=[0.25]")  # fmt: skip


def test_of_a_cell_the_chosen_weights_are_pruned_and_the_record_is_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    which = ("only=[stem,up,along,MultiheadAttention]", "exclude=[stem]")
    ran = in_process(tmp_path, monkeypatch, capsys, *WORDS, *which, f"data_dir={data}")
    assert ran.code == 0, ran.err
    (path,) = tmp_path.glob("results/runs/*/record.json")
    pruned = json.loads(path.read_text(encoding="utf-8"))
    sizes, kept = LEFT_OUT | CHOSEN, round(0.25 * sum(CHOSEN.values()))
    assert pruned["prunable"] == sum(sizes.values())
    assert pruned["kept"] == sum(LEFT_OUT.values()) + kept
    assert pruned["density"] == pytest.approx(pruned["kept"] / pruned["prunable"])
    assert pruned["asked_density"] == 0.25
    assert [pruned["description"][name] for name in ("only", "exclude")] == [
        ["stem", "up", "along", "MultiheadAttention"],
        ["stem"],
    ]
    layers = {layer["name"]: layer for layer in pruned["layers"]}
    assert {name: torch.Size(layer["shape"]).numel() for name, layer in layers.items()} == sizes
    assert sorted(name for name, layer in layers.items() if layer["density"] == 1) == sorted(LEFT_OUT)
    assert sum(layers[name]["kept"] for name in CHOSEN) == kept

    # the folder gives back the network that was trained, under the plain network's names
    masks = load_masks(path.parent / "masks.safetensors")
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {
        name: one["kept"] for name, one in layers.items()
    }
    model = pruneexp.load_cell(path.parent).model.eval()
    assert all(not weight[~masks[name]].any() for name, weight in prunable(model).items())
    (job,) = expand([*WORDS, f"data_dir={data}"]).jobs
    images = Resident(job.setting.dataset(), job.setting.make("recipe"), 0, Device("cpu").where)
    right = sum(int((model(x)["logits"].argmax(1) == y).sum()) for x, y in images.batches(images.test))
    assert pruned["accuracy"] == pytest.approx(100 * right / 64)


def test_a_pattern_that_chooses_nothing_stops_the_sweep_before_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    ran = in_process(tmp_path, monkeypatch, capsys, *WORDS, "exclude=[steem]", f"data_dir={data}")
    assert ran.code == 2
    assert "exclude='steem' chooses no prunable weight of this model; near are stem" in ran.err
    assert not list(tmp_path.glob("results/runs/*/record.json"))


def test_all_weights_at_initialisation_are_the_seeds(data: Path) -> None:
    """Also those of layers that `initialise` does not know, which draw from torch's own generator."""

    def initial(seed: int) -> dict[str, torch.Tensor]:
        (job,) = expand([*WORDS, f"seed={seed}", f"data_dir={data}"]).jobs
        return dict(Artifacts(job, Store("nowhere")).initial.state_dict())

    one = initial(0)
    torch.manual_seed(123)
    again, other = initial(0), initial(1)
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    drawn = {name for name, value in one.items() if not torch.equal(value, other[name])}
    assert drawn == {*LEFT_OUT, *CHOSEN, "place.weight", "shift"}
