"""Wrong values for options: a sentence before anything is made. All of them: `python -m scripts.wrong_values`."""

import random
from typing import Any

import pytest
from omegaconf import OmegaConf

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL
from pruneexp.errors import UserError
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir
from scripts.wrong_values import BASE, HUGE, VALUES, Place, outcome, places

PLACES = list(places())
SOME = random.Random(0).sample([(place, value) for place in PLACES for value in VALUES], 60)
ASKED = {  # command line -> what its sentence says
    "seed=range(0,0)": "asks for no cell",
    "recipe.name=2024": "recipe.name must be text of at most 64",
    "model.name=null": "model.name must be text of at most 64",
    "trainer.precision=[1]": "trainer.precision must be auto, bf16 or float32, got [1]",
    "masker=ramanujan masker.least_channels=null": "masker.least_channels must be a whole number, at least 1, got null",
    "recipe.shift=100000": "recipe.shift must be a whole number, at least 0 and at most 128, got 100000",
    "dataset.classes=1000000000000": "dataset.classes must be a whole number, at least 1 and at most 1000000, got 1",
    "dataset._target_=null": "dataset must be a component, with _target_ the dotted name",
    "hydra.sweep.dir=/proc/x": "hydra.sweep.dir is Hydra's own and cannot be set",
    "logger=wandb logger.project=a/b": "logger.project must be a W&B project's name, without /",
    f"trainer.threads={HUGE}": "trainer.threads must be a whole number, at least 0 and at most 4096, got 1",
    # numbers and texts beyond what anything here takes
    f"recipe.epochs={HUGE}": "recipe.epochs must be a whole number, at least 1, at most 1000000000, got 1",
    "recipe.milestones=[5,2000000000]": "recipe.milestones must be a list of epochs such as [80,120], at most 1000000000",
    "seed=4294967296": "seed must be a whole number, at least 0 and below 4294967296",
    "dataset.name=..": "dataset.name must be text of at most 64",
    "data_dir='a\nb'": "data_dir must be one line of text, of at most 1024 characters, and no address, got 'a\\nb'",
    f"weights={'x' * 300}": "weights must be none, imagenet, or the file",
    f"weights={'x' * 3000}": "weights must be none, imagenet or a path, got 'xxx",
    f"model._target_={'x' * 300}": "model._target_ must be the dotted name of a function or class, got 'xxx",
    "masker._partial_=false": "masker._partial_ must be true: the program calls it, with layers, density, generator",
    "dataset.source._partial_=false": "dataset.source._partial_ must be true: the program calls it, with data_dir, name",
    "model._partial_=true": "model._partial_ must be false: the program takes what it returns",
    # data and models of one's own
    "dataset=folder": "dataset.root is missing: it must be the path of a folder of images",
    "dataset=folder dataset.root=nowhere": "must be the path of a folder of images, and there is no folder nowhere",
    "dataset=folder dataset.root=. dataset.classes=3": "there is no option 'dataset.classes'",
    "dataset=arrays dataset.root=.": "train_images.npy is missing",
    "dataset=arrays dataset.root=/dev/zero": "dataset.root must be the path of a folder of {train,test}_{images,labels}.npy",
    "model=timm": "model.architecture is missing: it must be the name of one of timm's architectures, such as resnet26d",
    # groups
    "masker=null": "masker must be the name of a file in conf/masker, got null",
    "masker=greedy,[1]": "masker must be the name of a file in conf/masker, got [1]",
    "masker={scope: global}": "masker must be the name of a file in conf/masker, got {'scope': 'global'}",
    f"masker={'x' * 300}": "masker must be the name of a file in conf/masker, got 'xxx",
    "~masker": "masker cannot be taken away",
    f"{'x' * 201}=1": "has 203 letters: an option has at most 100,000 of them, and its name 200",
    # what follows from others
    "scorer='${nothing}'": "scorer must be the name of a file in conf/scorer, got '${nothing}'",
    "seed=???": "seed has no value",
    "recipe.epochs='${nothing}'": "recipe.epochs has no value",
}  # fmt: skip


@pytest.mark.parametrize(
    ("place", "value"), SOME, ids=[f"{place.chosen} {place.option} {value}" for place, value in SOME]
)
def test_a_wrong_value_is_refused_in_a_sentence_or_means_something(place: Place, value: str) -> None:
    kind, text = outcome(place, value)
    assert kind in ("sentence", "accepted"), text


@pytest.mark.parametrize("line", ASKED, ids=[line[:40] for line in ASKED])
def test_is_refused_in_this_sentence(line: str) -> None:
    given = [line] if "{" in line or "\n" in line else line.split(" ")
    with pytest.raises(UserError) as refused:
        expand([*(f"{key}={value}" for key, value in BASE.items() if not line.lstrip("~").startswith(key)), *given])
    assert ASKED[line] in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_poor_sentence_and_a_traceback_are_told_from_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(error: Exception) -> str:
        def raises(arguments: list[str]) -> Any:
            raise error

        monkeypatch.setattr("scripts.wrong_values.expand", raises)
        return outcome(Place("recipe.epochs", "a whole number", "recipe=smoke"), "text")[0]

    assert raising(UserError("recipe.epochs must be a whole number.")) == "sentence"
    assert raising(UserError("recipe.epochs must be\na whole number.")) == "poor sentence"
    assert raising(UserError("something is wrong.")) == "poor sentence"
    assert raising(KeyError("epochs")) == "traceback"


def test_the_walk_passes_every_option() -> None:
    options = {place.option for place in PLACES}
    assert options >= {*FIELDS, *CHOICES, *OTHERS, *SEVERAL}
    assert options >= {
        f"{group}.{path.stem}._target_" for group in SEVERAL for path in (conf_dir() / group).glob("*.yaml")
    }
    assert len(set(PLACES)) == len(PLACES)
    for group in (*CHOICES, *OTHERS):
        for path in (conf_dir() / group).glob("*.yaml"):
            said: Any = OmegaConf.to_container(OmegaConf.load(path))
            node = said.get(group, said)
            assert options >= {f"{group}.{name}" for name in node.keys() - {"defaults"}}, path
            source = node.get("source", {})
            assert options >= {f"{group}.source.{name}" for name in source}, path
