"""One image file as pixels, and many as arrays."""

import random
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2

from pruneexp.data.caltech101 import caltech101
from pruneexp.data.dataset import Arrays
from pruneexp.data.flowers102 import flowers102
from pruneexp.data.images import check_name, pixels, read_images
from pruneexp.data.tf_flowers import tf_flowers
from pruneexp.errors import UserError
from tests.data.pictures import picture


def only_line(error: pytest.ExceptionInfo[UserError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 60), (30, 30), (44, 22)])
@pytest.mark.parametrize("side", [10, 20, 40])
def test_geometry_and_filter_are_torchvisions_resize_and_centre_crop(
    tmp_path: Path, width: int, height: int, side: int
) -> None:
    path = picture(tmp_path / "a.png", width, height)
    with Image.open(path) as image:
        expected = np.asarray(v2.CenterCrop(side)(v2.Resize(side)(image))).transpose(2, 0, 1)
    got = pixels(path, side)
    assert got.dtype == np.uint8
    assert got.shape == (3, side, side)
    assert np.abs(got.astype(int) - expected).max() <= 1


def test_the_centre_is_kept_and_the_margins_are_cut(tmp_path: Path) -> None:
    image = Image.new("RGB", (60, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    image.save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png", 20)[:, 10, 10], [0, 0, 255])
    assert pixels(tmp_path / "a.png", 20)[0].max() == 0


def test_shrinking_averages_and_does_not_skip(tmp_path: Path) -> None:
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "a.png")
    assert np.abs(pixels(tmp_path / "a.png", 8)[:, 1:-1, 1:-1].astype(float) - 127.5).max() < 5


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [("1", ".png"), ("L", ".png"), ("LA", ".png"), ("P", ".png"), ("RGBA", ".png"), ("CMYK", ".tif"), ("CMYK", ".jpg")],
)
def test_every_mode_becomes_three_channels(tmp_path: Path, mode: str, suffix: str) -> None:
    path = picture(tmp_path / f"a{suffix}", 16, 16, mode)
    with Image.open(path) as image:
        assert image.mode == mode
        expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    got = pixels(path, 16)
    assert np.array_equal(got, expected)
    assert got.std() > 0
    if mode in ("1", "L", "LA"):
        assert np.array_equal(got[0], got[1])
        assert np.array_equal(got[0], got[2])


def test_what_pillow_says_of_odd_transparency_is_not_passed_on(tmp_path: Path) -> None:
    with Image.open(picture(tmp_path / "a.png", mode="P")) as image:
        image.save(tmp_path / "b.png", transparency=b"\x00\x80")
    assert np.array_equal(pixels(tmp_path / "b.png", 8), pixels(tmp_path / "a.png", 8))


def test_a_picture_of_one_line_stays_small(tmp_path: Path) -> None:
    assert pixels(picture(tmp_path / "a.png", 30000, 1), 224).shape == (3, 224, 224)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".webp", ".bmp", ".tif"])
def test_a_file_damaged_anywhere_is_one_sentence_or_a_picture(tmp_path: Path, suffix: str) -> None:
    path = picture(tmp_path / f"a{suffix}", 32, 32)
    whole, rng = path.read_bytes(), random.Random(0)
    told: list[str] = []
    for trial in range(80):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if trial % 2 else whole)
        for _ in range(3):
            if damaged:
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            assert pixels(path, 8).shape == (3, 8, 8)
        except UserError as error:
            told.append(str(error))
    assert len(told) > 20
    assert all(str(path) in sentence and "\n" not in sentence for sentence in told)


def test_a_picture_too_large_to_be_one_is_not_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError, match=r"a\.png is not a readable image"):
        pixels(picture(tmp_path / "a.png"), 8)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_header_that_claims_200_megapixels_is_not_believed(tmp_path: Path) -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 10_000, 8, 2, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(
        UserError, match=r"a\.png is not a readable image \(Image size \(200000000 pixels\) exceeds limit"
    ):
        pixels(tmp_path / "a.png", 8)


