"""THE schema: every option of a cell and of a sweep, once; and what makes a cell itself, its key.

A cell is one trained network. Its key is a hash of what makes its result differ: the name, the version and the options of its data
set, model, scorer, masker and recipe, where they are not at the defaults of their signatures, the options marked `identity` below
where they are not at theirs, density, seed, the precision it is trained in, and the number of processes that share a batch where that
matters. Paths, labels, `_target_`, loggers, launchers and the kind of device have no part in it.

An option added at its default changes no key; a changed default would, unnoticed: it needs a new version of its component
(`tests/identity`). An allocation that is no part of a masker's definition will be a part of the description that is absent today.
"""

import functools
import hashlib
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from hydra.core.config_store import ConfigStore
from pydantic import BaseModel, ConfigDict, Field

from pruneexp import foreign
from pruneexp.errors import UserError, unknown
from pruneexp.options import (
    HYDRA,
    About,
    Count,
    Label,
    Line,
    Natural,
    Words,
    allowed,
    check_options,
    is_plain,
    options_of,
    shown,
    value_of,
)
from pruneexp.torchvision_compat import prepare

Node = dict[str, Any]  # a component's configuration: its name, _target_ and options
Share = Annotated[float, Field(gt=0, le=1), Words("above 0 and at most 1, the share of weights kept")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Folder = Line
GROUPS = ("dataset", "model", "scorer", "masker", "recipe")  # whose choices make a cell
OTHERS = ("trainer", "launcher", "logger")
OPTION_OF_COMPONENT = re.compile(rf"({'|'.join((*GROUPS, 'trainer', 'launcher'))})(\.\w+)+=")


def option(default: Any, meaning: str, identity: bool = False, dense: bool = False, control: bool = False) -> Any:
    """An option of the schema.

    Args:
        default: its only place.
        meaning: one line.
        identity: whether it is part of a cell's key.
        dense: whether it concerns a dense network too.
        control: whether it takes from a method what makes it one, so that tables always name it.
    """
    return Field(
        default, description=meaning, json_schema_extra={"identity": identity, "dense": dense, "control": control}
    )


class Options(BaseModel):
    """The options of a sweep and of its cells, the components aside."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    # what a cell is
    seed: Seed = option(0, "of every random choice, each with a stream of its own")  # always part of the key
    initialisation: Literal["kaiming_normal", "kaiming_uniform"] = option(
        "kaiming_normal", "of the weights", identity=True, dense=True
    )
    weights: Annotated[Line, Words("none, imagenet or a path")] = option(
        "none", "pretrained, all but the classifier: none, imagenet (torchvision's) or the PATH of a state dict or a dense cell's folder",
        identity=True, dense=True,
    )  # fmt: skip
    when: Literal["init", "trained"] = option(
        "init", "score and mask at initialisation or the trained network", identity=True
    )
    rewind: Literal["init", "epoch", "none"] = option(
        "init",
        "when=trained: the weights that training starts from: initial, after rewind_epoch epochs, or as trained",
        identity=True,
    )
    rewind_epoch: Natural = option(0, "rewind=epoch: after so many epochs", identity=True)
    rounds: Count = option(1, "how often scorer and masker take turns", identity=True)
    round_masker: Literal["masker", "greedy"] = option(
        "masker", "who masks in the rounds before the last", identity=True
    )
    repair: Literal["none", "paths"] = option(
        "none", "paths: move weights on no input-output path to where they connect", identity=True
    )
    invert: bool = option(False, "scores turned round", identity=True, control=True)
    shuffle: bool = option(False, "each layer's mask in random order", identity=True, control=True)
    reinit: bool = option(False, "weights drawn anew after pruning", identity=True, control=True)

    # what a sweep is
    name: Label = option("quickstart", "of the report's files and the W&B group")
    mode: Literal["run", "plan", "report", "check"] = option(
        "run",
        "run; plan: the grid and its cost; report: from the records; check: does each record fit its files and itself",
    )
    densities: Annotated[list[Share], Field(min_length=1), Words("a list such as [0.1,0.02], each density above 0 and at most 1 (the share of weights kept)")] = option(
        [1.0, 0.2, 0.1, 0.05, 0.02], "kept / prunable weights; 1.0 is the dense network"
    )  # fmt: skip
    topology: Literal["none", "ramanujan", "full"] = option(
        "none", "metrics of the kept weights' graph in every record: by layer, or the sixteen of the multipartite graph"
    )
    latency: bool = option(False, "milliseconds for 1 and 64 images in every record")
    figures: Annotated[list[Literal["accuracy", "macs", "lambda2"]], Words("a list of accuracy, macs, lambda2")] = (
        option(
            ["accuracy"],
            "of the report: accuracy or MACs against density; lambda2 by layer, beside the accuracy, and a table of layers",
        )
    )
    records: Annotated[list[Line], Words("a list of files of records such as [results/records/NAME.jsonl]")] = option(
        [], "files of finished cells, as reports leave them: their cells count as done"
    )
    data_dir: Folder = option("data", "<data_dir>/<dataset>/{train,test}_{images,labels}.npy, or the official files")
    results_dir: Folder = option("results/runs", "one folder for each finished cell")
    report_dir: Folder = option("${results_dir}/reports", "tables/, figures/ and records/ go here")
    sweep_cells: Natural = option(0, "set by the command line, for the progress display")


class Logger(BaseModel):
    """Where a cell's curves go."""

    name: Literal["none", "csv", "tensorboard", "wandb"]
    project: Annotated[
        str,
        Field(pattern=r"^[^./\\#?%:\x00-\x1f][^/\\#?%:\x00-\x1f]{0,127}$"),
        Words("a W&B project's name, without / \\ # ? % : and with no dot in front"),
    ] = "pruneexp"


FIELDS = Options.model_fields
ROOT: dict[str, Any] = Options().model_dump(mode="json")  # Hydra's root node: every option at its default


def register() -> None:
    """Make the schema's defaults the root of every configuration that Hydra composes."""
    ConfigStore.instance().store(name="options", node=ROOT)


def hint(schema: type[BaseModel], name: str) -> Any:
    """The annotation of one of a schema's fields, bounds included."""
    field = schema.model_fields[name]
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def marked(mark: str) -> list[str]:
    """The options with a mark, in the schema's order: ``identity``, ``dense``, ``control``."""
    return [name for name, field in FIELDS.items() if isinstance(e := field.json_schema_extra, dict) and e.get(mark)]


def opened(argument: str) -> str:
    """An override that may add an option: those of components stand in their signatures, not in their files."""
    return f"++{argument}" if OPTION_OF_COMPONENT.match(argument) else argument


def typed(override: str) -> str:
    """The override as a user types it."""
    return override[2:] if override.startswith("++") and OPTION_OF_COMPONENT.match(override[2:]) else override


# components


@dataclass(frozen=True)
class Component:
    """A configured component, checked.

    Attributes:
        target: the function or class.
        options: as given, each of its declared type; a component among them is one too.
        about: what it says of itself; of one from outside pruneexp that says nothing, its name alone.
        label: the name in its file.
        partial: whether what it configures is the function itself, called later with what only its user has, as Hydra's ``_partial_``.
        stated: the version that its file states, where it is from outside pruneexp.
    """

    target: Any
    options: dict[str, Any]
    about: About
    label: str
    partial: bool
    stated: int | None = None

    def identity(self) -> dict[str, Any]:
        """Name, version and the options that differ from the signature's defaults, as plain JSON."""
        found: dict[str, Any] = {"name": self.about.name, "version": self.about.version}
        if not foreign.is_ours(self.target):
            found["code"] = f"version {self.stated}" if self.stated is not None else foreign.fingerprint(self.target)
        declared = options_of(self.target, self.about.kind)
        options = {name: _plain(value) for name, value in self.options.items()}
        changed = {
            name: value
            for name, value in options.items()
            if name not in declared or declared[name].required or value != _plain(declared[name].default)
        }
        return found | ({"options": changed} if changed else {})

    def value(self, name: str) -> Any:
        """One option's value, the signature's default where it is not given."""
        return self.options[name] if name in self.options else options_of(self.target, self.about.kind)[name].default

    def make(self, **arguments: Any) -> Any:
        """What it configures: the function with its options, or what the function or class returns.

        Args:
            arguments: that the program supplies at once, in place of an option of that name.
        """
        options = {
            name: value.make() if isinstance(value, Component) else value for name, value in self.options.items()
        }
        if self.partial:
            return functools.partial(self.target, **options | arguments)
        return self.target(**options | arguments)

    def short(self) -> str:
        """For the key's readable part: the label that is an option of its own, or the name with the values it cannot do without."""
        if "name" in self.options:
            return str(self.options["name"])
        declared = options_of(self.target, self.about.kind)
        needed = (self.options[name] for name, one in declared.items() if one.required)
        return self.about.name + "".join(f"_{one}" if isinstance(one, str) else str(one) for one in needed)


def component(group: str, node: Any, kind: str | None = None) -> Component:
    """A component's configuration, checked; nothing is made.

    Args:
        group: where it stands, for the sentences: ``scorer``, ``dataset.source``.
        node: name, _target_, options; plain.
        kind: what it is, the group unless given.

    Raises:
        UserError: it names nothing that can be imported, or its options are not what it takes.
    """
    kind = kind or group
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        got = node.get("_target_") if isinstance(node, Mapping) else node
        raise UserError(
            f"{group} must be a component, with _target_ the dotted name of a function or class, got {shown(got)}."
        )
    target = locate(group, node["_target_"])
    if not isinstance(node.get("_partial_", False), bool):
        raise UserError(f"{group}._partial_ must be true or false, got {shown(node['_partial_'])}.")
    about = getattr(target, "about", None) or About(kind, getattr(target, "__qualname__", str(node["_target_"])))
    if about.kind != kind:
        raise UserError(f"{group} must be a {kind}, and _target_={node['_target_']} is a {about.kind}.")
    given = {str(name): value for name, value in node.items() if name not in HYDRA}
    declared = options_of(target, kind)
    label, stated = given.get("name", about.name), None
    if kind == "source":
        label = about.name
    elif "name" not in declared:
        given.pop("name", None)
    if kind != "source":
        label = value_of(f"{group}.name", Label, label)
    if "version" in given and "version" not in declared and not foreign.is_ours(target):
        stated = value_of(f"{group}.version", Count, given.pop("version"))
    inner = {
        name: component(f"{group}.{name}", value, name)
        for name, value in given.items()
        if isinstance(value, Mapping) and "_target_" in value
    }
    for name in inner:
        if name not in declared:
            raise UserError(unknown("option", f"{group}.{name}", [f"{group}.{known}" for known in declared]))
        if is_plain(declared[name].hint):
            raise UserError(f"{group}.{name} must be {allowed(declared[name].hint)}, got a component.")
    plain = {name: value for name, value in given.items() if name not in inner}
    left = check_options(group, target, kind, plain, set(inner))
    return Component(
        target,
        {name: inner.get(name, left.get(name)) for name in given},
        about,
        str(label),
        node.get("_partial_", False),
        stated,
    )


def locate(where: str, target: str) -> Any:
    """The function or class that a dotted path names.

    Raises:
        UserError: there is none.
    """
    module, _, name = target.rpartition(".")
    if not all(part.isidentifier() for part in (*module.split("."), name)) or len(target) > 200:
        raise UserError(f"{where}._target_ must be the dotted name of a function or class, got {shown(target)}.")
    if not target.startswith("pruneexp."):
        prepare()  # it may import torchvision
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is not None and not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it imports is not
        raise UserError(f"{where}._target_={target} names nothing that can be imported: {error}.") from error
    except (AttributeError, ValueError, TypeError) as error:
        raise UserError(f"{where}._target_={target} names nothing that can be imported: {error}.") from error
    if not callable(found):
        raise UserError(f"{where}._target_={target} is neither a function nor a class.")
    return found


def _plain(value: Any) -> Any:
    """A value as canonical JSON has it: components by their identity, tuples as lists, no negative zero."""
    if isinstance(value, Component):
        return value.identity()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value


# identity


@dataclass(frozen=True)
class Cell:
    """One network to train.

    Attributes:
        names: the label of each group's choice; scorer and masker are "dense" at density 1, where they do not matter.
        description: everything that makes the result differ.
        short: of data set, model, scorer and masker: the key's readable part.
    """

    names: dict[str, str]
    density: float
    seed: int
    precision: str
    description: dict[str, Any]
    short: str

    @functools.cached_property
    def key(self) -> str:
        return key_of(self.short, self.description)


def key_of(short: str, description: Mapping[str, Any]) -> str:
    """A readable part, and the hash of the description."""
    return f"{short}-d{description['density']:g}-s{description['seed']}-{digest(description)}"


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def digest(description: Any) -> str:
    """The first 16 hex digits of SHA-256 over the canonical JSON of `description`."""
    return hashlib.sha256(canonical(description)).hexdigest()[:16]
