"""What makes a cell itself, and sentences for names that do not exist."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import pruneexp
from pruneexp.cell import GROUPS, ROOT, digest
from pruneexp.components import options as declared
from pruneexp.components.component import configured
from pruneexp.errors import unknown
from pruneexp.jobs.job import Job
from pruneexp.models.vgg import vgg_small
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir, published_dir

HERE = "tests.test_cell"
CHOSEN = {"dataset": "digits", "model": "vgg_small", "scorer": "magnitude", "masker": "sparsify", "recipe": "digits"}


@declared.component("method", name="method")
def method(
    rounds: int, warm: float = 0.5, steps: tuple[int, ...] = (), source: Callable[..., Any] | None = None
) -> None:
    """A component as it was."""


@declared.component("method", name="method")
def method_with_a_new_option(
    rounds: int,
    warm: float = 0.5,
    steps: tuple[int, ...] = (),
    source: Callable[..., Any] | None = None,
    trick: bool = False,
) -> None:
    """The same after somebody added an option."""


moved_vgg_small = vgg_small  # where a later version of the program may keep it


def identity(target: str = "method", **more: Any) -> dict[str, Any]:
    """What a cell's key knows of a component of this module, its file's digest aside."""
    found = configured("method", {"_target_": f"{HERE}.{target}", **more}).identity()
    return {name: value for name, value in found.items() if name != "code"}


def options(**more: Any) -> dict[str, Any]:
    return {"name": "method", "version": 1, "options": more}


def job(**changes: Any) -> Job:
    """A job from the files of conf/, with some groups' options changed."""
    groups = {
        group: OmegaConf.merge(OmegaConf.load(conf_dir() / group / f"{name}.yaml"), changes.pop(group, {}))
        for group, name in CHOSEN.items()
    }
    other = {"densities": [0.1], "seed": 0, "initialisation": "kaiming_normal", "data_dir": "data"}
    config: Any = OmegaConf.to_container(OmegaConf.create({**groups, **other, **changes}), resolve=True)
    return Job.of(config)


def only(this: Job) -> dict[str, Any]:
    return this.cells("float32")[0].description


def key(*arguments: str) -> str:
    """The key of the one cell that a command line asks for."""
    (one,) = expand(["seed=0", "densities=[0.1]", "masker=sparsify", *arguments]).jobs
    return one.cells("float32")[0].key


def test_options_at_their_default_are_left_out() -> None:
    assert identity(rounds=3) == options(rounds=3)
    assert identity(rounds=3, warm=0.5) == options(rounds=3)
    assert identity(rounds=3, warm=0.25) == options(rounds=3, warm=0.25)


def test_whole_numbers_are_the_same_with_and_without_a_point_where_a_float_is_declared() -> None:
    assert digest(identity(rounds=3, warm=1)) == digest(identity(rounds=3, warm=1.0))
    assert digest(identity(rounds=3, warm=0)) == digest(identity(rounds=3, warm=-0.0))
    assert key("recipe.lr=1") == key("recipe.lr=1.0") != key("recipe.lr=2")


def test_a_default_that_is_added_later_does_not_change_old_keys() -> None:
    old = digest(identity(rounds=3, warm=0.1))
    assert digest(identity("method_with_a_new_option", rounds=3, warm=0.1)) == old
    assert digest(identity("method_with_a_new_option", rounds=3, warm=0.1, trick=False)) == old
    assert digest(identity("method_with_a_new_option", rounds=3, warm=0.1, trick=True)) != old


def test_lists_in_a_file_are_tuples_in_a_signature() -> None:
    assert identity(rounds=1, steps=[]) == options(rounds=1)
    assert identity(rounds=1, steps=[2, 3]) == options(rounds=1, steps=[2, 3])
    assert identity(rounds=1, steps=(2, 3)) == options(rounds=1, steps=[2, 3])


def test_how_a_component_is_called_does_not_matter() -> None:
    assert identity(rounds=1, _partial_=True) == identity(rounds=1)


def test_components_inside_components_are_identified_too() -> None:
    inner = {"_target_": "pruneexp.data.digits.digits", "_partial_": True}
    assert identity(rounds=1, source=inner) == options(rounds=1, source={"name": "digits", "version": 1})
    of_the_file = only(job())["dataset"]["options"]["source"]
    assert of_the_file == {"name": "digits", "version": 1}


def test_a_required_option_is_kept_whatever_its_value() -> None:
    assert identity(rounds=0)["options"]["rounds"] == 0


def test_the_order_of_options_does_not_matter_to_the_digest_and_their_values_do() -> None:
    assert digest({"a": 1, "b": [1, {"c": 2, "d": 3}]}) == digest({"b": [1, {"d": 3, "c": 2}], "a": 1})
    assert len({digest({"a": 1}), digest({"a": 2}), digest({"b": 1}), digest({"a": "1"}), digest({"a": [1]})}) == 5


