"""A folder of one's own images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Content, Label, Line, Natural, Words
from pruneexp.data.dataset import Arrays, Dataset, Deviations, Means
from pruneexp.data.image_folder import SUFFIXES, classes_of, listed
from pruneexp.data.images import SIDE, Sample, Side, Size, leave_out, look, read_images
from pruneexp.data.own import digest_of_files, own
from pruneexp.errors import UserError
from pruneexp.seeding import stream
from pruneexp.system.files import is_folder

TRAIN, TEST = "train", ("test", "val", "valid", "validation")
PARTS = (TRAIN, "training", *TEST, "testing")  # names that are hardly a class's
Share = Annotated[float, Field(gt=0, lt=1), Words("above 0 and below 1, the share of each class's images")]


@dataclass(frozen=True)
class Layout:
    """The files of a folder of images.

    Attributes:
        train: pictures by class, in alphabetical order.
        test: the same; None where there is no part for testing.
        others: files that are no pictures by their name, and links to folders.
    """

    train: dict[str, list[Path]]
    test: dict[str, list[Path]] | None
    others: list[Path]


def fingerprint(root: str) -> str:
    """The digest of the pictures in a folder, by class and name, wherever the folder lies.

    Raises:
        UserError: as for `layout`.
    """
    return digest_of_files((str(path.relative_to(root)), path) for path in pictures(layout(root)))


Root = Annotated[Line, Content(fingerprint), Words("the path of a folder of images")]


@component("dataset")
def own_images(
    data_dir: str | Path,
    name: Label,
    root: Root,
    side: Side | None = None,
    colours: Literal["found", "grey", "rgb"] = "found",
    test_share: Share = 0.2,
    split_seed: Natural = 0,
    strict: bool = False,
    mean: Means | None = None,
    std: Deviations | None = None,
    validation: Natural = 0,
) -> Dataset:
    """One's own images: ``<root>/train/<class>/*`` and ``<root>/test/<class>/*``, or ``<root>/<class>/*`` alone, which is then split.

    Class k is the k-th in alphabetical order. The part for testing may be called ``val``, ``valid`` or ``validation`` instead, and is the
    test set all the same: accuracies are of it, and nothing is chosen by it (`validation` holds images out of the training part); of
    several the first of ``test``, ``val``, ``valid``, ``validation`` counts, in capitals or not. Without such a part
    round(`test_share` n) of each class's n images, at least one and not all, are drawn for testing by the streams (`split_seed`,
    "folder split", class). A class's images may lie in folders of its own; hidden files and folders are passed over.

    Where all pictures have one size of at most 224 pixels a side, they keep it; otherwise they are scaled and cut to squares of the
    median of their shorter sides, at most 224, as networks pretrained on ImageNet expect. Where all are grey there is one channel.

    Args:
        data_dir: the arrays go to ``<data_dir>/<name>-<digest>``, once.
        name: of the data set, in tables and folders.
        root: where the images are; a cell's key has the digest of what lies there.
        side: of square images; null: as found.
        colours: one channel of grey, three of red, green and blue, or as found.
        test_share, split_seed: of the images that are drawn for testing, where there is no part for it; in a cell's key all the same.
        strict: a file that is not a readable image is an error; otherwise it is named and left out.
        mean, std: per channel, of pixel values in [0, 1]; null: those of the training images.
        validation: training images held out for model selection.

    Raises:
        UserError: no such folder, one part without the other, no two classes, one without images, other classes to train than to test, no
            readable image, or a file that cannot be read and `strict`.
    """
    options = {"side": side, "colours": colours, "test_share": test_share, "split_seed": split_seed, "strict": strict}

    def read() -> Arrays:
        found = layout(root)
        for path in found.others:
            leave_out(path, f"{path} is no image by its name.", strict)
        size, grey = _kind(found)
        channels = 1 if colours == "grey" or (colours == "found" and grey) else 3
        return read_images(_splits(found, test_share, split_seed), side or size, strict, channels=channels)

    return own(data_dir, name, root, fingerprint, options, read, validation, mean, std)


def layout(root: str) -> Layout:
    """What a folder of images holds.

    Raises:
        UserError: it is none, has a part alone, no two classes, one of them has no images, or those to test are others than those to train.
    """
    place, others = Path(root), list[Path]()
    if not is_folder(place, "dataset.root"):
        raise UserError(f"dataset.root must be the path of a folder of images, and there is no folder {root}.")
    parts = _parts(place)
    if parts is None:
        return Layout(_by_class(place, others), None, others)
    train, test = (_by_class(part, others) for part in parts)
    if differ := sorted(train.keys() ^ test.keys()):
        there, missing = (part.name for part in (parts if differ[0] in train else reversed(parts)))
        raise UserError(
            f"dataset.root={root} has the class {differ[0]} in {there}/ and not in {missing}/ ({len(differ)} such classes): both must have"
            " the same."
        )
    return Layout(train, test, others)


def _parts(place: Path) -> tuple[Path, Path] | None:
    """The folders of what is to train and to test; None where there are classes alone.

    Raises:
        UserError: there is one of the two without the other, which would be taken for a class.
    """
    named = [path.name for path in listed(place) if path.name[0] != "." and is_folder(path, "dataset.root")]
    train = [name for name in named if name.lower() == TRAIN]
    test = [name for part in TEST for name in named if name.lower() == part]
    if len(train) == 1 and test:
        return place / train[0], place / test[0]
    found = [name for name in named if name.lower() in PARTS]
    if found:
        there = ", ".join([*found, *(name for name in named if name not in found)][:5])
        raise UserError(
            f"dataset.root={place} has the folders {there}, and of parts it must have two, {TRAIN} and {' or '.join(TEST)}: rename what is"
            f" meant for them, name a part itself, as {place / found[0]}, to have that split, or call a class otherwise."
        )
    return None


def _by_class(place: Path, others: list[Path]) -> dict[str, list[Path]]:
    classes = classes_of(place, None, option="dataset.root")
    if len(classes) < 2:
        raise UserError(f"{place} has one class, {classes[0]}, and must have two or more, each a folder of images.")
    found = {name: list(_within(place / name, others)) for name in classes}
    for name, files in found.items():
        if not files:
            raise UserError(
                f"the class {name} has no images: put some into {place / name} ({', '.join(sorted(SUFFIXES))}), or remove it."
            )
    return found


def _within(folder: Path, others: list[Path]) -> Iterator[Path]:
    """The pictures in a folder and those within it, in alphabetical order; whatever else is there is added to `others`."""
    for path in listed(folder):
        if path.name.startswith("."):
            continue
        if is_folder(path, "dataset.root") and not path.is_symlink():
            yield from _within(path, others)
        elif path.suffix.lower() in SUFFIXES and not path.is_dir():
            yield path
        else:
            others.append(path)


def pictures(found: Layout) -> Iterator[Path]:
    """All of them."""
    for part in (found.train, found.test or {}):
        for files in part.values():
            yield from files


def _kind(found: Layout) -> tuple[int | Size, bool]:
    """The size that all pictures get, and whether all are grey."""
    sizes, grey = list[Size](), list[bool]()
    for path in pictures(found):
        try:
            size, is_grey = look(path)
        except UserError:  # which is left out, and told
            continue
        sizes.append(size)
        grey.append(is_grey)
    if not sizes:
        raise UserError(f"there is no readable image, of {sum(1 for _ in pictures(found))} files.")
    if len(set(sizes)) == 1 and max(sizes[0]) <= SIDE:
        return sizes[0], all(grey)
    shorter = sorted(map(min, sizes))
    return min(shorter[len(shorter) // 2], SIDE), all(grey)


def _splits(found: Layout, share: float, seed: int) -> dict[str, list[Sample]]:
    """The samples to train and to test; drawn before any file is opened, so that one that cannot be read moves no other."""
    splits: dict[str, list[Sample]] = {"train": [], "test": []}
    for label, (name, files) in enumerate(found.train.items()):
        drawn = set() if found.test is not None else _drawn(name, len(files), share, seed)
        tests = [files[k] for k in sorted(drawn)] if found.test is None else found.test[name]
        splits["train"] += [(path, label) for k, path in enumerate(files) if k not in drawn]
        splits["test"] += [(path, label) for path in tests]
    return splits


def _drawn(name: str, number: int, share: float, seed: int) -> set[int]:
    """Which of a class's images are for testing."""
    if number < 2:
        raise UserError(f"the class {name} has one image and must have two, one to train and one to test: add some.")
    count = min(max(1, round(share * number)), number - 1)
    return set(torch.randperm(number, generator=stream(seed, "folder split", name))[:count].tolist())
