"""What reads which file, and what false content with the right seal is."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from pruneexp.data.image_folder import image_folder
from pruneexp.network.masks import load_masks
from pruneexp.records.record import sealed
from pruneexp.studies import report
from pruneexp.studies.published.computed import of_regressions
from pruneexp.studies.published.networks import of_networks
from pruneexp.studies.topology import mge_pool, source
from pruneexp.system import files
from scripts.damaged_files.sound import ARCHIVES, LEVELS, REWOUND, RUN, SCORED, UNFINISHED

ANEW = "it is made anew, and a line says so"
LEFT_OUT = "it is left out by name"


@dataclass(frozen=True)
class Reader:
    """What reads a file.

    Attributes:
        file: a pattern of its path in the folder, the first of the files that match; in `words` it is a path that people typed.
        words: of the command.
        taken: where it is right that the command goes on, why.
        program: what is run in place of ``python -m pruneexp``.
        forge: makes of the sound file one that has the right seal, and a false content.
    """

    file: str
    words: tuple[str, ...] = ()
    taken: str = ""
    program: Callable[[], None] | None = None
    forge: Callable[[Path], None] | None = None


def study(read: Callable[[], object]) -> Callable[[], None]:
    """A study that reads and no more."""
    return lambda: report.run(lambda: _done(read()))


def _done(_: object) -> None:
    print("read")


def false_checkpoint(path: Path) -> None:
    """An optimiser's state of another size, behind a network that fits."""
    state, content = torch.load(io.BytesIO(files.read_sealed(path)), weights_only=True), io.BytesIO()
    state["optimiser"]["state"][0]["momentum_buffer"] = torch.zeros(3)
    torch.save(state, content)
    files.write_sealed(path, content.getvalue())


def false_artifact(path: Path) -> None:
    """Another name."""
    found = safetensors.torch.load(files.read_sealed(path))
    files.write_sealed(path, safetensors.torch.save({f"{name}x": value for name, value in found.items()}))


def false_tensors(path: Path) -> None:
    """Other shapes than the cell's, and a record that has their digest and count."""
    found = {name: value.flatten()[:-1].clone() for name, value in safetensors.torch.load(path.read_bytes()).items()}
    path.write_bytes(content := safetensors.torch.save(found))
    place = path.with_name("record.json")
    record = json.loads(place.read_bytes())
    record["files"][path.name] = hashlib.sha256(content).hexdigest()
    place.write_text(json.dumps(sealed(record)), encoding="utf-8")


def false_record(path: Path) -> None:
    """Words for numbers; of several the first."""
    content = path.read_bytes()
    record = json.loads(content.splitlines()[0] if path.suffix == ".jsonl" else content)
    path.write_text(json.dumps(sealed(record | {"accuracy": "much", "layers": [1]})), encoding="utf-8")


def false_array(path: Path) -> None:
    """Objects, and another number of images."""
    np.save(path, np.array([{}] * 3, dtype=object), allow_pickle=True)


def false_table(path: Path) -> None:
    """Words for numbers, in columns that are not asked for."""
    path.write_bytes(b"a,b\nx,y\n")


TRAINED = ("when=trained", "results_dir=runs")
AGAIN = (*RUN, "measurement=latency")
READERS = {
    "weights=, safetensors": Reader("weights.safetensors", ("weights={here}/weights.safetensors",), forge=false_table),
    "weights=, pickle": Reader("weights.pt", ("weights={here}/weights.pt",), forge=false_table),
    "masks": Reader("masks.safetensors", program=study(lambda: load_masks("masks.safetensors"))),
    "records=": Reader("records.jsonl", (*RUN, "results_dir=new", "records=[{here}/records.jsonl]"), forge=false_record),
    "from=": Reader("records.jsonl", ("from=[{here}/records.jsonl]", "mode=report", "report_dir=new"), forge=false_record),
    "record.json": Reader("runs/*-d0.5-*/record.json", (*RUN, "mode=report"), forge=false_record),
    "record.json, check": Reader("runs/*-d0.5-*/record.json", ("mode=check", "results_dir=runs"), forge=false_record),
    "a cell's masks": Reader("runs/*-d0.5-*/masks.safetensors", AGAIN, forge=false_tensors),
    "the dense network": Reader("runs/*-dense-dense-*/weights.safetensors", TRAINED, forge=false_tensors),
    "checkpoint": Reader("unfinished/.*.checkpoint", UNFINISHED, ANEW, forge=false_checkpoint),
    "scores": Reader("scored/.artifacts/scores-*", SCORED, ANEW, forge=false_artifact),
    "rewound network": Reader("rewound/.artifacts/rewound-*", REWOUND, ANEW, forge=false_artifact),
    "network of a level": Reader("levels/.artifacts/level-*", LEVELS, ANEW, forge=false_artifact),
    "images.npy": Reader("data/digits/train_images.npy", ("data_dir=data",), forge=false_array),
    "labels.npy": Reader("data/digits/train_labels.npy", ("data_dir=data",), forge=false_array),
    "seal of the arrays": Reader("data/digits/sha256", ("data_dir=data",)),
    **{
        f"{name}, archive": Reader(f"archives/{archive}", (f"dataset={name}", "data_dir=archives"))
        for name, archive in ARCHIVES.items()
    },
    "image of a folder": Reader(
        "images/a/0.png", taken=LEFT_OUT,
        program=study(lambda: image_folder(Path("images"), 8, 2, lambda _, count: np.arange(count) == 2)),
    ),
    "conf YAML": Reader("conf/recipe/mine.yaml", ("--config-dir={here}/conf", "recipe=mine"), forge=false_table),
    "pool": Reader("pool.csv.gz", ("--pool", "pool.csv.gz"), program=study(lambda: _networks()), forge=false_table),
    "study's records": Reader("ours.jsonl", ("--records", "ours.jsonl"), program=study(lambda: _networks()), forge=false_record),
    "authors' table": Reader("authors/rolled.csv.gz", program=study(lambda: mge_pool.pool(Path("authors"))), forge=false_table),
    "study's table": Reader("tables/topology_table3.csv", program=study(lambda: list(of_regressions(Path()))), forge=false_table),
    "study's IMDBs": Reader("tables/ramanujan_table6_imdb.csv", program=study(lambda: list(of_networks(Path()))), forge=false_table),
    "times of masks": Reader("benchmarks/masks.json", program=study(lambda: list(of_networks(Path()))), forge=false_table),
}  # fmt: skip


def _networks() -> object:
    return source.networks(source.parser(__doc__).parse_args())
