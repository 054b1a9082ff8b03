"""The training benchmark on a few images: what it trains is the same in every way, and its files hold both parts."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pruneexp.network.prunable import prunable
from scripts import bench_training
from scripts.training_bench.cases import SETTINGS, Case, all_ways, prepared
from scripts.training_bench.growth import growth
from scripts.training_bench.measure import Clock, measure, summary
from scripts.training_bench.plain import plain_lightning, plain_loop

SMALL = Case("digits", 16, images=48, epochs=2, threads=1)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    monkeypatch.setattr(bench_training, "alone", call)
    monkeypatch.setattr("hydra.core.utils.configure_log", lambda *settings: None)


@pytest.mark.filterwarnings(
    "ignore:.*does not have many workers.*", "ignore:.*srun.*", "ignore:.*number of training batches.*"
)
def test_the_plain_ways_train_under_the_masks_and_tell_each_epochs_end() -> None:
    clock = Clock()
    for way in ("lightning", "loop"):
        network, masks, recipe, dataset = prepared(SMALL)
        before = {name: weight.detach().clone() for name, weight in prunable(network).items()}
        if way == "lightning":
            plain_lightning(network, masks[0], recipe, dataset, 2, 0, clock)
            ends = clock.ends
        else:
            ends = list(plain_loop(network, masks[0], recipe, dataset, 2, 0))
        assert len(ends) == 2
        assert ends[1] > ends[0]
        for name, weight in prunable(network).items():
            assert not weight[~masks[0][name]].any()
            assert not torch.equal(weight[masks[0][name]], before[name][masks[0][name]])


@pytest.mark.parametrize("members", [1, 2])
def test_ours_is_measured(members: int) -> None:
    case = Case("digits", 16, images=48, epochs=3, threads=1, members=members)
    found = measure(case)
    assert found["epoch"] > 0
    row = summary(case, [found, {**found, "epoch": 2 * found["epoch"]}, found])
    assert row["images_per_s"] == pytest.approx(48 * members / found["epoch"])
    assert row["least"] == pytest.approx(row["most"] / 2)
    whole = found["startup"] + SETTINGS["digits"].recipe.epochs * 1438 / 48 * found["epoch"]
    assert row["cell_s"] == pytest.approx(whole / members)
    assert summary(case, [found, {}])["note"] == "out of memory"


def test_every_way_is_there_once_and_none_has_random_data_of_its_own() -> None:
    cases = all_ways(SMALL, [5], [0, 2])
    assert len({case.name for case in cases}) == len(cases) >= 6
    one, other = prepared(cases[0]), prepared(cases[1])
    assert (one[3].train_images == other[3].train_images).all()
    assert all(torch.equal(mask, other[1][0][name]) for name, mask in one[1][0].items())


def test_the_files_hold_ways_and_growth_each_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--networks", "digits", "--images", "64", "--epochs", "2", "--repeats", "2", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["bench_training", *options, "--members", "2", "--workers", "0", "--threads", "1"])
    bench_training.main()
    small = ("recipe=smoke", "recipe.train_images=64", "recipe.test_images=64")
    monkeypatch.setattr(bench_training, "growth", lambda cells, threads: growth(cells, threads, *small))
    monkeypatch.setattr(sys, "argv", ["bench_training", "--growth", "5", "--out", str(tmp_path), "--threads", "1"])
    bench_training.main()
    parts = json.loads((tmp_path / "training.json").read_text())
    assert [row["way"] for row in parts["ways"]["rows"]] == [
        "ours", "ours, 2 members", "lightning, 0 workers", "loop, 0 workers",
    ]  # fmt: skip
    assert all(row["images_per_s"] > 0 and len(row["repeats"]) == 2 for row in parts["ways"]["rows"])
    (sweep,) = parts["growth"]["rows"]
    assert sweep["cells"] == 5
    assert 0 < sweep["training_s"] < sweep["cell_s"]
    text = (tmp_path / "training.md").read_text()
    assert text.count("made by: python -m scripts.bench_training") == 2
    assert "| ours, 2 members" in text
    assert "last_five_s" in capsys.readouterr().out


def test_a_measurement_of_one_epoch_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_training", "--epochs", "1"])
    with pytest.raises(SystemExit):
        bench_training.main()
    assert "--epochs must be at least 2" in capsys.readouterr().err
