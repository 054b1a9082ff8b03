"""What tables call a cell: the preset and what differs from it, so that two different cells never have one name."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruneexp.cell import GROUPS, Cell, digest
from pruneexp.jobs.called import LONG
from pruneexp.reports.labels import Labels
from pruneexp.reports.presets import Presets
from pruneexp.system.shipped import conf_dir
from tests.presets import incomplete
from tests.properties import PROPERTY
from tests.reports.made_records import made_cell

LABELS = Labels()


def told(cell: Cell, labels: Labels = LABELS) -> dict[str, str]:
    """The cell's labels, and its options."""
    found = {group: labels.of(group, cell.names[group], cell.description[group]) for group in GROUPS}
    return found | {"options": labels.options(cell.description, cell.names)}


@pytest.mark.parametrize("group", GROUPS)
def test_a_file_of_conf_is_called_by_its_name(group: str) -> None:
    presets = Presets()
    components = presets.of_group(group)
    files = {path.stem for path in (conf_dir() / group).glob("*.yaml")}
    assert {one.label for one in components} == files - incomplete(group)
    named = {one.label: LABELS.of(group, one.label, one.identity()) for one in components}
    assert named == {name: name for name in named}


@pytest.mark.parametrize(
    ("changes", "group", "label"),
    [
        ({"recipe": "laenen_cifar"}, "recipe", "laenen_cifar"),
        ({"recipe": "laenen_cifar", "recipe__epochs": 1}, "recipe", "laenen_cifar[epochs=1,milestones=[]]"),
        ({"recipe": "laenen_cifar_5"}, "recipe", "laenen_cifar_5"),
        # a value at its function's default, which the preset sets otherwise
        ({"recipe__shift": 0}, "recipe", "digits[shift=0]"),
        ({"recipe__weight_decay": 0.0}, "recipe", "digits[weight_decay=0.0]"),
        ({"recipe__milestones": []}, "recipe", "digits[milestones=[]]"),
        ({"recipe": "topology_cifar", "recipe__flip": False}, "recipe", "topology_cifar[flip=false]"),
        # a value that the preset has
        ({"recipe__lr": 0.05}, "recipe", "digits"),
        # what another preset is
        ({"masker__scope": "global"}, "masker", "sparsify_global"),
        ({"masker": "greedy", "masker__scope": "matched"}, "masker", "greedy_matched"),
        ({"masker": "sparsify_global", "masker__scope": "layerwise"}, "masker", "sparsify"),
        ({"masker": "ramanujan", "masker__p": 5, "masker__convolutions": False}, "masker", "ramanujan[convolutions=false,p=5]"),
        ({"scorer": "iter_snip"}, "scorer", "iter_snip"),
        ({"masker": "erk", "scorer": "snip"}, "scorer", "none"),
        ({"density": 1.0}, "scorer", "dense"),
        ({"density": 1.0}, "masker", "dense"),
    ],
)  # fmt: skip
def test_a_label_is_the_preset_and_what_differs_from_it(changes: dict[str, Any], group: str, label: str) -> None:
    if changes.get("recipe__epochs") == 1:
        changes = {**changes, "recipe__milestones": []}
    assert told(made_cell(**changes))[group] == label


