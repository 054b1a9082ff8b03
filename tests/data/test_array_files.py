"""Arrays of one's own: whatever is in the files, it is a data set or one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pruneexp.components.component import configured
from pruneexp.data.array_files import own_arrays
from pruneexp.data.dataset import FILES, Arrays, Dataset
from pruneexp.errors import UserError


@pytest.fixture
def arrays() -> Arrays:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (count, 3, 8, 6), dtype=np.uint8) for count in (12, 5)]
    return dict(zip(FILES, (images[0], np.arange(12) % 3, images[1], np.arange(5) % 3), strict=True))


def written(folder: Path, arrays: Arrays, kind: str = "npy") -> Path:
    if kind == "npy":
        (folder / "mine").mkdir()
        for name, array in arrays.items():
            np.save(folder / "mine" / f"{name}.npy", array)
        return folder / "mine"
    path = folder / f"mine.{kind}"
    if kind == "npz":
        np.savez_compressed(path, allow_pickle=False, **arrays)
    else:
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return path


def opened(folder: Path, root: Path, **options: Any) -> Dataset:
    return own_arrays(folder / "data", "mine", str(root), **options)


def sentence(folder: Path, root: Path) -> str:
    with pytest.raises(UserError) as error:
        opened(folder, root)
    assert "\n" not in str(error.value)
    assert not list(folder.glob("data/*"))
    return str(error.value)


@pytest.mark.parametrize("kind", ["npy", "npz", "pt"])
def test_every_kind_of_file_gives_the_arrays(tmp_path: Path, arrays: Arrays, kind: str) -> None:
    dataset = opened(tmp_path, written(tmp_path, arrays, kind), validation=2)
    assert all(np.array_equal(getattr(dataset, name), arrays[name]) for name in FILES)
    assert (dataset.classes, dataset.input_shape, dataset.validation) == (3, (3, 8, 6), 2)
    assert dataset.mean == pytest.approx(arrays["train_images"].mean(axis=(0, 2, 3)) / 255, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        (lambda images: images.transpose(0, 2, 3, 1), (3, 8, 6)),
        (lambda images: images[:, 0], (1, 8, 6)),
        (lambda images: images[:, :1].transpose(0, 2, 3, 1), (1, 8, 6)),
    ],
)
def test_other_orders_of_axes(tmp_path: Path, arrays: Arrays, change: Any, shape: tuple[int, ...]) -> None:
    first = arrays["test_images"]
    for name in ("train_images", "test_images"):
        arrays[name] = change(arrays[name])
    arrays["train_labels"] = arrays["train_labels"][:, np.newaxis].astype(np.uint8)
    dataset = opened(tmp_path, written(tmp_path, arrays, "npz"))
    assert dataset.input_shape == shape
    assert np.array_equal(dataset.test_images, first[:, : shape[0]])
    assert dataset.train_labels.dtype == np.int64


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "floats": ({"train_images": np.ones((12, 3, 8, 6))}, "(255 * images).round().astype('uint8')"),
    "five channels": ({"test_images": np.ones((5, 5, 8, 6), np.uint8)}, "test_images of dataset.root="),
    "no images": ({"test_images": np.ones((0, 3, 8, 6), np.uint8)}, "got uint8 [0, 3, 8, 6]"),
    "a label too many": ({"test_labels": np.zeros(6, int)}, "has 5 test images and 6 labels for them"),
    "labels that are no whole numbers": ({"train_labels": np.zeros(12)}, "must be whole numbers [N], got float64 [12]"),
    "labels from 1 on": ({"train_labels": np.arange(12) % 3 + 1}, "number the classes from 0 on"),
    "negative labels": ({"train_labels": np.arange(12) % 3 - 1}, "number the classes from 0 on"),
    "one class": ({"train_labels": np.zeros(12, int)}, "two classes or more"),
    "a class to test alone": ({"test_labels": np.full(5, 3)}, "has test images of class 3, and none to train on"),
    "other sizes to test": ({"test_images": np.ones((5, 3, 8, 7), np.uint8)}, "test images [3, 8, 7]"),
}


@pytest.mark.parametrize("why", WRONG)
def test_arrays_that_are_no_data_set_are_one_sentence(tmp_path: Path, arrays: Arrays, why: str) -> None:
    change, told = WRONG[why]
    assert told in sentence(tmp_path, written(tmp_path, arrays | change))


FILES_THAT_ARE_NONE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing there": (lambda path: None, "there is no"),
    "another kind of file": (lambda path: path.write_text("x"), "is not"),
    "an empty folder": (lambda path: path.mkdir(), "train_images.npy is missing"),
}


@pytest.mark.parametrize("why", FILES_THAT_ARE_NONE)
def test_files_that_are_none(tmp_path: Path, why: str) -> None:
    write, told = FILES_THAT_ARE_NONE[why]
    write(tmp_path / "mine")
    assert told in sentence(tmp_path, tmp_path / "mine")


@pytest.mark.parametrize("kind", ["npy", "npz", "pt"])
def test_damaged_files_are_one_sentence(tmp_path: Path, arrays: Arrays, kind: str) -> None:
    root = written(tmp_path, arrays, kind)
    path = root / "train_images.npy" if kind == "npy" else root
    path.write_bytes(path.read_bytes()[:100])
    assert "cannot be read" in sentence(tmp_path, root)


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_a_name_that_is_missing(tmp_path: Path, arrays: Arrays, kind: str) -> None:
    del arrays["test_labels"]
    assert "has no test_labels" in sentence(tmp_path, written(tmp_path, arrays, kind))


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (open, ("harm.txt", "w"))


@pytest.mark.parametrize("kind", ["npz", "pt"])
def test_nothing_is_unpickled(tmp_path: Path, arrays: Arrays, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"mine.{kind}"
    if kind == "npz":
        np.savez(path, allow_pickle=True, **arrays | {"test_labels": np.array([Harm()], dtype=object)})
    else:
        torch.save({**arrays, "test_labels": Harm()}, path)
    assert "cannot be read" in sentence(tmp_path, path)
    assert not (tmp_path / "harm.txt").exists()


def test_the_key_has_the_content_and_never_the_place(tmp_path: Path, arrays: Arrays) -> None:
    def identity(root: Path) -> dict[str, Any]:
        target = "pruneexp.data.array_files.own_arrays"
        return configured("dataset", {"_target_": target, "name": "mine", "root": str(root)}).identity()

    root = written(tmp_path, arrays)
    before = identity(root)
    moved = root.rename(tmp_path / "moved")
    assert identity(moved) == before
    assert "moved" not in str(before)
    arrays["test_labels"][0] = 1
    np.save(moved / "test_labels.npy", arrays["test_labels"])
    assert identity(moved) != before
