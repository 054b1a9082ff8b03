"""Cells whose masks change while they train: what is recorded, loaded, measured later, gone on with and refused on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import pruneexp
from pruneexp.measuring.layers import layer_rows, network_sums
from pruneexp.network.masks import load_masks
from tests.command import SMALL, files, in_process, refused
from tests.test_structured_cells import MODEL
from tests.training.test_checkpoint import kill_after_first_checkpoint

ASKED = (
    *SMALL, *MODEL, "recipe.epochs=6", "recipe.batch_size=16", "seed=0", "masker=random", "allocation=erk", "densities=[1.0,0.2]",
    "mask_update.interval=4",
)  # fmt: skip
UPDATES = {
    "rigl": 8,
    "set": 8,
    "gmp": 9,
}  # of 48 steps, until the 36th: RigL's last at 32, as its schedule ends before 36
FIGURES = ("lambda2_min", "imdb", "imdb_norm", "dead_filters", "density")


def records(folder: Path) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Of the pruned cells, by what changes their masks."""
    found = [(path.parent, json.loads(path.read_text())) for path in folder.glob("results/runs/*/record.json")]
    return {one["description"]["mask_update"]["name"]: (path, one) for path, one in found if one["asked_density"] < 1}


def test_a_record_holds_the_masks_of_start_and_end_and_the_graphs_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*more: str) -> str:
        ran = in_process(tmp_path, monkeypatch, capsys, *ASKED, "mask_update=rigl,set,gmp", *more)
        assert ran.code == 0, ran.err
        return ran.out

    assert "+ 4 missing" in (planned := run("mode=plan", "plan.time=false").replace("0 done,", "+")), planned
    run()
    found = records(tmp_path)
    assert found.keys() == UPDATES.keys()  # and the dense cell, which all have in common
    assert len(list(tmp_path.glob("results/runs/*/record.json"))) == 4
    for name, (folder, record) in found.items():
        model, end, _ = pruneexp.load_cell(folder)
        start = load_masks(folder / "masks_start.safetensors")
        assert start.keys() == end.keys()
        assert record["mask_updates"] == UPDATES[name]
        assert any(not torch.equal(start[layer], mask) for layer, mask in end.items())
        assert [int(mask.sum()) for mask in end.values()] == [layer["kept"] for layer in record["layers"]]
        same = [torch.equal(start[layer].sum(), mask.sum()) for layer, mask in end.items()]
        assert all(same) == (name != "gmp")
        if name == "gmp":
            assert all(mask.all() for mask in start.values())
        for masks, said in ((start, record["start"]), (end, record)):
            sums = network_sums(layer_rows(model, masks), None)
            assert {figure: said[figure] for figure in FIGURES} == pytest.approx({one: sums[one] for one in FIGURES})
        for layer, mask in end.items():
            weight = model.get_parameter(layer)
            assert not weight[~mask].any()
    # all end with the counts that the masker made
    kept = {tuple(layer["kept"] for layer in record["layers"]) for _, record in found.values()}
    assert len(kept) == 1
    begun = [load_masks(found[name][0] / "masks_start.safetensors") for name in ("rigl", "set")]
    assert all(torch.equal(mask, begun[1][name]) for name, mask in begun[0].items())

    results = pruneexp.load_results(tmp_path / "results" / "runs").set_index("key")
    for folder, record in found.values():
        row = results.loc[folder.name]
        assert row["start/lambda2_min"] == record["start"]["lambda2_min"]
        assert row["lambda2_min"] == record["lambda2_min"]
        assert row["mask_updates"] == record["mask_updates"]
    dense = results[results["asked_density"] == 1]
    assert dense["start/density"].isna().all()

    assert "4 cells checked, no problems" in run("mode=check")
    assert "0 missing" in run("mode=plan", "plan.time=false")
    # a measurement that is asked for later is of the last masks
    run("measurement=[topology]")
    for name, (_, record) in records(tmp_path).items():
        assert record["topology"], name
        before = found[name][1]
        assert {field for field in record if record[field] != before.get(field)} <= {
            "topology", "topology_layers", "measurements", "digest",
        }  # fmt: skip
    exported = pruneexp.export(found["rigl"][0], tmp_path / "network.safetensors")
    assert exported is not None
    state = safetensors.torch.load_file(tmp_path / "network.safetensors")
    for layer, mask in load_masks(found["rigl"][0] / "masks.safetensors").items():
        assert not state[layer][~mask].any()