@pytest.mark.parametrize(
    ("treatments", "changes", "options"),
    [
        ((), {}, ""),
        ((), {"scorer": "synflow"}, ""),  # 100 rounds are implied
        ((), {"scorer": "synflow", "rounds": 3}, "rounds=3"),
        ((), {"scorer": "synflow", "round_counts": "nearest"}, "round_counts=nearest"),
        ((), {"scorer": "synflow", "rounds": 1, "round_counts": "nearest"}, "rounds=1"),
        ((), {"scorer": "synflow", "rounds": 1}, "rounds=1"),
        ((), {"scorer": "iter_snip"}, ""),
        ((), {"rounds": 100}, "rounds=100"),
        ((), {"rounds": 100, "round_counts": "up"}, "rounds=100, round_counts=up"),
        ((), {"scorer": "synflow", "round_masker": "greedy"}, "round_masker=greedy"),
        ((), {"scorer": "synflow", "density": 1.0}, ""),
        ((), {"masker": "erk", "scorer": "synflow"}, ""),
        ((), {"initialisation": "kaiming_uniform"}, "initialisation=kaiming_uniform"),
        ((), {"initialisation": "kaiming_uniform", "density": 1.0}, "initialisation=kaiming_uniform"),
        (
            (),
            {"when": "trained", "rewind": "epoch", "rewind_epoch": 2},
            "when=trained, rewind=epoch[version=2], rewind_epoch=2",
        ),
        (("shuffle",), {}, "shuffle"),
        (("shuffle", "invert"), {"rounds": 3}, "rounds=3, invert, shuffle"),
        (("shuffle",), {"density": 1.0}, ""),
    ],
)
def test_what_else_makes_a_cell_differ_is_told_in_words(
    treatments: tuple[str, ...], changes: dict[str, Any], options: str
) -> None:
    assert told(made_cell(*treatments, **changes))["options"] == options


def test_a_network_rewound_as_it_was_once_has_a_name_of_its_own() -> None:
    cell = made_cell(when="trained", rewind="epoch", rewind_epoch=2)
    before = LABELS.options(cell.description | {"rewind": "epoch"}, cell.names)
    assert before == "when=trained, rewind=epoch, rewind_epoch=2" != told(cell)["options"]


def test_seed_density_and_precision_are_no_part_of_a_label() -> None:
    cells = [made_cell(seed=seed, density=density, precision=p) for seed, density, p in
             [(0, 0.1, "float32"), (7, 0.2, "float32"), (0, 0.1, "bf16")]]  # fmt: skip
    assert len({cell.key for cell in cells}) == 3
    assert [told(cell) for cell in cells] == [told(cells[0])] * 3


def test_a_preset_that_nobody_knows_is_spelled_in_full(tmp_path: Path) -> None:
    (tmp_path / "masker").mkdir()
    text = (conf_dir() / "masker" / "greedy_global.yaml").read_text().replace("name: greedy_global", "name: mine")
    (tmp_path / "masker" / "mine.yaml").write_text(text)
    cell = made_cell(masker="mine", folder=tmp_path)
    assert told(cell)["masker"] == "mine[function=greedy,scope=global]"
    # and by its name where its folder is
    assert told(cell, Labels(Presets((tmp_path,))))["masker"] == "mine"
    (tmp_path / "masker" / "mine.yaml").write_text(text.replace("scope: global", "scope: matched"))
    assert told(cell, Labels(Presets((tmp_path,))))["masker"] == "greedy_global"  # what it is


def test_two_functions_under_one_unknown_name_are_told_apart() -> None:
    cells = [made_cell(masker=masker, masker__name="mine") for masker in ("greedy", "sparsify")]
    assert [told(cell)["masker"] for cell in cells] == ["mine[function=greedy]", "mine[function=sparsify]"]


def test_another_function_version_or_code_is_told() -> None:
    description = made_cell(masker="greedy_global").description["masker"]
    assert LABELS.of("masker", "greedy_global", description) == "greedy_global"
    for change, label in (
        ({"version": 2}, "greedy_global[version=2]"),
        ({"name": "other"}, "greedy_global[function=other]"),
        ({"code": "abcdef"}, "greedy_global[code=abcdef]"),
        ({"options": {}}, "greedy_global[scope=layerwise]"),
    ):
        assert LABELS.of("masker", "greedy_global", description | change) in (label, "greedy")


def test_long_values_are_told_by_their_digest() -> None:
    long = {"name": "erk", "version": 1, "options": {"shares": list(range(50))}}
    label = LABELS.of("masker", "mine", long)
    assert f"shares={digest(list(range(50)))[:8]}" in label
    assert len(label) < LONG + 40
    other = LABELS.of("masker", "mine", {**long, "options": {"shares": list(range(51))}})
    assert other != label


# two cells never have one name

