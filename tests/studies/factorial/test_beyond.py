"""What measures explain beyond the allocation: by hand, planted, and where they say nothing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pruneexp.studies.factorial.beyond import ALL, MEASURES, beyond
from pruneexp.studies.factorial.shares import inverted

RNG = np.random.default_rng(0)
PLACES = [(f"a{a}", f"c{c}", seed) for a in range(4) for c in range(5) for seed in range(3)]


def cells(**columns: Any) -> pd.DataFrame:
    found = pd.DataFrame(PLACES, columns=["allocation", "choice", "seed"])
    noise = {name: RNG.normal(size=len(found)) for name in MEASURES}
    return found.assign(**{"value": RNG.normal(size=len(found)), **noise, **columns})


def of(table: pd.DataFrame, measure: str) -> Any:
    return table.set_index("measure").loc[measure]


def test_by_least_squares_within_allocations() -> None:
    made = cells()
    means = made.groupby(["allocation", "choice"])[["value", "dead_filters"]].mean().reset_index()
    centred = means[["value", "dead_filters"]] - means.groupby("allocation")[["value", "dead_filters"]].transform(
        "mean"
    )
    x, y = (centred[name].to_numpy(float) for name in ("dead_filters", "value"))
    r2 = (x @ y) ** 2 / ((x @ x) * (y @ y))
    row = of(beyond(made), "dead_filters")
    assert row["n"] == 20
    assert row["partial_r2"] == pytest.approx(r2)
    assert row["slope"] == pytest.approx((x @ y) / (x @ x) * means["dead_filters"].std())
    f = r2 / (1 - r2) * 15
    assert (row["f"], row["p"]) == (pytest.approx(f), pytest.approx(stats.f.sf(f, 1, 15)))
    low, high = inverted(f, 1, 15)
    assert (row["low"], row["high"]) == (pytest.approx(low / (low + 20)), pytest.approx(high / (high + 20)))


def test_what_is_planted_is_found_and_what_is_the_allocation_is_not() -> None:
    combination = pd.DataFrame(PLACES, columns=["allocation", "choice", "seed"])
    number = combination["allocation"].str[1:].astype(float)
    measure = combination.groupby(["allocation", "choice"]).ngroup().map(dict(enumerate(RNG.normal(size=20))))
    value = 10 * number - 3 * measure + 0.1 * RNG.normal(size=60)
    found = beyond(cells(value=value, lambda2_min=measure, imdb_norm=number))
    planted, nothing = of(found, "lambda2_min"), of(found, "imdb_norm")
    assert planted["partial_r2"] > 0.98
    assert planted["slope"] == pytest.approx(-3 * np.std([*measure[::3]], ddof=1), rel=0.05)
    assert planted["low"] > 0.9
    assert planted["p"] < 1e-10
    assert nothing[["slope", "partial_r2", "low", "high", "f", "p"]].isna().all()
    together = of(found, ALL)
    assert together["partial_r2"] >= planted["partial_r2"]
    assert np.isnan(together["slope"])


def test_combinations_without_a_measure_are_left_out_of_its_row_and_of_all() -> None:
    made = cells()
    made.loc[made["choice"] == "c0", "imdb_norm"] = np.nan
    found = beyond(made)
    assert of(found, "imdb_norm")["n"] == of(found, ALL)["n"] == 16
    assert of(found, "lambda2_min")["n"] == 20
    made["imdb_norm"] = np.nan
    assert of(beyond(made), "imdb_norm")[["n", "f"]].fillna(-1).to_list() == [0, -1]


def test_a_seed_that_a_combination_lacks_is_no_effect_of_its_measure() -> None:
    """All cells of seed 2 have 6 points more; one choice, whose measure is another, is not there of it."""
    made = pd.DataFrame(PLACES, columns=["allocation", "choice", "seed"])
    noise = np.random.default_rng(3).normal(size=(2, 60))
    special = (made["choice"] == "c4").astype(float)
    made = cells(value=6.0 * (made["seed"] == 2) + 0.1 * noise[0], lambda2_min=special + 0.01 * noise[1])
    lacking = made[(made["choice"] != "c4") | (made["seed"] != 2)]
    assert of(beyond(lacking), "lambda2_min")["p"] > 0.05
    planted = lacking.assign(value=lacking["value"] + lacking["lambda2_min"])
    found = of(beyond(planted), "lambda2_min")
    assert found["p"] < 1e-6
    assert found["slope"] == pytest.approx(
        of(beyond(made.assign(value=made["value"] + made["lambda2_min"])), "lambda2_min")["slope"], rel=0.2
    )
