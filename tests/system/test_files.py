"""The one writer: all or nothing, under names that nobody can guess, readable by colleagues; and reading regular files only."""

import ast
import errno
import os
import random
import signal
import socket
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from pruneexp.cell import Cell
from pruneexp.data.dataset import FILES, _open, make
from pruneexp.data.images import pixels
from pruneexp.data.official import check_md5, unpacked
from pruneexp.errors import UserError
from pruneexp.network.masks import load_masks, save_masks
from pruneexp.network.weights import fingerprint
from pruneexp.records.store import Store
from pruneexp.system import files
from pruneexp.training.checkpoint import Checkpoint
from tests.reports.made_records import record

ROOT = Path(__file__).resolve().parents[2]
CELL = Cell({}, 0.1, 0, "float32", {"density": 0.1, "seed": 0, "precision": "float32"}, "digits-vgg_small")
KEY = CELL.key
RECORD = record(CELL, 50.0)
TOKEN = "0123456789abcdef"


def modes(folder: Path) -> dict[str, int]:
    """The permissions of everything below `folder`."""
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in folder.rglob("*")}


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("content", [b"\x00bytes", "text \u03bb\n", b"", ""])
def test_what_is_written_is_read(tmp_path: Path, content: bytes | str) -> None:
    files.write(tmp_path / "a", "before")
    files.write(tmp_path / "a", content)
    assert files.read(tmp_path / "a") == (content.encode() if isinstance(content, str) else content)
    assert os.listdir(tmp_path) == ["a"]


def test_files_and_folders_have_the_modes_of_any_other(tmp_path: Path, umask: int) -> None:
    files.write(tmp_path / "file", "a")
    with files.new_folder(tmp_path / "folder") as folder:
        files.write(folder / "file", "a")
    with files.scratch_folder(tmp_path / "other") as scratch:
        assert modes(tmp_path)[scratch.name] == 0o777 & ~umask
    assert modes(tmp_path) == {
        "file": 0o666 & ~umask,
        "folder": 0o777 & ~umask,
        "folder/file": 0o666 & ~umask,
    }


def source(data_dir: Path, name: str) -> dict[str, np.ndarray]:
    images, labels = np.zeros((3, 1, 8, 8), dtype=np.uint8), np.zeros(3, dtype=np.int64)
    return {file: images if file.endswith("images") else labels for file in FILES}


def test_colleagues_can_read_records_checkpoints_masks_and_data(tmp_path: Path, umask: int) -> None:
    Store(tmp_path).write(KEY, RECORD, {"masks.safetensors": b"masks"}, [])
    Store(tmp_path).amend(KEY, {"more": 1})
    checkpoint(tmp_path / "checkpoint", [])._write({})
    save_masks({"a": torch.ones(2, dtype=torch.bool)}, tmp_path / "masks.safetensors")
    make(tmp_path / "data" / "digits", source)
    for path, mode in modes(tmp_path).items():
        assert mode == (0o777 if (tmp_path / path).is_dir() else 0o666) & ~umask, path


def checkpoint(path: Path, told: list[str]) -> Checkpoint:
    return Checkpoint(path, {}, "cpu", 1, told.append)


