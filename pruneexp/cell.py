"""THE schema: every option of a cell and of a sweep, once; and what makes a cell itself, its key.

A cell is one trained network. Its key is a hash of what makes its result differ: the name, the version and the options of its data
set, model, scorer, masker, treatments and recipe, where they are not at the defaults of their signatures, the options marked `identity`
below where they are not at theirs, density, seed, the precision it is trained in, and the number of processes that share a batch where
that matters. Paths, labels, `_target_`, loggers, launchers and the kind of device have no part in it.

An option added at its default changes no key; a changed default would, unnoticed: it needs a new version of its component
(`tests/identity`). So does a group of `BESIDES`: its usual choice is in no description.
"""

import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from hydra.core.config_store import ConfigStore
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pruneexp.components.values import Count, Label, Line, Natural, Place, Words

Share = Annotated[float, Field(gt=0, le=1), Words("above 0 and at most 1, the share of weights kept")]
Densities = Annotated[
    list[Share],
    Field(min_length=1),
    Words("a list such as [0.1,0.02], each density above 0 and at most 1 (the share of weights kept)"),
]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _of_this_machine(path: str) -> str:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise ValueError("an address")
    return path


Folder = Annotated[
    Line,
    Place(),
    AfterValidator(_of_this_machine),
    Words("one line of text, of at most 1024 characters, and no address"),
]


