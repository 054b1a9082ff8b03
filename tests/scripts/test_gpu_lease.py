"""A lease leaves what it has measured and trained, whatever ends it, and another one goes on from there."""

import functools
import json
import shlex
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import pruneexp
from pruneexp.errors import UserError
from pruneexp.sweep import grids
from pruneexp.system import files
from scripts import gpu_lease
from scripts.lease import cells, cuda_tests, stages
from scripts.lease.archives import CHECKPOINTS, RECORDS, Archives, unpack
from scripts.lease.cells import members
from scripts.lease.clock import Clock
from scripts.lease.commands import started, watch
from scripts.lease.lease import Lease
from scripts.lease.rows import Row, rows
from tests.command import ROOT, environment

PUBLISHED = ROOT / "results" / "records"


def lease_of(folder: Path, minutes: float = 2, **variables: str) -> Lease:
    """A lease with a folder of its own and nothing to train."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    archives = Archives(folder / "runs", out)
    return Lease(Clock(minutes, out / "progress.log"), out, archives, folder / "data", [], [], variables)


def until(true: Callable[[], object]) -> None:
    """Wait for what is going to happen."""
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def gone(process: int) -> bool:
    """Whether a process has ended, though nobody may have waited for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def content(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: found.read() for member in tar if (found := tar.extractfile(member)) is not None}


def progress(lease: Lease) -> str:
    return lease.clock.log.read_text()


# what is trained


@functools.cache
def asked(*words: str) -> dict[str, tuple[str, float, int]]:
    """The cells of a sweep as a GPU trains them, by key: method, density and seed, in their order."""
    found = {}
    for slot in (slot for grid in grids(words) for slot in grid.slots):
        (cell,) = (cell for cell in slot.cells if cell.precision == "bf16")
        names = [name for name in (cell.names["scorer"], cell.names["masker"]) if name not in ("none", "greedy_global")]
        found[cell.key] = (" ".join(dict.fromkeys(names)), cell.density, cell.seed)
    return found


def published(name: str) -> set[str]:
    lines = (PUBLISHED / f"{name}.jsonl").read_text().splitlines()
    return {record["key"] for record in map(json.loads, lines)}


