"""The analysis of variance against sums of squares by their formulas, and of cells that are not all there."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from pruneexp.errors import UserError
from pruneexp.studies.factorial.variance import analysed
from tests.studies.factorial.made import effects, made

VALUES = np.array([[[10.0, 13.0], [14.0, 20.0]], [[20.0, 21.0], [22.0, 29.0]]])  # [allocation, choice, seed]


def by_hand(values: np.ndarray) -> pd.DataFrame:
    rows = [(f"a{a}", f"c{c}", int(s), value) for (a, c, s), value in np.ndenumerate(values)]
    return pd.DataFrame(rows, columns=["allocation", "choice", "seed", "value"])


def test_a_whole_factorial_by_hand() -> None:
    found = analysed(by_hand(VALUES))
    # mean 18.625; allocations 14.25, 23; choices 16, 21.25; combinations 11.5, 17, 20.5, 25.5; seeds 16.5, 20.75
    assert found.effects["ss"].to_dict() == pytest.approx(
        {"allocation": 8 * 4.375**2, "choice": 8 * 2.625**2, "interaction": 8 * 0.125**2}
    )
    assert found.effects["df"].to_dict() == {"allocation": 1, "choice": 1, "interaction": 1}
    # of two seeds the residual is how much their differences 3, 6, 1, 7 differ from their mean 4.25, halved
    assert (found.freedom, found.cells) == (3, 8)
    assert found.residual == pytest.approx(11.375 / 3)
    assert found.effects["f"]["allocation"] == pytest.approx(153.125 / (11.375 / 3))
    assert found.effects["p"]["choice"] == pytest.approx(stats.f.sf(55.125 / (11.375 / 3), 1, 3))
    # the differences of the allocations are 4.5 and 4, of the choices 2 and 6.5
    assert found.errors["ms"].to_dict() == pytest.approx(
        {"allocation": 2 * 0.25**2, "choice": 2 * 2.25**2, "interaction": 11.375 - 0.125 - 10.125}
    )
    assert found.errors["df"].to_dict() == {"allocation": 1, "choice": 1, "interaction": 1}
    assert found.effects["f_seeds"]["choice"] == pytest.approx(55.125 / 10.125)
    assert found.effects["p_seeds"]["choice"] == pytest.approx(stats.f.sf(55.125 / 10.125, 1, 1))


def test_sums_of_squares_are_those_of_the_formulas() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 5, 3)) + rng.normal(size=(4, 5, 1)) + 10 * rng.normal(size=3)
    found = analysed(by_hand(values))
    mean, of_a, of_c = values.mean(), values.mean(axis=(1, 2)), values.mean(axis=(0, 2))
    both, of_s = values.mean(axis=2), values.mean(axis=(0, 1))
    squares = {
        "allocation": 15 * ((of_a - mean) ** 2).sum(),
        "choice": 12 * ((of_c - mean) ** 2).sum(),
        "interaction": 3 * ((both - of_a[:, None] - of_c + mean) ** 2).sum(),
    }
    assert found.effects["ss"].to_dict() == pytest.approx(squares)
    assert found.effects["df"].to_dict() == {"allocation": 3, "choice": 4, "interaction": 12}
    residual = ((values - both[:, :, None] - of_s + mean) ** 2).sum()
    assert (found.residual * found.freedom, found.freedom) == (pytest.approx(residual), 38)


def test_what_seeds_differ_by_is_removed() -> None:
    means, _ = effects([0, 1, 3], [0, 2])
    alike = analysed(made(means, np.zeros(3), 1.0, np.random.default_rng(0)))
    apart = analysed(made(means, np.array([-40.0, 5.0, 35.0]), 1.0, np.random.default_rng(0)))
    pd.testing.assert_frame_equal(alike.effects, apart.effects)
    assert apart.residual == pytest.approx(alike.residual)


@pytest.mark.parametrize("lost", [[0], [0, 17, 33, 34]])
def test_without_some_cells_squares_are_of_type_two(lost: list[int]) -> None:
    means, _ = effects([0, 1, 3], [0, 2, 2, 5])
    cells = made(means, np.array([0.0, 1.0, 5.0]), 1.0, np.random.default_rng(1)).drop(lost)
    found = analysed(cells)
    table = anova_lm(ols("value ~ C(seed) + C(allocation) * C(choice)", cells).fit(), typ=2)
    wanted = table.loc[["C(allocation)", "C(choice)", "C(allocation):C(choice)"]]
    for ours, theirs in {"ss": "sum_sq", "df": "df", "f": "F", "p": "PR(>F)"}.items():
        assert found.effects[ours].to_numpy() == pytest.approx(wanted[theirs].to_numpy())
    assert found.freedom == table.loc["Residual", "df"]
    apart = "value ~ C(seed) + C(allocation) * C(choice) + C(seed):C(allocation) + C(seed):C(choice)"
    table = anova_lm(ols(apart, cells).fit(), typ=2)
    errors = table.loc[["C(seed):C(allocation)", "C(seed):C(choice)", "Residual"]]
    assert (found.errors["ms"] * found.errors["df"]).to_numpy() == pytest.approx(errors["sum_sq"].to_numpy())
    assert found.errors["df"].to_numpy() == pytest.approx(errors["df"].to_numpy())


def test_errors_of_a_whole_factorial_are_the_residual() -> None:
    found = analysed(made(effects([0, 1, 3], [0, 2, 2, 5])[0], np.zeros(3), 1.0, np.random.default_rng(1)))
    assert found.errors["df"].to_dict() == {"allocation": 4, "choice": 6, "interaction": 12}
    assert (found.errors["ms"] * found.errors["df"]).sum() == pytest.approx(found.residual * found.freedom)


def test_what_an_allocation_happens_to_be_worth_with_a_seed_is_no_effect() -> None:
    rng, cells = np.random.default_rng(0), made(np.zeros((4, 5)), np.zeros(3), 1.0, np.random.default_rng(0))
    found = []
    for _ in range(200):
        chance = 0.7 * rng.normal(size=(4, 3))[cells["allocation"].str[1].astype(int), cells["seed"]]
        found.append(analysed(cells.assign(value=chance + rng.normal(size=60))).effects)
    rejected = {test: np.mean([one[test]["allocation"] < 0.05 for one in found]) for test in ("p", "p_seeds")}
    assert rejected["p"] > 0.25
    assert rejected["p_seeds"] == pytest.approx(0.05, abs=0.045)


def test_a_combination_without_any_cell_leaves_the_interaction_of_the_others() -> None:
    means, _ = effects([0, 1, 3], [0, 2, 2, 5])
    cells = made(means, np.zeros(3), 1.0, np.random.default_rng(1))
    found = analysed(cells[(cells["allocation"] != "a1") | (cells["choice"] != "c2")])
    assert found.effects["df"].to_dict() == {"allocation": 2, "choice": 3, "interaction": 5}
    assert (found.cells, found.freedom) == (33, 33 - 11 - 2)


def test_of_a_cross_of_combinations_no_interaction_is_told() -> None:
    means, _ = effects([0, 1, 3], [0, 2, 5])
    cells = made(means, np.zeros(3), 1.0, np.random.default_rng(1))
    found = analysed(cells[(cells["allocation"] == "a0") | (cells["choice"] == "c0")])
    assert found.effects["df"].to_dict() == {"allocation": 2, "choice": 2}


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("allocation == 'a0'", "needs cells of two allocations and two choices"),
        ("seed == 0", "4 cells of 1 seeds leave no residual"),
        ("value > 1e9", "needs cells of two allocations and two choices"),
        ("value != 29", "do not tell how the effect of interaction differs between seeds"),
        ("(allocation == 'a0') == (choice == 'c0')", "do not tell the levels of allocation apart"),
    ],
)
def test_what_cannot_be_analysed_is_refused(query: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        analysed(by_hand(VALUES).query(query))


def test_cells_that_do_not_differ_by_seed_are_refused() -> None:
    with pytest.raises(UserError, match="no residual"):
        analysed(by_hand(VALUES.mean(axis=2, keepdims=True).repeat(2, axis=2)))
