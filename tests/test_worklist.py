"""What is told of each cell while a sweep runs fits a line of the terminal, and its numbers add up."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pruneexp.cell import Cell
from pruneexp.records.store import Store
from pruneexp.system import console
from pruneexp.worklist import Countdown, TimeLeft, titles_of_all

NAMES = {"dataset": "cifar100", "model": "resnet20", "scorer": "magnitude", "masker": "greedy_matched", "recipe": "r"}
RECORD = {"diverged": False, "accuracy": 96.659, "effective_density": 0.1, "seconds": {"training": 5.4}}
Lines = Callable[[int | None], str]


def cell(density: float = 0.2, **names: str) -> Cell:
    return Cell(NAMES | names, density, 10, "float32", {"density": density}, "short")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lines:
    """``line(width)``: that tells of the second of nine cells, two of which are there."""
    keys = [f"cell-{number}" for number in range(9)]
    left = TimeLeft(Store(tmp_path), keys)
    left.start -= 2 * 3600
    monkeypatch.setattr(left.store, "has_folder", lambda key: key in keys[:2])

    def told(width: int | None) -> str:
        monkeypatch.setattr(console, "terminal_width", lambda: width)
        Countdown({0.2: 2}, 9, left).tell(cell(), RECORD)
        return capsys.readouterr().out

    return told


def test_in_a_pipe_a_cell_has_its_whole_name(line: Lines) -> None:
    name = "cifar100 resnet20 magnitude greedy_matched density 0.2 seed 10"
    assert line(None) == line(150) == f"cell 2 of 9  {name}: accuracy 96.66 %, 5.4 s; 7 left, about 7 hours\n"


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (100, "cell 2/9 resnet20 magnitude greedy_matched 0.2 seed 10: accuracy 96.66 %; 7 left, about 7 hours"),
        (80, "cell 2/9 greedy_matched 0.2 seed 10: accuracy 96.66 %; 7 left, about 7 hours"),
        (72, "cell 2/9 greedy_matched 0.2 seed 10: 96.66 %; 7 left, about 7 hours"),
        (60, "cell 2/9: accuracy 96.66 %; 7 left, about 7 hours"),
    ],
)
def test_on_a_terminal_it_has_as_much_of_it_as_fits(line: Lines, width: int, told: str) -> None:
    assert line(width) == f"{told}\n"
    assert len(told) <= width


@pytest.mark.parametrize(("made", "told"), [(0, "9 left"), (8, "1 left, about 15 min"), (9, "that was the last")])
def test_what_is_left_is_all_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: int, told: str
) -> None:
    keys = [f"cell-{number}" for number in range(9)]
    left = TimeLeft(Store(tmp_path), keys)
    left.start -= 2 * 3600
    monkeypatch.setattr(left.store, "has_folder", lambda key: key in keys[:made])
    assert left() == told


def test_titles_grow_shorter_and_name_the_number_to_the_last() -> None:
    countdown = Countdown({0.2: 2}, 9, None)
    titles = countdown.titles(cell())
    assert titles[0] == countdown.title(cell())
    assert [len(one) for one in titles] == sorted((len(one) for one in titles), reverse=True)
    assert titles[-2:] == ["cell 2/9 greedy_matched 0.2 seed 10", "cell 2/9"]
    assert countdown.titles(cell(1.0, scorer="dense", masker="dense"))[1:] == [
        "dense cell cifar100 resnet20 dense 1 seed 10",
        "dense cell resnet20 dense 1 seed 10",
        "dense cell dense 1 seed 10",
        "dense cell dense 1 seed 10",
        "dense cell",
    ]
    assert titles_of_all([(countdown, cell())]) == titles
    assert titles_of_all([(countdown, cell()), (countdown, cell(0.1))]) == ["cells 2, - of 9", "2 cells, 2/9 first"]


def test_of_a_sentence_that_no_line_has_room_for_the_whole_title_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "terminal_width", lambda: 40)
    console.say(["a long title of a cell", "cell 2/9"], "could not be made")
    console.say(["a long title of a cell", "cell 2/9"], "could not be made: " + "why " * 20)
    assert capsys.readouterr().out.splitlines() == [
        "cell 2/9: could not be made",
        "a long title of a cell: could not be made: " + "why " * 20,
    ]
