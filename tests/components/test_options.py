"""Options checked where they are declared: every kind of annotation, and every component that conf/ names."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from pydantic import AfterValidator, Field
from torch import nn

from pruneexp.components.component import locate
from pruneexp.components.options import About, Option, check_options, checked, component, options_of, takes_others
from pruneexp.components.values import Count, Label, Natural, NonNegative, Positive, Words, allowed, is_plain, value_of
from pruneexp.errors import UserError
from pruneexp.maskers.sparsify import sparsify
from pruneexp.system.shipped import conf_dir

Choice = Literal["one", "two", "three"]
Depth = Literal[18, 34]
Share = Annotated[float, Field(gt=0, le=1), Words("above 0 and at most 1")]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Members = Literal["auto"] | Count
Perhaps = Annotated[float | None, Field(gt=0, le=1), Words("above 0 and at most 1")]
HUGE = 10**400  # larger than any float


def _even(value: int) -> int:
    if value % 2:
        raise ValueError
    return value


Even = Annotated[int, AfterValidator(_even), Words("even")]


def refused(hint: Any, value: Any) -> str:
    """The sentence for a value that is not allowed."""
    with pytest.raises(UserError) as caught:
        value_of("an option", hint, value)
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith("an option must be ")
    return told.removeprefix("an option must be ")


# values


@pytest.mark.parametrize(
    ("hint", "value", "want"),
    [
        (bool, True, True),
        (bool, np.True_, True),
        (int, 3, 3),
        (int, -3, -3),
        (int, np.int64(3), 3),
        (int, np.uint8(3), 3),
        (float, 0.1, 0.1),
        (float, 1, 1.0),
        (float, np.float32(0.5), 0.5),
        (float, np.float64(0.1), 0.1),
        (float, np.int64(2), 2.0),
        (float, 5e-324, 5e-324),
        (float, -0.0, -0.0),
        (str, "", ""),
        (str, "1", "1"),
        (str, "a\nb\x00\u00e9", "a\nb\x00\u00e9"),
        (Count, 1, 1),
        (Natural, 0, 0),
        (Positive, 1e-300, 1e-300),
        (NonNegative, 0, 0.0),
        (Share, 1, 1.0),
        (Momentum, 0, 0.0),
        (Perhaps, None, None),
        (Perhaps, 1, 1.0),
        (Even, 4, 4),
        (Label, "a.B-c_1+2", "a.B-c_1+2"),
        (Choice, "two", "two"),
        (Depth, 34, 34),
        (Depth, 34.0, 34),
        (Members, "auto", "auto"),
        (Members, 4, 4),
        (str | None, None, None),
        (str | None, "gpu", "gpu"),
        (tuple[int, ...], [], ()),
        (tuple[int, ...], [3, 1], (3, 1)),
        (tuple[int, ...], (3, 1), (3, 1)),
        (tuple[float, ...], [1, 0.5], (1.0, 0.5)),
        (tuple[Count, Count, Count], [3, 32, 32], (3, 32, 32)),
        (list[int], (3, 1), [3, 1]),
        (Sequence[str], ("a", "b"), ["a", "b"]),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (Mapping[str, str | int | float | bool | None], {"a": True, "b": 1, "c": "1", "d": 0.5, "e": None}, None),
    ],
)
def test_an_allowed_value_has_the_declared_type(hint: Any, value: Any, want: Any) -> None:
    got = value_of("an option", hint, value)
    want = value if want is None else want
    assert got == want
    assert type(got) is type(want)
    if isinstance(want, (list, tuple)):
        assert [type(item) for item in got] == [type(item) for item in want]
    if isinstance(want, dict):
        assert {key: type(item) for key, item in got.items()} == {key: type(item) for key, item in want.items()}
    assert value_of("an option", hint, got) == got


def test_numbers_come_through_as_they_are() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**63, 5000, dtype=np.uint64).view(np.float64)
    values = values[np.isfinite(values)]
    assert [value_of("x", float, float(value)) for value in values] == values.tolist()
    assert value_of("x", int, 2**200) == 2**200


NUMBERS = "a finite number"
WRONG: dict[str, tuple[Any, list[Any], str]] = {
    "bool": (bool, [0, 1, "true", "yes", None, [], {}, 1.0, math.nan], "true or false"),
    "int": (int, [True, 1.0, 1.5, "1", None, [1], {"a": 1}, math.nan, math.inf, 1e300], "a whole number"),
    "float": (float, [True, "1", "nan", None, [0.5], {}, math.nan, math.inf, -math.inf, HUGE], NUMBERS),
    "str": (str, [1, 1.5, True, None, ["a"], {"a": "b"}, b"a"], "text"),
    "count": (Count, [0, -1, True, 1.0, "1", None, [], math.nan, -(10**30)], "a whole number, at least 1"),
    "natural": (Natural, [-1, 0.0, False, None], "a whole number, at least 0"),
    "positive": (Positive, [0, -0.0, -1e-300, math.nan, math.inf, "1", True, None], f"{NUMBERS}, above 0"),
    "not negative": (NonNegative, [-5e-324, math.nan, None, False], f"{NUMBERS}, at least 0"),
    "two bounds": (Momentum, [1, -0.1, 1.0, math.nan, True], f"{NUMBERS}, at least 0 and below 1"),
    "both sides": (Annotated[int, Field(ge=8, le=9)], [7, 10, 8.0], "a whole number, at least 8 and at most 9"),
    "words": (Share, [0, 1.1, math.nan, True, "half", None], "above 0 and at most 1"),
    "or null": (Perhaps, [0, 1.1, math.nan, True, "half"], "above 0 and at most 1"),
    "validator": (Even, [3, 2.0, "2", None], "even"),
    "label": (
        Label, ["", "a b", "a/b", "..", "a\n", "é", "a" * 65, "-a", 5, None],
        "text of at most 64 of A-Z, a-z, 0-9, '.', '_', '+' and '-', the first none of '.', '+' and '-'",
    ),
    "choice": (Choice, ["four", "", "One", None, 1, ["one"], True], "one, two or three"),
    "numbers to choose from": (Depth, [50, "18", True, None, math.nan], "18 or 34"),
    "one choice": (Literal["auto"], ["none", None], "auto"),
    "choice or number": (Members, [0, "all", 1.5, True, None], "auto or a whole number, at least 1"),
    "text or null": (str | None, [1, ["a"], False], "text or null"),
    "list": (tuple[Natural, ...], [5, "5", [-1], [1.5], [None], {"a": 1}, None], "a list, each a whole number, at least 0"),
    "list of three": (tuple[Count, Count, Count], [[3, 32], [3, 0, 32], 3, [3] * 4], "a list of 3, each a whole number, at least 1"),
    "list of some": (Annotated[list[int], Field(min_length=1)], [[], 5], "a list, each a whole number, not empty"),
    "mapping": (dict[str, int], [5, [1], {"a": "b"}, None], "a mapping"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("hint", "value", "words"),
    [
        pytest.param(hint, value, words, id=f"{kind}-{str(value)[:12]!r}")
        for kind, (hint, values, words) in WRONG.items()
        for value in values
    ],
)
def test_another_value_is_refused_in_one_sentence_that_says_what_is_allowed(hint: Any, value: Any, words: str) -> None:
    shown = "null" if value is None else repr(value)
    told = refused(hint, value)
    assert told.startswith(f"{words}, got ")
    assert told == f"{words}, got {shown}." or (len(shown) > 80 and told == f"{words}, got {shown[:77]}....")
    assert allowed(hint) == words


@pytest.mark.parametrize(
    "hint", [Count, Natural, Positive, NonNegative, Members, tuple[Natural, ...], dict[str, Count]]
)
def test_a_number_that_nothing_here_reaches_is_refused(hint: Any) -> None:
    largest, larger = 1_000_000_000, 1_000_000_001
    wrap = {dict: lambda value: {"a": value}, tuple: lambda value: [value]}.get(get_origin(hint), lambda value: value)
    assert value_of("x", hint, wrap(largest)) in (largest, (largest,), {"a": largest})
    assert refused(hint, wrap(larger)) == f"{allowed(hint)}, at most {largest}, got {wrap(larger)}."


@pytest.mark.parametrize("value", [object(), Path("a"), lambda: None, torch.ones(2), np.ones(2), {1, 2}, 1j])
@pytest.mark.parametrize("hint", [bool, int, float, str, Count, Choice, Members, tuple[int, ...], dict[str, int]])
def test_what_no_file_can_hold_is_refused(hint: Any, value: Any) -> None:
    refused(hint, value)


@pytest.mark.parametrize("hint", [bool, float, Share, Choice, Members, tuple[Natural, ...], Literal["a"] | None])
def test_what_can_stand_in_a_file(hint: Any) -> None:
    assert is_plain(hint)


@pytest.mark.parametrize(
    "hint", [Any, nn.Module, dict[str, torch.Tensor], Callable[[int], int], Path, str | Path, object]
)
def test_what_cannot(hint: Any) -> None:
    assert not is_plain(hint)


def test_a_component_is_allowed_where_a_callable_is_declared() -> None:
    assert allowed(Callable[[int], int]) == "a component: a mapping with _target_"


# components


@component("scorer")
def counting(
    model: Any, batches: Any, generator: Any, samples: Count, tau: Share = 0.5, *, mode: Choice = "one"
) -> Any:
    """A function as scorers are."""
    return model, samples, tau, mode


@component("recipe", name="plan", version=3)
@dataclasses.dataclass(frozen=True)
class Plan:
    """A dataclass as recipes are."""

    epochs: Count
    lr: Positive = 0.1
    milestones: tuple[Natural, ...] = ()

    def __post_init__(self) -> None:
        if self.milestones and max(self.milestones) >= self.epochs:
            raise UserError("plan.milestones lie within the epochs.")


@component("model", name="net")
class Network(nn.Module):
    """A module as models are."""

    def __init__(self, num_classes: int, input_shape: tuple[int, ...], width: Count = 4, bias: bool = True) -> None:
        super().__init__()
        self.fc = nn.Linear(width, num_classes, bias=bias)
        self.shape = input_shape


@component("masker", needs_scores=False, removes_neurons=True)
def loose(layers: Any, density: float, generator: Any, notes: Any, **others: Any) -> dict[str, Any]:
    """A function that takes what its signature does not name."""
    return others


def test_a_component_says_what_it_is() -> None:
    targets: list[Any] = [counting, Plan, Network, loose]
    said = {target: target.about for target in targets}
    assert said == {
        counting: About("scorer", "counting", 1, needs_scores=True, removes_neurons=False),
        Plan: About("recipe", "plan", 3),
        Network: About("model", "net"),
        loose: About("masker", "loose", needs_scores=False, removes_neurons=True),
    }


def test_a_declared_function_is_still_itself() -> None:
    assert counting.__name__ == "counting"
    assert counting.__doc__ == "A function as scorers are."
    assert Plan.__name__ == "Plan"
    assert isinstance(Plan(2), Plan)
    assert isinstance(Network(2, (4,)), nn.Module)


def test_options_are_the_parameters_that_the_program_does_not_supply() -> None:
    found = options_of(counting, "scorer")
    assert found["samples"].required
    assert found == {"samples": found["samples"], "tau": Option(Share, 0.5), "mode": Option(Choice, "one")}
    assert list(options_of(Plan, "recipe")) == ["epochs", "lr", "milestones"]
    assert options_of(Network, "model") == {"width": Option(Count, 4), "bias": Option(bool, True)}
    assert options_of(loose, "masker") == {}
    assert [takes_others(target) for target in (counting, Plan, Network, loose)] == [False, False, False, True]


def test_a_call_has_its_options_checked_by_position_and_by_name() -> None:
    assert counting("m", "b", "g", np.int64(3)) == counting("m", "b", "g", 3) == ("m", 3, 0.5, "one")  # type: ignore[arg-type]
    assert counting("m", "b", "g", samples=3, tau=1, mode="two") == ("m", 3, 1.0, "two")
    for wrong in (lambda: counting("m", "b", "g", 0), lambda: counting("m", "b", "g", samples=0)):
        with pytest.raises(UserError, match=r"^counting's samples must be a whole number, at least 1, got 0\.$"):
            wrong()
    with pytest.raises(UserError, match=r"^counting's tau must be above 0 and at most 1, got 2\.$"):
        counting("m", "b", "g", 1, 2)
    with pytest.raises(UserError, match=r"^counting's mode must be one, two or three, got 'four'\.$"):
        functools.partial(counting, samples=1, mode="four")("m", "b", "g")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        counting("m", "b", "g")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        counting("m", "b", "g", 1, taau=1)  # type: ignore[call-arg]


def test_arguments_of_other_types_pass_as_they_are() -> None:
    model = nn.Linear(2, 2)
    assert counting(model, None, None, 1)[0] is model


def test_a_maskers_notes_are_the_callers() -> None:
    notes: dict[str, float] = {}
    assert loose([], 0.5, None, notes) == {}
    from pruneexp.layers import Layer

    layers = [Layer("fc.weight", torch.rand(6, 8), torch.ones(6, 8, dtype=torch.bool))]
    sparsify(layers, 0.5, torch.Generator(), notes)
    assert notes == {"filled": 0}


def test_a_dataclass_has_its_fields_checked_before_its_own_rules() -> None:
    plan = Plan(4, lr=1, milestones=[1, 3])  # type: ignore[arg-type]
    assert plan == Plan(epochs=4, lr=1.0, milestones=(1, 3))
    assert (type(plan.lr), type(plan.milestones)) == (float, tuple)
    with pytest.raises(
        UserError, match=r"^Plan's milestones must be a list, each a whole number, at least 0, got 5\.$"
    ):
        Plan(4, milestones=5)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"^plan\.milestones lie within the epochs\.$"):
        Plan(4, milestones=(9,))
    with pytest.raises(UserError, match=r"^Plan's lr must be a finite number, above 0, got nan\.$"):
        dataclasses.replace(plan, lr=math.nan)


def test_a_module_has_its_constructors_options_checked() -> None:
    assert Network(3, (4,), width=np.int32(5)).fc.in_features == 5  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"^Network's width must be a whole number, at least 1, got 0\.$"):
        Network(3, (4,), 0)
    with pytest.raises(UserError, match=r"^Network's bias must be true or false, got 1\.$"):
        Network(3, (4,), bias=1)  # type: ignore[arg-type]

    class Wider(Network):
        def __init__(self) -> None:
            super().__init__(3, (4,), width=50)

    assert Wider().fc.in_features == 50


def test_a_function_that_is_no_component_can_be_checked_too() -> None:
    @checked
    def half(value: Natural, of: nn.Module | None = None) -> float:
        return value / 2

    assert half(3) == 1.5
    with pytest.raises(UserError, match=r"^half's value must be a whole number, at least 0, got -1\.$"):
        half(value=-1)


# configurations


def test_a_configurations_options_are_made_the_declared_types() -> None:
    got = check_options("recipe", Plan, "recipe", {"epochs": 4, "lr": 1, "milestones": [1, 2]})
    assert got == {"epochs": 4, "lr": 1.0, "milestones": (1, 2)}
    assert check_options("scorer", counting, "scorer", {}, made=["samples"]) == {}
    assert check_options("masker", loose, "masker", {"anything": {"a": [1]}}) == {"anything": {"a": [1]}}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"lr": 0.1}, "recipe.epochs is missing: it must be a whole number, at least 1."),
        ({"epochs": 0}, "recipe.epochs must be a whole number, at least 1, got 0."),
        ({"epochs": None}, "recipe.epochs must be a whole number, at least 1, got null."),
        (
            {"epochs": 1, "milestone": [1]},
            "there is no option 'recipe.milestone'. Did you mean 'recipe.milestones'? Available: recipe.epochs, recipe.lr,"
            " recipe.milestones.",
        ),
    ],
)
def test_what_is_wrong_with_a_configuration_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        check_options("recipe", Plan, "recipe", given)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", ["model", "batches", "generator", "self", "zzz"])
def test_what_the_program_supplies_is_no_option(name: str) -> None:
    with pytest.raises(UserError, match=rf"^there is no option 'scorer\.{name}'"):
        check_options("scorer", counting, "scorer", {"samples": 1, name: 1})


# every component that conf/ names

KINDS = (
    "dataset", "model", "scorer", "masker", "allocation", "mask_update", "treatment", "recipe", "trainer", "launcher", "source",
    "measurement", "column", "figure",
)  # fmt: skip
Found = tuple[str, Callable[..., Any]]


def _components() -> dict[str, Found]:
    """(kind, function or class) by the dotted name that a configuration gives."""
    found: dict[str, Found] = {}

    def walk(node: Any, kind: str) -> None:
        if isinstance(node, dict):
            if "_target_" in node:
                found[node["_target_"]] = (kind, locate(kind, node["_target_"]))
            for key, value in node.items():
                walk(value, key if key in KINDS else kind)

    for path in sorted(conf_dir().rglob("*.yaml")):
        walk(OmegaConf.to_container(OmegaConf.load(path)), path.parent.name)
    return found


COMPONENTS = _components()
every_component = pytest.mark.parametrize("target", sorted(COMPONENTS))


def _default(target: Any, name: str) -> Any:
    """An option's default, made where a dataclass makes a new one for each."""
    if dataclasses.is_dataclass(target):
        (field,) = (field for field in dataclasses.fields(target) if field.name == name)
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
    return options_of(target, COMPONENTS[f"{target.__module__}.{target.__qualname__}"][0])[name].default


