"""What makes a cell itself, and sentences for names that do not exist."""

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import pruneexp
from pruneexp.config import conf_dir, digest, identity, published_dir, unknown
from pruneexp.job import Job

HERE = "tests.test_config"


def method(rounds: int, warm: float = 0.5, steps: tuple[int, ...] = ()) -> None:
    """A component as it was."""


def method_with_a_new_option(rounds: int, warm: float = 0.5, steps: tuple[int, ...] = (), trick: bool = False) -> None:
    """The same after somebody added an option."""


def options(target: str = "method", **more: Any) -> dict[str, Any]:
    return {"_target_": f"{HERE}.{target}", **more}


def of(description: dict[str, Any]) -> str:
    """The digest of a component's identity, its target's name aside."""
    known = identity(description)
    return digest({key: value for key, value in known.items() if key != "_target_"})


def job(**changes: Any) -> Job:
    """A job from the files of conf/, with some groups' options changed."""
    chosen = {
        "dataset": "digits",
        "model": "vgg_small",
        "scorer": "magnitude",
        "masker": "sparsify",
        "recipe": "digits",
    }
    groups = {
        group: OmegaConf.merge(OmegaConf.load(conf_dir() / group / f"{name}.yaml"), changes.pop(group, {}))
        for group, name in chosen.items()
    }
    other = {"densities": [0.1], "seed": 0, "initialisation": "kaiming_normal", "data_dir": "data"}
    return Job(OmegaConf.create({**groups, **other, **changes}))


def only(this: Job) -> dict[str, Any]:
    return this.cells()[0].description


def test_options_at_their_default_are_left_out() -> None:
    assert identity(options(rounds=3)) == options(rounds=3)
    assert identity(options(rounds=3, warm=0.5)) == options(rounds=3)
    assert identity(options(rounds=3, warm=0.25)) == options(rounds=3, warm=0.25)


def test_a_default_that_is_added_later_does_not_change_old_keys() -> None:
    old = of(options(rounds=3, warm=0.1))
    assert of(options("method_with_a_new_option", rounds=3, warm=0.1)) == old
    assert of(options("method_with_a_new_option", rounds=3, warm=0.1, trick=False)) == old
    assert of(options("method_with_a_new_option", rounds=3, warm=0.1, trick=True)) != old


def test_lists_in_a_file_are_tuples_in_a_signature() -> None:
    assert identity(options(rounds=1, steps=[])) == options(rounds=1)
    assert identity(options(rounds=1, steps=[2, 3])) == options(rounds=1, steps=[2, 3])
    assert identity(options(rounds=1, steps=(2, 3))) == options(rounds=1, steps=[2, 3])


def test_how_a_component_is_called_does_not_matter() -> None:
    assert identity(options(rounds=1, _partial_=True)) == identity(options(rounds=1))


def test_components_inside_components_are_identified_too() -> None:
    inner = options(rounds=1, warm=0.5, _partial_=True)
    assert identity({"source": inner, "many": [inner]}) == {"source": options(rounds=1), "many": [options(rounds=1)]}


def test_a_required_option_is_kept_whatever_its_value() -> None:
    assert identity(options(rounds=0))["rounds"] == 0


def test_the_order_of_options_does_not_matter_to_the_digest_and_their_values_do() -> None:
    assert digest({"a": 1, "b": [1, {"c": 2, "d": 3}]}) == digest({"b": [1, {"d": 3, "c": 2}], "a": 1})
    assert len({digest({"a": 1}), digest({"a": 2}), digest({"b": 1}), digest({"a": "1"}), digest({"a": [1]})}) == 5


def test_the_digest_is_sixteen_hex_digits_and_never_changes() -> None:
    # sha256 of {"a":1,"b":[0.1,null]}
    assert digest({"b": [0.1, None], "a": 1}) == "e4a9ad4b96810689"


def test_a_components_label_and_the_folders_do_not_make_another_cell() -> None:
    want = only(job())
    assert only(job(masker={"name": "my favourite"})) == want
    assert only(job(data_dir="elsewhere")) == want


def test_an_option_spelled_out_at_its_default_does_not_make_another_cell() -> None:
    assert only(job(masker={"sampling": "systematic"})) == only(job())
    assert only(job(recipe={"resized_crop": False})) == only(job())


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
    assert job(**change).cells()[0].key != job().cells()[0].key
    assert digest(only(job(**change))) != digest(only(job()))


def test_a_cells_description_is_plain_json() -> None:
    assert json.loads(json.dumps(only(job()))) == only(job())


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


@pytest.mark.parametrize("group", ["dataset", "model", "scorer", "masker", "recipe"])
def test_every_component_is_named_after_its_file(group: str) -> None:
    files = sorted((conf_dir() / group).glob("*.yaml"))
    assert files
    loaded: list[Any] = [OmegaConf.load(path) for path in files]
    assert [node.get(group, node).name for node in loaded] == [path.stem for path in files]
