"""What the study of rounds varies, and how it counts what comes of it."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.layers import Layer
from pruneexp.maskers.greedy import greedy
from pruneexp.models.vgg import VGG
from pruneexp.network.initialise import initialise
from pruneexp.pruning.method import Scores
from pruneexp.scorers.ntk_sap import ntk_sap
from pruneexp.scorers.synflow import synflow
from pruneexp.seeding import stream
from pruneexp.studies import report, rounds

SHAPE = (3, 32, 32)


def network() -> nn.Module:
    model = VGG([4, "M", 6, "M"], 10, 3)
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    return model


def scored_by_weights(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    noise = torch.randn(1, generator=generator, dtype=torch.float64)
    return {name: weight.detach().double() * noise for name, weight in model.named_parameters()}


def test_in_float32_nothing_is_computed_in_float64() -> None:
    model = network()
    got = rounds.in_float32(scored_by_weights)(model, Batches(), stream(0, "a"))
    noise = torch.randn(1, generator=stream(0, "a"), dtype=torch.float64).float()
    assert all(torch.equal(got[name], weight * noise) for name, weight in model.named_parameters())
    for scorer in (synflow, ntk_sap):
        single = rounds.in_float32(scorer)(model, Batches(input_shape=SHAPE), stream(0, "a"))
        double = scorer(model, Batches(input_shape=SHAPE), stream(0, "a"))
        assert {score.dtype for score in single.values()} == {torch.float32}
        assert 0 < rounds.change(double, single) < 1e-4
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_channels_laid_out_last_change_the_last_digits() -> None:
    model = network()
    first = synflow(model, Batches(input_shape=SHAPE), stream(0, "a"))
    last = rounds.channels_last(synflow)(model, Batches(input_shape=SHAPE), stream(0, "a"))
    assert rounds.change(first, last) < 1e-14
    assert all(parameter.is_contiguous() for parameter in model.parameters())


def test_one_weight_more_is_kept_where_none_is_pruned_yet() -> None:
    score, everything = torch.arange(20.0).reshape(4, 5), torch.ones(4, 5, dtype=torch.bool)
    kept = [
        int(rounds.one_more(greedy)([Layer("a", score, available)], 0.4, stream(0, "a"), {})["a"].sum())
        for available in (everything, score > 0)
    ]
    assert kept == [9, 8]


def test_the_share_that_differs_and_the_change_of_scores_by_hand() -> None:
    one = {"a": torch.tensor([True, True, False]), "b": torch.tensor([True, True])}
    other = {"a": torch.tensor([True, False, True]), "b": torch.tensor([True, True])}
    assert rounds.differing(one, other) == rounds.differing(other, one) == 25
    assert rounds.differing(one, one) == 0
    scores = {"a": torch.tensor([3.0]), "b": torch.tensor([4.0])}
    assert rounds.change(scores, {"a": torch.tensor([3.0]), "b": torch.tensor([3.5])}) == pytest.approx(0.1)


def test_the_table_has_each_variation_at_each_density(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "resnet_cifar", lambda *options: VGG([4, "M", 6, "M"], 10, 3))
    monkeypatch.setattr(rounds, "SCORERS", {"synflow": ["scorer=synflow", "rounds=4"]})
    monkeypatch.setattr(rounds, "DENSITIES", (0.3, 0.1))
    monkeypatch.setattr(rounds, "SEEDS", {"synflow": 2})
    rounds.main(["--report-dir", str(tmp_path)])
    table = pd.read_csv(tmp_path / "tables" / "rounds.csv")
    assert len(table) == 2 * 4
    assert set(table["n"]) == {2}
    assert set(table["rounds"]) == {4}
    assert table["differs"].between(0, 100).all()
    of_scores = table["variation"].isin(["scores in float32", "sums in another order"])
    assert (table["once"].notna() == of_scores).all()
    assert table.loc[table["variation"] == "scores in float32", "scores"].between(1e-9, 1e-6).all()
    text = (tmp_path / "tables" / "rounds.md").read_text()
    assert "one more in the first round" in text
    assert "nan" not in text


def test_without_images_a_scorer_that_needs_them_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"^nothing could be scored: see above\.$"):
        rounds.main(["--report-dir", str(tmp_path), "--data-dir", str(tmp_path), "--scorers", "iter_snip"])
    assert capsys.readouterr().out.startswith("iter_snip: ")
    assert not list(tmp_path.iterdir())


def test_means_over_seeds_stand_with_the_largest_deviation() -> None:
    rows = [{"a": "x", "seed": seed, "b": value} for seed, value in enumerate((1.0, 2.0, 6.0))] + [
        {"a": "y", "seed": 0, "b": 5.0}
    ]
    table = report.over_seeds(rows, ["a"])
    assert table.to_dict("list") == {"a": ["x", "y"], "n": [3, 1], "b": [3.0, 5.0], "b_spread": [3.0, 0.0]}
    assert report.with_spread(table, {"b": 1})["b"].tolist() == ["3.0 ± 3.0", "5.0"]  # one seed has no spread
    table.loc[0, "b"] = float("nan")
    assert report.with_spread(table, {"b": 0})["b"].tolist() == ["", "5"]
