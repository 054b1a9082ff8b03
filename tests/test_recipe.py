"""Recipes: checked where they are defined, and the schedule."""

import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from pruneexp.errors import UserError
from pruneexp.recipe import Recipe
from pruneexp.system.shipped import conf_dir

RECIPES = sorted((conf_dir() / "recipe").glob("*.yaml"))


def test_the_learning_rate_falls_at_the_start_of_each_milestone() -> None:
    recipe = Recipe(epochs=6, batch_size=8, lr=0.4, milestones=(2, 4), gamma=0.5)
    assert [recipe.learning_rate(epoch) for epoch in range(6)] == [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]


def test_without_milestones_the_learning_rate_stays() -> None:
    recipe = Recipe(epochs=3, batch_size=8, lr=0.1)
    assert {recipe.learning_rate(epoch) for epoch in range(100)} == {0.1}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("epochs", value) for value in (0, -1)],
        *[("batch_size", value) for value in (0, -5)],
        *[("lr", value) for value in (0.0, -0.1, math.inf, math.nan)],
        *[("gamma", value) for value in (0.0, -1.0, math.nan, math.inf)],
        *[(field, -1) for field in ("momentum", "weight_decay", "shift", "train_images", "test_images")],
        *[(field, math.nan) for field in ("momentum", "weight_decay")],
        ("momentum", 1.0),
        ("shift", 100_000),
    ],
)
def test_a_value_that_cannot_be_is_named(field: str, value: float) -> None:
    arguments: dict[str, Any] = {"epochs": 1, "batch_size": 8, "lr": 0.1, field: value}
    with pytest.raises(UserError, match=rf"^Recipe's {field} must be .*, got {value}\.$"):
        Recipe(**arguments)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 1.5),
        ("epochs", "many"),
        ("batch_size", 2.5),
        ("lr", "fast"),
        ("shift", 1.5),
        ("train_images", 0.5),
        ("test_images", 10.5),
        ("momentum", math.inf),
        ("weight_decay", math.inf),
        ("milestones", 5),
        ("milestones", ["a"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(field: str, value: Any) -> None:
    arguments: dict[str, Any] = {"epochs": 1, "batch_size": 8, "lr": 0.1, field: value}
    with pytest.raises(UserError, match=rf"^Recipe's {field} must be "):
        Recipe(**arguments)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_in_conf_is_valid_named_like_its_file_and_gives_its_source(path: Path) -> None:
    node: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    assert node.pop("name") == path.stem
    assert node.pop("title")
    node.pop("note", None)
    assert node.pop("_target_") == "pruneexp.recipe.Recipe"
    recipe = Recipe(**node)
    assert all(milestone < recipe.epochs for milestone in recipe.milestones)
    assert path.read_text().startswith("# ")


def test_the_papers_recipe_is_as_published() -> None:
    node: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / "recipe" / "laenen_cifar.yaml"))
    del node["name"], node["title"], node["_target_"]
    recipe = Recipe(**node)
    assert (recipe.epochs, recipe.batch_size, recipe.momentum, recipe.weight_decay) == (160, 256, 0.9, 1e-4)
    rates = [recipe.learning_rate(epoch) for epoch in (0, 79, 80, 119, 120, 159)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_the_cosine_falls_from_the_rate_to_nearly_nothing() -> None:
    recipe = Recipe(epochs=4, batch_size=8, lr=0.2, schedule="cosine")
    want = [0.2, 0.1 * (1 + 0.5**0.5), 0.1, 0.1 * (1 - 0.5**0.5)]
    assert [recipe.learning_rate(epoch) for epoch in range(4)] == pytest.approx(want)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"schedule": "linear"}, r"^Recipe's schedule must be steps or cosine, got 'linear'\.$"),
        (
            {"schedule": "cosine", "milestones": (2,)},
            r"^recipe\.schedule=cosine has no milestones: set recipe\.milestones=\[\]\.$",
        ),
        ({"crop": "centre"}, r"^Recipe's crop must be cut or redrawn, got 'centre'\.$"),
        (
            {"crop": "redrawn"},
            r"^recipe\.crop=redrawn says how a resized crop is drawn: set recipe\.resized_crop=true\.$",
        ),
        ({"frozen_epochs": 7}, r"^recipe\.frozen_epochs must be at most the 6 epochs there are, got 7\.$"),
        ({"frozen_epochs": -1}, r"^Recipe's frozen_epochs must be"),
        ({"frozen_epochs": 1.5}, r"^Recipe's frozen_epochs must be"),
        ({"frozen_epochs": True}, r"^Recipe's frozen_epochs must be"),
        (
            {"label_smoothing": 1.0},
            r"^Recipe's label_smoothing must be a finite number, at least 0 and below 1, got 1\.0\.$",
        ),
        ({"label_smoothing": -0.1}, r"^Recipe's label_smoothing must be"),
        ({"label_smoothing": float("nan")}, r"^Recipe's label_smoothing must be"),
    ],
)
def test_fine_tuning_options_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Recipe(**{"epochs": 6, "batch_size": 8, "lr": 0.1, **options})
