"""The study of how many or which, on records whose accuracies are planted."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.studies import which_or_how_many as study
from pruneexp.studies.factorial.shares import shares
from pruneexp.studies.factorial.variance import analysed
from pruneexp.sweep import Grid, Slot, grids
from tests.reports.made_records import record

ALLOCATIONS = ["erk", "like_snip", "like_synflow", "like_sparsify"]
CHOICES = ["random", "random_regular", "greedy magnitude", "sparsify magnitude", "greedy snip"]
Plan = Callable[[str, str, int], dict[str, Any] | None]


@pytest.fixture(scope="module")
def asked() -> list[Grid]:
    return grids([f"+experiment={','.join(study.EXPERIMENTS)}"])


def noise(*names: object) -> float:
    return float(np.random.default_rng(list(map(hash_of, names))).normal())


def hash_of(name: object) -> int:
    return sum((k + 1) * ord(letter) for k, letter in enumerate(str(name)))


def by_allocation(allocation: str, choice: str, seed: int) -> dict[str, Any]:
    """Accuracy comes of the allocation, a little of the choice, and of the seed."""
    mean = 60 + 5 * ALLOCATIONS.index(allocation) + 0.5 * CHOICES.index(choice) + 4 * seed
    return {"accuracy": mean + noise(allocation, choice, seed), "dead_filters": CHOICES.index(choice) + seed}


def by_choice(allocation: str, choice: str, seed: int) -> dict[str, Any]:
    mean = 40 + 5 * CHOICES.index(choice) + 4 * seed
    return {"accuracy": mean + noise(allocation, choice, seed), "dead_filters": 10 - CHOICES.index(choice)}


def slots_of(asked: list[Grid]) -> list[Slot]:
    return [slot for grid in asked for slot in grid.slots]


def levels(slot: Slot) -> tuple[str, str]:
    names = slot.job.setting.config
    masker, allocation = names["masker"]["name"], names["allocation"]["name"]
    return allocation, masker if masker.startswith("random") else f"{masker} {names['scorer']['name']}"


def fill(asked: list[Grid], folder: Path, plan: Plan, precision: str = "float32") -> None:
    """Records of the pruned cells as `plan` has them, and of the dense ones."""
    store = Store(folder)
    for slot in slots_of(asked):
        cell = next(cell for cell in slot.cells if cell.precision == precision)
        planned = plan(*levels(slot), slot.job.seed) if slot.density < 1 else {}
        if planned is not None:
            store.write(cell.key, record(cell, **{"accuracy": 90.0, "classes": 10, **planned}), {}, [])


def test_it_is_sixty_cells_of_four_allocations_and_five_choices(asked: list[Grid]) -> None:
    pruned = [slot for slot in slots_of(asked) if slot.density < 1]
    assert len({slot.cells[0].key for slot in pruned}) == len(pruned) == 60
    assert {slot.density for slot in pruned} == {0.05}
    rows = pd.DataFrame([levels(slot) for slot in pruned], columns=["allocation", "choice"])
    rows["seed"] = [slot.job.seed for slot in pruned]
    assert list(rows["allocation"].unique()) == ALLOCATIONS
    assert list(rows["choice"].unique()) == CHOICES
    assert rows.groupby(["allocation", "choice"])["seed"].agg(list).map(tuple).unique().tolist() == [(0, 1, 2)]
    assert sum(slot.density == 1 for slot in slots_of(asked)) == 3
    assert {slot.job.setting.names()["recipe"] for slot in pruned} == {"laenen_cifar_5"}


def test_a_choice_is_one_whether_or_not_its_allocation_looks_at_scores(tmp_path: Path) -> None:
    words = ["allocation=erk,leverage,global", f"results_dir={tmp_path}"]
    scored = grids([f"+experiment={','.join(study.EXPERIMENTS)}", *words])
    fill(scored, tmp_path, lambda *_: {"accuracy": 50.0})
    assert list(study.factorial(scored).cells["choice"].unique()) == CHOICES


def run(folder: Path) -> dict[str, str]:
    """The pages that the study writes of what is recorded in a folder."""
    study.main([f"results_dir={folder / 'runs'}", "--report-dir", str(folder)])
    return {
        part: (folder / "tables" / f"which_or_how_many-{part}.md").read_text()
        for part in ("variance", "means", "differences", "beyond")
    }


def test_an_accuracy_that_comes_of_the_allocation(asked: list[Grid], tmp_path: Path) -> None:
    fill(asked, tmp_path / "runs", by_allocation)
    pages = run(tmp_path)
    assert "how many weights each layer keeps matters more, and the intervals do not overlap." in pages["variance"]
    assert pages["variance"].count("Of resnet20 on cifar10 at 5 % (laenen_cifar_5, float32), for these levels,") == 1
    assert "On the scale `logit` the answer is the same." in pages["variance"]
    assert "All 60 cells are there." in pages["variance"]
    table = pd.read_csv(tmp_path / "tables" / "which_or_how_many-variance.csv")
    assert table["scale"].value_counts().to_dict() == {"accuracy": 4, "logit": 4, "rest": 4}
    assert "No cell is below 1.5 x chance." in pages["variance"]
    rows = [(a, c, s, by_allocation(a, c, s)["accuracy"]) for a in ALLOCATIONS for c in CHOICES for s in range(3)]
    cells = pd.DataFrame(rows, columns=["allocation", "choice", "seed", "value"])
    found = analysed(cells)
    ours = table[table["scale"] == "accuracy"].set_index("effect")
    for name in ("ss", "df", "f", "p"):
        assert ours[name][:3].to_dict() == pytest.approx(found.effects[name].to_dict(), rel=1e-4)
    assert ours["share"][:3].to_dict() == pytest.approx((100 * shares(found)["share"]).to_dict(), rel=1e-4)
    assert f"{ours['share']['choice']:.1f} % [{ours['share_low']['choice']:.1f}, " in pages["variance"]
    assert ours["ss"]["residual"] == pytest.approx(found.residual * 38, rel=1e-4)
    means = pd.read_csv(tmp_path / "tables" / "which_or_how_many-means.csv")
    wanted = cells.groupby(["allocation", "choice"])["value"].mean()
    assert means.set_index(["allocation", "choice"])["accuracy"].to_dict() == pytest.approx(wanted.to_dict(), rel=1e-4)
    assert f"{wanted['erk', 'greedy snip']:.1f} ± " in pages["means"]
    for end in ("png", "svg", "pdf"):
        assert (tmp_path / "figures" / f"which_or_how_many-means.{end}").exists()
    told = json.loads((tmp_path / "tables" / "which_or_how_many-variance.json").read_text())
    assert told["command"] == "python -m pruneexp.studies.which_or_how_many"


def test_an_accuracy_that_comes_of_the_choice_and_goes_with_a_measure(asked: list[Grid], tmp_path: Path) -> None:
    fill(asked, tmp_path / "runs", by_choice)
    pages = run(tmp_path)
    assert "which of them it keeps matters more, and the intervals do not overlap." in pages["variance"]
    table = pd.read_csv(tmp_path / "tables" / "which_or_how_many-beyond.csv").set_index("measure")
    assert table["partial_r2"]["dead_filters"] > 0.9
    assert table["slope"]["dead_filters"] < 0
    assert table.loc["lambda2_min"].drop("n").isna().all()  # the same in all records
    assert "correlation, not cause" in pages["beyond"]


def test_an_interaction_of_one_combination_is_told_from_one_of_many(asked: list[Grid], tmp_path: Path) -> None:
    def one(allocation: str, choice: str, seed: int) -> dict[str, Any]:
        cell = by_choice(allocation, choice, seed)
        falls = (allocation, choice) == ("like_sparsify", "greedy snip")
        return {**cell, "accuracy": cell["accuracy"] - (15 if falls else 0)}

    fill(asked, tmp_path / "runs", one)
    text = run(tmp_path)["variance"]
    assert "what a choice is worth depends on the allocation." in text
    assert (
        "Without like_sparsify x greedy snip, the combination that the two effects fit least, the interaction has"
        in text
    )
    assert "it is mostly of that one, as far as these cells tell." in text
    assert "rest: without 3 of 60 cells." in text

    def many(allocation: str, choice: str, seed: int) -> dict[str, Any]:
        cell = by_choice(allocation, choice, seed)
        across = (ALLOCATIONS.index(allocation) + CHOICES.index(choice)) % 2
        return {**cell, "accuracy": cell["accuracy"] + 6 * across}

    fill(asked, tmp_path / "others" / "runs", many)
    assert "it is not of that one alone." in run(tmp_path / "others")["variance"]


def test_which_choices_differ(asked: list[Grid], tmp_path: Path) -> None:
    fill(asked, tmp_path / "runs", by_choice)
    run(tmp_path)
    table = pd.read_csv(tmp_path / "tables" / "which_or_how_many-differences.csv").set_index(["factor", "one", "other"])
    assert len(table) == 6 + 10
    assert table["difference"]["choice", "greedy snip", "random"] == pytest.approx(20, abs=2)
    assert table["low"]["choice", "greedy snip", "random"] > 0
    page = (tmp_path / "tables" / "which_or_how_many-differences.md").read_text()
    assert "Tukey's honestly significant difference" in page


def test_missing_cells_are_named_and_the_rest_is_analysed(asked: list[Grid], tmp_path: Path) -> None:
    def partly(allocation: str, choice: str, seed: int) -> dict[str, Any] | None:
        if (allocation, choice) == ("like_snip", "sparsify magnitude") and seed > 0:
            return None
        if (allocation, choice, seed) == ("erk", "greedy snip", 2):
            return {"accuracy": None, "loss": None, "diverged": True}
        return by_allocation(allocation, choice, seed)

    fill(asked, tmp_path / "runs", partly)
    pages = run(tmp_path)
    missing = "3 of 60 cells are missing: like_snip x sparsify magnitude (seed 1, 2); erk x greedy snip (seed 2)."
    assert missing in pages["variance"]
    assert missing in pages["means"]
    table = pd.read_csv(tmp_path / "tables" / "which_or_how_many-variance.csv").set_index(["scale", "effect"])
    assert table["n"]["accuracy", "allocation"] == 57
    assert table["df"]["accuracy", "residual"] == 35
    means = pd.read_csv(tmp_path / "tables" / "which_or_how_many-means.csv").set_index(["allocation", "choice"])
    assert means["n"]["like_snip", "sparsify magnitude"] == 1
    assert pd.read_csv(tmp_path / "tables" / "which_or_how_many-differences.csv").empty
    assert f"Told where each allocation has a cell of each choice and seed. {missing}" in pages["differences"]
    assert ", n = 2 " in pages["means"]


def test_cells_near_chance_are_left_out_once_and_said_to_be(asked: list[Grid], tmp_path: Path) -> None:
    def low(allocation: str, choice: str, seed: int) -> dict[str, Any]:
        guessing = allocation == "erk" and choice == "random"
        return {"accuracy": 10.0 + seed} if guessing else by_allocation(allocation, choice, seed)

    fill(asked, tmp_path / "runs", low)
    text = run(tmp_path)["variance"]
    assert "above chance: without 3 of 60 cells." in text
    table = pd.read_csv(tmp_path / "tables" / "which_or_how_many-variance.csv").set_index(["scale", "effect"])
    assert table["n"]["above chance", "allocation"] == 57
    assert table["df"]["above chance", "interaction"] == 11  # one combination has no cell


@pytest.mark.parametrize(
    ("keep", "why"),
    [
        (lambda a, c, s: s == 0, r"20 cells of 1 seeds leave no residual .* \(20 of 60 cells are there\)"),
        (lambda a, c, s: a == "erk", r"two allocations and two choices at least \(15 of 60 cells are there\)"),
        (lambda a, c, s: False, r"none of the 60 cells is recorded"),
    ],
    ids=["one seed", "one allocation", "none"],
)
def test_what_cannot_be_analysed_is_refused_in_a_sentence(
    asked: list[Grid], tmp_path: Path, keep: Callable[..., bool], why: str
) -> None:
    fill(asked, tmp_path / "runs", lambda a, c, s: by_allocation(a, c, s) if keep(a, c, s) else None)
    with pytest.raises(UserError, match=why):
        run(tmp_path)
    assert not (tmp_path / "tables").exists()


def test_a_factorial_is_of_one_density(asked: list[Grid], tmp_path: Path) -> None:
    fill(asked, tmp_path, lambda a, c, s: by_allocation(a, c, s) if a == "erk" else None)
    with pytest.raises(UserError, match=r"differ in more \(density: 0.05, 0.02\)"):
        study.main(["densities=[0.05,0.02]", f"results_dir={tmp_path}", "--report-dir", str(tmp_path)])


def test_missing_cells_are_of_the_recipe_that_recorded_ones_are_of(tmp_path: Path) -> None:
    words = ["recipe.epochs=1", f"results_dir={tmp_path}"]
    asked = grids([f"+experiment={','.join(study.EXPERIMENTS)}", *words])
    fill(asked, tmp_path, lambda a, c, s: by_allocation(a, c, s) if s < 2 else None)
    found = study.factorial(asked)
    assert found.cells["recipe"].nunique() == 1
    assert found.missing.startswith("20 of 60 cells are missing")


def test_two_cells_of_one_allocation_and_choice_are_told(tmp_path: Path) -> None:
    words = ["masker=sparsify", "allocation=erk,uniform", "masker.guarantee=none,tree", f"results_dir={tmp_path}"]
    (first, *_), _ = (
        grid.slots for grid in grids([f"+experiment={','.join(study.EXPERIMENTS)}", *words, "densities=[0.05]"])
    )
    Store(tmp_path).write(first.cells[0].key, record(first.cells[0], 70.0), {}, [])
    with pytest.raises(
        UserError,
        match=r"one cell of each allocation, choice and seed, .*sparsify_tree magnitude, allocation=erk",
    ):
        study.main([*words, "--report-dir", str(tmp_path)])


def test_accuracies_of_two_precisions_are_not_compared(asked: list[Grid], tmp_path: Path) -> None:
    fill(asked, tmp_path / "runs", by_allocation, "bf16")
    assert "(laenen_cifar_5, bf16)" in run(tmp_path)["variance"]
    fill(asked, tmp_path / "runs", lambda a, c, s: by_allocation(a, c, s) if a == "erk" and s == 0 else None)
    with pytest.raises(
        UserError, match=r"60 are recorded in bf16 and 5 are recorded in float32: .* trainer\.precision=bf16"
    ):
        run(tmp_path)
    words = [f"results_dir={tmp_path / 'runs'}", "--report-dir", str(tmp_path)]
    study.main(["trainer.precision=bf16", *words])
    assert "All 60 cells are there." in (tmp_path / "tables" / "which_or_how_many-variance.md").read_text()
    with pytest.raises(UserError, match="5 of 60 cells are there"):
        study.main(["trainer.precision=float32", *words])


def test_records_that_a_report_has_left_are_read_too(asked: list[Grid], tmp_path: Path) -> None:
    fill(asked, tmp_path / "elsewhere", by_allocation)
    records = Store(tmp_path / "elsewhere")
    (tmp_path / "records").mkdir()
    lines = [json.dumps(one) for one in records.read_all(records.folders()).values()]
    (tmp_path / "records" / "which_or_how_many_all.jsonl").write_text("\n".join(lines) + "\n")
    assert "All 60 cells are there." in run(tmp_path)["variance"]


def test_logits_by_hand() -> None:
    found = study.logit(pd.Series([50.0, 75.0, 100.0, 0.0, 10.0]))
    assert found[[0, 1, 4]].to_list() == pytest.approx([0, math.log(3), -math.log(9)])
    assert found[[2, 3]].isna().all()
