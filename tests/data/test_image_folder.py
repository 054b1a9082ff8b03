"""A folder of classes as arrays."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pruneexp.data.dataset import Arrays, load
from pruneexp.data.image_folder import image_folder
from pruneexp.errors import UserError
from tests.data.pictures import folder_of_classes, picture

COUNTS = {"Zebra": 3, "ant": 5, "bee": 2}  # capitals sort first


def last(name: str, count: int) -> np.ndarray:
    """The last image of each class is for testing."""
    return np.arange(count) == count - 1


def read(root: Path, classes: Any = 3, **options: Any) -> Arrays:
    return image_folder(root, 8, classes, last, **options)


def sentence(root: Path, classes: Any = 3, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        read(root, classes, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder_of_classes(tmp_path / "photos", COUNTS)
    return tmp_path / "photos"


def test_classes_and_files_come_in_alphabetical_order(root: Path) -> None:
    arrays = read(root)
    assert arrays["train_images"].shape == (7, 3, 8, 8)
    assert arrays["train_labels"].tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert arrays["train_images"][:, 0, 0, 0].tolist() == [1, 2, 1, 2, 3, 4, 1]
    assert arrays["test_labels"].tolist() == [0, 1, 2]
    assert arrays["test_images"][:, 0, 4, 4].tolist() == [3, 5, 2]


def test_a_folder_is_read_as_the_same_arrays_again(root: Path) -> None:
    first, second = read(root), read(root, sorted(COUNTS))
    assert all(np.array_equal(first[file], second[file]) for file in first)


def test_what_is_hidden_ignored_or_beside_the_classes_is_passed_over(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read(root)
    picture(root / "background" / "a.png")
    picture(root / ".cache" / "a.png")
    picture(root / "readme.png")
    (root / "ant" / ".DS_Store").write_text("")
    after = read(root, ignored=("background",))
    assert all(np.array_equal(before[file], after[file]) for file in before)
    assert capsys.readouterr().out == ""


def test_a_text_file_is_named_and_takes_no_part_in_the_split(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read(root)
    (root / "ant" / "zz[bold]notes.txt").write_text("a text")
    after = read(root)
    assert all(np.array_equal(before[file], after[file]) for file in before)
    assert before.keys() == after.keys()
    assert capsys.readouterr().out == "ant/zz[bold]notes.txt is no image by its name: it is left out.\n"
    assert str(root / "ant" / "zz[bold]notes.txt") in sentence(root, strict=True)


def test_an_unreadable_image_moves_no_other_between_the_splits(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read(root)
    (root / "ant" / "image_0002.png").write_text("a text")
    after = read(root)
    assert "ant/image_0002.png is not a readable image" in capsys.readouterr().out
    assert np.array_equal(after["train_images"], np.delete(before["train_images"], 3, axis=0))
    assert np.array_equal(after["test_images"], before["test_images"])
    assert str(root / "ant" / "image_0002.png") in sentence(root, strict=True)


def opened(root: Path, train_count: int = 7) -> int:
    """How many training images `load` gives."""
    source = partial(lambda data_dir, name: read(root))
    arguments: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.2,) * 3}
    return len(load(root.parent, "arrays", source, 3, train_count, (3, 8, 8), **arguments).train_images)


def test_loops_of_links_are_left_out_or_passed_over(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = read(root)
    (root / "loop").symlink_to("loop")  # no class: it leads nowhere
    (root / "ant" / "z.png").symlink_to("z.png")
    (root / "ant" / "above").symlink_to("..")
    found = image_folder(root, 8, 3, lambda _, count: np.arange(count) == {3: 2, 6: 4, 2: 1}[count])
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    said = capsys.readouterr().out
    assert "above is no image by its name" in said
    assert "z.png is not a readable image (Too many levels of symbolic links)" in said
    (root / "wasp").symlink_to(".")  # a class of classes
    assert sentence(root, 4).startswith("the class wasp has no images")


def test_the_count_of_training_images_is_checked_with_those_left_out(root: Path) -> None:
    (root / "ant" / "image_0002.png").write_text("a text")  # for training
    (root / "bee" / "image_0002.png").write_text("a text")  # for testing
    folder_of_classes(root, {})
    picture(root / "bee" / "image_0003.png")
    picture(root / "bee" / "image_0000.png")
    assert opened(root, 9) == 7
    (root / "ant" / "image_0002.png").unlink()
    assert opened(root, 9) == 7  # made once
    for count in (6, 7, 8, 10):
        with pytest.raises(UserError, match="7 training images"):
            opened(root, count)


def test_mixed_formats_modes_and_sizes(root: Path) -> None:
    picture(root / "bee" / "a.JPG", 50, 20)
    picture(root / "bee" / "b.tif", 20, 50, "CMYK")
    picture(root / "bee" / "c.png", 9, 9, "RGBA")
    Image.new("L", (3, 3), 77).save(root / "bee" / "d.bmp")
    arrays = read(root)
    assert arrays["train_images"].shape == (11, 3, 8, 8)
    assert (arrays["train_images"][9] == 77).all()


@pytest.mark.parametrize(("classes", "part"), [(2, "3 classes and should have 2"), (4, "should have 4")])
def test_a_wrong_number_of_classes(root: Path, classes: int, part: str) -> None:
    assert part in sentence(root, classes)


def test_other_classes(root: Path) -> None:
    told = sentence(root, ("ant", "bee", "cow"))
    assert "Zebra, ant, bee" in told
    assert "ant, bee, cow" in told


def test_a_class_without_images(root: Path) -> None:
    (root / "cow").mkdir()
    (root / "cow" / ".hidden.png").write_text("")
    assert "the class cow has no images" in sentence(root, 4)


def test_no_classes_and_no_folder(tmp_path: Path) -> None:
    assert "no classes" in sentence(tmp_path)
    assert str(tmp_path / "photos") in sentence(tmp_path / "photos")
    (tmp_path / "photos").write_text("a text")
    assert str(tmp_path / "photos") in sentence(tmp_path / "photos")