RECIPES = st.fixed_dictionaries(
    {"recipe": st.sampled_from(["digits", "laenen_cifar", "laenen_cifar_5", "laenen_cifar_short", "smoke"])},
    optional={
        "recipe__epochs": st.sampled_from([5, 8, 16, 160]),
        "recipe__milestones": st.sampled_from([[], [3], [3, 4], [6]]),
        "recipe__lr": st.sampled_from([0.05, 0.1, 1.0]),
        "recipe__shift": st.sampled_from([0, 2, 4]),
        "recipe__flip": st.booleans(),
        "recipe__weight_decay": st.sampled_from([0.0, 1e-4, 5e-4]),
    },
)
METHODS = st.fixed_dictionaries(
    {
        "scorer": st.sampled_from(["magnitude", "snip", "iter_snip", "synflow", "random"]),
        "masker": st.sampled_from(["sparsify", "sparsify_global", "greedy", "greedy_global", "greedy_matched", "er", "erk"]),
    },
    optional={
        "rounds": st.sampled_from([1, 3, 20, 100]),
        "round_masker": st.sampled_from(["masker", "greedy"]),
        "round_counts": st.sampled_from(["nearest", "up", "down"]),
        "initialisation": st.sampled_from(["kaiming_normal", "kaiming_uniform"]),
        "when": st.sampled_from(["init", "trained"]),
    },
)  # fmt: skip
SCOPES = st.sampled_from(["layerwise", "global", "matched"])
DENSITIES = st.sampled_from([0.1, 1.0])
TREATMENTS = st.lists(st.sampled_from(["shuffle", "reinit", "invert"]), unique=True, max_size=2)


CHANGES = st.tuples(
    RECIPES, METHODS, st.fixed_dictionaries({}, optional={"masker__scope": SCOPES, "density": DENSITIES})
)


def possible(changes: dict[str, Any], treatments: list[str]) -> Cell:
    """The cell, without what cannot be."""
    changes = {**changes, "recipe__milestones": [one for one in changes.get("recipe__milestones", []) if one < 5]}
    scopes = {"greedy": ("layerwise", "global", "matched"), "sparsify": ("layerwise", "global")}
    if changes.get("masker__scope") not in scopes.get(changes["masker"].partition("_")[0], ()):
        changes.pop("masker__scope", None)
    needs_scores = changes["masker"] not in ("er", "erk")
    return made_cell(*(one for one in treatments if needs_scores or one != "invert"), **changes)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Cell, Cell]:
    """Two cells, the second of which has some of the first's options, and others."""
    first, second = ({name: value for part in draw(CHANGES) for name, value in part.items()} for _ in range(2))
    kept = draw(st.sets(st.sampled_from(sorted({*first, *second}))))
    mixed = {**first, **{name: value for name, value in second.items() if name not in kept}}
    treatments = draw(TREATMENTS)
    return possible(first, treatments), possible(mixed, draw(st.sampled_from([treatments, draw(TREATMENTS)])))


@settings(PROPERTY, max_examples=80)
@given(pairs())
def test_two_cells_have_the_same_labels_where_they_are_the_same(cells: tuple[Cell, Cell]) -> None:
    same = cells[0].description == cells[1].description
    names = [json.dumps([told(cell), cell.density]) for cell in cells]
    assert (names[0] == names[1]) <= same, [cell.description for cell in cells]


@settings(PROPERTY, max_examples=30)
@given(pairs())
def test_a_label_names_every_option_that_differs_from_the_preset(cells: tuple[Cell, Cell]) -> None:
    cell = cells[1]
    labels = told(cell)
    for group in ("masker", "recipe"):
        if not isinstance(cell.description[group], dict):
            continue
        name, _, within = labels[group].partition("[")
        preset = Presets().component(group, name)
        assert preset is not None
        theirs, ours = preset.identity().get("options", {}), cell.description[group].get("options", {})
        differ = {option for option in {*theirs, *ours} if theirs.get(option) != ours.get(option)}
        assert all(f"{option}=" in within for option in differ)
        assert bool(within) == bool(differ)
