"""Arrays on disk: used as they are, made all or nothing, and one sentence for whatever is wrong with them."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from pruneexp.data import dataset
from pruneexp.data.dataset import SEAL, Arrays, Dataset, load
from pruneexp.errors import UserError

COUNT = 6


def arrays(count: int = COUNT) -> Arrays:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count + 2, 3, 4, 4), dtype=np.uint8)
    labels = rng.integers(0, 5, count + 2)
    return {
        "train_images": images[:count],
        "train_labels": labels[:count],
        "test_images": images[count:],
        "test_labels": labels[count:],
    }


def source(data_dir: Path, name: str) -> Arrays:
    return arrays()


def forbidden(data_dir: Path, name: str) -> Arrays:
    raise AssertionError("the arrays exist, nothing is to be made")


def opened(data_dir: Path, made_by: Callable[[Path, str], Arrays] = forbidden, **changes: Any) -> Dataset:
    settings: dict[str, Any] = {"classes": 5, "train_count": COUNT, "image_shape": (3, 4, 4)}
    settings |= {"mean": (0.5,) * 3, "std": (0.2,) * 3, **changes}
    return load(data_dir, "toy", made_by, **settings)


def written(data_dir: Path, **changes: np.ndarray) -> Path:
    folder = data_dir / "toy"
    folder.mkdir(parents=True)
    for name, array in {**arrays(), **changes}.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def sentence(data_dir: Path, made_by: Callable[[Path, str], Arrays] = forbidden, **changes: Any) -> str:
    """What the user is told."""
    with pytest.raises(UserError) as error:
        opened(data_dir, made_by, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_existing_arrays_are_used_as_they_are(tmp_path: Path) -> None:
    written(tmp_path)
    dataset = opened(tmp_path)
    for name, array in arrays().items():
        assert np.array_equal(getattr(dataset, name), array)
    assert dataset.input_shape == (3, 4, 4)


def test_other_integer_labels_are_accepted(tmp_path: Path) -> None:
    written(tmp_path, train_labels=arrays()["train_labels"].astype(np.uint8))
    assert opened(tmp_path).train_labels.dtype == np.uint8


def test_missing_arrays_are_made_from_the_source_and_nothing_else_is_left(tmp_path: Path) -> None:
    dataset = opened(tmp_path / "deep" / "er", source)
    assert np.array_equal(dataset.test_images, arrays()["test_images"])
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["toy"]
    found = {path.name for path in (tmp_path / "deep" / "er" / "toy").iterdir()}
    assert found == {*(f"{name}.npy" for name in arrays()), SEAL}


@pytest.mark.parametrize(
    "change", ["permuted labels", "training set in place of the test set", "one pixel", "the seal"]
)
def test_arrays_that_were_changed_after_they_were_made_are_refused(tmp_path: Path, change: str) -> None:
    first = opened(tmp_path, source).digest
    assert opened(tmp_path).digest == first
    folder, image = tmp_path / "toy", arrays()["train_images"].copy()
    image[0, 0, 0, 0] ^= 1
    if change == "permuted labels":
        np.save(folder / "train_labels.npy", arrays()["train_labels"][::-1])
    elif change == "training set in place of the test set":
        for what in ("images", "labels"):
            np.save(folder / f"test_{what}.npy", arrays()[f"train_{what}"])
    elif change == "one pixel":
        np.save(folder / "train_images.npy", image)
    else:
        (folder / SEAL).write_bytes(b"\xff")
    assert "changed after they were made" in sentence(tmp_path)
    (folder / SEAL).unlink()
    assert (opened(tmp_path).digest == first) == (change == "the seal")


def test_one_missing_array_is_named_and_the_others_are_left_alone(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "test_labels.npy").unlink()
    kept = (folder / "train_images.npy").read_bytes()
    assert "lacks test_labels.npy" in sentence(tmp_path, source)
    assert (folder / "train_images.npy").read_bytes() == kept


@pytest.mark.parametrize("fault", [UserError("not to be had."), OSError(28, "No space left on device")])
def test_a_source_that_fails_leaves_nothing(tmp_path: Path, fault: Exception) -> None:
    def failing(data_dir: Path, name: str) -> Arrays:
        raise fault

    sentence(tmp_path, failing)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_the_arrays_are_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = dataset._save, []

    def full(file: BinaryIO, array: np.ndarray) -> None:
        calls.append(file)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        save(file, array)

    monkeypatch.setattr(dataset, "_save", full)
    assert "No space left on device" in sentence(tmp_path, source)
    assert len(calls) == 3
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pruneexp.data.dataset import load
load(sys.argv[1], "toy", lambda data_dir, name: os.kill(os.getpid(), 9), 5, 6, (3, 4, 4), (0.5,) * 3, (0.2,) * 3)
"""


def test_what_a_killed_process_left_is_cleaned_up(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, check=False)
    assert list(tmp_path.iterdir())
    opened(tmp_path, source)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.99])
