"""A sweep that signals end and that is started again ends as an uninterrupted one does."""

import shutil
from pathlib import Path

import pytest

from scripts.kill_and_restart import RUNS, TABLE, differences
from tests.command import ROOT, command


def test_signals_at_random_moments_change_nothing_and_leave_nothing(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "sweeps"), "--kills", "4", "--layouts", "one", "--seed", "1"]
    done = command(ROOT, *arguments, interpreter=("-m", "scripts.kill_and_restart"))
    assert done.code == 0, done.out + done.err
    lines = done.out.splitlines()
    came = [line for line in lines if line.startswith("one ")]
    assert {line.split()[2] for line in came} == {"SIGTERM", "SIGINT", "SIGKILL", "SIGSTOP"}
    assert lines[-1].startswith("PASS: 4 signals")
    assert str(tmp_path) not in done.out


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """What two sweeps that went alike left."""
    first, second = tmp_path / "first", tmp_path / "second"
    cell = first / RUNS / "cell"
    cell.mkdir(parents=True)
    for name in ("record.json", "masks.safetensors", "weights.safetensors", "history.csv"):
        (cell / name).write_text(name)
    (first / TABLE).parent.mkdir(parents=True)
    (first / TABLE).write_text("masker,accuracy,training_seconds\ngreedy,50,1.5\n")
    shutil.copytree(first, second)
    return first, second


def test_the_comparison_lets_times_differ(both: tuple[Path, Path]) -> None:
    (both[1] / TABLE).write_text("masker,accuracy,training_seconds\ngreedy,50,9.5\n")
    assert differences(*both) == []


def test_the_comparison_sees_another_accuracy_or_a_missing_row(both: tuple[Path, Path]) -> None:
    for text in ("masker,accuracy,training_seconds\ngreedy,51,1.5\n", "masker,accuracy,training_seconds\n"):
        (both[1] / TABLE).write_text(text)
        assert differences(*both) == ["the tables differ"]


@pytest.mark.parametrize("name", [f"{RUNS}/.cell.partial", "data/.digits-x1", f"{TABLE.parent}/.table.csv.17"])
def test_the_comparison_sees_what_is_left_over_even_hidden(both: tuple[Path, Path], name: str) -> None:
    (both[1] / name).mkdir(parents=True)
    assert f"left over: {name}" in differences(*both)


def test_the_comparison_sees_a_missing_cell_and_another_mask(both: tuple[Path, Path]) -> None:
    masks = both[1] / RUNS / "cell" / "masks.safetensors"
    masks.write_text("other")
    assert differences(*both) == [f"{RUNS}/cell/masks.safetensors differs"]
    masks.unlink()
    assert differences(*both) == [f"missing: {RUNS}/cell/masks.safetensors"]
