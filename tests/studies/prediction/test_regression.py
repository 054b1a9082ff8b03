"""Adjusted R^2 and importance by hand; Table 3 within reach."""

import numpy as np
import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies.prediction.importance import correlations, importance, importances
from pruneexp.studies.prediction.pool import METRICS, load_pool
from pruneexp.studies.prediction.regression import adjusted_r2, cross_validate, min_max, regressors, table3
from pruneexp.system.shipped import published_dir


def test_adjusted_r2_by_hand() -> None:
    truth, predicted = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 2, 3, 4, 7])
    # residuals 4, spread 10: R^2 = 0.6; one feature: 1 - 0.4 * 4 / 3
    assert adjusted_r2(truth, predicted, 1) == pytest.approx(1 - 0.4 * 4 / 3)
    assert adjusted_r2(truth, truth, 3) == 1
    with pytest.raises(UserError, match="more than 5 values"):
        adjusted_r2(truth, predicted, 4)
    with pytest.raises(UserError, match="not all the same"):
        adjusted_r2(np.ones(9), np.ones(9), 1)


def test_scaling_leaves_a_constant_column_at_zero() -> None:
    assert min_max(np.array([[1.0, 7], [3, 7], [2, 7]])).tolist() == [[0, 0], [1, 0], [0.5, 0]]


def test_eight_regressors_find_a_line_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((120, 3))
    assert len(regressors()) == 8
    line = cross_validate(x, x @ [1.0, -2.0, 0.0], repeats=2)
    assert (line[:, 0] > 0.98).all()
    assert (cross_validate(x, rng.random(120), repeats=2)[:, 0] < 0.05).all()
    assert np.array_equal(line, cross_validate(x, x @ [1.0, -2.0, 0.0], repeats=2))


def test_importance_of_what_matters_and_of_what_does_not() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((200, 2))
    drop = -x[:, 0] + 0.1 * rng.random(200)
    assert correlations(x, drop)[0] == pytest.approx(np.corrcoef(x[:, 0], drop)[0, 1])
    for how in ("drop", "regressors"):
        first, second = importance(x, drop, how)
        assert first < -0.9 < -0.25 < second < 0.25


def test_table_3s_sparsities_and_networks_from_the_pool() -> None:
    rows = pd.DataFrame(table3(load_pool(), repeats=1))
    assert rows.groupby("encoding").size().to_dict() == dict.fromkeys(
        ("rolled_bge", "rolled_channel_bge", "unrolled_mge"), 18
    )
    keys = ["metric", "encoding", "scenario", "group"]
    facts = pd.read_csv(published_dir() / "topology" / "mge_regression.csv", dtype={"group": str}).set_index(keys)[
        "mean"
    ]
    apart = (rows.set_index(keys)["mean"] - facts).abs()
    mge = apart.xs("unrolled_mge", level="encoding")
    assert (mge["adjusted_r2"] > 0.04).sum() == 1  # Conv-6
    assert mge["mae"].max() < 0.006
    assert apart["adjusted_r2"].median() < 0.025


def test_too_little_to_regress() -> None:
    pool = load_pool()
    with pytest.raises(UserError, match="repeats must be a whole number"):
        list(table3(pool, repeats=0))
    with pytest.raises(UserError, match="networks with every metric; unrolled_mge needs 18"):
        list(table3(pool[:60], repeats=1))


def test_importances_have_a_row_a_group() -> None:
    table = importances(load_pool(), "model", "drop")
    assert list(table.index) == ["conv6", "resnet20", "resnet32", "wrn28_2"]
    assert list(table.columns) == list(METRICS)
    assert table.abs().to_numpy().max() <= 1
    assert (table.loc[["resnet20", "resnet32"], ["sink", "source"]] > 0.4).all(axis=None)