def test_postscript_under_the_name_of_a_jpeg_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    (tmp_path / "a.jpg").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    )
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.format == "EPS"  # Pillow would take it
    with pytest.raises(UserError, match=r"a\.jpg is not a readable image \(cannot identify image file\)"):
        pixels(tmp_path / "a.jpg", 8)


def samples(folder: Path, count: int = 3) -> list[tuple[Path, int]]:
    return [(picture(folder / f"{k}.png", seed=k), k % 2) for k in range(count)]


def test_an_unreadable_file_is_named_and_the_others_move_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = samples(tmp_path / "train"), samples(tmp_path / "test")
    before = read_images({"train": train, "test": test}, 8)
    train[0][0].write_text("a text")
    test[2][0].unlink()
    arrays = read_images({"train": [*train, (train[2][0], 0)], "test": test}, 8)
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "train/0.png is not a readable image (cannot identify image file): it is left out.",
        "test/2.png is not a readable image (No such file or directory): it is left out.",
    ]
    assert np.array_equal(arrays["train_images"][:2], before["train_images"][1:])
    assert arrays["train_labels"].tolist() == [1, 0, 0]
    assert np.array_equal(arrays["test_images"], before["test_images"][:2])
    assert arrays["left_out"].tolist() == ["train/0.png"]
    assert "left_out" not in before


def test_an_unreadable_file_is_an_error_where_all_must_be_read(tmp_path: Path) -> None:
    train = samples(tmp_path)
    train[1][0].write_bytes(train[1][0].read_bytes()[:60])
    with pytest.raises(UserError) as error:
        read_images({"train": train, "test": train}, 8, strict=True)
    assert str(train[1][0]) in only_line(error)


@pytest.mark.parametrize("split", ["train", "test"])
def test_nothing_readable(tmp_path: Path, split: str) -> None:
    splits = {"train": samples(tmp_path / "train"), "test": samples(tmp_path / "test")}
    for path, _ in splits[split]:
        path.write_text("a text")
    with pytest.raises(UserError, match=f"no readable {split} image"):
        read_images(splits, 8)
    with pytest.raises(UserError, match=f"no readable {split} image"):
        read_images({**splits, split: []}, 8)


def test_a_class_that_is_lost_for_training(tmp_path: Path) -> None:
    train = samples(tmp_path)
    train[1][0].write_text("a text")
    with pytest.raises(UserError, match="no readable train image of class 1"):
        read_images({"train": train, "test": train}, 8)


def test_too_large_for_memory(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_images({"train": samples(tmp_path)}, 10**8)
    assert "dataset.source.side" in only_line(error)


@pytest.mark.parametrize(("name", "side"), [("photos", 224), ("photos_64", 64), ("photos64", 64), ("photos_225", 225)])
def test_names_that_belong_to_a_side(name: str, side: int) -> None:
    check_name(name, "photos", side)


@pytest.mark.parametrize(
    ("name", "side", "part"),
    [
        ("photos", 64, "dataset.name must be photos_64"),
        ("photos_64", 224, "dataset.name must be photos,"),
        ("photos_64", 32, "dataset.name must be photos_32"),
    ],
)
def test_names_that_belong_to_another_side(name: str, side: int, part: str) -> None:
    with pytest.raises(UserError) as error:
        check_name(name, "photos", side)
    assert part in only_line(error)


@pytest.mark.parametrize("source", [caltech101, flowers102, tf_flowers])
@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"side": 7}, "side must be a whole number, at least 8 and at most 8192, got 7"),
        ({"side": 8193}, "side must be a whole number, at least 8 and at most 8192, got 8193"),
        ({"side": 224.0}, "side must be a whole number"),
        ({"side": "224"}, "side must be a whole number"),
        ({"side": True}, "side must be a whole number"),
        ({"side": 224, "strict": "yes"}, "strict must be true or false, got 'yes'"),
    ],
)
def test_options_that_a_source_does_not_take(
    source: Callable[..., Arrays], options: dict[str, Any], part: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        source(tmp_path, source.__name__, **options)
    assert part in only_line(error)
    assert list(tmp_path.iterdir()) == []