def test_cells_killed_in_the_middle_end_as_ones_that_were_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    words = (
        *ASKED, "recipe.epochs=12", "densities=[0.2]", "mask_update=rigl,set,gmp", f"data_dir={tmp_path / 'data'}",
        "trainer.checkpoint_seconds=0.05",
    )  # fmt: skip
    assert in_process(whole, monkeypatch, capsys, *words).code == 0
    kill_after_first_checkpoint(killed, *words)
    outcome = in_process(killed, monkeypatch, capsys, *words)
    assert outcome.code == 0, outcome.err
    assert "goes on after epoch" in outcome.out
    assert files(killed) == files(whole)
    paths = [path for path in whole.glob("results/runs/*-*/*") if path.name != "record.json"]
    assert {path.name for path in paths} == {
        "masks.safetensors", "masks_start.safetensors", "weights.safetensors", "history.csv",
    }  # fmt: skip
    for path in paths:
        assert path.read_bytes() == (killed / path.relative_to(whole)).read_bytes(), path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("mask_update=rigl", "mask_update.interval=48"), "the masks would never change in the 48 steps of this training with"),
        (("mask_update=set", "mask_update.interval=36"), "take a smaller mask_update.interval, or more epochs."),
        (("mask_update=gmp", "mask_update.begin=0.7"), "with mask_update.interval=4, mask_update.begin=0.7, mask_update.until=0.75: "),
        (("mask_update=rigl", "mask_update.interval=0"), "mask_update.interval must be a whole number, at least 1"),
        (("mask_update=rigl", "mask_update.drop=0"), "mask_update.drop must be a finite number, above 0 and below 1, got 0"),
        (("mask_update=set", "mask_update.drop=1"), "mask_update.drop must be a finite number, above 0 and below 1, got 1"),
        (("mask_update=rigl", "mask_update.until=0"), "mask_update.until must be a finite number, above 0 and at most 1, got 0"),
        (("mask_update=gmp", "mask_update.until=1.5"), "mask_update.until must be a finite number, above 0 and at most 1, got 1.5"),
        (("mask_update=gmp", "mask_update.begin=0.75"), "mask_update.begin must be below mask_update.until=0.75"),
        (("mask_update=rigl", "masker=structured", "allocation=own"), "mask_update=rigl changes masks, and masker=structured removes"),
        (("mask_update=gmp", "patience=2", "dataset.validation=100"), "mask_update=gmp prunes until a late step, and patience=2 may"),
        (("mask_update=gmp", "select=best_validation", "dataset.validation=100"), "and select=best_validation may leave the network"),
        (("mask_update=gmp", "treatment=shuffle"), "how many weights each layer keeps in the end, and treatment=shuffle says which: leave"),
        (("mask_update=rigl", "mask_update.dorp=0.2"), "mask_update"),
        (("mask_update=rigl", "levels=2", "when=trained", "masker=greedy"), "changes masks while a network trains, and levels=2 between"),
        (("mask_update=rigl", "mask_update._target_=pruneexp.recipe.Recipe"), "mask_update must be a mask_update, and _target_="),
        (("mask_update=rigl", "~mask_update.interval", "mask_update._target_=tests.test_changing_cells.nothing_like_it"), "must make what"),
    ],
)  # fmt: skip
def test_what_cannot_change_masks_is_refused_in_one_sentence(
    words: tuple[str, ...],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused(in_process(tmp_path, monkeypatch, capsys, *ASKED, *words), sentence, tmp_path)


def nothing_like_it() -> str:
    return "no update"