def test_rows_of_three_seeds_are_completed_in_the_order_of_the_tables() -> None:
    sweeps = [shlex.split(sweep) for sweep in cells.SWEEPS]
    wanted = [asked(*sweep) for sweep in sweeps]
    table8 = {key: row for found in wanted[:-1] for key, row in found.items()}
    complete = [(method, density) for method, density, seed in table8.values() if seed == 2]
    methods = ["erk", "er_published", "snip_published", "grasp_published", "synflow", "uniform", "prospr_published"]
    assert complete == [("dense", 1.0), *((method, density) for density in (0.02, 0.1) for method in methods)]
    assert len(table8) == 3 * len(complete)
    assert table8.keys() <= asked("+experiment=topology_tables8_9").keys()
    assert wanted[-1].keys() == asked("+experiment=laenen_fig2_resnet20").keys()
    seeds = [seed for _, density, seed in wanted[-1].values() if density not in (1.0, 0.02)]
    assert seeds == [0, 1, 2] * (len(seeds) // 3)
    # results/records has cells of the text's methods, of the published recipe and of the short one; the dense ones are these too
    for words in ([], ["recipe=topology_cifar_3"]):
        recorded = published("-".join(["topology_tables8_9_text", *words]))
        text = asked("+experiment=topology_tables8_9_text", "dataset=cifar10", "model=resnet20", *words)
        assert recorded <= text.keys()
        ours = {key: row for sweep in sweeps[:-1] for key, row in asked(*sweep, *words).items()}
        assert {text[key][0] for key in recorded & ours.keys()} == {"dense"}


# archives


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of a finished cell, one that is just being written, one that is trained, and whatever else lies there."""
    folder = tmp_path / "runs"
    cell = ("a-1/record.json", "a-1/masks.safetensors", "a-1/weights.safetensors")
    for path in (*cell, ".c-3.0123456789abcdef.partial/record.json", "reports/tables/a.csv"):
        files_of = folder / path
        files_of.parent.mkdir(parents=True, exist_ok=True)
        files_of.write_text(path)
    for name in (".b-2.checkpoint", ".claims", ".b-2.working", ".seen"):
        (folder / name).write_text(name)
    return folder


def test_archives_hold_what_reports_and_the_next_lease_need(runs: Path, tmp_path: Path) -> None:
    archives = Archives(runs, tmp_path)
    assert archives.follow() == {"a-1"}
    assert set(content(tmp_path / RECORDS)) == {"a-1/record.json", "a-1/masks.safetensors"}
    assert set(content(tmp_path / CHECKPOINTS)) == {".b-2.checkpoint"}
    assert archives.follow() == set()
    (runs / ".b-2.checkpoint").unlink()
    (runs / "b-2").mkdir()
    (runs / "b-2" / "record.json").write_text("b-2")
    assert archives.follow(at_once=True) == {"b-2"}
    assert set(content(tmp_path / RECORDS)) == {"a-1/record.json", "a-1/masks.safetensors", "b-2/record.json"}
    assert content(tmp_path / CHECKPOINTS) == {}


def test_an_archive_that_cannot_be_written_is_as_it_was(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = Archives(runs, tmp_path)
    archives.follow()
    before = (tmp_path / RECORDS).read_bytes()
    (runs / "b-2").mkdir()
    (runs / "b-2" / "record.json").write_text("b-2")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(files, "contents", full)
    with pytest.raises(OSError, match="No space"):
        archives.follow()
    assert (tmp_path / RECORDS).read_bytes() == before
    assert not list(tmp_path.glob(".*.partial"))


def test_what_is_unpacked_replaces_nothing(runs: Path, tmp_path: Path) -> None:
    Archives(runs, tmp_path).follow()
    other = tmp_path / "other"
    assert [unpack(tmp_path / name, other) for name in (RECORDS, CHECKPOINTS)] == [1, 1]
    assert (other / "a-1" / "record.json").read_text() == "a-1/record.json"
    (other / ".b-2.checkpoint").write_text("newer")
    assert [unpack(tmp_path / name, other) for name in (RECORDS, CHECKPOINTS)] == [0, 0]
    assert (other / ".b-2.checkpoint").read_text() == "newer"
    (other / ".b-2.checkpoint").rename(other / "b-2")  # its cell is finished
    assert unpack(tmp_path / CHECKPOINTS, other) == 0
    Archives(other, tmp_path).follow()
    assert content(tmp_path / CHECKPOINTS) == {}


@pytest.mark.parametrize("name", ["../a", "/a/b", "a/b/c", "a", ".a/b"])
def test_an_archive_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "made.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(UserError, match=r"made\.tar\.gz is not an archive that a lease has left"):
        unpack(tmp_path / "made.tar.gz", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_half_an_archive_is_refused(runs: Path, tmp_path: Path) -> None:
    Archives(runs, tmp_path).follow()
    whole = (tmp_path / RECORDS).read_bytes()
    (tmp_path / RECORDS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not an archive that a lease has left"):
        unpack(tmp_path / RECORDS, tmp_path / "other")


# commands

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
time.sleep(600)
"""


def processes(path: Path) -> list[int]:
    """Once they have said their numbers."""
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return [int(word) for word in path.read_text().split()]


def test_a_command_that_hangs_ends_with_its_children(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with started(["-c", STUBBORN], tmp_path / "errors", said, grace=0.1) as process:
        numbers = processes(said)
        assert watch(process, 0.3) is None
    assert len(numbers) == 2
    until(lambda: all(map(gone, numbers)))


def test_children_that_a_command_leaves_behind_end_with_it(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with started(["-c", STUBBORN.rsplit("time.sleep", 1)[0]], tmp_path / "errors", said) as process:
        assert watch(process, 60) == 0
    until(lambda: all(map(gone, processes(said))))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells a process that its parent has ended")
def test_a_command_ends_with_a_lease_that_is_killed(tmp_path: Path) -> None:
    said = tmp_path / "said"
    sleeping = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    program = f"""
from pathlib import Path
from scripts.lease.commands import started, watch
with started(["-c", {sleeping!r}], Path({str(tmp_path / "errors")!r}), Path({str(said)!r})) as process:
    watch(process, 600)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment())
    (child,) = processes(said)
    parent.kill()
    parent.wait()
    until(lambda: gone(child))


# stages

TESTS = """
import os, time
import pytest

def test_good(): pass
def test_bad(): assert 1 == 2
@pytest.mark.skip("no reason")
def test_skipped(): pass
def test_hangs(): time.sleep(600)
def test_dies(): os._exit(7)
@pytest.fixture
def broken(): raise ValueError("a fixture")
def test_broken(broken): pass
def test_last(): pass
"""


def test_each_test_has_an_outcome_whatever_another_one_does(tmp_path: Path) -> None:
    lease, path = lease_of(tmp_path), tmp_path / "test_some.py"
    path.write_text(TESTS)
    cuda_tests.cuda_tests(lease, str(path), each=1)
    found: dict[str, Row] = {row["test"].partition("::")[2]: row for row in rows(lease.tests)}
    assert {name: row["outcome"] for name, row in found.items()} == {
        "test_good": "passed", "test_bad": "failed", "test_skipped": "skipped", "test_hangs": "hung", "test_dies": "died",
        "test_broken": "failed", "test_last": "passed",
    }  # fmt: skip
    assert "assert 1 == 2" in found["test_bad"]["why"]
    assert found["test_skipped"]["why"] == "Skipped: no reason"
    assert found["test_dies"]["why"] == "exit code 7"
    assert progress(lease).splitlines()[-1].endswith("tests: ended")


STEPS = """
import json, sys, time
batch = int(sys.argv[sys.argv.index("--batch") + 1])
print("not a row", flush=True)
print(json.dumps({"network": "resnet20", "batch": batch, "way": "eager", "ms": 10.5}), flush=True)
if batch == 256:
    print(json.dumps({"network": "resnet20", "batch": batch, "way": "1", "ms": 3.0}), flush=True)
    time.sleep(600)
sys.exit("no more ways")
"""


def test_a_row_is_kept_however_its_program_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_steps.py").write_text(STEPS)
    lease = lease_of(tmp_path, PYTHONPATH=str(tmp_path))
    monkeypatch.setattr(stages, "STEPS", 3.0)
    stages.steps(lease, "fake_steps")
    assert [(row["batch"], row["way"]) for row in rows(lease.steps)] == [(128, "eager"), (256, "eager"), (256, "1")]
    said = progress(lease)
    assert "steps: batch 128 ended; exit code 1: no more ways\n" in said
    assert "steps: batch 256 ended; its time was over\n" in said


def test_a_stage_that_fails_does_not_keep_the_next_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, ran = lease_of(tmp_path), list[str]()

    def fails(lease: Lease) -> None:
        raise RuntimeError("no such luck")

    stages_of = {"machine": fails, "tests": fails, "steps": lambda lease: ran.append("steps")}
    monkeypatch.setattr(gpu_lease, "STAGES", stages_of)
    gpu_lease.spend(lease, ["tests"])
    assert ran == ["steps"]
    said = progress(lease)
    assert "machine: failed: RuntimeError('no such luck')" in said
    assert "tests: left out" in said
    assert lease.summary.read_text().startswith("# A GPU for 2 minutes")


def test_sweeps_end_before_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease, said = lease_of(tmp_path, minutes=0.05), tmp_path / "said"
    lease.sweeps = [["one"], ["two"]]
    writes = f"import os; print(os.getpid(), file=open({str(said)!r}, 'w'), flush=True); import time; time.sleep(600)"
    monkeypatch.setattr(cells, "command", lambda lease, sweep: ["-c", writes])
    cells.cells(lease)
    assert lease.begun == [["one"]]
    assert "cells: ended; its time was over" in progress(lease)
    assert all(map(gone, processes(said)))


# all of it

ROW = (
    "recipe=smoke recipe.epochs=60 recipe.train_images=32 recipe.test_images=16 densities=[1.0] masker=greedy seed=0,1 "
    "trainer.accelerator=cpu trainer.threads=1 trainer.members=1 trainer.checkpoint_seconds=0.1"
)


def begun(folder: Path, data: Path, *more: str) -> subprocess.Popen[bytes]:
    """A lease of an hour in a process of its own, with nothing but two cells to train."""
    words = ["--out", str(folder / "out"), "--results-dir", str(folder / "runs"), "--data-dir", str(data)]
    words += ["--minutes", "60", "--skip", "machine", "tests", "steps", "--records", "--rows", ROW, *more]
    return subprocess.Popen([sys.executable, "-m", "scripts.gpu_lease", *words], cwd=ROOT, env=environment())


def test_a_lease_that_is_ended_goes_on_on_another_machine(tmp_path: Path, data: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    ended = begun(first, data)
    until((first / "out" / RECORDS).exists)
    kept = content(first / "out" / RECORDS)
    assert {name.partition("/")[2] for name in kept} == {"record.json", "masks.safetensors", "history.csv"}
    until(lambda: list((first / "runs").glob(".*.checkpoint")))
    ended.send_signal(signal.SIGTERM)
    assert ended.wait() == 128 + signal.SIGTERM
    assert content(first / "out" / RECORDS) == kept
    (checkpoint,) = content(first / "out" / CHECKPOINTS)
    assert checkpoint.startswith(".digits-vgg_small-dense-dense-d1-s1-")
    told = (first / "out" / "summary.md").read_text()
    assert "**Cells**: 1 finished in" in told
    assert "1 more have left a checkpoint" in told

    archives = [str(first / "out" / name) for name in (RECORDS, CHECKPOINTS)]
    assert begun(second, data, "--resume", *archives).wait() == 0
    assert "goes on after epoch" in (second / "out" / "output.log").read_text()
    found = content(second / "out" / RECORDS)
    assert len(found) == 2 * len(kept)
    assert kept.items() <= found.items()
    assert content(second / "out" / CHECKPOINTS) == {}
    assert "**Cells**: 1 finished in" in (second / "out" / "summary.md").read_text()
    unpack(second / "out" / RECORDS, tmp_path / "home")
    assert sorted(pruneexp.load_results(tmp_path / "home")["seed"]) == [0, 1]


@pytest.mark.parametrize(
    ("rounds", "left", "expected"),
    [
        ({}, 400, "auto"),
        ({1: 2.5, 2: 3.0, 4: 4.0, 8: 8.0}, 400, 4),  # of eight none would be finished, of two only two
        ({1: 2.5, 2: 3.0, 4: 4.0, 8: 7.0}, 900, 8),
        ({1: 2.5, 2: 3.0, 4: 4.0, 8: 8.0}, 50, 4),  # none is finished: most steps
        ({1: 2.5, 2: 5.5}, 400, 1),
    ],
)
def test_as_many_at_once_as_finish_most_cells(rounds: dict[int, float], left: float, expected: int | str) -> None:
    rows = [{"way": str(number), "members": number, "batch": 128, "ms": ms} for number, ms in rounds.items()]
    others = [
        {"way": "eager", "members": 1, "batch": 128, "ms": 0.1},
        {"way": "2", "members": 2, "batch": 256, "ms": 0.1},
        {"way": "16", "members": 16, "batch": 128, "note": "out of memory"},
    ]
    assert members([*others, *rows], left) == expected
