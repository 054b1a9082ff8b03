"""Whatever goes wrong with a file, no number changes without a word."""

import random
import re
import time
from pathlib import Path

import numpy as np
import pytest

from scripts.corruptions_of import damages, verdicts
from scripts.corruptions_of.commands import Outcome, forked
from scripts.corruptions_of.damages import content
from scripts.corruptions_of.sweep import RUNS, Case
from scripts.corruptions_of.verdicts import word
from tests.command import ROOT, command

DOZEN = [
    "record:bit", "record:value", "record:deleted", "record:link", "masks:swapped", "weights:byte", "history:digit", "images:train",
    "labels:permuted", "checkpoint:folder", "records:keys", "records:truncated",
]  # fmt: skip


def test_a_dozen_corruptions_are_refused_or_remade_or_harmless(tmp_path: Path) -> None:
    folder, log = tmp_path / "folder", tmp_path / "log"
    arguments = [str(folder), "--log", str(log), "--count", str(len(DOZEN)), "--only", *DOZEN]
    done = command(ROOT, *arguments, interpreter=("-m", "scripts.corruptions"))
    assert done.code == 0, done.out + done.err
    lines = done.out.splitlines()
    assert re.match(r"made by: python -m scripts\.corruptions --count 12 --seed 0 .*FOLDER; commit ", lines[0])
    assert sorted(re.findall(r"^ *\d+ [a-z ]+ (\w+:\w+) of ", done.out, re.MULTILINE)) == sorted(DOZEN)
    assert lines[-1].startswith("PASS: 12 corruptions, 0 faults")
    assert log.read_text() == done.out
    assert str(tmp_path) not in done.out


RECORD = '{"a": [1, 2.5, {"b": null}], "c": "text"}\n'


@pytest.mark.parametrize("kind", sorted(damages.ANY | damages.SWAPPED | damages.JSON))
@pytest.mark.parametrize("seed", range(20))
def test_each_damage_changes_what_the_file_says_or_how_it_says_it(tmp_path: Path, kind: str, seed: int) -> None:
    path, other = tmp_path / "record.json", tmp_path / "other.json"
    path.write_text(RECORD)
    other.write_text("{}")
    (damages.ANY | damages.SWAPPED | damages.JSON)[kind](path, other, random.Random(seed))
    assert content(path) in damages.GONE or not path.is_file() or path.read_text(errors="replace") != RECORD


def test_damages_to_data_are_what_they_are_called(tmp_path: Path) -> None:
    for split, count in (("train", 20), ("test", 5)):
        np.save(tmp_path / f"{split}_labels.npy", np.arange(count) + count)
        np.save(tmp_path / f"{split}_images.npy", np.zeros((count, 1, 2, 2), np.uint8))
    path = tmp_path / "test_labels.npy"
    damages.permute(path, path, random.Random(0))
    assert sorted(np.load(path)) == [5, 6, 7, 8, 9] != list(np.load(path))
    for seed in range(4):
        damages.train_for_test(path, path, random.Random(seed))
        labels = np.load(path)
        assert len(labels) in (5, 20)
        assert list(labels) == list(range(20, 20 + len(labels)))


def test_the_content_of_json_and_arrays_is_not_how_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    said = [
        (path.write_text(text), content(path))[1] for text in ('{"a": 1, "b": 2}', '{"b":2,"a":1}\n', '{"a":1.0,"b":2}')
    ]
    assert said[0] == said[1] != said[2]
    array = tmp_path / "array.npy"
    np.save(array, np.arange(3))
    before = content(array)
    array.write_bytes(array.read_bytes() + b"more")
    assert content(array) == before


