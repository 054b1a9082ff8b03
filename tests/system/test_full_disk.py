"""A disk that has no room: each writer at many instants, in bytes and in inodes; and what people are told."""

import errno
import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from pruneexp.data.dataset import FILES, make
from pruneexp.data.official import fetch
from pruneexp.errors import UserError
from pruneexp.failures import Failure
from pruneexp.graphs.ramanujan.__main__ import write as write_ramanujan
from pruneexp.graphs.ramanujan.array_code import array_code
from pruneexp.network.masks import save_masks
from pruneexp.records import artifact_store, marks
from pruneexp.records.seen import FEW, Seen
from pruneexp.records.store import Store
from pruneexp.system import files
from pruneexp.system.ending import told_at_the_end
from pruneexp.topology.export import save_graph
from pruneexp.training import processes
from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.device import Device
from tests.system.test_files import KEY, RECORD

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount the small disk that is filled")
PAGE, ROOM = 4096, "size=64M,nr_inodes=10000"
OLD = bytes(range(256)) * 100  # seven pages
NEW = OLD[::-1]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", ROOM, "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def leave(disk: Path, pages: int, inodes: int = 1000) -> None:
    """Leave so much room."""
    state = os.statvfs(disk)
    size = (state.f_blocks - state.f_bfree + pages) * PAGE
    options = f"remount,size={max(size, PAGE)},nr_inodes={state.f_files - state.f_ffree + inodes}"
    subprocess.run(["mount", "-o", options, disk], check=True)


def record(disk: Path) -> None:
    with Store(disk).claim(KEY):
        Store(disk).write(KEY, RECORD, {"masks.safetensors": NEW, "weights.safetensors": OLD}, [{"epoch": 0}])


def amend(disk: Path) -> None:
    store = Store(disk)
    if not store.has_folder(KEY):
        record(disk)
    store.amend(KEY, {"more": ["x" * 50] * 300})


def checkpoint(disk: Path) -> None:
    one = Checkpoint(disk / "checkpoint", {}, "cpu", 1, lambda told: None)
    one._write({"network": torch.arange(4000), "history": [{"epoch": 0}]})


def seen(disk: Path) -> None:
    one = Seen(disk)
    for number in range(FEW):
        one.add(f"{number}", (number, 1, 1, 1), None)
    one.save()


def data(disk: Path) -> None:
    images, labels = np.ones((50, 3, 8, 8), dtype=np.uint8), np.zeros(50, dtype=np.int64)
    make(disk / "digits", lambda *_: {name: images if name.endswith("images") else labels for name in FILES})


def mark(disk: Path) -> None:
    marks.failed(Store(disk), KEY, "why")


def artifact(disk: Path) -> None:
    artifact_store.put(disk / ".artifacts" / "scores", {"a": torch.arange(3000)})


def masks(disk: Path) -> None:
    save_masks({"a": torch.ones(9000, dtype=torch.bool)}, disk / "masks.safetensors")


def graph(disk: Path) -> None:
    save_graph(sp.csr_matrix(np.ones((40, 40))), disk / "graph.npz")


def listed(disk: Path) -> None:
    save_graph(sp.csr_matrix(np.ones((40, 40))), disk / "graph.csv")


def ramanujan(disk: Path) -> None:
    write_ramanujan(array_code(11, 3), disk / "ramanujan.mtx")


WRITERS: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (record, amend, checkpoint, seen, data, mark, artifact, masks, graph, listed, ramanujan)
}
QUIET = {"seen", "mark", "artifact"}  # nothing depends on what they write


def contents(disk: Path) -> dict[str, bytes]:
    """What lies there, but what says when it was made."""
    return {
        str(path.relative_to(disk)): path.read_bytes()
        for path in disk.rglob("*")
        if path.is_file() and path.name != ".claims" and not path.name.endswith(".failed")
    }


def trouble(writer: Callable[[Path], None], disk: Path) -> Exception | None:
    """What the writer raises."""
    try:
        writer(disk)
    except (UserError, OSError) as error:
        return error
    return None


@needs_root
@pytest.mark.parametrize("name", WRITERS)
def test_each_writer_at_each_instant_loses_nothing_and_leaves_no_half(disk: Path, tmp_path: Path, name: str) -> None:
    writer, whole = WRITERS[name], tmp_path / "whole"
    whole.mkdir()
    writer(whole)
    expected = contents(whole)
    for pages, inodes in [(pages, 1000) for pages in range(0, 40, 5)] + [
        (10_000, inodes) for inodes in (0, 1, 2, 4, 6)
    ]:
        if name == "amend":
            record(disk)
        (disk / "precious").write_bytes(OLD)
        before = contents(disk)
        leave(disk, pages, inodes)
        error = trouble(writer, disk)
        if error is not None:
            assert name not in QUIET
            assert "No space left on device" in str(error)
            assert name == "checkpoint" or (isinstance(error, UserError) and "make room there" in str(error))
            assert contents(disk) == before
        after = contents(disk)
        assert {path: after[path] for path in before if "record.json" not in path}.items() <= before.items()
        assert not list(disk.rglob("*.partial"))
        subprocess.run(["mount", "-o", f"remount,{ROOM}", disk], check=True)
        writer(disk)
        (disk / "precious").unlink()
        assert contents(disk) == expected
        subprocess.run(["find", disk, "-mindepth", "1", "-not", "-name", ".claims", "-delete"], check=True)


