"""Allocations that cannot be, as a user meets them: one sentence, and nothing written that was not made."""

import re
from pathlib import Path

import pytest
import torch

from pruneexp.network.masks import load_masks, save_masks
from tests.command import SMALL, in_fork, in_process

ONE = ("seed=0", "densities=[0.1]", "scorer=magnitude")


def cells(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / "results" / "runs").glob("*/masks.safetensors"))


IMPOSSIBLE = {
    "a masker of neurons": (
        ("masker=structured", "allocation=erk"),
        r"masker=structured says itself how many weights each layer keeps, and takes no allocation=erk: .*",
    ),
    "a masker of groups": (
        ("masker=n_m", "allocation=global"),
        r"masker=n_m says itself how many weights each layer keeps, and takes no allocation=global: .*",
    ),
    "two rules": (
        ("masker=greedy_matched", "allocation=erk"),
        r"masker=greedy_matched says how many .* allocation=erk says otherwise: take one of the two\.",
    ),
    "two names": (
        ("masker=erk", "allocation=er"),
        r"masker=erk says how many .* allocation=er says otherwise: take masker=random beside an allocation, or leave the allocation out\.",
    ),
    "an unknown one": (("masker=random", "allocation=erdos"), r"there is no allocation 'erdos'\. .*erk.*"),
    "no path": (("masker=random", "allocation=file"), r"allocation\.path is missing: it must be the path of .*"),
    "no file": (
        ("masker=random", "allocation=file", "allocation.path=nowhere"),
        r"allocation\.path must be a finished cell's folder, or its masks\.safetensors, and there is no .*nowhere\.",
    ),
    "no rounds": (
        ("masker=random", "allocation=like_snip", "allocation.rounds=0"),
        r"allocation\.rounds must be .*, got 0\.",
    ),
    "an option of another": (("masker=random", "allocation=erk", "allocation.path=x"), r".*allocation.*path.*"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_can_be_no_cell_is_refused_before_anything_is_written(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, sentence = IMPOSSIBLE[case]
    outcome = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, *words)
    assert outcome.code == 2
    assert re.fullmatch(rf"pruneexp: {sentence}\n", outcome.err)
    assert not list(tmp_path.iterdir())


INFEASIBLE = {
    "ramanujan_fit": (
        ("masker=ramanujan_fit", "allocation=uniform", "densities=[0.02]"),
        r"ramanujan_fit cannot keep 13 of fc\.weight's weights: .*",
    ),
    "bss": (
        ("masker=bss", "allocation=uniform", "densities=[0.05]"),
        r"bss cannot keep 32 of fc\.weight's weights: .* another allocation\.",
    ),
    "radix_net": (
        ("masker=radix_net", "allocation=erk"),
        r"radix_net cannot keep \d+ of \S+'s \d+ weights: its sides allow [\d, ]+; .*",
    ),
}


@pytest.mark.parametrize("case", INFEASIBLE)
def test_a_number_that_a_masker_cannot_keep_is_refused_by_the_layers_name(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, sentence = INFEASIBLE[case]
    outcome = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, *words)
    assert outcome.code == 1  # of a cell that could not be made, as everywhere
    assert re.fullmatch(rf"pruneexp: 1 of 1 cells could not be made: digits vgg_small [^:]*: {sentence}\n", outcome.err)
    assert cells(tmp_path) == []


def test_in_a_process_of_its_own_the_others_are_made(tmp_path: Path) -> None:
    words = ("masker=ramanujan_fit,random", "allocation=uniform", "seed=0", "densities=[0.02]")
    outcome = in_fork(tmp_path, *SMALL, *words)
    assert outcome.code == 1
    assert "1 of 2 cells could not be made: digits vgg_small none ramanujan_fit" in outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    (made,) = cells(tmp_path)
    assert "random_layers" in made
    assert in_fork(tmp_path, *SMALL, "masker=structured", "allocation=erk", *ONE).code == 2


def test_the_masks_of_a_cell_give_their_counts_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, "masker=greedy_global").code == 0
    (name,) = cells(tmp_path)
    folder = tmp_path / "results" / "runs" / name
    words = ("masker=random", "allocation=file", f"allocation.path={folder}")
    assert in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, *words).code == 0
    (other,) = set(cells(tmp_path)) - {name}
    masks, theirs = (load_masks(tmp_path / "results" / "runs" / one / "masks.safetensors") for one in (other, name))
    assert {key: int(mask.sum()) for key, mask in masks.items()} == {
        key: int(mask.sum()) for key, mask in theirs.items()
    }
    assert any(not torch.equal(mask, theirs[key]) for key, mask in masks.items())
    # at another density there is another number of weights to keep
    outcome = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, *words, "densities=[0.2]")
    assert outcome.code == 1
    assert re.search(
        r"allocation\.path=\S+ keeps \d+ weights of these layers, and the density asks for \d+: use densities=\[0\.1",
        outcome.err,
    )
    save_masks({"fc.weight": torch.ones(10, 3, dtype=torch.bool)}, tmp_path / "mine.safetensors")
    words = ("masker=random", "allocation=file", f"allocation.path={tmp_path / 'mine.safetensors'}")
    outcome = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, *words)
    assert outcome.code == 1
    assert "holds the masks of another network: " in outcome.err
    assert len(cells(tmp_path)) == 2
