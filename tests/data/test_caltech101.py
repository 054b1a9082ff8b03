"""Caltech-101 from a small folder and archives in the official layout."""

import functools
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pruneexp.data import caltech101 as module
from pruneexp.data.caltech101 import caltech101
from pruneexp.data.dataset import Dataset, load
from pruneexp.errors import UserError
from tests.data.pictures import folder_of_classes

pytestmark = pytest.mark.usefixtures("small_archives")

COUNTS = {"Faces": 33, "accordion": 31, "yin_yang": 40}


@pytest.fixture(autouse=True)
def _three_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLASSES", 3)


def opened(data_dir: Path) -> Dataset:
    return load(
        data_dir,
        "caltech101_8",
        lambda folder, name: caltech101(folder, name, side=8),
        3,
        90,
        (3, 8, 8),
        mean=(0.5,) * 3,
        std=(0.2,) * 3,
    )


def official(data_dir: Path) -> Path:
    root = data_dir / "101_ObjectCategories"
    folder_of_classes(root, {"BACKGROUND_Google": 2, **COUNTS})
    (root / "BACKGROUND_Google" / "tmp").write_text("")
    return root


def tarred(data_dir: Path, to: Path) -> Path:
    to.mkdir(parents=True, exist_ok=True)
    archive = to / "101_ObjectCategories.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(data_dir / "101_ObjectCategories", arcname="101_ObjectCategories")
    shutil.rmtree(data_dir / "101_ObjectCategories")
    return archive


def zipped(data_dir: Path) -> Path:
    """The archive as it is published: a tar, and another that nothing here reads, in a zip."""
    archive = data_dir / "caltech-101.zip"
    tar = tarred(data_dir, data_dir / "caltech-101")
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tar, "caltech-101/101_ObjectCategories.tar.gz")
        file.writestr("caltech-101/Annotations.tar", b"")
        file.writestr("__MACOSX/caltech-101/._Annotations.tar", b"")
    shutil.rmtree(data_dir / "caltech-101")
    return archive


def told(data_dir: Path) -> str:
    before = sorted(data_dir.iterdir())
    with pytest.raises(UserError) as error:
        opened(data_dir)
    assert "\n" not in str(error.value)
    assert sorted(data_dir.iterdir()) == before
    return str(error.value)


@pytest.mark.parametrize(
    "form", ["101_ObjectCategories", "101_ObjectCategories.tar.gz", "caltech-101", "caltech-101.zip"]
)
def test_thirty_images_of_each_class_are_for_training(tmp_path: Path, form: str) -> None:
    official(tmp_path)
    if form.endswith(".tar.gz"):
        tarred(tmp_path, tmp_path)
    elif form == "caltech-101":
        tarred(tmp_path, tmp_path / form)
    elif form.endswith(".zip"):
        zipped(tmp_path)
    dataset = opened(tmp_path)
    assert np.bincount(dataset.train_labels).tolist() == [30, 30, 30]
    assert np.bincount(dataset.test_labels).tolist() == [3, 1, 10]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([form, "caltech101_8"])
    for label, count in enumerate(COUNTS.values()):
        images = [
            dataset.train_images[dataset.train_labels == label],
            dataset.test_images[dataset.test_labels == label],
        ]
        numbers = np.concatenate(images)[:, 0, 0, 0]
        assert sorted(numbers.tolist()) == list(range(1, count + 1))
        assert set(np.concatenate(images)[:, 1, 0, 0].tolist()) == {
            20 * (label + 1)
        }  # the background class is the first


def test_the_split_is_always_the_same_one(tmp_path: Path) -> None:
    official(tmp_path)
    test = opened(tmp_path).test_images[:, 0, 0, 0].tolist()
    assert test == [22, 26, 28, 31, 1, 4, 13, 14, 19, 21, 23, 25, 27, 40]


def test_a_class_draws_for_itself(tmp_path: Path) -> None:
    root = official(tmp_path)
    before = opened(tmp_path)
    shutil.rmtree(tmp_path / "caltech101_8")
    shutil.copy(root / "accordion" / "image_0001.png", root / "accordion" / "image_0032.png")
    after = opened(tmp_path)
    for label in (0, 2):
        index = [dataset.test_labels == label for dataset in (before, after)]
        assert np.array_equal(before.test_images[index[0]], after.test_images[index[1]])


def test_the_background_may_be_missing(tmp_path: Path) -> None:
    shutil.rmtree(official(tmp_path) / "BACKGROUND_Google")
    assert opened(tmp_path).classes == 3


def test_a_class_of_thirty_images_has_none_for_testing(tmp_path: Path) -> None:
    root = official(tmp_path)
    (root / "accordion" / "image_0001.png").unlink()
    assert "accordion has 30 images" in told(tmp_path)


def test_a_missing_class(tmp_path: Path) -> None:
    shutil.rmtree(official(tmp_path) / "accordion")
    assert "2 classes and should have 3" in told(tmp_path)


def test_missing_and_not_downloadable_names_both_ways(tmp_path: Path) -> None:
    sentence = told(tmp_path)
    assert "caltech-101.zip (or its folder caltech-101)" in sentence
    assert "{train,test}_{images,labels}.npy" in sentence


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    archive = tmp_path / "caltech-101.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("caltech-101/Annotations.tar", b"")
    assert told(tmp_path).startswith(f"{archive}/caltech-101 is not Caltech-101")


def test_a_tar_damaged_inside_the_zip_is_named_with_it(tmp_path: Path) -> None:
    archive = tmp_path / "caltech-101.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("caltech-101/101_ObjectCategories.tar.gz", b"<html>")
    assert f"{archive}/caltech-101/101_ObjectCategories.tar.gz is damaged" in told(tmp_path)


def test_torchvisions_own_folder_is_not_written_over(tmp_path: Path) -> None:
    official(tmp_path / "caltech101")
    with pytest.raises(UserError, match="move the other files"):
        load(
            tmp_path,
            "caltech101",
            functools.partial(caltech101, side=224),
            3,
            90,
            (3, 224, 224),
            mean=(0.5,) * 3,
            std=(0.2,) * 3,
        )
