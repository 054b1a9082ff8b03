"""TensorFlow's flower photos from a small folder and archive in their layout."""

import shutil
import tarfile
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruneexp.data.dataset import Dataset, load
from pruneexp.data.tf_flowers import CLASSES, MD5, URL, _fifth, tf_flowers
from pruneexp.errors import UserError
from tests.data.pictures import folder_of_classes

pytestmark = pytest.mark.usefixtures("small_archives")

COUNTS = {"daisy": 6, "dandelion": 10, "roses": 11, "sunflowers": 9, "tulips": 5}


def opened(data_dir: Path, train_count: int = 31, **options: Any) -> Dataset:
    def source(folder: Path, name: str) -> dict[str, np.ndarray]:
        return tf_flowers(folder, name, 16, **options)

    return load(data_dir, "tf_flowers_16", source, 5, train_count, (3, 16, 16), mean=(0.5,) * 3, std=(0.2,) * 3)


def official_folder(data_dir: Path) -> Path:
    root = data_dir / "flower_photos"
    folder_of_classes(root, COUNTS, ".jpg", 24)
    (root / "LICENSE.txt").write_text("All images in this archive are licensed under the Creative Commons")
    return root


def archived(data_dir: Path) -> Path:
    archive = data_dir / "flower_photos.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(data_dir / "flower_photos", arcname="flower_photos")
    shutil.rmtree(data_dir / "flower_photos")
    return archive


def told(data_dir: Path, **options: Any) -> str:
    before = sorted(data_dir.iterdir())
    with pytest.raises(UserError) as error:
        opened(data_dir, **options)
    assert "\n" not in str(error.value)
    assert sorted(data_dir.iterdir()) == before
    return str(error.value)


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_every_fifth_photo_of_each_class_is_for_testing(tmp_path: Path, form: str) -> None:
    official_folder(tmp_path)
    if form == "archive":
        archived(tmp_path)
    dataset = opened(tmp_path)
    assert np.bincount(dataset.test_labels).tolist() == [2, 2, 3, 2, 1]
    assert np.bincount(dataset.train_labels).tolist() == [4, 8, 8, 7, 4]
    shades = dataset.test_images[:, 0, 8, 8].astype(int)
    assert np.abs(shades - [1, 6, 1, 6, 1, 6, 11, 1, 6, 1]).max() <= 2  # JPEG
    left = {"tf_flowers_16", "flower_photos" if form == "folder" else "flower_photos.tgz"}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_the_official_counts_are_those_of_the_arrays_at_64_pixels() -> None:
    counts = dict(zip(CLASSES, (633, 898, 641, 699, 799), strict=True))
    test = [int(_fifth(name, count).sum()) for name, count in counts.items()]
    assert test == [127, 180, 129, 140, 160]
    assert sum(counts.values()) - sum(test) == 2934


def test_a_damaged_photo_is_left_out_and_the_rest_is_a_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = official_folder(tmp_path) / "roses" / "image_0002.jpg"
    path.write_bytes(path.read_bytes()[:100])
    archived(tmp_path)
    assert len(opened(tmp_path).train_images) == 30
    assert capsys.readouterr().out.startswith("roses/image_0002.jpg is not a readable image")
    assert len(opened(tmp_path).train_images) == 30
    assert capsys.readouterr().out == ""


def test_strictly_a_damaged_photo_is_named_as_part_of_its_archive(tmp_path: Path) -> None:
    path = official_folder(tmp_path) / "roses" / "image_0002.jpg"
    path.write_bytes(b"")
    archive = archived(tmp_path)
    assert f"{archive}/flower_photos/roses/image_0002.jpg" in told(tmp_path, strict=True)


def test_missing_and_not_downloadable_names_both_ways(tmp_path: Path) -> None:
    sentence = told(tmp_path)
    assert "flower_photos.tgz (or its folder flower_photos)" in sentence
    assert "{train,test}_{images,labels}.npy" in sentence
    assert str(tmp_path / "tf_flowers_16") in sentence


def test_a_download_is_used_and_half_of_one_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import utils

    official_folder(tmp_path / "web")
    archive = archived(tmp_path / "web").read_bytes()
    served: list[int] = [len(archive) // 2, len(archive)]

    def download_url(url: str, root: str, filename: str, md5: str) -> None:
        assert (url, md5) == (URL, MD5)
        (Path(root) / filename).write_bytes(archive[: served[0]])
        if served.pop(0) < len(archive):
            raise urllib.error.URLError("connection lost")

    monkeypatch.setattr(utils, "download_url", download_url)
    (tmp_path / "data").mkdir()
    assert "connection lost" in told(tmp_path / "data")
    assert opened(tmp_path / "data").input_shape == (3, 16, 16)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["flower_photos.tgz", "tf_flowers_16"]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_archive(tmp_path: Path, share: float) -> None:
    official_folder(tmp_path)
    archive = archived(tmp_path)
    archive.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    assert f"{archive} is damaged" in told(tmp_path)


@pytest.mark.parametrize("fill", [0x00, 0xFF])
def test_an_archive_damaged_in_the_middle(tmp_path: Path, fill: int) -> None:
    official_folder(tmp_path)
    archive = archived(tmp_path)
    damaged = bytearray(archive.read_bytes())
    damaged[200:400] = bytes([fill]) * 200
    archive.write_bytes(damaged)
    assert f"{archive} is damaged" in told(tmp_path)


def test_a_wrong_checksum_at_the_end_of_the_archive(tmp_path: Path) -> None:
    official_folder(tmp_path)
    archive = archived(tmp_path)
    archive.write_bytes(archive.read_bytes()[:-8] + bytes(8))
    assert f"{archive} is damaged (CRC check failed" in told(tmp_path)


def test_an_archive_that_is_a_web_page(tmp_path: Path) -> None:
    (tmp_path / "flower_photos.tgz").write_text("<html>404</html>")
    assert "flower_photos.tgz is damaged" in told(tmp_path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    with tarfile.open(tmp_path / "flower_photos.tgz", "w:gz") as file:
        file.add(tmp_path / "else", arcname="else")
    assert f"there is no folder of classes {tmp_path / 'flower_photos.tgz'}" in told(tmp_path)


def test_other_flowers(tmp_path: Path) -> None:
    root = official_folder(tmp_path)
    (root / "daisy").rename(root / "lily")
    assert "dandelion, lily, roses" in told(tmp_path)


def test_files_where_the_arrays_belong_are_left_alone(tmp_path: Path) -> None:
    official_folder(tmp_path)
    (tmp_path / "tf_flowers_16").mkdir()
    (tmp_path / "tf_flowers_16" / "mine.txt").write_text("mine")
    assert "move the other files" in told(tmp_path)
    (tmp_path / "tf_flowers_16" / "mine.txt").unlink()
    assert opened(tmp_path).classes == 5
