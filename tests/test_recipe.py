"""Recipes: checked where they are defined, and the schedule."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from omegaconf import OmegaConf
from torch.optim import lr_scheduler

from pruneexp.errors import UserError
from pruneexp.recipe import Recipe
from pruneexp.system.shipped import conf_dir
from tests.properties import PROPERTY

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


def by_torch(recipe: Recipe, steps: int) -> list[float]:
    """The rates of torch's schedulers, set `steps` times an epoch: a line, and after it a cosine or milestones."""
    optimiser = torch.optim.SGD([torch.zeros(1)], recipe.lr)
    warm, whole = recipe.warmup_epochs * steps, recipe.epochs * steps
    schedule: lr_scheduler.LRScheduler
    if recipe.schedule == "cosine":
        schedule = lr_scheduler.CosineAnnealingLR(optimiser, whole - warm)
    else:
        later = [(milestone - recipe.warmup_epochs) * steps for milestone in recipe.milestones]
        schedule = lr_scheduler.MultiStepLR(optimiser, later, recipe.gamma)
    if warm:
        line = lr_scheduler.LinearLR(optimiser, 1 / (recipe.warmup_epochs + 1), total_iters=warm)
        schedule = lr_scheduler.SequentialLR(optimiser, [line, schedule], [warm])
    rates = []
    for _ in range(whole):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


@pytest.mark.filterwarnings(
    "ignore:The epoch parameter in `scheduler.step"
)  # by which torch's SequentialLR calls its own
@given(data=some.data(), epochs=some.integers(1, 12), steps=some.sampled_from([1, 1, 3, 7]))
@PROPERTY
def test_the_learning_rates_are_those_of_torchs_schedulers(data: Any, epochs: int, steps: int) -> None:
    warmup = data.draw(some.integers(0, epochs - 1))
    schedule = data.draw(some.sampled_from(["steps", "cosine"]))
    milestones = data.draw(some.sets(some.integers(max(warmup, 1), epochs))) if schedule == "steps" else ()
    interval: Any = "step" if steps > 1 and (warmup or schedule == "cosine") else "epoch"
    recipe = Recipe(
        epochs=epochs,
        batch_size=8,
        lr=0.3,
        schedule=schedule,
        milestones=tuple(sorted(milestones)),
        warmup_epochs=warmup,
        lr_interval=interval,
    )
    rates = [recipe.learning_rate(epoch + step / steps) for epoch in range(epochs) for step in range(steps)]
    assert rates == pytest.approx(by_torch(recipe, steps), rel=1e-6, abs=1e-9)
    assert all(0 < rate <= 0.3 for rate in rates)


def test_with_a_rate_for_each_step_the_cosine_ends_at_zero() -> None:
    recipe = Recipe(epochs=4, batch_size=8, lr=0.2, schedule="cosine", warmup_epochs=1, lr_interval="step")
    steps = [recipe.learning_rate(step / 100) for step in range(400)]
    assert steps[0] == pytest.approx(0.1)
    assert steps[50] == pytest.approx(0.15)
    assert steps[100] == 0.2 == max(steps)
    assert 0 < steps[-1] < 1e-5
    assert recipe.learning_rate(4) == pytest.approx(0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"optimiser": "lion"}, r"^Recipe's optimiser must be sgd, adam or adamw, got 'lion'\.$"),
        *[
            (
                {"optimiser": name, "momentum": 0.5},
                rf"^recipe\.momentum is SGD's, and recipe\.optimiser={name} has betas of its own: leave recipe\.momentum out\.$",
            )
            for name in ("adam", "adamw")
        ],
        ({"warmup_epochs": 6}, r"^recipe\.warmup_epochs must be below recipe\.epochs=6, got 6\.$"),
        ({"warmup_epochs": 1.5}, r"^Recipe's warmup_epochs must be a whole number, at least 0, got 1\.5\.$"),
        (
            {"warmup_epochs": 3, "milestones": (4, 2)},
            r"^recipe\.milestones must be at least recipe\.warmup_epochs=3, when the warm-up ends, got 2\.$",
        ),
        ({"lr_interval": "batch"}, r"^Recipe's lr_interval must be epoch or step, got 'batch'\.$"),
        ({"lr_interval": "step"}, r"^recipe\.lr_interval=step changes nothing without a cosine or a warm-up: set "),
        *[
            pair
            for name in ("mixup", "cutmix")
            for pair in (
                ({name: -1}, rf"^Recipe's {name} must be a finite number, at least 0 and at most 1000, got -1\.$"),
                (
                    {name: math.nan},
                    rf"^Recipe's {name} must be a finite number, at least 0 and at most 1000, got nan\.$",
                ),
                ({name: 1e-9}, rf"^recipe\.{name} must be 0, for never, or at least 0\.001, got 1e-09\.$"),
                (
                    {name: 1, "batch_size": 1},
                    rf"^recipe\.{name} mixes the images of a batch, of which recipe\.batch_size=1 has",
                ),
            )
        ],
    ],
)
def test_optimisers_warm_ups_and_mixtures_that_cannot_be_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Recipe(**{"epochs": 6, "batch_size": 8, "lr": 0.1, **options})


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