@pytest.mark.parametrize("file", ["train_images", "test_labels"])
def test_a_truncated_file_is_named(tmp_path: Path, file: str, share: float) -> None:
    path = written(tmp_path) / f"{file}.npy"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    told = sentence(tmp_path)
    assert str(path) in told
    assert "damaged" in told
    assert "delete the folder" in told


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"train_images": arrays()["train_images"].astype(np.float32)}, "images are float32"),
        ({"train_images": arrays()["train_images"].transpose(0, 2, 3, 1)}, r"should be uint8 [N, 3, 4, 4]"),
        ({"test_images": np.zeros((2, 3, 8, 8), dtype=np.uint8)}, "test arrays"),
        ({"train_images": np.zeros(6, dtype=np.uint8)}, "images are uint8 [6]"),
        ({"train_labels": arrays()["train_labels"][:-1]}, "for 6 images"),
        ({"train_labels": arrays()["train_labels"].astype(np.float64)}, "labels are float64"),
        ({"train_labels": arrays()["train_labels"] + 1}, "0 ... 4"),
        ({"test_labels": arrays()["test_labels"] - 5}, "0 ... 4"),
        ({"test_images": np.zeros((0, 3, 4, 4), np.uint8), "test_labels": np.zeros(0, np.int64)}, "labels"),
    ],
)
def test_arrays_that_are_not_what_they_should_be(tmp_path: Path, changes: Arrays, part: str) -> None:
    written(tmp_path, **changes)
    assert part in sentence(tmp_path)


def test_a_header_damaged_at_any_byte_is_one_sentence_or_harmless(tmp_path: Path) -> None:
    path = written(tmp_path) / "train_images.npy"
    whole = path.read_bytes()
    rng, told = random.Random(0), 0
    for position in range(128):
        damaged = bytearray(whole)
        damaged[position] = rng.choice(b"\x00\xff({[')]},:#\"'\\9")
        path.write_bytes(damaged)
        try:
            opened(tmp_path)
        except UserError as error:
            told += 1
            assert "\n" not in str(error)  # noqa: PT017
            assert len(str(error)) < 300 + 2 * len(str(path))  # noqa: PT017
    assert told > 60


def test_an_archive_under_an_arrays_name_is_damaged(tmp_path: Path) -> None:
    path = written(tmp_path) / "train_images.npy"
    with path.open("wb") as file:
        np.savez(file, images=arrays()["train_images"])
    assert "train" in sentence(tmp_path)


def test_another_count_of_training_images_names_both_ways_out(tmp_path: Path) -> None:
    written(tmp_path)
    told = sentence(tmp_path, train_count=50)
    assert "6 training images" in told
    assert "dataset.train_count" in told


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"classes": 0}, "classes must be a whole number, at least 1 and at most 1000000, got 0"),
        ({"classes": 10**12}, "classes must be a whole number, at least 1 and at most 1000000, got 1000000000000"),
        ({"classes": 5.0}, "classes must be a whole number"),
        ({"train_count": 0}, "train_count must be a whole number, at least 1, got 0"),
        ({"image_shape": (3, 4)}, "image_shape must be a list of 3, each a whole number, at least 1 and at most 8192"),
        ({"image_shape": (3, 0, 4)}, "image_shape must be a list of 3"),
        ({"image_shape": (3, 4, 10**9)}, "image_shape must be a list of 3"),
        ({"mean": 0.5}, "mean must be a list, each a finite number, at least 0 and at most 1, got 0.5"),
        ({"mean": (0.5, -0.1, 0.5)}, "mean must be a list, each a finite number, at least 0"),
        ({"mean": (0.5, 0.5)}, "dataset.mean must have one number for each of 3 channels, got (0.5, 0.5)"),
        ({"std": (0.2, 0.0, 0.2)}, "std must be a list, each a finite number, above 0"),
        ({"std": (0.2, float("nan"), 0.2)}, "std must be a list, each a finite number, above 0"),
        ({"std": (0.2,) * 4}, "dataset.std must have one number for each of 3 channels"),
        ({"validation": 1.5}, "validation must be a whole number, at least 0, got 1.5"),
    ],
)
def test_an_option_that_cannot_be_is_named_before_anything_is_made(
    tmp_path: Path, changes: dict[str, Any], part: str
) -> None:
    assert part in sentence(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("validation", [-1, COUNT, 100])
def test_a_validation_split_that_leaves_no_training_images(tmp_path: Path, validation: int) -> None:
    written(tmp_path)
    assert "validation must be" in sentence(tmp_path, validation=validation)


def test_a_data_dir_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    told = sentence(tmp_path / "file" / "data", source)
    assert "cannot be written" in told
    assert "data_dir=PATH" in told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_data_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "data_dir=PATH" in sentence(tmp_path / "file", source)
