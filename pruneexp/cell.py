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
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from hydra.core.config_store import ConfigStore
from pydantic import BaseModel, ConfigDict, Field

from pruneexp.components.options import Count, Label, Line, Natural, Words

Share = Annotated[float, Field(gt=0, le=1), Words("above 0 and at most 1, the share of weights kept")]
Densities = Annotated[
    list[Share],
    Field(min_length=1),
    Words("a list such as [0.1,0.02], each density above 0 and at most 1 (the share of weights kept)"),
]
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
    densities: Densities = option([1.0, 0.2, 0.1, 0.05, 0.02], "kept / prunable weights; 1.0 is the dense network")
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