def test_there_are_components_of_every_kind() -> None:
    assert {kind for kind, _ in COMPONENTS.values()} == set(KINDS)
    assert len(COMPONENTS) >= 40


@every_component
def test_a_component_is_declared_as_what_it_stands_for(target: str) -> None:
    kind, found = COMPONENTS[target]
    about: About = found.about  # type: ignore[attr-defined]
    assert about.kind == kind
    assert value_of("name", Label, about.name) == about.name.lower()
    assert about.version >= 1


@every_component
def test_an_options_annotation_says_what_it_takes_and_its_default_is_that(target: str) -> None:
    kind, found = COMPONENTS[target]
    for name, option in options_of(found, kind).items():
        if allowed(option.hint) == allowed(Callable[[], Any]):
            assert option.required
            continue
        assert is_plain(option.hint), name
        if not option.required:
            default = _default(found, name)
            got = value_of(name, option.hint, default)
            assert got == default, name
            assert isinstance(got, type(default)) or isinstance(default, int), name  # 300 may stand for 300.0


NONSENSE: list[Any] = [
    None,
    True,
    "nonsense / of a user",
    "",
    -1,
    -0.5,
    1.5,
    math.nan,
    math.inf,
    2**100,
    1e308,
    [],
    [1],
    [None],
    {},
    {"a": {}},
]


@every_component
def test_no_nonsense_passes_for_a_number_a_list_or_a_choice(target: str) -> None:
    kind, found = COMPONENTS[target]
    for name, option in options_of(found, kind).items():
        if not is_plain(option.hint):
            continue
        for value in NONSENSE:
            try:
                got = value_of(name, option.hint, value)
            except UserError as error:
                told = str(error)
                assert told.startswith(f"{name} must be ")
                assert "\n" not in told
                assert told.endswith(".")
            else:
                assert got == (tuple(value) if isinstance(value, list) else value), name
                assert isinstance(got, bool) == isinstance(value, bool), name
        with pytest.raises(UserError):  # no option takes a list of mappings
            value_of(name, option.hint, [{"a": 1}])