def test_links_under_names_that_can_be_guessed_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "shared"
    store = Store(folder)
    with store.claim(KEY):
        store.write(KEY, RECORD, {}, [])
    names = (f".{KEY}.partial", f".{KEY}.checkpoint.partial", f"{KEY}/.record.json.partial", ".masks.partial")
    for name in (*names, f".masks.{os.getpid()}", ".data.partial", ".data-partial", "record.json", "masks"):
        (folder / name).symlink_to(victim)
    with store.claim(KEY):
        store.amend(KEY, {"more": 1})
        checkpoint(store.checkpoint(KEY), [])._write({})
        store.write(KEY, RECORD, {}, [])
    save_masks({}, folder / "masks")
    make(folder / "data", source)
    assert victim.read_text() == "precious"
    assert not (folder / "masks").is_symlink()


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_failure_in_the_middle_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def failing(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    files.write(tmp_path / "a", "before")
    monkeypatch.setattr(os, name, failing)
    with pytest.raises(OSError, match="No space left") as error:
        files.write(tmp_path / "a", "after")
    assert error.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.parametrize("error", [OSError(errno.EDQUOT, "quota"), KeyboardInterrupt(), SystemExit(143)])
def test_whatever_ends_the_writing_leaves_no_scratch(tmp_path: Path, error: BaseException) -> None:
    def half_a_file() -> None:
        with files.writing(tmp_path / "a") as file:
            file.write(b"after")
            assert len(os.listdir(tmp_path)) == 2
            raise error

    def half_a_folder() -> None:
        with files.new_folder(tmp_path / "b") as folder:
            files.write(folder / "c", "half")
            raise error

    files.write(tmp_path / "a", "before")
    for half in (half_a_file, half_a_folder):
        with pytest.raises(type(error)):
            half()
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def of_files_only(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", of_files_only)
    files.write(tmp_path / "a", "text")
    assert files.read(tmp_path / "a") == b"text"


def test_what_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write(tmp_path / "missing" / "a", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(tmp_path / "folder", "text")
    assert os.listdir(tmp_path) == ["folder"]


def write_often(path: Path, letter: str) -> None:
    for _ in range(50):
        files.write(path, letter * 100_000)


def one_whole(path: Path) -> bool:
    content = path.read_text()
    return len(content) == 100_000 and len(set(content)) == 1


def test_writers_of_one_file_leave_one_whole_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    threads = [threading.Thread(target=write_often, args=(path, letter)) for letter in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert not path.exists() or one_whole(path)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(write_often, [path, path], "cd"))
    assert one_whole(path)
    assert os.listdir(tmp_path) == ["a"]


def test_a_new_folder_is_there_completely_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with files.new_folder(tmp_path / "a") as scratch:
        files.write(scratch / "file", "first")
        assert os.listdir(tmp_path / "a") == []
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a" / "file").read_text() == "first"
    with pytest.raises(OSError, match="not empty"), files.new_folder(tmp_path / "a") as scratch:
        files.write(scratch / "file", "second")
    assert (tmp_path / "a" / "file").read_text() == "first"
    with files.new_folder(tmp_path / "a", replace=True) as scratch:
        files.write(scratch / "other", "third")
    assert os.listdir(tmp_path) == ["a"]
    assert os.listdir(tmp_path / "a") == ["other"]


@pytest.mark.parametrize("name", ["a", "[ab]*?", "a.b", "a b"])
def test_leftovers_are_of_that_very_name(tmp_path: Path, name: str) -> None:
    mine = [tmp_path / f".{name}.{TOKEN}.partial", tmp_path / f".{name}.{TOKEN[::-1]}.partial"]
    mine[0].write_text("half")
    mine[1].mkdir()
    (mine[1] / "file").write_text("half")
    others = [f".{name}b.{TOKEN}.partial", f".{name}.b.{TOKEN}.partial", f".{name}.partial", f".aa.{TOKEN}.partial"]
    others += [f".{name}.{TOKEN}.{TOKEN}.partial", f"{name}.{TOKEN}.partial", f".{name}.{TOKEN}", name]
    for other in others:
        (tmp_path / other).write_text("kept")
    assert files.leftovers(tmp_path / name) == sorted(mine)
    files.remove_leftovers(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_a_link_among_the_leftovers_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / f".a.{TOKEN}.partial").symlink_to(tmp_path / "precious")
    files.remove_leftovers(tmp_path / "a")
    assert os.listdir(tmp_path) == ["precious"]
    assert os.listdir(tmp_path / "precious") == ["file"]
    assert files.leftovers(tmp_path / "missing" / "a") == []


def test_a_claim_removes_what_its_cell_left_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = KEY.replace("-s0-", "-s1-")
    (tmp_path / KEY).mkdir()
    for name in (f".{KEY}", f"..{KEY}.checkpoint", f"{KEY}/.record.json", f".{other}"):
        (tmp_path / f"{name}.{TOKEN}.partial").touch()
    with store.claim(KEY):
        left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.name != ".claims")
        assert left == [f".{other}.{TOKEN}.partial", KEY]


def test_making_a_data_set_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / f".a.{TOKEN}.partial").mkdir()
    (tmp_path / f".ab.{TOKEN}.partial").mkdir()
    make(tmp_path / "a", source)
    assert sorted(os.listdir(tmp_path)) == [f".ab.{TOKEN}.partial", "a"]


@pytest.fixture(params=["FIFO", "directory", "device", "socket"])
def irregular(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Something that is no file; a test that waits for a FIFO's writer fails."""

    def waits(*frame: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(30)
    path = tmp_path / "irregular"
    if request.param == "FIFO":
        os.mkfifo(path)
    elif request.param == "directory":
        path.mkdir()
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("irregular")
    yield path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("size", [0, 1, 10, 100_000])
@pytest.mark.parametrize("at_once", [3, 1 << 30])
def test_contents_are_whole_however_little_the_system_reads_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, at_once: int
) -> None:
    path, content, read = tmp_path / "file", random.Random(size).randbytes(size), os.read
    path.write_bytes(content)
    monkeypatch.setattr(os, "read", lambda handle, count: read(handle, min(count, at_once)))
    found, state = files.contents(path)
    assert found == content == files.read(path)
    assert (state.st_ino, state.st_size) == (path.stat().st_ino, size)


def test_only_regular_files_are_read(irregular: Path) -> None:
    for reading in (files.read, files.contents, files.opened, files.regular):
        with pytest.raises(OSError, match=r"not a file|No such device") as error:
            reading(irregular)
        assert error.value.filename == str(irregular)
    with pytest.raises(FileNotFoundError):
        files.read(irregular.with_name("missing"))


def test_what_is_no_file_gives_a_sentence_wherever_it_stands(irregular: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    store.write(KEY, RECORD, {}, [])
    record = tmp_path / "runs" / KEY / "record.json"
    record.unlink()
    record.symlink_to(irregular)
    with pytest.raises(UserError, match="is damaged"):
        store.read(KEY)
    with pytest.raises(UserError, match="no readable masks"):
        load_masks(irregular)
    with pytest.raises(UserError, match="there is no"):
        fingerprint(str(irregular))
    with pytest.raises(UserError, match="is damaged"):
        _open(irregular)
    with pytest.raises(UserError, match="not a readable image"):
        pixels(irregular, 8)
    with pytest.raises(UserError, match="cannot be read"), unpacked(irregular, tmp_path, "name"):
        pytest.fail("unpacked")
    told: list[str] = []
    assert checkpoint(irregular, told)._read() is None
    assert "cannot be read" in told[0]


def test_huge_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path, folder, said = tmp_path / "huge", tmp_path / "runs" / KEY, list[str]()
    path.touch()
    os.truncate(path, 10**10)  # bytes, none of which is on the disk
    store = Store(tmp_path / "runs")
    store.write(KEY, RECORD, {"masks.safetensors": b"masks"}, [])
    assert store.file(KEY, "masks.safetensors") == b"masks"
    os.truncate(folder / "masks.safetensors", 10**10)
    begin = time.process_time()
    with pytest.raises(UserError, match=r"masks\.safetensors is damaged \(is larger than 8 GiB"):
        store.file(KEY, "masks.safetensors")
    os.truncate(folder / "record.json", 10**10)
    with pytest.raises(UserError, match=r"record\.json is damaged \(is larger than 1 GiB"):
        store.read(KEY)
    with pytest.raises(UserError, match=r"^line 1 of .* is no record"):
        Store(tmp_path, [path])
    with pytest.raises(UserError, match="cannot be read: is larger than 8 GiB"):
        fingerprint(str(path))
    with pytest.raises(UserError, match=r"cannot be read \(is larger than 1 GiB"):
        check_md5(path, "0" * 32, "delete it")
    assert checkpoint(path, said)._read() is None
    assert "is larger than 8 GiB" in said[0]
    assert time.process_time() - begin < 5


# (file, call): why it is not through pruneexp.system.files
EXCEPTIONS = {
    ("pruneexp/data/archives.py", "target.open"): "what is unpacked, into a scratch folder",
    ("pruneexp/launchers/gpu_worker.py", "os.fdopen"): "a pipe",
    ("pruneexp/system/output.py", "os.fdopen"): "the null device",
    ("pruneexp/system/output.py", "os.open"): "the null device",
    (
        "pruneexp/launchers/slurm_local.py",
        "Path(self.job.paths.stderr).open",
    ): "the log that a started process appends to",
    (
        "pruneexp/launchers/slurm_local.py",
        "Path(self.job.paths.stdout).open",
    ): "the log that a started process appends to",
    ("pruneexp/launchers/slurm_local.py", "submission.dump"): "in the folder of submitit's logs",
    ("pruneexp/launchers/submitted.py", "tempfile.mkdtemp"): "submitit's logs, deleted after the jobs",
    ("pruneexp/system/locks.py", "os.open"): "a lock, in which nothing is written",
    ("pruneexp/training/processes.py", "(folder / 'error').open"): "in a private temporary folder",
    ("pruneexp/training/processes.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/bench_busy.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/bench_plans.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/bench_start.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/bench_start.py", "tempfile.TemporaryFile"): "a private temporary file",
    ("scripts/bench_sweep.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/bench_sweep.py", "tempfile.TemporaryFile"): "a private temporary file",
    ("scripts/notebook.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/kill_and_restart.py", "(self.folder / 'output.txt').open"): "the log that a started process appends to",
    ("scripts/slurm_here.py", "(folder / f'{name}.out').open"): "the log that a started process appends to",
    ("scripts/soak.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/soak.py", "tempfile.TemporaryFile"): "a private temporary file",
    ("scripts/lease/clock.py", "self.log.open"): "a log of lines that are appended",
    ("scripts/lease/commands.py", "(output or errors).open"): "the log that a started process appends to",
    ("scripts/lease/commands.py", "errors.open"): "the log that a started process appends to",
    ("scripts/lease/rows.py", "path.open"): "rows that are appended; half a one is passed over",
    ("scripts/wrong_values.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/training_bench/growth.py", "tempfile.TemporaryDirectory"): "a private temporary folder",
    ("scripts/full_disks.py", "shutil.copytree"): "what lies on the small disk, to compare with",
}
ALWAYS = {
    "write_text", "write_bytes", "touch", "mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile",
    "copy", "copy2", "copyfile", "copytree", "move", "save_file", "link", "symlink", "link_to", "symlink_to", "hardlink_to",
}  # fmt: skip
MODULES = {"shutil", "os", "tempfile", "pathlib"}
TO_A_BUFFER = {  # writers of other libraries, to be given an open file
    "savefig", "save", "savez", "savez_compressed", "savetxt", "save_npz", "mmwrite", "tofile", "write_graphml", "dump",
    "to_csv", "to_json", "to_parquet", "to_pickle", "to_latex", "to_markdown",
}  # fmt: skip
BUFFERS = {"file", "content", "buffer"}


def writes(call: ast.Call) -> bool:
    """Does this call write to a path? Buffers and open files are known by their names."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if name in ALWAYS:
        return name not in {"copy", "move", "link", "symlink"} or owner in MODULES
    if name in {"replace", "rename"}:  # of a path, not of a string or a table
        given = call.args[0] if len(call.args) == 1 and not call.keywords else None
        a_name = isinstance(given, ast.Constant) and owner.endswith(("]", ")"))  # a column's heading
        return owner == "os" or (owner != "" and given is not None and not owner.endswith("]") and not a_name)
    if name in {"open", "fdopen"}:
        return "gzip" not in owner and "tarfile" not in owner and any(
            (isinstance(part, ast.Constant) and isinstance(part.value, str) and set(part.value) <= set("rwaxbt+")
             and set(part.value) & set("wax+"))
            or (isinstance(part, ast.Attribute) and part.attr in {"O_RDWR", "O_WRONLY", "O_CREAT"})
            for argument in [*call.args, *(keyword.value for keyword in call.keywords)]
            for part in ast.walk(argument)
        )  # fmt: skip
    if name in TO_A_BUFFER and owner not in {"", "safetensors.torch"}:
        return bool(call.args) and not any(isinstance(given, ast.Name) and given.id in BUFFERS for given in call.args)
    return False


def found_in(text: str) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {ast.unparse(call.func) for call in calls if writes(call)}


def test_nothing_but_the_one_writer_writes() -> None:
    found = {
        (str(path.relative_to(ROOT)), call)
        for folder in ("pruneexp", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if path != ROOT / "pruneexp" / "system" / "files.py"
        and path.parent.name not in ("corruptions_of", "bad_input", "damaged_files")  # whose business is to damage
        for call in found_in(path.read_text())
    }
    assert found == EXCEPTIONS.keys()


@pytest.mark.parametrize(
    "text",
    [
        "path.write_text('a')",
        "(OUT / 'a').write_bytes(b'a')",
        "open(path, 'w')",
        "path.open(mode='ab')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "figure.savefig(path, dpi=150)",
        "np.save(folder / 'a.npy', array)",
        "table.to_csv(OUT / 'a.csv', index=False)",
        "torch.save(state, path)",
        "os.replace(a, b)",
        "scratch.rename(path)",
        "scratch.replace(path)",
        "json.dump(record, open('a'))",
    ],
)
def test_the_walk_sees_a_write(text: str) -> None:
    assert found_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "path.read_text()",
        "path.open('rb')",
        "open(path)",
        "text.replace('a', 'b')",
        "frame.rename(columns={'a': 'b'})",
        "frame.to_csv(index=False)",
        "np.save(file, array)",
        "files.write(path, text)",
        "copy.copy(a)",
    ],
)
def test_the_walk_does_not_see_what_is_none(text: str) -> None:
    assert not found_in(text)