@needs_root
def test_a_record_that_does_not_fit_takes_the_room_of_the_checkpoint(disk: Path) -> None:
    store = Store(disk)
    with store.claim(KEY):
        store.checkpoint(KEY).write_bytes(OLD)
        leave(disk, 4)
        store.write(KEY, RECORD, {"masks.safetensors": NEW[: 5 * PAGE]}, [])
        assert not store.checkpoint(KEY).exists()
        assert store.file(KEY, "masks.safetensors") == NEW[: 5 * PAGE]


@needs_root
def test_a_record_that_does_not_even_fit_there_says_what_it_takes_and_leaves_the_checkpoint(disk: Path) -> None:
    store = Store(disk)
    with store.claim(KEY):
        store.checkpoint(KEY).write_bytes(OLD)
        leave(disk, 4)
        with pytest.raises(UserError, match=r"it takes 4\d,\d{3} bytes in 3 files: make room there, or take another"):
            store.write(KEY, RECORD, {"masks.safetensors": NEW + NEW[: 4 * PAGE]}, [])
        assert contents(disk) == {store.checkpoint(KEY).name: OLD}


@needs_root
def test_a_newer_checkpoint_takes_the_room_of_the_older_and_does_without_where_it_is_too_little(disk: Path) -> None:
    told: list[str] = []
    one = Checkpoint(disk / "checkpoint", {}, "cpu", 1, told.append)
    files.write_sealed(one.path, OLD)
    leave(disk, 3)
    one._write({"network": torch.arange(2000)})  # four pages
    newer = one.path.read_bytes()
    assert newer[32:] != OLD
    for _ in range(3):
        one.kept = {"network": torch.arange(90_000)}
        one._save()
    assert told == [
        f"no checkpoint could be written to {one.path} (No space left on device): make room there; training goes on"
    ]
    assert contents(disk) == {"checkpoint": newer}


def nothing(rank: int, device: Device, folder: Path, tell: processes.Tell) -> torch.Tensor:
    return torch.zeros(100_000)


@needs_root
def test_what_processes_hand_over_where_there_is_no_room(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    leave(disk, 20)
    with pytest.raises(OSError, match="No space left on device") as caught:
        processes.in_processes(nothing, Device("cpu", devices=2), torch.zeros(100_000), print)
    assert files.no_room(caught.value)
    assert caught.value.filename.endswith("/work")


@needs_root
def test_a_process_without_room_for_its_result_says_so(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(disk, 20)
    connection = multiprocessing.get_context("fork").Pipe(duplex=False)[1]
    child = multiprocessing.get_context("fork").Process(
        target=processes._run, args=(nothing, 0, Device("cpu"), disk, connection)
    )
    child.start()
    with pytest.raises(OSError, match="No space left on device") as caught:
        processes._watch([child], multiprocessing.Pipe(duplex=False)[0], print, disk / "error")
    assert caught.value.filename == str(disk)


@needs_root
def test_a_download_that_has_no_room_says_where(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, folder: str, name: str, md5: str) -> None:
        (Path(folder) / name).write_bytes(NEW + OLD)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download)
    (disk / "name").mkdir()
    leave(disk, 4)
    with pytest.raises(
        UserError, match=rf"{disk}/a.zip cannot be written \(No space .*: make room there, or take .* data_dir=PATH"
    ):
        fetch(disk / "a.zip", "url", "", disk, "name", "a.zip")
    assert not list(disk.rglob("*.zip"))


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "make room there, or take another folder with x=PATH"),
        (
            errno.EDQUOT,
            "delete what you need no more there, ask for a larger quota, or take another folder with x=PATH",
        ),
        (errno.EACCES, "ask its owner for the permission, or take another folder with x=PATH"),
        (errno.EROFS, "have the file system mounted for writing, or take another folder with x=PATH"),
        (errno.ESTALE, "take another folder with x=PATH"),
    ],
)
def test_people_are_told_what_helps(number: int, told: str) -> None:
    error = OSError(number, os.strerror(number), "file")
    assert files.remedy(error, "x") == told
    assert files.unwritable(None, error, "x") == f"a file cannot be written ({os.strerror(number)}): {told}."
    assert ("make room" in files.remedy(error)) == (number == errno.ENOSPC)


def test_a_disk_without_room_is_no_fault_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/a/file")
    told = "/a/file cannot be written (No space left on device): make room there."
    assert Failure.of("key", "cell", full) == Failure("key", "cell", told)
    with pytest.raises(SystemExit, match="2"), told_at_the_end("program"):
        raise full
    assert capsys.readouterr().err == f"program: {told}\n"
    with pytest.raises(OSError, match="other"), told_at_the_end("program"):
        raise OSError(errno.EBADF, "other")
