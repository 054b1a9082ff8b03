"""The study of the best of both: differences paired by seed, Holm's correction over the table, and what is said of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.reports.comparison import holm
from pruneexp.studies import best_of_both as study
from pruneexp.sweep import expand
from tests.reports.made_records import record

OURS, SYNFLOW, ERK = "random_regular, allocation=like_synflow", "greedy_global synflow", "erk"
SEEDS = np.array([0.0, 5.0, -7.0])


def cells(**accuracies: dict[str, list[float]]) -> pd.DataFrame:
    """Accuracies by model, method and seed, at 2 %."""
    rows = [
        ("cifar10", model, "short", "float32", 0.02, method, seed, accuracy)
        for model, methods in accuracies.items()
        for method, values in methods.items()
        for seed, accuracy in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=[*study.WITHIN, "method", "seed", "accuracy"])


def test_of_one_rival_it_is_the_paired_t_test() -> None:
    ours, theirs = [70.0, 76.0, 63.5], [69.5, 74.0, 62.0]
    table, lacking = study.differences(cells(vgg={OURS: ours, ERK: theirs}), OURS)
    paired = stats.ttest_rel(ours, theirs)
    low, high = paired.confidence_interval(0.95)
    (row,) = table.to_dict("records")
    assert lacking == []
    assert (row["rival"], row["n"]) == (ERK, 3)
    assert (row["ours"], row["theirs"]) == (pytest.approx(np.mean(ours)), pytest.approx(np.mean(theirs)))
    assert (row["difference"], row["ci95"]) == (pytest.approx(4 / 3), pytest.approx((high - low) / 2))
    assert row["p"] == row["p_holm"] == pytest.approx(paired.pvalue)


def test_holms_correction_is_over_the_whole_table() -> None:
    rng = np.random.default_rng(0)
    models = {name: {m: list(70 + SEEDS + rng.normal(size=3)) for m in (OURS, SYNFLOW, ERK)} for name in ("a", "b")}
    table, _ = study.differences(cells(**models), OURS)
    assert table[["model", "rival"]].to_numpy().tolist() == [["a", SYNFLOW], ["a", ERK], ["b", SYNFLOW], ["b", ERK]]
    ordered = table.sort_values("p")
    by_hand = np.minimum(np.maximum.accumulate(ordered["p"].to_numpy() * [4, 3, 2, 1]), 1)
    assert ordered["p_holm"].to_numpy() == pytest.approx(by_hand)


def test_holm_by_hand() -> None:
    # of 0.01, 0.03, 0.04: 0.03, then 0.06, then 0.04 is raised to it
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])


def near(values: np.ndarray) -> list[float]:
    return list(values + np.array([0.1, -0.1, 0.0]))


def test_a_gain_is_told_where_it_is_over_every_rival() -> None:
    a = {OURS: list(75 + SEEDS), SYNFLOW: near(60 + SEEDS), ERK: near(50 + SEEDS)}
    b = {OURS: list(60 + SEEDS), SYNFLOW: near(60 + SEEDS), ERK: near(40 + SEEDS)}
    table, _ = study.differences(cells(a=a, b=b), OURS)
    told = study.verdict(table, OURS, 2)
    assert told.startswith(f"Of 4 comparisons of {OURS}, it is ahead in 3 and behind in 0 at the 5 % level")
    assert "There is a gain over every rival: a on cifar10 at 2 %. " in told


def test_a_rival_that_is_missing_is_not_beaten() -> None:
    a = {OURS: list(75 + SEEDS), SYNFLOW: [float("nan")] * len(SEEDS), ERK: near(50 + SEEDS)}
    table, lacking = study.differences(cells(a=a), OURS)
    assert len(lacking) == 1
    assert "Nowhere is there a gain over every rival." in study.verdict(table, OURS, 2)


def test_where_there_is_no_gain_that_is_the_plain_finding() -> None:
    a = {OURS: list(60 + SEEDS), SYNFLOW: near(75 + SEEDS), ERK: near(60 + SEEDS)}
    told = study.verdict(study.differences(cells(a=a), OURS)[0], OURS, 2)
    assert "it is ahead in 0 and behind in 1 at the 5 % level, Holm-corrected; in 1 no difference is told." in told
    assert "Nowhere is there a gain over every rival." in told
    assert "a smaller difference could well have been missed" in told


def test_rivals_that_lack_seeds_are_left_out_and_named() -> None:
    frame = cells(a={OURS: [60.0, 61.0, 63.0], SYNFLOW: [50.0], ERK: [55.0, 57.0, np.nan]})
    table, lacking = study.differences(frame, OURS)
    assert table[["rival", "n"]].to_numpy().tolist() == [[ERK, 2]]
    assert table["p_holm"].to_list() == pytest.approx([min(1.0, 2 * table["p"][0])])  # the other may yet be told
    assert lacking == [f"a on cifar10 at 2 %: {SYNFLOW} and ours have fewer than 2 seeds in common."]
    with pytest.raises(UserError, match="nothing can be compared"):
        study.differences(frame[frame["method"] != ERK], OURS)


@pytest.mark.parametrize("alone", [True, False], ids=["the other network missing", "both"])
def test_the_study_of_recorded_cells(tmp_path: Path, alone: bool) -> None:
    store = Store(tmp_path / "runs")
    for name in (study.NAME, study.RIVALS):
        for slot in expand([f"+experiment={name}", "densities=[0.02]"]).slots:
            cell = slot.cells[0]
            mean = {"random_regular": 80.0, "greedy_global": 70.0}.get(cell.names["masker"], 60.0)
            if not alone or cell.names["model"] == "resnet20":
                noise = 0.1 * slot.job.seed * (mean == 70)
                store.write(cell.key, record(cell, mean + float(SEEDS[slot.job.seed]) + noise), {}, [])
    words = ["densities=[0.02]", f"results_dir={tmp_path / 'runs'}", "--report-dir", str(tmp_path)]
    study.main(words)
    table = pd.read_csv(tmp_path / "tables" / "best_of_both-densities=0.02-differences.csv")
    assert table["rival"].to_list() == [SYNFLOW, ERK] * (1 if alone else 2)
    assert table["difference"][:2].to_list() == pytest.approx([9.9, 20], abs=0.01)
    text = (tmp_path / "tables" / "best_of_both-densities=0.02-differences.md").read_text()
    assert f"of {OURS}, it is ahead in {len(table)} and behind in 0" in text
    assert ("9 of 18 cells are missing." in text) == alone


def test_ours_may_be_another_method_and_is_one(tmp_path: Path) -> None:
    words = [
        "densities=[0.02]",
        "model=resnet20",
        f"results_dir={tmp_path / 'runs'}",
        "--report-dir",
        str(tmp_path),
        "--ours",
    ]
    cell = expand(["+experiment=best_of_both", *words[:2], "masker=greedy", "scorer=snip", "seed=0"]).slots[0].cells[0]
    Store(tmp_path / "runs").write(cell.key, record(cell, 70.0), {}, [])
    with pytest.raises(UserError, match=r"since ours \(greedy snip, allocation=like_synflow\) and no rival"):
        study.main([*words, "masker=greedy", "scorer=snip"])
    with pytest.raises(
        UserError,
        match=r"ours is one method, and these words ask for greedy snip, allocation=like_synflow, random, allocation=like_synflow",
    ):
        study.main([*words, "masker=greedy,random", "scorer=snip"])


def test_methods_that_differ_in_more_than_masker_scorer_and_allocation_have_names_of_their_own(tmp_path: Path) -> None:
    words = ["densities=[0.02]", "model=resnet20", f"results_dir={tmp_path / 'runs'}", "--report-dir", str(tmp_path)]
    ours = ["allocation=own", "masker=erk", "mask_update=rigl"]
    asked = [
        expand([f"+experiment={name}", *words[:2], *own]) for name, own in ((study.NAME, ours), (study.RIVALS, []))
    ]
    for slot in asked[0].slots + asked[1].slots:
        moves = "mask_update" in slot.cells[0].description
        Store(tmp_path / "runs").write(
            slot.cells[0].key,
            record(slot.cells[0], 70.0 + 5 * moves + slot.job.seed + 0.1 * slot.job.seed * moves),
            {},
            [],
        )
    study.main([*words, "--ours", *ours])
    (table,) = (tmp_path / "tables").glob("best_of_both-*mask_update=rigl*-differences.csv")
    found = pd.read_csv(table)
    assert found["rival"].to_list() == [SYNFLOW, ERK]
    assert found["difference"].to_list() == pytest.approx([5.1, 5.1])
    assert "comparisons of erk, mask_update=rigl, it is ahead" in table.with_suffix(".md").read_text()


@pytest.mark.parametrize("word", ["report_dir=elsewhere", "where=seed==0", "mode=report"])
def test_words_that_a_study_has_no_part_for_are_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(UserError, match=f"{word} has no part in a study"):
        study.main([word, "--report-dir", str(tmp_path)])


def test_dense_cells_alone_are_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ask for no pruned cell"):
        study.main(["densities=[1.0]", f"results_dir={tmp_path}", "--report-dir", str(tmp_path)])
