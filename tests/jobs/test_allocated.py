"""Ways to say how many weights each layer keeps: one cell has one key, and two things said at once are refused."""

import functools

import pytest

from pruneexp.cell import Cell, spoken
from pruneexp.errors import UserError
from pruneexp.reports.grouping import Facts
from pruneexp.reports.labels import Labels
from pruneexp.sweep import expand
from tests.command import SMALL


@functools.cache
def cell(*words: str) -> Cell:
    (slot,) = expand([*SMALL, "scorer=magnitude", "seed=0", "densities=[0.5]", *words]).slots
    return slot.cell


SAME = [
    ("masker=greedy allocation=global", "masker=greedy_global"),
    ("masker=greedy allocation=leverage", "masker=greedy_matched"),
    ("masker=greedy allocation=uniform", "masker=greedy"),
    ("masker=greedy_global allocation=global", "masker=greedy_global"),
    ("masker=random allocation=erk", "masker=erk"),
    ("masker=random allocation=er", "masker=er"),
    ("masker=random allocation=uniform", "masker=uniform"),
    ("masker=random allocation=er_published", "masker=er_published"),
    ("masker=random", "masker=erk"),
    ("masker=erk allocation=erk", "masker=erk"),
    ("masker=random_regular allocation=erk", "masker=random_regular"),
    ("masker=x_net allocation=erk", "masker=x_net masker.allocation=erk"),
    ("masker=sparsify allocation=own", "masker=sparsify"),
    ("masker=bss allocation=leverage", "masker=bss"),
    ("masker=greedy allocation=like_snip allocation.round_counts=up", "masker=greedy allocation=like_snip"),
    ("masker=greedy allocation=like_snip", "masker=greedy allocation=like_snip"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_say_it_are_one_cell(one: str, other: str) -> None:
    assert cell(*one.split()).key == cell(*other.split()).key


def test_other_numbers_are_other_cells() -> None:
    words = ["own", "erk", "vertices", "like_snip", "like_synflow", "like_sparsify", "like allocation.rounds=3", "like"]
    keys = {cell("masker=greedy", *f"allocation={word}".split()).key for word in words}
    assert len(keys) == len(words)
    # the wiring that is certified makes other layers pay for one, unless it is told each layer's number
    assert cell("masker=ramanujan_fit", "allocation=erk").key != cell("masker=ramanujan_fit").key


def test_the_usual_choice_is_in_no_description() -> None:
    assert cell("masker=greedy", "allocation=own").description.keys() == cell("masker=greedy").description.keys()
    assert "allocation" not in cell("masker=greedy").description
    assert "mask_update" not in cell("masker=greedy").description
    assert cell("masker=greedy", "allocation=erk").description["allocation"] == {"name": "erk", "version": 1}
    assert "allocation" not in cell("masker=greedy", "allocation=erk", "densities=[1.0]").description


@pytest.mark.parametrize(("words", "scorer"), [
    ("allocation=erk", "none"), ("allocation=global", "magnitude"), ("allocation=leverage", "magnitude"),
    ("allocation=like_synflow", "none"), ("allocation=own", "none"),
])  # fmt: skip
def test_a_cell_has_a_scorer_where_its_numbers_need_one(words: str, scorer: str) -> None:
    assert cell("masker=random", *words.split()).names["scorer"] == scorer


def test_a_method_that_numbers_are_like_looks_at_the_trained_network_where_the_cell_says_so() -> None:
    trained = cell("masker=random", "allocation=like_snip", "when=trained")
    assert trained.description["when"] == "trained"
    assert trained.key != cell("masker=random", "allocation=like_snip").key
    assert (
        cell("masker=random", "allocation=vertices", "when=trained").key
        == cell("masker=random", "allocation=vertices").key
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("masker=greedy_global allocation=erk", "masker=greedy_global says how many weights each layer keeps by its scope=global, and"),
        ("masker=er allocation=erk", "masker=er says how many weights each layer keeps, and allocation=erk says otherwise: take"),
        ("masker=erk allocation=like_snip", "masker=erk says how many weights each layer keeps, and allocation=like_snip says otherwise"),
        ("masker=x_net masker.allocation=er allocation=erk", "masker=x_net says how many weights each layer keeps by its allocation=er,"),
        ("masker=ramanujan allocation=erk", "masker=ramanujan says itself how many weights each layer keeps, and takes no allocation=erk"),
        ("masker=structured allocation=erk", "masker=structured says itself how many weights each layer keeps"),
        ("masker=greedy allocation=file", "allocation.path is missing: it must be the path of a finished cell's folder"),
        ("masker=greedy allocation=file allocation.path=/no/such", "allocation.path must be a finished cell's folder, or its masks"),
        ("masker=greedy allocation=like masker@allocation.masker=er", "allocation=like counts the weights of a method that goes by scores"),
        ("masker=greedy allocation=like masker@allocation.masker=greedy mask_update=gmp", "mask_update=gmp takes from masks only how many"),
        ("masker=n_m levels=2 when=trained", "masker=n_m has the density of its construction, and levels=2 prunes bit by bit"),
        ("masker=greedy allocation=erq", "there is no allocation 'erq'. Did you mean 'er'"),
        ("masker=greedy allocation=like_snip allocation.rounds=0", "allocation.rounds must be a whole number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(UserError) as told:
        cell(*words.split())
    assert str(told.value).startswith(sentence)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("words", "allocation"), [
    ("masker=greedy", "uniform"), ("masker=greedy_global", "global"), ("masker=greedy_matched", "leverage"),
    ("masker=erk", "erk"), ("masker=er", "er"), ("masker=er_published", "er_published"), ("masker=x_net", "uniform"),
    ("masker=sparsify", "own"), ("masker=bss", "leverage"), ("masker=ramanujan_fit", "own"), ("masker=sparsify allocation=erk", "erk"),
    ("masker=greedy allocation=like_synflow", "like_synflow"), ("masker=greedy allocation=like allocation.rounds=3", "like[rounds=3]"),
    ("masker=greedy densities=[1.0]", "dense"),
])  # fmt: skip
def test_tables_know_each_cells_allocation(words: str, allocation: str) -> None:
    found = cell(*words.split())
    assert Facts(Labels()).of(found.description, found.names).labels["allocation"] == allocation


def test_tables_tell_an_allocation_that_was_asked_for_also_where_it_is_the_maskers_own() -> None:
    for masker in ("random", "random_regular", "greedy", "sparsify"):
        asked = cell(f"masker={masker}", "allocation=erk")
        assert Facts(Labels()).of(asked.description, asked.names).labels["options"] == "allocation=erk"
    for word in ("masker=erk", "masker=random_regular", "masker=greedy"):
        own = cell(word)
        assert Facts(Labels()).of(own.description, own.names).labels["options"] == ""


def test_lines_name_an_allocation_that_the_masker_itself_says_then() -> None:
    assert spoken(cell("masker=greedy", "allocation=leverage").names)[-2:] == ["greedy", "leverage"]
    assert spoken(cell("masker=random", "allocation=er").names)[-2:] == ["random", "er"]
    assert spoken(cell("masker=er").names)[-1] == "er"
    assert spoken(cell("masker=greedy", "allocation=erk", "densities=[1.0]").names)[-1] == "dense"