def test_the_digest_is_sixteen_hex_digits_and_never_changes() -> None:
    # sha256 of {"a":1,"b":[0.1,null]}
    assert digest({"b": [0.1, None], "a": 1}) == "e4a9ad4b96810689"


def test_a_components_label_and_the_folders_do_not_make_another_cell() -> None:
    want = only(job())
    for group in ("model", "scorer", "masker", "recipe"):
        assert only(job(**{group: {"name": "my_favourite"}})) == want
    assert only(job(data_dir="elsewhere")) == want
    assert job(masker={"name": "my_favourite"}).cells("float32")[0].names["masker"] == "my_favourite"
    assert key() == key("data_dir=a", "results_dir=b", "report_dir=c", "name=d", "logger=csv", "launcher=gpus")


def test_a_target_that_moved_does_not_make_another_cell() -> None:
    assert job(model={"_target_": f"{HERE}.moved_vgg_small"}).cells("float32") == job().cells("float32")
    assert "_target_" not in json.dumps(only(job()))


@pytest.mark.parametrize(
    ("spelling", "other"),
    [
        (["masker=sparsify_global"], ["masker=sparsify", "masker.scope=global"]),
        (["masker=greedy_global"], ["masker=greedy", "masker.scope=global"]),
        (["masker=er"], ["masker=erk", "masker.allocation=er"]),
        (["model=resnet20"], ["model=resnet32", "model.depth=20"]),
        (["masker=sparsify"], ["masker=sparsify", "masker.sampling=systematic"]),
    ],
)
def test_two_spellings_of_a_cell_are_one_key(spelling: list[str], other: list[str]) -> None:
    assert key(*spelling) == key(*other)


def test_an_option_spelled_out_at_its_default_does_not_make_another_cell() -> None:
    assert only(job(masker={"sampling": "systematic"})) == only(job())
    assert only(job(recipe={"resized_crop": False})) == only(job())
    for name in ("initialisation", "when", "rewind", "rounds"):
        assert only(job(**{name: ROOT[name]})) == only(job())


@pytest.mark.parametrize(
    "change",
    [
        {"masker": {"sampling": "paper"}},
        {"recipe": {"lr": 0.012345}},
        {"seed": 1},
        {"densities": [0.2]},
        {"initialisation": "kaiming_uniform"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_field_is_a_new_cell(change: dict[str, Any]) -> None:
    assert job(**change).cells("float32")[0].key != job().cells("float32")[0].key
    assert digest(only(job(**change))) != digest(only(job()))


def test_the_precision_makes_a_cell_and_auto_none_of_its_own() -> None:
    (slot,) = expand(["seed=0", "densities=[0.1]", "masker=sparsify"]).slots
    assert [cell.precision for cell in slot.cells] == ["float32", "bf16"]
    assert len({cell.key for cell in slot.cells}) == 2
    for precision, cell in zip(("float32", "bf16"), slot.cells, strict=True):
        (fixed,) = expand(["seed=0", "densities=[0.1]", "masker=sparsify", f"trainer.precision={precision}"]).slots
        assert fixed.cells == [cell]


def test_a_cells_description_is_plain_json() -> None:
    assert json.loads(json.dumps(only(job()))) == only(job())


def test_the_key_says_what_it_is_of_in_words() -> None:
    assert job().cells("float32")[0].key.startswith("digits-vgg_small-magnitude-sparsify-d0.1-s0-")
    assert key("model=resnet20", "masker=sparsify_global").startswith(
        "digits-resnet_cifar20-magnitude-sparsify-d0.1-s0-"
    )


# sentences


def test_an_unknown_name_gets_one_sentence_with_the_nearest() -> None:
    assert unknown("model", "vgg61", ["vgg16", "resnet20"]) == (
        "there is no model 'vgg61'. Did you mean 'vgg16'? Available: resnet20, vgg16."
    )
    assert unknown("model", "x", ["vgg16", "resnet20"]) == "there is no model 'x'. Available: resnet20, vgg16."


def test_the_checkouts_configurations_and_published_numbers_are_found() -> None:
    root = Path(pruneexp.__file__).resolve().parent
    assert (conf_dir() / "config.yaml").is_file()
    assert any(published_dir().glob("*.csv"))
    assert conf_dir() in (root / "conf", root.parent / "conf")


@pytest.mark.parametrize("group", GROUPS)
def test_every_component_is_named_after_its_file(group: str) -> None:
    files = sorted((conf_dir() / group).glob("*.yaml"))
    assert files
    loaded: list[Any] = [OmegaConf.load(path) for path in files]
    assert [node.get(group, node).name for node in loaded] == [path.stem for path in files]
