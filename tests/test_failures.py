"""Cells that cannot be made are named with their reason; the others are made, and the report is written."""

import errno
import os
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.failures import Failure, summary
from pruneexp.records.store import Store
from tests.command import SMALL, TABLES, Run, with_workers

SWEEP = (*SMALL, "seed=0", "masker=ramanujan_fit,greedy", "densities=[0.004,0.2]")  # one is too sparse for graphs
WHY = "digits vgg_small none ramanujan_fit density 0.004 seed 0: "


@pytest.fixture
def run(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(overrides...)``: the command in this process, in an empty folder, its workers in theirs."""
    return with_workers(tmp_path, monkeypatch, capsys, f"data_dir={data}")


def made(folder: Path) -> list[str]:
    """The finished cells, without their hashes."""
    return sorted(path.parent.name.rpartition("-")[0] for path in folder.glob("results/runs/*/record.json"))


def numbers(out: str) -> list[tuple[int, int]]:
    return [(int(number), int(total)) for number, total in re.findall(r"\bcell (\d+) of (\d+)\b", out)]


@pytest.mark.parametrize(
    "launcher", [("launcher=local",), ("launcher=gpus", "launcher.devices=2"), ("launcher=slurm_local",)], ids=" ".join
)
def test_a_cell_that_cannot_be_made_is_named_and_the_others_are_made(
    run: Run, tmp_path: Path, launcher: tuple[str, ...]
) -> None:
    outcome = run(*SWEEP, *launcher)
    assert outcome.code == 1
    assert "Traceback" not in outcome.err + outcome.out
    last = outcome.err.splitlines()[-1]
    assert last.startswith(f"pruneexp: 1 of 4 cells could not be made: {WHY}")
    reason = last.partition(WHY)[2]
    assert f"could not be made: {reason}" in outcome.out
    assert made(tmp_path) == [
        f"digits-vgg_small-{end}"
        for end in ("magnitude-greedy-d0.004-s0", "magnitude-greedy-d0.2-s0", "none-ramanujan_fit-d0.2-s0")
    ]
    assert "1 of 4 cells are missing" in outcome.out
    (table,) = tmp_path.glob(f"{TABLES}/*.csv")
    assert len(pd.read_csv(table)) == 3
    found = numbers(outcome.out)
    assert {total for _, total in found} == {4}
    assert {number for number, _ in found} == {1, 2, 3, 4}


def test_only_what_is_left_is_counted(run: Run, tmp_path: Path) -> None:
    assert run(*SWEEP, "masker=greedy", "densities=[0.2]").code == 0
    outcome = run(*SWEEP)
    assert outcome.code == 1
    assert "pruneexp: 1 of 4 cells could not be made: " in outcome.err
    assert sorted(set(numbers(outcome.out))) == [(1, 3), (2, 3), (3, 3)]
    again = run(*SWEEP)
    assert again.code == 1
    assert set(numbers(again.out)) == {(1, 1)}
    assert again.err.count("\n") == 1
    assert len(made(tmp_path)) == 3
    assert len(list(tmp_path.glob("results/runs/.*.failed"))) == 1


def test_a_sweep_of_which_nothing_can_be_made_has_no_report(run: Run, tmp_path: Path) -> None:
    outcome = run(*SWEEP, "masker=ramanujan_fit", "densities=[0.004]")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"pruneexp: 1 of 1 cells could not be made: {WHY}")
    assert not (tmp_path / "results/runs/reports").exists()


# a user's own code


MODULE = """
import errno
import os
import signal
import os
import signal


def broken(model, batches, generator):
    raise TypeError("no shape for this")


def missing(model, batches, generator):
    with open("/nowhere/table.csv") as file:
        return file.read()


def full(model, batches, generator):
    raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/else")


def killer(model, batches, generator):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module, on the path, and configurations of its scorers."""
    folder = tmp_path / "mine"
    (folder / "scorer").mkdir(parents=True)
    (folder / "my_scorers.py").write_text(MODULE)
    for name in ("broken", "missing", "full", "killer"):
        (folder / "scorer" / f"{name}.yaml").write_text(f"name: {name}\n_target_: my_scorers.{name}\n_partial_: true\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "my_scorers", raising=False)
    return folder


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "TypeError: no shape for this"),
        ("missing", "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/table.csv'"),
        ("full", "/somewhere/else cannot be written (No space left on device): make room there."),
    ],
)
def test_a_scorer_of_ones_own_that_raises(run: Run, tmp_path: Path, mine: Path, name: str, why: str) -> None:
    outcome = run(
        *SMALL, "seed=0", f"scorer={name},magnitude", "masker=greedy", "densities=[0.1,0.2]", f"hydra.searchpath=[file://{mine}]"
    )  # fmt: skip
    assert outcome.code == 1
    traces = int(name != "full")  # which is the disk's fault, not the scorer's
    assert outcome.err.count("Traceback (most recent call last)") == traces
    assert outcome.err.count('my_scorers.py", line') == traces
    assert outcome.err.splitlines()[-1] == (
        f"pruneexp: 2 of 4 cells could not be made: digits vgg_small {name} greedy density 0.1 seed 0 and 1 other: {why}"
    )
    assert made(tmp_path) == [f"digits-vgg_small-magnitude-greedy-d{density}-s0" for density in (0.1, 0.2)]
    (table,) = tmp_path.glob(f"{TABLES}/*.csv")
    assert pd.read_csv(table)["scorer"].tolist() == ["magnitude"] * 2


@pytest.mark.parametrize("members", [1, 4])
def test_a_job_that_kills_its_worker_takes_no_other_with_it(
    tmp_path: Path,
    mine: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    members: int,
) -> None:
    run = with_workers(tmp_path, monkeypatch, capsys, f"data_dir={data}", "launcher=gpus", "launcher.devices=1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ["PYTHONPATH"], str(mine)]))
    done = run(
        *SMALL, "seed=0", "scorer=magnitude,killer,l2", "masker=greedy", "densities=[0.1]", f"trainer.members={members}",
        f"hydra.searchpath=[file://{mine}]",
    )  # fmt: skip
    assert done.code == 1
    assert "pruneexp: 1 of 3 cells could not be made: digits vgg_small killer greedy density 0.1 seed 0:" in done.err
    assert made(tmp_path) == [f"digits-vgg_small-{name}-greedy-d0.1-s0" for name in ("l2", "magnitude")]


# a dense network that others need


def test_a_dense_network_that_cannot_be_made_is_the_reason(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruneexp.trials import prepared

    def fails(piece: Any) -> Any:
        if piece.cell.density == 1:
            raise UserError("the dense one is ill.")
        return prepared(piece)

    monkeypatch.setattr("pruneexp.running.prepared", fails)
    words = (*SMALL, "seed=0", "masker=greedy", "when=trained")
    outcome = run(*words, "densities=[1.0,0.1,0.2]")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        "pruneexp: 3 of 3 cells could not be made:",
        "  digits vgg_small dense dense density 1 seed 0: the dense one is ill.",
        "  digits vgg_small magnitude greedy density 0.1 seed 0 and 1 other: it needs the trained dense network, and the dense one is"
        " ill.",
    ]
    unasked = run(*words, "densities=[0.1,0.2]")
    assert unasked.code == 1
    assert unasked.err.splitlines() == [
        "pruneexp: 2 of 2 cells could not be made: digits vgg_small magnitude greedy density 0.1 seed 0 and 1 other: it needs the"
        " trained dense network, and the dense one is ill."
    ]
    assert all(number <= total for number, total in numbers(outcome.out + unasked.out))
    assert made(tmp_path) == []


# a disk that fills


def test_a_folder_that_cannot_be_written_any_more_stops_the_sweep(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruneexp.system import files as disk

    write, records = disk.write, []

    def full(path: Path, content: Any) -> None:
        if path.name == "record.json":
            records.append(path)
            if len(records) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr("pruneexp.records.store.disk.write", full)
    outcome = run(*SMALL, "seed=0,1", "masker=greedy,sparsify", "densities=[0.2]")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert re.match(
        r"pruneexp: the record of digits-\S+ could not be written to results/runs \(No space left", outcome.err
    )
    assert len(made(tmp_path)) == 1
    assert len(records) == 2
    assert [path for path in tmp_path.rglob("*") if "partial" in path.name] == []
    monkeypatch.setattr("pruneexp.records.store.disk.write", write)
    again = run(*SMALL, "seed=0,1", "masker=greedy,sparsify", "densities=[0.2]")
    assert again.code == 0, again.err
    assert len(made(tmp_path)) == 4
    assert {total for _, total in numbers(again.out)} == {3}


def test_a_file_of_one_cell_that_cannot_be_written_fails_that_cell(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Store.write

    def refuses(self: Store, key: str, *rest: Any) -> None:
        if "greedy" in key:
            raise UserError("it is too large.")
        write(self, key, *rest)

    monkeypatch.setattr(Store, "write", refuses)
    outcome = run(*SMALL, "seed=0", "masker=greedy,sparsify", "densities=[0.2]")
    assert outcome.code == 1
    assert outcome.err == (
        "pruneexp: 1 of 2 cells could not be made: digits vgg_small magnitude greedy density 0.2 seed 0: it is too large.\n"
    )
    assert made(tmp_path) == ["digits-vgg_small-magnitude-sparsify-d0.2-s0"]


# what is told of several


def test_one_reason_is_one_line() -> None:
    some = [Failure(str(k), f"cell {k}", "no room.") for k in range(3)]
    assert summary(some[:1], 5) == "1 of 5 cells could not be made: cell 0: no room."
    assert summary(some[:2], 5) == "2 of 5 cells could not be made: cell 0 and 1 other: no room."
    assert summary(some, 3) == "3 of 3 cells could not be made: cell 0 and 2 others: no room."


def test_each_reason_is_told_once_in_the_order_in_which_it_came() -> None:
    some = [
        Failure("a", "cell a", "no room."), Failure("b", "cell b", "ill."), Failure("c", "cell c", "no room."),
        Failure("b", "cell b", "ill."),
    ]  # fmt: skip
    assert summary(some, 9).splitlines() == [
        "3 of 9 cells could not be made:", "  cell a and 1 other: no room.", "  cell b: ill.",
    ]  # fmt: skip


def test_a_cell_that_failed_twice_is_one_with_its_last_reason() -> None:
    some = [Failure("a", "cell a", "no room."), Failure("a", "cell a", "ill.")]
    assert summary(some, 2) == "1 of 2 cells could not be made: cell a: ill."


def test_an_error_is_one_line_and_a_users_mistake_has_no_trace() -> None:
    assert Failure.of("a", "cell a", UserError("no.")) == Failure("a", "cell a", "no.")
    try:
        raise ValueError("first\n  second")
    except ValueError as error:
        failure = Failure.of("a", "cell a", error)
    assert failure.why == "ValueError: first second"
    assert failure.trace.startswith("Traceback (most recent call last)")
    assert failure.trace.endswith("second")
    assert Path(__file__).name in failure.trace