CASE = Case(RUNS / "cell" / "record.json", RUNS / "other" / "record.json", [], ["results/runs/cell"])
ROWS = [{"masker": "dense", "accuracy": "50", "drop": "0"}, {"masker": "greedy", "accuracy": "40", "drop": "10"}]
TRAINED = "cell 1 of 2  digits: accuracy 40.00 %, 0.1 s; less than a minute left\n"
NAMED = "pruneexp: results/runs/cell/record.json is damaged.\n"
SEVERAL = "pruneexp: 2 of 3 cells could not be made:\n  digits: results/runs/cell/masks is damaged.\n  digits: {} is damaged.\n"


@pytest.mark.parametrize(
    ("outcome", "rows", "expected"),
    [
        (Outcome(0), ROWS, verdicts.HARMLESS),
        (Outcome(0, TRAINED), ROWS, verdicts.REMADE),
        (Outcome(0), [ROWS[0], ROWS[1] | {"accuracy": "41"}], verdicts.SILENT),
        (Outcome(0), ROWS[:1], verdicts.SILENT),
        (Outcome(0, "1 of 2 cells are missing"), ROWS[:1], verdicts.MISSING),
        (Outcome(0, "1 of 2 cells are missing"), [ROWS[1] | {"drop": ""}], verdicts.MISSING),
        (Outcome(0, "1 of 2 cells are missing"), [ROWS[1] | {"accuracy": "41"}], verdicts.SILENT),
        (Outcome(1), ROWS, verdicts.SILENT),
        (Outcome(2, "", NAMED), [], verdicts.REFUSED),
        (Outcome(2, "", "pruneexp: something is damaged.\n"), [], verdicts.VAGUE),
        (Outcome(2, "", NAMED + "and more\n"), [], verdicts.VAGUE),
        (
            Outcome(1, "", "pruneexp: 1 of 2 cells could not be made: digits: results/runs/cell/masks is damaged.\n"),
            [],
            verdicts.REFUSED,
        ),
        (Outcome(1, "", SEVERAL.format("results/runs/cell/weights")), [], verdicts.REFUSED),
        (Outcome(1, "", SEVERAL.format("something")), [], verdicts.VAGUE),
        (Outcome(2, "", ""), [], verdicts.VAGUE),
        (Outcome(2, "", "Traceback (most recent call last):\n" + NAMED), [], verdicts.TRACEBACK),
        (Outcome(-11), [], verdicts.TRACEBACK),
        (Outcome(None), [], verdicts.HANG),
    ],
)
def test_verdicts_of_a_run(outcome: Outcome, rows: verdicts.Rows, expected: str) -> None:
    assert word(CASE, ["masker=greedy"], (outcome, rows), (Outcome(0), ROWS), "before", "after") == expected


def test_verdicts_of_a_check() -> None:
    def of(outcome: Outcome, after: str = "after") -> str:
        return word(CASE, ["mode=check"], (outcome, []), (Outcome(0), []), "before", after)

    assert of(Outcome(1, "cell: its record.json is missing.")) == verdicts.NAMED
    assert of(Outcome(1, "other: its record.json is missing.")) == verdicts.VAGUE
    assert of(Outcome(0, "no problems")) == verdicts.UNNAMED
    assert of(Outcome(0, "no problems"), after="before") == verdicts.HARMLESS


def test_a_damaged_checkpoint_must_not_be_gone_on_from() -> None:
    def of(said: str, after: str) -> str:
        sound = Outcome(0, "goes on after epoch 3 of 5\n")
        return word(CASE, ["masker=greedy"], (Outcome(0, said), ROWS), (sound, ROWS), "before", after)

    assert of("is damaged; starting anew", "after") == of("", "deleted") == of("", "link") == verdicts.REMADE
    assert of("goes on after epoch 3 of 5", "after") == of("", "after") == verdicts.SILENT


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_command_that_hangs_is_killed(tmp_path: Path) -> None:
    begin = time.monotonic()
    assert forked(tmp_path, [], limit=0.2, before=lambda: time.sleep(60)).code is None
    assert time.monotonic() - begin < 30


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_command_that_raises_says_so(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("no such luck")

    outcome = forked(tmp_path, [], before=fail)
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert "no such luck" in outcome.err
