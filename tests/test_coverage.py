"""docs/coverage.md names what makes each row that the papers print, and all that it names is there."""

import re
import subprocess
from functools import cache

import pytest

from pruneexp.system.shipped import published_dir
from scripts.results_page import ROOT
from tests.coverage import EXPERIMENTS, PAGE, Entry, entries, not_held, published_rows

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GOALS = {goal for line in re.findall(r"^([a-z0-9 -]+):", MAKEFILE, re.MULTILINE) for goal in line.split()}
PRINTED = {
    "Laenen 2023": (4, 1),
    "Deterministic Ramanujan graphs": (1, 6),
    "Cunegatti et al.": (5, 12),
}  # figures, tables
ENTRIES = entries()


@cache
def run_by(goal: str) -> set[str]:
    """The experiments that a target of the Makefile runs."""
    told = subprocess.run(["make", "-n", goal], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    loops = {name: words.split() for name, words in re.findall(r"for (\w+) in ([^;]*);", told)}
    found = set()
    for stem, name in re.findall(r"\+experiment=(\w*)\$?(\w*)", told.replace("$$", "$")):
        found |= {stem + word for word in loops[name]} if name else {stem}
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.printed}, {entry.rows}"[:60])
def test_what_makes_a_row_is_there_or_it_is_said_why_nothing_does(entry: Entry) -> None:
    assert entry.made.startswith("none: ") or entry.made.startswith("`make ")
    assert set(entry.goals) <= GOALS
    assert set(entry.experiments) <= EXPERIMENTS
    run = {name for goal in entry.goals for name in run_by(goal)}
    typed = {name for name in entry.experiments if f"+experiment={name}" in entry.made}
    assert set(entry.experiments) <= run | typed
    assert all((published_dir() / file).is_file() for file in entry.numbers)


@pytest.mark.parametrize("paper", PRINTED)
def test_every_table_and_figure_has_an_entry(paper: str) -> None:
    figures, tables = PRINTED[paper]
    (section,) = re.findall(rf"^## {re.escape(paper)}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    wanted = {f"Figure {k + 1}" for k in range(figures)} | {f"Table {k + 1}" for k in range(tables)}
    assert {entry.printed for entry in entries(section)} == wanted


def test_every_published_row_has_an_entry_in_each_table_that_prints_it() -> None:
    named = {(entry.printed, file) for entry in ENTRIES for file in entry.numbers}
    files = set()
    for file, printed, _ in published_rows():
        files.add(file)
        assert {(table, file) for table in printed} <= named
    assert len(files) >= 8


def test_every_experiment_is_told() -> None:
    assert {name for name in re.findall(r"`(?:\+experiment=)?(\w+)`", PAGE) if name in EXPERIMENTS} == EXPERIMENTS


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((\.\./[^)#]+)\)", PAGE)
    assert links
    assert all((ROOT / "docs" / link).exists() for link in links)


def test_a_target_runs_the_experiments_of_its_loop() -> None:
    assert run_by("spectral-table1") == {"laenen_table1_vgg16", "laenen_table1_resnet20"}
    assert "ramanujan_compare" in run_by("ramanujan-compare")
    assert run_by("connectivity") == set()


def test_a_row_that_no_named_experiment_holds_is_seen() -> None:
    missing = not_held({}, {"laenen_cifar"})
    assert missing == [f"laenen_table1.csv:{number}" for number in range(1, 5)]
    held = {"laenen_table1_vgg16": {f"laenen_table1.csv:{number}" for number in (1, 2)}}
    assert not_held(held, {"laenen_cifar"}) == missing[2:]
