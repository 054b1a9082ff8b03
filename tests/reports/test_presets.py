"""What files of conf/ configure: the presets that names stand for, what choosing them implies, and their titles."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from pruneexp.cell import GROUPS
from pruneexp.components.component import configured
from pruneexp.errors import UserError
from pruneexp.reports.presets import Presets
from pruneexp.reports.titles import Titles
from pruneexp.sweep import named
from pruneexp.system.shipped import conf_dir
from tests.presets import incomplete

TITLED = (*GROUPS, "treatment", "experiment")


@pytest.mark.parametrize("group", GROUPS)
def test_a_preset_is_what_hydra_makes_of_its_file(group: str) -> None:
    (first, *_, last) = sorted({path.stem for path in (conf_dir() / group).glob("*.yaml")} - incomplete(group))
    for name in (first, last):
        component = Presets().component(group, name)
        assert component is not None
        assert component.identity() == named(group, name).identity()


def test_what_is_no_file_is_no_preset(tmp_path: Path) -> None:
    presets = Presets((tmp_path,))
    for name in ("mine", "", "x" * 500, "a\0b", "dense"):
        assert presets.component("masker", name) is None
        assert presets.implied("masker", name) == {}
        assert presets.title("masker", name) == name


FUNCTION = "_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\n"


@pytest.mark.parametrize("text", [f"name: other\n{FUNCTION}", "_target_: nowhere.x\n", ""])
def test_a_file_under_another_name_or_that_cannot_be_made_is_no_preset(tmp_path: Path, text: str) -> None:
    (tmp_path / "masker").mkdir()
    (tmp_path / "masker" / "mine.yaml").write_text(text)
    assert Presets((tmp_path,)).component("masker", "mine") is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "masker").mkdir()
    path, presets = tmp_path / "masker" / "mine.yaml", Presets((tmp_path,))
    text = f"name: mine\ntitle: {{}}\n{FUNCTION}"
    for title in ("first", "second one"):
        path.write_text(text.format(title))
        assert presets.title("masker", "mine") == title


def test_choosing_a_scorer_implies_its_rounds() -> None:
    implied = {name: Presets().implied("scorer", name) for name in ("synflow", "iter_snip", "ntk_sap", "snip")}
    assert implied == {
        "synflow": {"rounds": 100, "round_counts": "up"},
        "iter_snip": {"rounds": 60, "round_counts": "down"},
        "ntk_sap": {"rounds": 20, "round_counts": "up"},
        "snip": {},
    }
    assert Presets().implied("recipe", "digits") == {}


def test_a_model_says_which_one_its_paper_calls_unpruned() -> None:
    found = {path.stem: Presets().unpruned(path.stem) for path in (conf_dir() / "model").glob("*.yaml")}
    bases = {
        "vgg13_2448": "vgg13_base",
        "vgg16_2448": "vgg16_base",
        "vgg19_2448": "vgg19_base",
        "alexnet_2448": "alexnet",
    }
    assert {name: other for name, other in found.items() if other is not None} == bases
    assert all(Presets().component("model", other) is not None for other in bases.values())
    assert Presets().unpruned("nowhere") is None
    node = {"name": "mine", "unpruned": ["a", "b"], "_target_": "pruneexp.models.vgg.vgg_small"}
    with pytest.raises(UserError, match=r"^model\.unpruned must be "):
        configured("model", node)
    assert configured("model", node | {"unpruned": "vgg11"}).identity() == named("model", "vgg_small").identity()


@pytest.mark.parametrize("group", TITLED)
def test_every_file_has_a_title_that_no_other_of_its_group_has(group: str) -> None:
    names = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
    titles = {name: Presets().title(group, name) for name in names}
    said: dict[str, Any] = {name: OmegaConf.load(conf_dir() / group / f"{name}.yaml") for name in names}
    assert all("title" in node or "title" in node.get(group, {}) for node in said.values())
    if group in ("scorer", "masker", "treatment", "model"):
        assert len(set(titles.values())) == len(titles)


@pytest.mark.parametrize(
    ("group", "label", "title"),
    [
        ("masker", "greedy_global", "Greedy (global)"),
        ("masker", "sparsify[sampling=paper]", "Sparsify [sampling=paper]"),
        ("masker", "dense", "dense"),
        ("scorer", "none", "none"),
        ("precision", "bf16", "bf16"),
        ("recipe", "laenen_cifar[epochs=1]", "Laenen (2023) [epochs=1]"),
        ("masker", "nobodys", "nobodys"),
        ("options", "", ""),
        ("options", "shuffle", "shuffled"),
        ("options", "rounds=3, invert, shuffle", "rounds=3, inverted, shuffled"),
        ("options", "mine", "mine"),
        ("density", "10 %", "10 %"),
    ],
)
def test_titles_stand_for_labels_and_leave_what_is_in_brackets(group: str, label: str, title: str) -> None:
    assert Titles()(group, label) == title
