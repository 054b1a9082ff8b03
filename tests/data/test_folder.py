"""A folder of one's own images: whatever is in it, it is a data set or one sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pruneexp.components.component import Component, configured
from pruneexp.data.dataset import Arrays, Dataset
from pruneexp.data.folder import own_images
from pruneexp.data.images import read_images
from pruneexp.data.own import statistics
from pruneexp.errors import UserError
from tests.data.pictures import folder_of_classes, picture

COUNTS = {"ant": 5, "bee": 10}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder_of_classes(tmp_path / "insects", COUNTS)
    return tmp_path


def opened(here: Path, root: str = "insects", name: str = "mine", **options: Any) -> Dataset:
    return own_images(here / "data", name, str(here / root), **options)


def sentence(here: Path, root: str = "insects", **options: Any) -> str:
    with pytest.raises(UserError) as error:
        opened(here, root, **options)
    assert "\n" not in str(error.value)
    assert not list(here.glob("data/*"))
    return str(error.value)


def of(root: Path, **options: Any) -> Component:
    target = "pruneexp.data.folder.own_images"
    return configured("dataset", {"_target_": target, "name": "mine", "root": str(root), **options})


def test_what_is_there_is_found_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = opened(here)
    assert (dataset.name, dataset.classes, dataset.input_shape) == ("mine", 2, (3, 8, 12))
    assert np.bincount(dataset.train_labels).tolist() == [4, 8]
    assert np.bincount(dataset.test_labels).tolist() == [1, 2]
    kept = [*dataset.train_images, *dataset.test_images]
    assert sorted((image[2, 0, 0], image[0, 0, 0]) for image in kept) == [
        (label, k) for label, n in enumerate(COUNTS.values()) for k in range(1, n + 1)
    ]
    (folder,) = (here / "data").iterdir()
    assert capsys.readouterr().out == (
        f"mine: 2 classes, 12 training and 3 test images of 3x8x12, kept in {folder}.\n"
    )  # and nothing the next time
    assert opened(here).digest == dataset.digest
    assert capsys.readouterr().out == ""


def test_mean_and_deviation_are_the_training_images(here: Path) -> None:
    dataset = opened(here)
    pixels = dataset.train_images.astype(float) / 255
    assert dataset.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-12)
    assert dataset.std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-12)
    given = opened(here, mean=[0.5, 0.4, 0.3], std=[0.1, 0.2, 0.3])
    assert (given.mean, given.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    assert opened(here, mean=[0.5, 0.4, 0.3]).std == dataset.std


def test_statistics_are_exact_and_a_constant_channel_is_divided_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruneexp.data.own.CHUNK", 100)  # several pieces
    images = np.random.default_rng(0).integers(0, 256, (9, 2, 5, 3), dtype=np.uint8)
    images[:, 1] = 255
    mean, std = statistics(images)
    assert mean == pytest.approx((images[:, 0].mean() / 255, 1.0), abs=1e-15)
    assert std == pytest.approx((images[:, 0].astype(float).std() / 255, 1.0), abs=1e-12)


@pytest.mark.parametrize(
    ("train", "part"), [("train", "test"), ("train", "val"), ("Train", "Valid"), ("TRAIN", "validation")]
)
def test_parts_for_training_and_testing(here: Path, train: str, part: str) -> None:
    folder_of_classes(here / "parts" / train, {"ant": 3, "bee": 2})
    folder_of_classes(here / "parts" / part, {"ant": 1, "bee": 4})
    dataset = opened(here, "parts")
    assert dataset.train_labels.tolist() == [0, 0, 0, 1, 1]
    assert dataset.test_labels.tolist() == [0, 1, 1, 1, 1]
    assert dataset.test_images[:, 0, 0, 0].tolist() == [1, 1, 2, 3, 4]


def test_the_split_is_the_seeds(here: Path) -> None:
    first, again, other = (opened(here, split_seed=seed, name=f"a{k}") for k, seed in enumerate((0, 0, 1)))
    assert np.array_equal(first.test_images, again.test_images)
    assert not np.array_equal(first.test_images, other.test_images)
    assert np.bincount(opened(here, test_share=0.5).test_labels).tolist() == [2, 5]
    assert np.bincount(opened(here, test_share=0.99).train_labels).tolist() == [1, 1]
    assert np.bincount(opened(here, test_share=0.01).test_labels).tolist() == [1, 1]


def test_pictures_of_many_kinds(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = here / "insects"
    for k, mode in enumerate(("1", "L", "LA", "P", "RGBA", "I;16")):
        if mode == "I;16":
            Image.fromarray(np.full((8, 12), 40_000, dtype=np.uint16)).save(root / "ant" / "deep.png")
        else:
            picture(root / "ant" / "more" / f"z{k}.png", 12, 8, mode)
    Image.fromarray(np.zeros((8, 12), dtype=np.int32)).save(root / "bee" / "wide.tiff")
    (root / "bee" / "torn.png").write_bytes((root / "bee" / "image_0001.png").read_bytes()[:40])
    (root / "bee" / "notes.txt").write_text("mine")
    (root / "bee" / ".hidden.png").write_text("mine")
    (root / ".cache").mkdir()
    (root / "bee" / "loop").symlink_to(root, target_is_directory=True)
    dataset = opened(here, test_share=0.01)
    assert sorted(len(part) for part in (dataset.train_images, dataset.test_images)) == [2, 5 + 6 + 10 - 2]
    deep = [image for image in dataset.train_images if np.all(image == 40_000 >> 8)]
    assert len(deep) == 1
    told = capsys.readouterr().out
    for name in ("bee/wide.tiff", "bee/torn.png", "bee/notes.txt", "bee/loop"):
        assert f"{name} is no" in told.replace("is not a readable", "is no")
    assert "hidden" not in told
    for name in ("wide.tiff", "torn.png"):
        (root / "bee" / name).unlink()
    with pytest.raises(UserError, match="loop is no image by its name"):
        opened(here, strict=True)


def test_grey_pictures_have_one_channel_unless_colours_are_asked_for(here: Path) -> None:
    for label in ("ant", "bee"):
        for k in range(3):
            picture(here / "grey" / label / f"{k}.png", 16, 16, "L", seed=k)
    dataset, rgb = opened(here, "grey"), opened(here, "grey", colours="rgb")
    assert (dataset.input_shape, len(dataset.mean)) == ((1, 16, 16), 1)
    assert np.array_equal(rgb.train_images, dataset.train_images.repeat(3, axis=1))
    assert opened(here, colours="grey").input_shape == (1, 8, 12)


@pytest.mark.parametrize(
    ("sizes", "shape"), [([(20, 30), (30, 20), (25, 25)], (3, 20, 20)), ([(300, 260)] * 3, (3, 224, 224))]
)
def test_pictures_of_several_sizes_become_squares(here: Path, sizes: Any, shape: tuple[int, ...]) -> None:
    for label in ("ant", "bee"):
        for k, (width, height) in enumerate(sizes):
            picture(here / "sizes" / label / f"{k}.png", width, height)
    assert opened(here, "sizes").input_shape == shape
    assert opened(here, "sizes", side=9).input_shape == (3, 9, 9)


def only(here: Path, **counts: int) -> None:
    folder_of_classes(here / "few", counts)


def parts(here: Path) -> None:
    for part, name in (("train", "bee"), ("val", "fly")):
        folder_of_classes(here / "few" / part, {"ant": 1, name: 1, "cat": 1})


def both(here: Path, *names: str) -> None:
    for name in names:
        folder_of_classes(here / "few" / name, COUNTS)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (lambda here: None, "dataset.root must be the path of a folder of images, and there is no folder"),
    "a file": (lambda here: (here / "few").write_text("x"), "there is no folder"),
    "nothing in it": (lambda here: (here / "few").mkdir(), "has no classes"),
    "one class": (lambda here: only(here, ant=3), "has one class, ant, and must have two"),
    "a part alone": (
        lambda here: folder_of_classes(here / "few" / "train", COUNTS),
        "has the folders train, and of parts it must have two, train and test or val or valid or validation",
    ),
    "a part called otherwise": (
        lambda here: both(here, "Train", "eval"),
        "has the folders Train, eval, and of parts it must have two",
    ),
    "pictures of no class to test": (
        lambda here: [picture(here / "few" / part / f"{k}.png") for part in ("train", "test1") for k in range(2)],
        "has the folders train, test1, and of parts",
    ),
    "no part to train": (
        lambda here: both(here, "training", "testing"),
        "has the folders testing, training, and of parts",
    ),
    "an empty class": (lambda here: only(here, ant=3, bee=0), "the class bee has no images"),
    "one image of a class": (lambda here: only(here, ant=3, bee=1), "the class bee has one image and must have two"),
    "other classes to test": (lambda here: parts(here), "has the class bee in train/ and not in val/ (2 such classes)"),
    "nothing but damaged files": (
        lambda here: [picture(here / "few" / name / f"{k}.png").write_bytes(b"x") for name in COUNTS for k in (0, 1)],
        "there is no readable image, of 4 files",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", WRONG)
def test_what_is_no_data_set_is_one_sentence(here: Path, why: str) -> None:
    write, told = WRONG[why]
    write(here)
    assert told in sentence(here, "few")


def test_options_that_do_not_fit(here: Path) -> None:
    for options, told in (
        ({"mean": [0.5]}, r"dataset\.mean must have one number for each of 3 channels"),
        ({"validation": 12}, r"dataset\.validation must be at least 0 and below 12"),
        ({"colours": "red"}, "found, grey or rgb"),
        ({"test_share": 1.0}, "above 0 and below 1"),
        ({"side": 4}, "at least 8"),
    ):
        with pytest.raises(UserError, match=told):
            opened(here, **options)


def test_the_key_has_the_content_and_never_the_place(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(here / "insects", here / "elsewhere" / "copy")
    monkeypatch.chdir(here)
    identities = [of(Path(root)).identity() for root in ("insects", here / "insects", "elsewhere/copy")]
    assert identities[0] == identities[1] == identities[2]
    assert "insects" not in str(identities)
    assert "copy" not in str(identities)
    other = here / "elsewhere" / "copy" / "ant" / "image_0001.png"
    content = other.read_bytes()
    other.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # as long as before
    assert of(here / "elsewhere" / "copy").identity() != identities[0]
    other.write_bytes(content)
    assert of(here / "elsewhere" / "copy").identity() == identities[0]
    other.rename(other.with_name("renamed.png"))
    assert of(here / "elsewhere" / "copy").identity() != identities[0]


def test_changed_pictures_are_noticed_and_share_no_arrays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = opened(here)
    capsys.readouterr()
    picture(here / "insects" / "ant" / "image_0001.png", 12, 8, seed=7)
    after = opened(here)
    assert before.digest != after.digest
    told = capsys.readouterr().out
    assert "was made of was another content or had other options" in told
    assert len(list((here / "data").glob("mine-*"))) == 2


def test_pictures_that_change_while_they_are_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*arguments: Any, **options: Any) -> Arrays:
        picture(here / "insects" / "ant" / "new.png")
        return read_images(*arguments, **options)

    monkeypatch.setattr("pruneexp.data.folder.read_images", read)
    assert "was changed while it was read" in sentence(here)


def test_arrays_that_somebody_changed_are_refused(here: Path) -> None:
    opened(here)
    (folder,) = (here / "data").iterdir()
    labels = np.load(folder / "train_labels.npy")
    np.save(folder / "train_labels.npy", labels[::-1])
    with pytest.raises(UserError, match="were changed after they were made"):
        opened(here)
