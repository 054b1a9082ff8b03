"""How a command line's grid stands to the one that its experiment declares, and what its report is called for it."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruneexp.jobs.composing import Source, hydra
from pruneexp.jobs.declared import LONGEST, Declared, declared, stem_of
from pruneexp.jobs.overrides import Parser
from pruneexp.jobs.words import opened
from pruneexp.sweep import expand
from tests.properties import PROPERTY

NAME = re.compile(r"[A-Za-z0-9._+=-]+")
LONGEST_END = "-lambda2-layers.svg"


def stands(*words: str) -> Declared:
    """How the words stand to the default grid, without composing their own."""
    with hydra(Source()) as loader:
        parser = Parser(loader)
        name = next((word.partition("=")[2] for word in words if word.startswith("name=")), "quickstart")
        return declared(parser, "config", parser.parse(words), name)


# words that have no part in it


@pytest.mark.parametrize(
    "word",
    [
        "mode=report", "report_dir=elsewhere", "results_dir=there", "data_dir=d", "logger=none", "launcher=gpus", "where=\"seed == 0\"",
        "columns=[n]", "figure=[]", "figures=[lambda2]", "measurement=[latency]", "topology=full", "latency=true", "trainer.threads=1",
        "title=Mine", "records=[]", "plan.time=false", "format=onnx", "trainer.precision=auto", "trainer.precision=float32",
        "trainer.accelerator=cpu",
    ],
)  # fmt: skip
def test_words_that_make_no_other_cells_are_no_part_of_the_name(word: str) -> None:
    found = stands(word, "masker=sparsify,greedy")
    assert (found.title(), found.changes, found.narrows) == ("quickstart", (), ())


@pytest.mark.parametrize(
    "word",
    [
        "recipe=digits", "recipe.lr=0.05", "recipe.epochs=8", "rounds=1", "initialisation=kaiming_normal", "seed=0,1,2", "seed=2,0,1",
        "masker=greedy,sparsify", "densities=[1.0,0.2,0.1,0.05,0.02]", "densities=[0.02,0.05,0.1,0.2,1.0]", "dataset=digits",
        "treatment=[]", "scorer=magnitude", "weights=none",
    ],
)  # fmt: skip
def test_words_that_say_what_the_experiment_says_change_nothing(word: str) -> None:
    assert stands(word) == Declared("quickstart")


def test_a_grid_that_is_declared_is_its_own_whole() -> None:
    grid = expand(["seed=0,1,2", "mode=report", "figures=[]"])
    assert grid.whole is grid
    assert grid.declared.title() == "quickstart"


# parts of it


PARTS = [
    ["seed=0"], ["seed=1,2"], ["densities=[0.1]"], ["densities=[1.0,0.02]"], ["masker=greedy"], ["densities=[0.1],[0.2]"],
    ["trainer.precision=float32,bf16"], ["trainer.accelerator=cpu,cuda", "seed=0"],
]  # fmt: skip


@pytest.mark.parametrize("words", PARTS, ids=" ".join)
def test_words_that_choose_declared_values_are_no_part_of_the_name(words: list[str]) -> None:
    assert stands(*words, "logger=none") == Declared(
        "quickstart", narrows=tuple(map(opened, words)), others=("logger=none",)
    )


@pytest.mark.parametrize(
    ("words", "cells"),
    [
        (["seed=0", "trainer.precision=float32,bf16"], 18),
        (["masker=sparsify", "seed=2", "densities=[0.05]", "logger=none"], 1),
    ],
)
def test_a_choice_of_declared_values_is_a_part_of_the_whole(words: list[str], cells: int) -> None:
    grid = expand(words)
    assert len(grid.slots) == cells
    assert grid.declared.title() == "quickstart"
    whole = grid.whole
    assert whole is not None
    assert len(whole.slots) == 27
    keys = {cell.key for slot in whole.slots for cell in slot.cells}
    assert {cell.key for slot in grid.slots for cell in slot.cells} <= keys


def test_a_choice_of_treatments_is_a_part_of_an_experiment_that_sweeps_them() -> None:
    grid = expand(["+experiment=topology_controls", "treatment=[invert,shuffle]", "seed=0", "densities=[0.1]"])
    assert grid.declared.title() == "topology_controls"
    assert grid.whole is not None
    assert len(grid.whole.slots) == 51


# other grids


@pytest.mark.parametrize(
    ("words", "title", "stem"),
    [
        (["recipe=smoke"], "quickstart[recipe=smoke]", "quickstart-recipe=smoke"),
        (["recipe.epochs=1"], "quickstart[recipe.epochs=1]", "quickstart-recipe.epochs=1"),
        (["recipe.epochs=1,2"], "quickstart[recipe.epochs=1,2]", "quickstart-recipe.epochs=1_2"),
        (["seed=0,7"], "quickstart[seed=0,7]", "quickstart-seed=0_7"),
        (["masker=erk"], "quickstart[masker=erk]", "quickstart-masker=erk"),
        (["densities=[0.3, 0.1]"], "quickstart[densities=[0.3, 0.1]]", "quickstart-densities=0.3_0.1"),
        (["treatment=[shuffle]"], "quickstart[treatment=[shuffle]]", "quickstart-treatment=shuffle"),
        (["shuffle=true"], "quickstart[shuffle=true]", "quickstart-shuffle=true"),
        (["rounds=3", "recipe=smoke"], "quickstart[recipe=smoke,rounds=3]", "quickstart-recipe=smoke+rounds=3"),
        (["recipe=smoke", "rounds=3"], "quickstart[recipe=smoke,rounds=3]", "quickstart-recipe=smoke+rounds=3"),
        (["name=mine", "recipe=smoke"], "mine[recipe=smoke]", "mine-recipe=smoke"),
        (["recipe.momentum=0.5", "seed=0"], "quickstart[recipe.momentum=0.5]", "quickstart-recipe.momentum=0.5"),
    ],
)
def test_words_that_make_other_cells_stand_in_the_name(words: list[str], title: str, stem: str) -> None:
    assert stands(*words).title() == title
    assert stem_of(title) == stem


def test_of_a_path_only_the_last_part_stands_in_the_name(tmp_path: Path) -> None:
    declared = Declared("x", changes=(f"weights={tmp_path}/some/place/", "weights='/a/b.pth'"))
    assert declared.title() == "x[weights=DIR,weights=b.pth]"
    assert str(tmp_path) not in stem_of(declared.title())


def test_narrowing_that_means_something_else_without_its_words_is_no_part() -> None:
    experiment = "+experiment=ramanujan_compare"
    part = expand([experiment, "masker=ramanujan", "seed=0"])
    assert part.whole is not None
    # an option of the one masker that it chooses, which the others do not take
    other = expand([experiment, "masker=ramanujan", "masker.p=5", "seed=0"])
    assert other.whole is None
    assert other.declared.title() == "ramanujan_compare[masker.p=5]"
    assert other.declared.title(other.declared.narrows) == "ramanujan_compare[masker=ramanujan,masker.p=5,seed=0]"


def test_a_configuration_of_ones_own_declares_a_grid_too(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "defaults:\n  - config\n  - _self_\nname: own\ndensities: [0.5, 0.25]\n"
        "hydra:\n  sweeper:\n    params:\n      masker: greedy\n      seed: 4,5\n"
    )
    source = Source("own", str(tmp_path))
    part, other = expand(["seed=4"], source), expand(["seed=0", "recipe=smoke"], source)
    assert (part.declared.title(), len(part.whole.slots if part.whole else [])) == ("own", 4)
    assert other.declared.title() == "own[recipe=smoke,seed=0]"


# names of files

WORDS = st.lists(
    st.tuples(
        st.sampled_from(["recipe.lr", "weights", "seed", "masker", "treatment", "densities", "where", "+x@y.z"]),
        st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=60),
    ),
    max_size=6,
)  # fmt: skip


@settings(PROPERTY, max_examples=150)
@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}", fullmatch=True), WORDS)
def test_whatever_is_typed_a_files_name_is_short_and_plain(name: str, words: list[tuple[str, str]]) -> None:
    title = Declared(name, changes=tuple(f"{option}={value}" for option, value in words)).title()
    stem = stem_of(title)
    assert NAME.fullmatch(stem)
    assert len(stem) <= LONGEST
    assert len(stem + LONGEST_END) <= 120
    assert not stem.startswith((".", "-", "+"))
    assert stem.startswith(name[: LONGEST - 9])


@settings(PROPERTY, max_examples=100)
@given(st.text(max_size=200))
def test_names_of_folders_and_files_give_plain_names_too(title: str) -> None:
    stem = stem_of(title)
    assert NAME.fullmatch(stem)
    assert len(stem) <= LONGEST


def test_long_names_differ_where_their_titles_do() -> None:
    titles = [f"x[weights={'a' * 200}{end}]" for end in "bc"]
    assert len({stem_of(title) for title in titles}) == 2
    assert stem_of(titles[0]) == stem_of(titles[0])
