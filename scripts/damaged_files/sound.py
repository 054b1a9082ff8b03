"""A folder in which each file that pruneexp reads lies as it should be."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from PIL import Image

from scripts.corruptions_of.commands import composed, forked, killed_after
from scripts.wrong_values import BASE

SMALL = [f"{name}={value}" for name, value in BASE.items()]
RUN = ("densities=[1.0,0.5]", "results_dir=runs")
UNFINISHED = ("recipe.epochs=3", "trainer.checkpoint_seconds=0.000001", "results_dir=unfinished")
SCORED = ("scorer=snip", "recipe.train_images=128", "results_dir=scored")
REWOUND = ("recipe.epochs=2", "when=trained", "rewind=epoch", "rewind_epoch=1", "results_dir=rewound")
LEVELS = (
    "when=trained",
    "levels=2",
    "treatment=shuffle",
    "results_dir=levels",
)  # with which the last is not left to others
ARCHIVES = {
    "cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz", "tiny_imagenet": "tiny-imagenet-200.zip",
    "caltech101": "caltech-101.zip", "flowers102": "flowers-102/102flowers.tgz", "tf_flowers": "flower_photos.tgz",
}  # fmt: skip


def make(folder: Path) -> None:
    """Fill an empty folder."""
    composed(folder, SMALL)
    commands = (
        (RUN, _nothing),
        (UNFINISHED, killed_after(1)),
        (SCORED, _all_kept),
        (REWOUND, _nothing),
        (LEVELS, _nothing),
    )
    for words, before in commands:
        done = forked(folder, [*SMALL, *words], before=before)
        if done.code != (-9 if words is UNFINISHED else 0):
            raise SystemExit(f"a sound folder cannot be made: {done}")
    for name in ("scored", "rewound", "levels"):  # what is kept for others is needed again
        for cell in (folder / name).glob("*-d0.5-*"):
            shutil.rmtree(cell)
    (weights,) = (folder / "runs").glob("*-dense-dense-*/weights.safetensors")
    shutil.copy(weights, folder / "weights.safetensors")
    torch.save(safetensors.torch.load_file(weights), folder / "weights.pt")
    (masks,) = (folder / "runs").glob("*-d0.5-*/masks.safetensors")
    shutil.copy(masks, folder / "masks.safetensors")
    (records,) = (folder / "runs" / "reports" / "records").glob("*.jsonl")
    shutil.copy(records, folder / "records.jsonl")
    (folder / "conf" / "recipe").mkdir(parents=True)
    (folder / "conf" / "recipe" / "mine.yaml").write_text("defaults: [smoke]\n", encoding="utf-8")
    for archive in ARCHIVES.values():
        (folder / "archives" / archive).parent.mkdir(parents=True, exist_ok=True)
        (folder / "archives" / archive).write_bytes(b"another file")
    _images(folder / "images")
    _tables(folder)


def _images(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((9, 9, 3), 40 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def _tables(folder: Path) -> None:
    """Those of studies."""
    from pruneexp.studies.prediction.pool import METRICS
    from pruneexp.studies.topology.mge_pool import COLUMNS
    from pruneexp.system.shipped import published_dir

    shutil.copy(published_dir() / "mge_pool.csv.gz", folder / "pool.csv.gz")
    of = {"recipe": "smoke", "dataset": "digits", "model": "vgg_small", "scorer": "snip", "masker": "greedy"}
    records = [
        {"names": of, "asked_density": density, "seed": 0, "accuracy": 50.0, "topology": dict.fromkeys(METRICS, 0.5)}
        for density in (1.0, 0.5)
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "ours.jsonl").write_text(lines, encoding="utf-8")
    (folder / "authors").mkdir()
    for name, columns in COLUMNS.items():
        row = {"dataset": "CIFAR-10", "model": "CONV-6", "pruning": "snip", "sparsity": 0.9, "seed": 0}
        pd.DataFrame([row | dict.fromkeys(columns, 1.0)]).to_csv(folder / "authors" / f"{name}.csv.gz", index=False)
    for name in ("tables", "benchmarks"):
        (folder / name).mkdir()
    shutil.copy(published_dir().parent / "tables" / "topology_table3.csv", folder / "tables")
    shutil.copy(published_dir().parent / "tables" / "ramanujan_table6_imdb.csv", folder / "tables")
    (folder / "benchmarks" / "masks.json").write_text(json.dumps({"rows": []}), encoding="utf-8")


def _nothing() -> None:
    """Before a command that is run as it is."""


def _all_kept() -> None:
    """Keep scores that took no time, too."""
    import pruneexp.artifacts

    pruneexp.artifacts.WORTH = 0.0