def _seen(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("characters that cannot be seen")
    return text


GROUPS = ("dataset", "model", "scorer", "masker", "recipe")  # whose choices make a cell
# others that do where they are not this one, which a description does not name
BESIDES = {"allocation": "own", "mask_update": "none"}
CHOICES = (*GROUPS, *BESIDES)
SEVERAL = ("treatment", "measurement", "figure")  # of which several stand side by side, each under its name
OTHERS = ("trainer", "launcher", "logger")


def option(default: Any, meaning: str, identity: bool = False, dense: bool = False, command: bool = False) -> Any:
    """An option of the schema.

    Args:
        default: its only place.
        meaning: one line.
        identity: whether it is part of a cell's key.
        dense: whether it concerns a dense network too.
        command: whether it is one for a whole command and says nothing of its cells, so that neither records nor trackers are told it.
    """
    return Field(
        default, description=meaning, json_schema_extra={"identity": identity, "dense": dense, "command": command}
    )


class Options(BaseModel):
    """The options of a sweep and of its cells, the components aside."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    # what a cell is
    seed: Seed = option(0, "of every random choice, each with a stream of its own")  # always part of the key
    initialisation: Literal["kaiming_normal", "kaiming_uniform"] = option(
        "kaiming_normal", "Kaiming's distribution that weights start from, normal or uniform", identity=True, dense=True
    )
    batchnorm_init: Literal["ones", "uniform"] = option(
        "ones", "of BatchNorm's weights: 1, or uniform in (0, 1) as OpenLTH starts them", identity=True, dense=True
    )
    weights: Annotated[Line, Words("none, imagenet or a path"), Place()] = option(
        "none", "pretrained, all but the classifier: none, imagenet (torchvision's) or the PATH of a state dict or a cell's folder",
        identity=True, dense=True,
    )  # fmt: skip
    when: Literal["init", "trained"] = option(
        "init", "score and mask at initialisation or the trained network", identity=True
    )
    rewind: Literal["init", "epoch", "none"] = option(
        "init",
        "when=trained: the weights that training starts from: initial; after rewind_epoch epochs, to go on with the next; or as trained",
        identity=True,
    )
    rewind_epoch: Natural = option(0, "rewind=epoch: after so many epochs", identity=True)
    levels: Count = option(
        1,
        "when=trained: how often a share 1 - density^(1/levels) of what is left is pruned, rewound and trained (iterative pruning)",
        identity=True,
    )
    rounds: Count = option(1, "how often scorer and masker take turns", identity=True)
    round_masker: Literal["masker", "greedy"] = option(
        "masker", "who masks in the rounds before the last", identity=True
    )
    round_counts: Literal["nearest", "up", "down"] = option(
        "nearest", "which whole number of weights is left after a round before the last", identity=True
    )
    biases: Literal["trained", "frozen"] = option(
        "trained",
        "trained, or in pruned networks frozen for prunable layers, as the public code of Cunegatti et al. has it",
        identity=True,
    )
    only: Annotated[list[Line], Words("a list of patterns of names such as [layer1.*,Conv2d]")] = option(
        [],
        "prune these weights alone, and count densities of them: patterns of names of weights or modules, or classes; []: all",
        identity=True,
    )
    exclude: Annotated[list[Line], Words("a list of patterns of names such as [conv1,fc]")] = option(
        [], "leave these weights as they are, and count densities without them: patterns as of only", identity=True
    )
    select: Literal["last", "best_validation"] = option(
        "last",
        "the epoch whose weights are tested and saved: the last, or that of the highest validation accuracy (equal: lowest loss, first)",
        identity=True,
        dense=True,
    )
    patience: Natural = option(
        0, "training ends after so many epochs without a better one by validation; 0: never", identity=True, dense=True
    )

    # what a sweep is
    name: Label = option("quickstart", "of the report's files and the W&B group")
    title: Line = option("none", "of the report, for people; none: the name", command=True)
    mode: Literal["run", "plan", "status", "report", "check", "export"] = option(
        "run",
        "run; plan: the grid and its cost; status: what is done, worked on, failed; report: from the records; check: does each record"
        " fit its files and itself; export: a cell's network as a file for other programs",
        command=True,
    )
    densities: Densities = option([1.0, 0.2, 0.1, 0.05, 0.02], "kept / prunable weights; 1.0 is the dense network")
    plan: Annotated[
        dict[Literal["time"], bool],
        Field(min_length=1),
        Words("{time: true} or {time: false}, typed as in plan.time=false"),
    ] = option({"time": True}, "of mode=plan: plan.time=false tells no times, and times nothing", command=True)
    records: Annotated[
        list[Line], Words("a list of files of records such as [results/records/NAME.jsonl]"), Place()
    ] = option([], "files of finished cells, as reports leave them: their cells count as done", command=True)
    columns: Annotated[list[Label], Words("a list of names of files in conf/column such as [n,accuracy,drop]")] = option(
        [
            "n", "accuracy", "validation", "pairs", "drop", "published", "density_achieved", "effective", "neurons", "dead_filters",
            "collapsed", "imdb", "lambda2_min", "pruning_seconds", "measured",
        ],
        "of a report's tables, after those that say what a row is of; those that have nothing to say are left out",
        command=True,
    )  # fmt: skip
    where: Annotated[Line, Words("none, or a comparison of columns such as \"masker == 'greedy'\"")] = option(
        "none",
        "which rows a report shows, as in \"masker == 'greedy' and asked_density < 0.1\"; none: all",
        command=True,
    )
    data_dir: Folder = option(
        "data", "<data_dir>/<dataset>/{train,test}_{images,labels}.npy, or the official files", command=True
    )
    results_dir: Folder = option("results/runs", "one folder for each finished cell", command=True)
    report_dir: Folder = option("${results_dir}/reports", "tables/, figures/ and records/ go here", command=True)

    # what mode=export writes
    cell: Folder = option("none", "mode=export: the folder of a finished cell, <results_dir>/<key>", command=True)
    format: Literal["none", "onnx", "pt2", "safetensors"] = option(
        "none", "mode=export: ONNX, torch.export's or the state dict with its zeros", command=True
    )
    to: Folder = option(
        "none", "mode=export: the file, which must end as the format does; none: <key>.<format> here", command=True
    )


class Logger(BaseModel):
    """Where a cell's curves go."""

    name: Literal["none", "csv", "tensorboard", "wandb"]
    project: Annotated[
        str,
        Field(pattern=r"^[^./\\#?%:][^/\\#?%:]{0,127}$"),
        AfterValidator(_seen),
        Words(
            "a W&B project's name, without / \\ # ? % : and what cannot be seen, no dot in front, no blank at an end"
        ),
    ] = "pruneexp"


def spoken(names: Mapping[str, str]) -> list[str]:
    """What a line says of a cell: the names of data set, model, scorer, masker, and of the groups of `BESIDES` that are part of it."""
    return [names[group] for group in CHOICES if group in names and group != "recipe"]


FIELDS = Options.model_fields
ROOT: dict[str, Any] = Options().model_dump(mode="json")  # Hydra's root node: every option at its default


def register() -> None:
    """Make the schema's defaults the root of every configuration that Hydra composes."""
    store = ConfigStore.instance()
    if "options.yaml" not in store.repo:
        store.store(name="options", node=ROOT)


def hint(schema: type[BaseModel], name: str) -> Any:
    """The annotation of one of a schema's fields, bounds included."""
    field = schema.model_fields[name]
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def marked(mark: str) -> list[str]:
    """The options with a mark, in the schema's order: ``identity``, ``dense``, ``command``."""
    return [name for name, field in FIELDS.items() if isinstance(e := field.json_schema_extra, dict) and e.get(mark)]


PLACES = tuple(name for name, field in FIELDS.items() if Place() in field.metadata)  # options that are paths


@dataclass(frozen=True)
class Cell:
    """One network to train.

    Attributes:
        names: what each group's choice is called; scorer and masker are "dense" at density 1, where they do not matter.
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
        """The readable part, and the hash of the description."""
        return self.key_with(digest(self.description))

    def key_with(self, hashed: str) -> str:
        """The key, where the digest of the description is known."""
        return f"{self.short}-d{self.density:g}-s{self.seed}-{hashed}"


# one for all: json.dumps makes one each time; nothing that is encoded holds itself
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no spaces."""
    return ENCODER.encode(content).encode()


def digest(description: Any) -> str:
    """The first 16 hex digits of SHA-256 over the canonical JSON of `description`."""
    return hashlib.sha256(canonical(description)).hexdigest()[:16]


def digests(known: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], str]:
    """The `digest` of ``known | others`` as a function of others, whose values are numbers and text: of thousands of cells that differ in a
    few fields, the rest is encoded once."""
    encoded = {name: _encoded(name, value) for name, value in known.items()}

    def digest_with(others: Mapping[str, Any]) -> str:
        fields = encoded | {name: _field(name, value) for name, value in others.items()}
        content = b",".join(fields[name] for name in sorted(fields))
        return hashlib.sha256(b"{" + content + b"}").hexdigest()[:16]

    return digest_with


def _encoded(name: str, value: Any) -> bytes:
    return canonical({name: value})[1:-1]


_field = functools.lru_cache(maxsize=65536, typed=True)(_encoded)  # 1 and 1.0 are written otherwise
