"""The tables of what options do to masks, on handwritten digits."""

import json
import os
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pruneexp.errors import UserError
from pruneexp.studies import method_options
from pruneexp.studies.method_options import Made, common
from pruneexp.sweep import expand

SMALL = ("model=vgg_small", "dataset=digits", "masker=greedy_global", "recipe=smoke")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network, and no process but this one."""
    monkeypatch.setattr(method_options, "SETTING", SMALL)
    monkeypatch.setattr(method_options, "apart", lambda function, *arguments: function(*arguments))


def test_common_weights_are_counted_over_the_layers() -> None:
    one = {"a": torch.tensor([True, True, False]), "b": torch.tensor([True, False])}
    other = {"a": torch.tensor([True, False, True]), "b": torch.tensor([True, True])}
    assert common(one, other) == pytest.approx(100 * 2 / 3)
    assert common(other, one) == pytest.approx(100 * 2 / 4)


@pytest.mark.parametrize("name", list(method_options.CASES))
def test_every_case_can_be_typed(name: str) -> None:
    for options in method_options.CASES[name]:
        words = method_options.words_of(options)
        assert len(expand([*SMALL, f"scorer={name}", *words, "seed=0"]).jobs) == 1


def test_a_case_is_of_the_scorer_or_of_the_cell() -> None:
    words = method_options.words_of(f"samples=128 batchnorm_init=uniform {method_options.DRAW}")
    assert words == ["scorer.samples=128", "batchnorm_init=uniform"]


def test_another_draw_scores_the_same_network(here: None, tmp_path: Path) -> None:
    own, other, again = (
        method_options.made("snip", f"samples=16 {draw}", 1, str(tmp_path)) for draw in ("", method_options.DRAW, "")
    )
    assert [one.density for one in own] == list(method_options.DENSITIES)
    for one, drawn, same in zip(own, other, again, strict=True):
        assert common(one.masks, same.masks) == 100
        assert 5 < common(one.masks, drawn.masks) < 100
        assert 0 <= one.effective <= 100 * one.density + 0.1
        assert one.seconds > 0
    # without data and streams nothing is drawn but the network, which is the same
    fixed = [method_options.made("magnitude", draw, 1, str(tmp_path))[0].masks for draw in ("", method_options.DRAW)]
    assert common(*fixed) == 100


def test_a_table_of_each_method_has_means_and_spreads(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(method: str, options: str, seed: int, data_dir: str) -> list[Made]:
        kept = {"": [1, 1, 1, 1], "augment=true": [1, 1, 1, 0]}[options]
        mask = {
            "w": torch.tensor(
                [
                    *kept[:-1],
                    kept[-1] if seed == 0 else 1,
                    0,
                ]
            ).bool()
        }
        mask["w"] |= torch.tensor([0, 0, 0, 0, options != ""]).bool()
        return [Made(density, seed, mask, seed * 2.0, 1.0, 3.0) for density in (0.1, 0.02)]

    monkeypatch.setattr(method_options, "made", made)
    monkeypatch.setattr(method_options, "CASES", {"snip": ("", "augment=true")})
    method_options.main(["--methods", "snip", "--seeds", "0", "1", "--report-dir", str(tmp_path), "--data-dir", "x"])
    table = pd.read_csv(tmp_path / "tables" / "method_options-snip.csv")
    assert list(table["options"]) == ["none", "none", "augment=true", "augment=true"]
    assert list(table["density"]) == [0.1, 0.02, 0.1, 0.02]
    assert (table["n"] == 2).all()
    assert list(table["common"]) == [100, 100, pytest.approx(77.5), pytest.approx(77.5)]  # 3 of 4, 4 of 5
    assert list(table["common_spread"]) == [0, 0, 2.5, 2.5]
    assert (table["effective"] == 1).all()
    assert (table["paths"] == 1).all()  # the first seed has none
    told = json.loads((tmp_path / "tables" / "method_options-snip.json").read_text())
    assert told["command"] == "python -m pruneexp.studies.method_options --methods snip --seeds 0 1"
    assert "77.5 ± 2.5" in capsys.readouterr().out
    with pytest.raises(UserError, match="seeds must be"):
        method_options.main(["--methods", "snip", "--seeds", "-1"])


def test_options_whose_process_is_killed_are_left_out(
    here: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def apart(function: Any, method: str, options: str, seed: int, data_dir: str) -> list[Made]:
        if options:
            raise BrokenProcessPool
        return [Made(density, seed, {"w": torch.tensor([True])}, 1.0, 1.0, 3.0) for density in (0.1, 0.02)]

    monkeypatch.setattr(method_options, "apart", apart)
    monkeypatch.setattr(method_options, "CASES", {"snip": ("", "augment=true")})
    assert list(method_options.method_options("snip", "x", [0])["options"]) == ["none", "none"]
    assert "snip augment=true: the process was killed, perhaps for want of memory; left out" in capsys.readouterr().out
    monkeypatch.setattr(method_options, "CASES", {"snip": ("augment=true",)})
    with pytest.raises(UserError, match="the others are compared with it"):
        method_options.method_options("snip", "x", [0])


def _die(*_: object) -> list[Made]:
    os._exit(1)


def test_a_process_that_dies_is_told_of() -> None:
    with pytest.raises(BrokenProcessPool):
        method_options.apart(_die)
