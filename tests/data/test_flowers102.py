"""Oxford 102 Flowers from small official files."""

import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from pruneexp.data.dataset import Dataset, load
from pruneexp.data.flowers102 import flowers102
from pruneexp.errors import UserError

pytestmark = pytest.mark.usefixtures("small_archives")

LABELS = [1, 102, 2, 2, 50, 1, 102, 50]  # of images 1 ... 8
SETS = {"trnid": [8, 1, 3], "valid": [5, 2], "tstid": [4, 6, 7]}


def official(data_dir: Path, labels: list[int] = LABELS, **sets: list[int]) -> Path:
    folder = data_dir / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    for number in range(1, len(labels) + 1):
        Image.new("RGB", (30, 20 + number), (20 * number, 0, 100)).save(folder / "jpg" / f"image_{number:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    savemat(folder / "setid.mat", {key: np.array([ids], dtype=np.uint16) for key, ids in {**SETS, **sets}.items()})
    return folder


def archived(folder: Path) -> Path:
    with tarfile.open(folder / "102flowers.tgz", "w:gz") as file:
        file.add(folder / "jpg", arcname="jpg")
    shutil.rmtree(folder / "jpg")
    return folder / "102flowers.tgz"


def opened(data_dir: Path, train_count: int = 3, name: str = "flowers102_16", **options: Any) -> Dataset:
    def source(folder: Path, of: str) -> dict[str, np.ndarray]:
        return flowers102(folder, of, 16, **options)

    return load(data_dir, name, source, 102, train_count, (3, 16, 16), mean=(0.5,) * 3, std=(0.2,) * 3)


def told(data_dir: Path, **options: Any) -> str:
    before = sorted(data_dir.rglob("*"))
    with pytest.raises(UserError) as error:
        opened(data_dir, **options)
    assert "\n" not in str(error.value)
    assert sorted(data_dir.rglob("*")) == before
    return str(error.value)


def numbers(images: np.ndarray) -> list[int]:
    """Which images these are."""
    return np.round(images[:, 0, 8, 8] / 20).astype(int).tolist()


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_the_official_split(tmp_path: Path, form: str) -> None:
    folder = official(tmp_path)
    if form == "archive":
        archived(folder)
    dataset = opened(tmp_path)
    assert numbers(dataset.train_images) == [8, 1, 3]
    assert dataset.train_labels.tolist() == [49, 0, 1]
    assert numbers(dataset.test_images) == [4, 6, 7]
    assert dataset.test_labels.tolist() == [1, 0, 101]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flowers-102", "flowers102_16"]


def test_training_on_the_validation_images_too(tmp_path: Path) -> None:
    official(tmp_path)
    dataset = opened(tmp_path, 5, "flowers102_trainval_16", train_split="trainval")
    assert numbers(dataset.train_images) == [8, 1, 3, 5, 2]
    assert dataset.train_labels.tolist() == [49, 0, 1, 49, 101]
    assert numbers(dataset.test_images) == [4, 6, 7]


def test_the_two_splits_have_folders_of_their_own(tmp_path: Path) -> None:
    official(tmp_path)
    assert "flowers102_trainval_16" in told(tmp_path, train_split="trainval")
    assert "flowers102_16" in told(tmp_path, name="flowers102_trainval_16")
    assert "train or trainval" in told(tmp_path, train_split="valid")


def test_a_missing_image_is_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = official(tmp_path, trnid=[8, 1, 3, 4])
    (folder / "jpg" / "image_00004.jpg").unlink()
    assert numbers(opened(tmp_path, 4).train_images) == [8, 1, 3]
    assert "jpg/image_00004.jpg is not a readable image (No such file or directory)" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "flowers102_16")
    assert str(folder / "jpg" / "image_00004.jpg") in told(tmp_path, train_count=4, strict=True)


@pytest.mark.parametrize("missing", ["imagelabels.mat", "setid.mat", "jpg"])
def test_what_is_missing_and_not_downloadable(tmp_path: Path, missing: str) -> None:
    path = official(tmp_path) / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    sentence = told(tmp_path)
    assert f"102flowers.tgz, imagelabels.mat, setid.mat into {tmp_path / 'flowers-102'}" in sentence
    assert "{train,test}_{images,labels}.npy" in sentence


def test_nothing_there_and_nothing_left(tmp_path: Path) -> None:
    assert "cannot be downloaded" in told(tmp_path)


@pytest.mark.parametrize("file", ["imagelabels.mat", "setid.mat"])
@pytest.mark.parametrize("length", [0, 10, 150, 190])
def test_a_damaged_list_is_named(tmp_path: Path, file: str, length: int) -> None:
    path = official(tmp_path) / file
    path.write_bytes(path.read_bytes()[:length])
    assert f"{path} is damaged" in told(tmp_path)


def test_lists_in_each_others_place(tmp_path: Path) -> None:
    folder = official(tmp_path)
    shutil.copy(folder / "setid.mat", folder / "imagelabels.mat")
    assert "imagelabels.mat is damaged" in told(tmp_path)


@pytest.mark.parametrize("change", [{"trnid": [9]}, {"tstid": [0]}, {"trnid": []}, {"labels": [103] * 8}])
def test_numbers_that_are_not_official(tmp_path: Path, change: dict[str, list[int]]) -> None:
    official(tmp_path, **change)
    assert "is not the official file" in told(tmp_path)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    archive = archived(official(tmp_path))
    archive.write_bytes(archive.read_bytes()[:300])
    assert f"{archive} is damaged" in told(tmp_path)
