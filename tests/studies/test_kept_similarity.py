"""How alike kept neurons are, by hand, and of networks whose likeness is planted."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.vgg import vgg_small
from pruneexp.records.store import Store
from pruneexp.studies import kept_similarity
from tests.reports.made_records import made_cell, record

NEURONS = {f"layers.{k}.conv.weight": n for k, n in ((0, 16), (2, 32), (4, 64), (6, 64))}


def without_batchnorm(num_classes: int, input_shape: tuple[int, int, int]) -> nn.Sequential:
    """A convolution and two linear layers."""
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4), nn.ReLU(),
        nn.Linear(4, num_classes),
    )  # fmt: skip


def test_the_mean_over_pairs_by_hand() -> None:
    weight = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0], [-5.0, 0.0], [0.0, 0.0]])
    kept = torch.tensor([True, True, True, False, False])
    assert kept_similarity.similarity(weight, kept) == pytest.approx(2 * 0.5**0.5 / 3, abs=1e-6)
    opposite = torch.tensor([True, False, False, True, False])
    assert kept_similarity.similarity(weight, opposite) == pytest.approx(-1, abs=1e-6)
    with_zeros = torch.tensor([True, False, False, False, True])  # zeros are like nothing
    assert kept_similarity.similarity(weight, with_zeros) == 0
    assert math.isnan(kept_similarity.similarity(weight, torch.tensor([True, False, False, False, False])))


def test_layers_are_those_before_the_classifier_each_with_the_rows_that_its_mask_leaves() -> None:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    masks = {}
    for name, rows in (("0.weight", [0, 2, 3, 5]), ("3.weight", [1, 4]), ("5.weight", [0, 1, 2])):
        weight = network.get_parameter(name)
        weight.data = torch.randn(weight.shape, generator=generator)
        masks[name] = torch.zeros_like(weight, dtype=torch.bool)
        masks[name][rows] = True
    masks["3.weight"][:, [1, 4]] = False  # what reads removed neurons; the vectors are whole all the same
    found = kept_similarity.layer_similarities(network, masks)
    assert list(found) == ["0.weight", "3.weight"]
    for name, rows in (("0.weight", [0, 2, 3, 5]), ("3.weight", [1, 4])):
        vectors = network.get_parameter(name).detach().flatten(1).numpy()[rows]
        cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for k, a in enumerate(vectors) for b in vectors[:k]]
        assert found[name] == pytest.approx(np.mean(cosines), abs=1e-5)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights: in each layer every other neuron is the same, and each of the others is like none."""
    folder = tmp_path_factory.mktemp("planted")
    network = vgg_small(10, (3, 8, 8))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            filters = torch.eye(len(layer.weight), layer.weight[0].numel())
            filters[::2] = filters[0].clone()
            layer.weight.data = filters.view_as(layer.weight)
    safetensors.torch.save_file(network.state_dict(), folder / "planted.safetensors")
    return folder / "planted.safetensors"


def test_of_planted_likeness_the_central_neurons_are_the_same(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_similarity, "IMPORTANCES", ("eigenvector_centrality", "random"))
    monkeypatch.setattr(kept_similarity, "SHARES", (0.75, 0.5))
    words = ["--weights", *[str(planted)] * 3, "--dataset", "digits"]
    kept_similarity.main([*words, "--data-dir", str(tmp_path / "data"), "--report-dir", str(tmp_path)])
    table = pd.read_csv(tmp_path / "tables" / "kept_similarity.csv")
    assert (table["n"] == 3).all()
    found = table.set_index(["importance", "share", "layer"])
    central, random = found.loc["eigenvector_centrality"], found.loc["random"]
    assert central.xs(0.5)["similarity"].to_numpy() == pytest.approx(1, abs=1e-6)
    # of n neurons n / 2 are the same, and 3 n / 4 are kept
    same = {name: (n // 2) * (n // 2 - 1) / ((3 * n // 4) * (3 * n // 4 - 1)) for name, n in NEURONS.items()}
    wanted = same | {"all": np.mean(list(same.values()))}
    assert central.xs(0.75)["similarity"].to_dict() == pytest.approx(wanted, abs=1e-5)
    assert central["similarity_ci95"].to_numpy() == pytest.approx(0, abs=1e-9)  # three times one network
    assert (random["similarity_ci95"] > 0).any()  # each time another choice
    assert random["above_random"].to_numpy() == pytest.approx(0)
    above = central["similarity"] - random["similarity"]
    assert central["above_random"].to_numpy() == pytest.approx(above.to_numpy(), abs=1e-5)
    text = (tmp_path / "tables" / "kept_similarity.md").read_text()
    assert "weights planted.safetensors" in text
    assert "| 50 %   | eigenvector_centrality | 3   | 1.0000 ± 0.0000 |" in text


def test_an_importance_that_says_nothing_of_a_network_is_left_out_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_similarity, "IMPORTANCES", ("bn_scale", "random"))
    model = ["model=vgg_small", "model._target_=tests.studies.test_kept_similarity.without_batchnorm"]
    rows, refused = kept_similarity.rows_of([*model, "dataset=digits", f"data_dir={tmp_path}"], 0)
    assert {row["importance"] for row in rows} == {"random"}
    assert refused == [
        "bn_scale: bn_scale needs a BatchNorm after a layer, and this network has none: use l2 or taylor."
    ]


def test_weights_are_called_by_key_and_accuracy_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    cell = made_cell(model="vgg_small", density=1.0)
    Store(tmp_path / "runs").write(cell.key, record(cell, 71.234), {}, [])
    assert kept_similarity.named(str(tmp_path / "runs" / cell.key)) == f"`{cell.key}` (accuracy 71.23 %)"
    assert kept_similarity.named("imagenet") == "imagenet"
    with pytest.raises(UserError, match=r"there is no .*nowhere"):
        kept_similarity.main(["--weights", "nowhere", "--dataset", "digits", "--data-dir", str(tmp_path)])
