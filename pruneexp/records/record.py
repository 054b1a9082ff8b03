"""What a record must be to be believed: its types, its ranges, its key, its digest."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pruneexp.cell import canonical, digest

Record = dict[str, Any]
Natural = Annotated[int, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = float | None  # of a graph that may have none: an empty layer's lambda_2
FIGURES = (  # that tables and trackers have under the names that they have here; a record may lack some
    "density", "accuracy", "loss", "train_accuracy", "train_loss", "validation_accuracy", "validation_loss", "selected_epoch",
    "lambda2_min", "imdb", "imdb_sum", "imdb_norm", "imdb_layers", "effective_density", "collapsed_layers", "dead_filters", "macs",
    "parameters", "kept", "prunable", "epochs", "total_epochs", "peak_memory_bytes",
)  # fmt: skip


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class Layer(Strict):
    """What a record says of one layer."""

    name: str
    shape: list[Natural]
    kept: Natural
    density: Share
    lambda2: Number
    bound_gap: Number
    dead_filters: Natural
    components: Natural


class Times(Strict):
    scoring: Seconds
    masking: Seconds
    training: Seconds
    measuring: Seconds = 0.0


class Start(Strict):
    """What a record says of the masks that a training began with, where it changed them."""

    density: Annotated[float, Field(gt=0, le=1)]
    effective_density: Share | None
    lambda2_min: Number
    imdb: Number
    imdb_norm: Number
    dead_filters: Natural


class Data(Strict):
    """The data that was trained and tested on."""

    name: str
    sha256: Sha256


class Fields(Strict):
    """A record's fields, those of others allowed; `None` where a figure is not finite."""

    key: str
    names: dict[str, str]
    description: dict[str, Any]
    seed: Natural
    asked_density: Annotated[float, Field(gt=0, le=1)]
    density: Annotated[float, Field(gt=0, le=1)]
    kept: Natural
    prunable: Annotated[int, Field(ge=1)]
    accuracy: Percent | None
    loss: Loss | None
    train_loss: Loss | None
    train_accuracy: Percent | None = None
    validation_accuracy: Percent | None = None
    validation_loss: Loss | None = None
    selected_epoch: Natural | None = None  # whose weights were tested and saved, as history.csv counts
    diverged: bool
    epochs: Natural = 0
    total_epochs: Natural | None = None  # those of the dense network and of earlier levels that it comes from, too
    lambda2_min: Number
    imdb: Number
    imdb_norm: Number = None
    imdb_layers: Natural | None = None
    dead_filters: Natural
    macs: Natural | None  # None of a network that cannot be traced
    parameters: Natural | None = None
    collapsed_layers: Natural | None = None
    effective_density: Share | None = None
    peak_memory_bytes: Natural = 0
    seconds: Times
    layers: Annotated[list[Layer], Field(min_length=1)]
    notes: dict[str, Any] = {}
    start: Start | None = None
    mask_updates: Natural | None = None  # made up to the end of the epoch whose weights were tested
    topology: dict[str, Number] = {}
    latency: dict[str, dict[str, Seconds]] = {}
    device: str
    precision: Literal["float32", "bf16"]
    test_precision: Literal["float32", "bf16"] | None = None
    versions: dict[str, str | None]
    git_commit: str | None
    command: str
    data: Data | None
    classes: Natural = 0
    input_shape: list[Natural] = []
    files: dict[str, Sha256]
    digest: Sha256

    @model_validator(mode="after")
    def _fits_itself(self) -> "Fields":
        if (self.accuracy is None or self.loss is None) and not self.diverged:
            raise ValueError("accuracy and loss are missing, and it did not diverge")
        own = {"seed": self.seed, "density": self.asked_density, "precision": self.precision}
        for name, value in own.items():
            if self.description.get(name) != value:
                raise ValueError(f"its {name} is {value!r}, and its description says {self.description.get(name)!r}")
        if not self.key.endswith(f"-d{self.asked_density:g}-s{self.seed}-{digest(self.description)}"):
            raise ValueError("its key is not that of its description")
        if sum(layer.kept for layer in self.layers) != self.kept:
            raise ValueError("its layers do not add up to the weights it keeps")
        if any(layer.kept > math.prod(layer.shape) for layer in self.layers):
            raise ValueError("a layer keeps more weights than it has")
        return self


def shown_of(record: Mapping[str, Any]) -> list[str]:
    """The fields of a record that were measured because a job asked for them, and that tables show."""
    names: list[str] = record.get("measurements", ["latency", "topology"])  # of earlier versions, which knew no others
    return [name for name in names if name in record]


def precision_of_test(record: Mapping[str, Any]) -> str:
    """The precision of the test; of records that do not say it, that of the training."""
    return str(record.get("test_precision") or record["precision"])


def sealed(record: Mapping[str, Any]) -> Record:
    """The record with the digest of its content."""
    content: Record = json.loads(json.dumps({k: v for k, v in record.items() if k != "digest"}, default=float))
    return content | {"digest": content_digest(content)}


def content_digest(record: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of all its fields but the digest."""
    return hashlib.sha256(canonical({name: value for name, value in record.items() if name != "digest"})).hexdigest()


def problem(record: Any, key: str | None = None) -> str | None:
    """Why a record cannot be believed, in words that follow "it is damaged:"; None where it can.

    Args:
        record: parsed JSON.
        key: that it is found under.
    """
    if not isinstance(record, dict):
        return "it is no JSON object"
    if "digest" not in record:
        return "it has no digest: a version before records had one wrote it"
    if key is not None and record.get("key") != key:
        return f"it is the record of {str(record.get('key'))[:200]!r}"
    try:
        Fields.model_validate(record)
        sound = record["digest"] == content_digest(record)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
    except RecursionError:
        return "it is nested too deeply"
    return None if sound else "its content has another digest than it states: it was changed after it was written"
