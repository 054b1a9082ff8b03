"""Tiny-ImageNet from a small folder and a small archive in the official layout."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pruneexp.data.dataset import Dataset, load
from pruneexp.data.tiny_imagenet import tiny_imagenet
from pruneexp.errors import UserError

pytestmark = pytest.mark.usefixtures("small_archives")

WNIDS = ("n03444034", "n01443537", "n02056570")  # not in alphabetical order
PER_CLASS = 4


def picture(path: Path, rng: np.random.Generator, grey: bool = False) -> np.ndarray:
    """Write a random JPEG; returns its pixels as read back, uint8 [3, 64, 64]."""
    pixels = rng.integers(0, 256, (8, 8) if grey else (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((64, 64)).save(path, "JPEG")
    with Image.open(path) as image:
        assert image.mode == ("L" if grey else "RGB")
        return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def official(data_dir: Path) -> dict[str, np.ndarray]:
    """Three classes, four training images each (one of them grey), three validation images."""
    root, rng = data_dir / "tiny-imagenet-200", np.random.default_rng(0)
    train: list[np.ndarray] = []
    train_labels: list[int] = []
    for label, wnid in enumerate(sorted(WNIDS)):
        for k in range(PER_CLASS):
            path = root / "train" / wnid / "images" / f"{wnid}_{k}.JPEG"
            train.append(picture(path, rng, grey=label == 1 and k == 2))
            train_labels.append(label)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
    rows, test, test_labels = [], [], []
    for k, wnid in enumerate(WNIDS):
        test.append(picture(root / "val" / "images" / f"val_{k}.JPEG", rng))
        test_labels.append(sorted(WNIDS).index(wnid))
        rows.append(f"val_{k}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(rows))
    (root / "wnids.txt").write_text("\n".join(WNIDS))
    return {
        "train_images": np.stack(train),
        "train_labels": np.array(train_labels),
        "test_images": np.stack(test),
        "test_labels": np.array(test_labels),
    }


def opened(data_dir: Path, side: int = 64) -> Dataset:
    name = "tiny_imagenet" if side == 64 else "tiny_imagenet32"
    return load(data_dir, name, tiny_imagenet, 200, 12, (3, side, side), mean=(0.5,) * 3, std=(0.2,) * 3)


def zipped(data_dir: Path) -> Path:
    """The official folder as the official archive, which takes its place."""
    archive = data_dir / "tiny-imagenet-200.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted((data_dir / "tiny-imagenet-200").rglob("*")):
            file.write(path, path.relative_to(data_dir))
    shutil.rmtree(data_dir / "tiny-imagenet-200")
    return archive


def told(data_dir: Path) -> str:
    with pytest.raises(UserError) as error:
        opened(data_dir)
    assert "\n" not in str(error.value)
    assert not (data_dir / "tiny_imagenet").exists()
    assert not [path for path in data_dir.iterdir() if path.name.startswith(".")]
    return str(error.value)


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_the_official_layout_becomes_arrays_at_64_pixels(tmp_path: Path, form: str) -> None:
    expected = official(tmp_path)
    if form == "archive":
        zipped(tmp_path)
    dataset = opened(tmp_path)
    for name, array in expected.items():
        assert np.array_equal(getattr(dataset, name), array)
    assert dataset.train_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert dataset.test_labels.tolist() == [2, 0, 1]
    left = {"tiny_imagenet", "tiny-imagenet-200" if form == "folder" else "tiny-imagenet-200.zip"}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_a_grey_image_is_repeated_over_the_channels(tmp_path: Path) -> None:
    official(tmp_path)
    grey = opened(tmp_path).train_images[PER_CLASS + 2]
    assert np.array_equal(grey[0], grey[1])
    assert np.array_equal(grey[0], grey[2])
    assert grey.std() > 0


def test_the_32_pixel_variant_averages_2x2_pixels(tmp_path: Path) -> None:
    expected = official(tmp_path)["train_images"].astype(float)
    blocks = expected.reshape(-1, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    images = opened(tmp_path, 32).train_images
    assert images.shape == (12, 3, 32, 32)
    assert np.abs(images - blocks).max() <= 1  # rounded


def test_both_variants_live_side_by_side(tmp_path: Path) -> None:
    official(tmp_path)
    assert opened(tmp_path, 64).input_shape == (3, 64, 64)
    assert opened(tmp_path, 32).input_shape == (3, 32, 32)
    shutil.rmtree(tmp_path / "tiny-imagenet-200")
    assert opened(tmp_path, 64).input_shape == (3, 64, 64)


def test_missing_and_not_downloadable_names_both_ways(tmp_path: Path) -> None:
    sentence = told(tmp_path)
    assert "tiny-imagenet-200.zip" in sentence
    assert "{train,test}_{images,labels}.npy" in sentence
    assert str(tmp_path / "tiny_imagenet") in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "missing", ["val/images/val_1.JPEG", "val/val_annotations.txt", "train", "train/n02056570/images"]
)
def test_a_missing_part_is_named(tmp_path: Path, missing: str) -> None:
    official(tmp_path)
    path = tmp_path / "tiny-imagenet-200" / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert str(path) in told(tmp_path)


@pytest.mark.parametrize("row", ["val_1.JPEG\tn99999999\t0\t0\t1\t1\n", "val_1.JPEG\n"])
def test_a_bad_annotation_is_not_the_official_layout(tmp_path: Path, row: str) -> None:
    official(tmp_path)
    with (tmp_path / "tiny-imagenet-200" / "val" / "val_annotations.txt").open("a") as file:
        file.write(row)
    assert "official layout" in told(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes) -> None:
    official(tmp_path)
    path = tmp_path / "tiny-imagenet-200" / "val" / "images" / "val_0.JPEG"
    path.write_bytes(content)
    assert str(path) in told(tmp_path)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    official(tmp_path)
    path = tmp_path / "tiny-imagenet-200" / "val" / "images" / "val_0.JPEG"
    path.write_bytes(path.read_bytes()[:400])
    assert str(path) in told(tmp_path)


def test_an_archive_that_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "tiny-imagenet-200.zip").write_text("<html>404</html>")
    sentence = told(tmp_path)
    assert "tiny-imagenet-200.zip is damaged" in sentence


def test_a_truncated_archive(tmp_path: Path) -> None:
    official(tmp_path)
    archive = zipped(tmp_path)
    archive.write_bytes(archive.read_bytes()[:-3000])
    assert "tiny-imagenet-200.zip is damaged" in told(tmp_path)


@pytest.mark.parametrize("fill", [0x00, (0xFF)])
def test_an_archive_damaged_in_the_middle(tmp_path: Path, fill: int) -> None:
    official(tmp_path)
    archive = zipped(tmp_path)
    damaged = bytearray(archive.read_bytes())
    damaged[1000:1400] = bytes([fill]) * 400
    archive.write_bytes(damaged)
    assert "tiny-imagenet-200.zip is damaged" in told(tmp_path)


def test_an_archive_of_something_else_is_named_itself(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tiny-imagenet-200.zip", "w") as file:
        file.writestr("readme.txt", "something else")
    assert str(tmp_path / "tiny-imagenet-200.zip") in told(tmp_path)
