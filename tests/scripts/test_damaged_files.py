"""A choice of the damaged files; all of them: `python -m scripts.damaged_files`."""

from pathlib import Path

import pytest

from scripts.bad_input.running import Verdict
from scripts.corruptions_of.commands import imported
from scripts.damaged_files import oddities, sound
from scripts.damaged_files.__main__ import FAULTS, HARMED, SOUND, TAKEN, UNTOLD, ending, page, tried, wanted
from scripts.damaged_files.readers import READERS

SOME = [
    ("checkpoint", "forged", "made anew"), ("rewound network", "forged", "made anew"), ("network of a level", "forged", "made anew"),
    ("the dense network", "forged", "sentence"), ("record.json", "FIFO", "sentence"),
    ("weights=, pickle", "pickle", "sentence"), ("records=", "/dev/zero", "sentence"), ("image of a folder", "HTML", "made anew"),
    ("pool", "10 GB", "sentence"), ("study's records", "nested", "sentence"), ("authors' table", "link loop", "sentence"),
    ("study's table", "forged", "sentence"), ("cifar10, archive", "directory", "sentence"), ("pool", SOUND, TAKEN),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    imported()
    folder = tmp_path_factory.mktemp("damaged") / "made"
    folder.mkdir()
    sound.make(folder)
    return folder


@pytest.mark.parametrize(("reader", "oddity", "end"), SOME)
def test_a_damaged_file_is_told(made: Path, reader: str, oddity: str, end: str) -> None:
    found, how = tried(reader, oddity, made)
    assert found == end, how.said


def test_every_reader_meets_what_it_can() -> None:
    assert {name: oddities.LONG in wanted(reader) for name, reader in READERS.items()}["pool"]
    assert all(oddities.PICKLE in wanted(reader) for reader in READERS.values())
    assert sum(oddities.FORGED in wanted(reader) for reader in READERS.values()) >= 18


def test_what_is_a_fault(tmp_path: Path) -> None:
    silent, told = Verdict("accepted", "read"), Verdict("accepted", "it is made again")
    assert ending("scores", "cut", silent, tmp_path / "harm") == UNTOLD
    assert ending("scores", "cut", told, tmp_path / "harm") == "made anew"
    assert ending("pool", "cut", told, tmp_path / "harm") == UNTOLD  # it had to be refused
    (tmp_path / "harm").mkdir()
    assert ending("scores", "cut", told, tmp_path / "harm") == HARMED
    assert ending("scores", "cut", Verdict("traceback", ""), tmp_path / "harm") in FAULTS
    text = page({("scores", "cut"): "made anew", ("masks", "cut"): HARMED})
    assert (
        "2 damaged files: 0 crash, 0 hang, 0 left, 1 made anew, 0 not told, 1 payload ran, 0 traceback, 0 vague."
        in text
    )
    assert "| masks | payload ran |" in text
