"""Rank-biased overlap by hand; the paper's ranking tables from its own pool; what learns past them."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.prediction.learned import learned
from pruneexp.studies.prediction.pool import load_pool
from pruneexp.studies.prediction.ranking import agreement, mixture, rank_biased_overlap, similarity
from pruneexp.system.shipped import published_dir
from pruneexp.topology import METRICS

AT_INITIALISATION = ("snip", "grasp", "synflow", "prospr")


@cache
def pool() -> pd.DataFrame:
    return load_pool()


def printed(table: str, strategy: str) -> pd.Series:
    facts = pd.read_csv(published_dir() / "topology" / "mge_ranking_rbo.csv", dtype={"sparsity": str})
    facts = facts[(facts["table"] == table) & (facts["strategy"] == strategy)]
    return facts.set_index(["model", "sparsity"])["rbo_mean"]


def overlaps(scores: pd.Series, methods: tuple[str, ...] | None = None) -> pd.DataFrame:
    table = agreement(pool(), scores, methods)
    return table.assign(sparsity=table["sparsity"].astype(str)).set_index(["model", "sparsity"])


@pytest.mark.parametrize(
    ("a", "b", "p", "overlap"),
    [
        ("abc", "abc", 0.75, 1),
        ("ab", "ba", 0.25, 0.25),  # 3/4 (0 + 1/4 * 1) + 1/16
        ("abc", "cba", 0.5, 1 / 2 * (0 + 1 / 2 * 1 / 2 + 1 / 4 * 1) + 1 / 8),
        ("abc", "bac", 0.5, 1 / 2 * (0 + 1 / 2 * 1 + 1 / 4 * 1) + 1 / 8),
        ("abc", "acb", 0.5, 1 / 2 * (1 + 1 / 2 * 1 / 2 + 1 / 4 * 1) + 1 / 8),
        ("abcd", "bdac", 0.5, 1 / 2 * (0 + 1 / 2 * 1 / 2 + 1 / 4 * 2 / 3 + 1 / 8) + 1 / 16),
        ("a", "a", 0.5, 1),
    ],
)
def test_rank_biased_overlap_by_hand(a: str, b: str, p: float, overlap: float) -> None:
    assert rank_biased_overlap(a, b, p) == pytest.approx(overlap, abs=1e-12)
    assert rank_biased_overlap(b, a, p) == pytest.approx(overlap, abs=1e-12)


def test_similarity_averages_three_persistences_and_chance_is_a_third_on_seven() -> None:
    assert similarity("ab", "ba") == pytest.approx((0.25 + 0.5 + 0.75) / 3)
    rng = np.random.default_rng(0)
    drawn = [similarity(range(7), list(rng.permutation(7))) for _ in range(1500)]
    assert np.mean(drawn) == pytest.approx(0.32, abs=0.015)


@pytest.mark.parametrize(
    ("a", "b", "p", "message"),
    [
        ("ab", "ab", 1, "between 0 and 1"),
        ("ab", "ac", 0.5, "the same things"),
        ("aa", "aa", 0.5, "each once"),
        ("", "", 0.5, "at least one"),
    ],
)
def test_orders_that_cannot_be_compared(a: str, b: str, p: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rank_biased_overlap(a, b, p)


@pytest.mark.parametrize(("table", "methods"), [("table4", None), ("table11", AT_INITIALISATION)])
def test_layer_densitys_rows_are_the_papers(table: str, methods: tuple[str, ...] | None) -> None:
    ours, theirs = overlaps(-pool()["layer_density"], methods), printed(table, "layer_density")
    assert ours.index.sort_values().equals(theirs.index.sort_values())
    cells = [key for key in ours.index if key[1] != "avg"]
    assert len(cells) == 20
    assert ((ours.loc[cells, "mean"] - theirs[cells]).abs() <= 0.0051).all()
    assert (ours.loc[cells, "n"] == 3).all()


def test_table_12s_misprint_is_kept_and_is_one() -> None:
    ours, theirs = overlaps(-pool()["layer_density"], ("uniform", "er", "erk")), printed("table12", "layer_density")
    assert theirs["conv6", "0.6"] == 0.04
    cells = [key for key in ours.index if key[1] != "avg"]
    apart = [key for key in cells if abs(ours.loc[key, "mean"] - theirs[key]) > 0.0051]
    assert apart == [("conv6", "0.6")]
    assert np.mean([0.40, *(theirs["conv6", s] for s in ("0.8", "0.9", "0.95", "0.98"))]) == pytest.approx(0.606)


def test_the_mixtures_averages_are_the_papers_in_sample_and_lower_held_out() -> None:
    theirs = printed("table4", "topometric_mixture")
    models = [(model, "avg") for model in ("conv6", "resnet20", "resnet32", "wrn28_2")]
    ours = overlaps(mixture(pool(), "regressors", held_out=False))["mean"][models]
    assert ((ours - theirs[models]).abs() <= 0.05).sum() == 4
    assert overlaps(mixture(pool(), "regressors", held_out=True))["mean"][models].mean() < ours.mean()


def test_a_single_model_is_ranked_by_its_own_other_sparsities() -> None:
    frame = pool()
    alone = frame[frame["model"] == "resnet20"]
    scores = mixture(alone, "drop", held_out=True)
    complete = alone.dropna(subset=list(METRICS)).index
    assert scores[complete].notna().all()
    cell = alone["sparsity"] == 0.9
    lied = alone.assign(drop=alone["drop"].where(~cell, -alone["drop"]))
    assert np.allclose(
        mixture(lied, "drop", held_out=True)[cell], scores[cell], equal_nan=True
    )  # which it has not seen


def test_the_forest_has_not_seen_what_it_ranks_and_beats_what_has() -> None:
    frame = pool()
    cell = (frame["model"] == "resnet20") & (frame["sparsity"] == 0.9)
    lied = frame.assign(drop=frame["drop"].where(~cell, -frame["drop"]))
    small = frame["model"].isin(("resnet20", "resnet32")) & frame["sparsity"].isin((0.8, 0.9))
    honest, told = (learned(part[small], "forest", trees=20) for part in (frame, lied))
    assert np.array_equal(honest[cell], told[cell], equal_nan=True)
    assert not np.array_equal(honest[small & ~cell], told[small & ~cell], equal_nan=True)
    honest, told = (mixture(part[small], "drop") for part in (frame, lied))
    assert np.array_equal(honest[cell], told[cell], equal_nan=True)

    models = [(model, "avg") for model in ("conv6", "resnet20", "resnet32", "wrn28_2")]
    forest = overlaps(learned(frame, "forest", trees=60))["mean"][models]
    for rival in (mixture(frame, "drop", held_out=False), -frame["layer_density"], learned(frame, "prior")):
        assert forest.mean() > overlaps(rival)["mean"][models].mean() + 0.05


def test_what_cannot_be_ranked() -> None:
    frame = pool()
    alone = frame[(frame["model"] == "conv6") & (frame["sparsity"] == 0.9)]
    with pytest.raises(UserError, match="at least two pruning methods"):
        agreement(frame, frame["drop"], ("snip",))
    with pytest.raises(UserError, match="nothing is left"):
        learned(alone, "ridge")
    with pytest.raises(UserError, match="at least three networks"):
        mixture(alone, "drop")
    with pytest.raises(UserError, match="Did you mean 'forest'"):
        learned(frame, "forst")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="Did you mean 'drop'"):
        mixture(frame, "dropp")  # type: ignore[arg-type]
