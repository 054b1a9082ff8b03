"""Finished results on a disk that is read only, or in another user's folder; and folders that several users write."""

import functools
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pruneexp
from pruneexp.errors import UserError
from pruneexp.records import marks
from pruneexp.records.store import Store
from pruneexp.system import files
from tests.command import SMALL, Outcome, in_process
from tests.system.test_files import KEY, RECORD

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, and mount a disk")
OTHER, GROUP = 54_002, 54_010
WORDS = (*SMALL, "seed=0", "masker=greedy", "densities=[0.1]", "trainer.accelerator=cpu", "figures=[]")


class User:
    """This process as another user of the group, and as root again."""

    def be(self, user: int) -> None:
        os.setresgid(GROUP, GROUP, 0)
        os.setresuid(user, user, 0)

    def __enter__(self) -> "User":
        return self

    def __exit__(self, *_: object) -> None:
        self.back()

    def back(self) -> None:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@pytest.fixture
def user() -> Iterator[User]:
    one, groups, umask = User(), os.getgroups(), os.umask(0o022)
    os.setgroups([])
    yield one
    one.back()
    os.setgroups(groups)
    os.umask(umask)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others can look into; what lies in ``disk`` is read only in ``view``."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        for one in ("disk", "view"):
            (Path(name) / one).mkdir()
        subprocess.run(["mount", "--bind", f"{name}/disk", f"{name}/view"], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", f"{name}/view"], check=True)
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", f"{name}/view"], check=True)  # a file of locks stays open


def test_what_is_finished_can_be_used_where_nothing_can_be_written(
    place: Path, user: User, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(folder: Path, *words: str) -> Outcome:
        where = (
            f"results_dir={folder}/runs",
            f"data_dir={folder}/data",
            f"report_dir={place}/reports of {folder.name}",
        )
        return in_process(place, monkeypatch, capsys, *WORDS, *where, *words)

    shutil.copytree(data, place / "disk" / "data")
    os.chmod(place / "disk" / "data", 0o755)
    assert run(place / "disk").code == 0
    (cell,) = (path.parent for path in (place / "disk" / "runs").glob("*/record.json"))
    before = {path: path.stat().st_mtime_ns for path in (place / "disk").rglob("*")}
    view = functools.partial(run, place / "view")
    _check(
        view, place / "view" / "runs" / cell.name, "Read-only file system", "have the file system mounted for writing"
    )
    shutil.rmtree(place / "reports of disk")
    user.be(OTHER)
    _check(functools.partial(run, place / "disk"), cell, "Permission denied", "ask its owner for the permission")
    user.back()
    assert {path: path.stat().st_mtime_ns for path in (place / "disk").rglob("*")} == before


def _check(run: Callable[..., Outcome], cell: Path, why: str, remedy: str) -> None:
    """All that reads works, and what would have to write is one sentence before any training."""
    for mode in ("run", "plan", "status", "report", "check"):
        outcome = run(f"mode={mode}")
        assert (outcome.code, outcome.err) == (0, ""), mode
    told = f"the report could not be written to {cell.parent}/reports ({why}): {remedy}, or take another folder with report_dir=PATH."
    within = f"report_dir={cell.parent}/reports"
    outcome = run(within)  # all is there, and shown
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == f"report: {told}"
    assert "1 of 27 cells" in outcome.out
    outcome = run(within, "mode=report")
    assert (outcome.code, outcome.err) == (2, f"pruneexp: {told}\n")
    assert pruneexp.load_cell(cell).record["key"] == cell.name
    assert list(pruneexp.load_results(cell.parent)["key"]) == [cell.name]
    elsewhere = (f"report_dir={cell}/no", f"results_dir={cell.parents[2]}/new")
    for words, where in ((("densities=[0.2]",), cell.parent), (elsewhere, cell / "no")):
        option, outcome = "results_dir" if where == cell.parent else "report_dir", run(*words)
        told = f"{option}={where} cannot be written ({why}): {remedy}, or take another folder with {option}=PATH."
        assert (outcome.code, outcome.err) == (2, f"pruneexp: {told}\n")
        assert "accuracy" not in outcome.out
    assert not (cell.parents[2] / "new").exists()


@pytest.mark.parametrize("sticky", [False, True])
def test_users_of_one_group_go_on_with_one_anothers_cells(user: User, sticky: bool) -> None:
    with tempfile.TemporaryDirectory() as name, user:
        os.chmod(name, 0o755)
        folder = Path(name) / "runs"
        folder.mkdir()
        os.chown(folder, 0, GROUP)
        os.chmod(folder, 0o2775)
        os.umask(0o002)
        store = Store(folder)
        user.be(54_001)
        with store.claim(KEY):
            store.write(KEY, RECORD, {"masks.safetensors": b"masks"}, [])
            marks.failed(store, KEY, "once")
            files.write_sealed(store.checkpoint(KEY), b"state")
            (folder / ".artifacts").mkdir()
            files.write_sealed(folder / ".artifacts" / "scores", b"scores")
        user.back()
        for path in folder.rglob("*"):
            state = path.lstat()
            assert state.st_gid == GROUP, path
            assert stat.S_IMODE(state.st_mode) == (0o2775 if path.is_dir() else 0o664), path
            if sticky and path.is_dir():
                os.chmod(path, 0o3775)
        os.chmod(folder, 0o3775 if sticky else 0o2775)
        user.be(OTHER)
        with store.claim(KEY) as mine:
            assert mine
            if sticky:
                with pytest.raises(
                    UserError, match=r"could not be amended \(Operation not permitted\): ask the owner of what is there"
                ):
                    store.amend(KEY, {"more": 1})
                assert files.leftovers(folder / KEY / "record.json") == []
            else:
                store.amend(KEY, {"more": 1})
                files.write_sealed(store.checkpoint(KEY), b"later state")
                files.write_sealed(folder / ".artifacts" / "scores", b"other scores")
            store.forget_finished()
        assert store.checkpoint(KEY).exists() == sticky
        with store.claim("another-0123456789abcdef"):
            files.write(store.checkpoint("another-0123456789abcdef"), b"")
        assert (Store(folder).read(KEY) or {}).get("more") == (None if sticky else 1)
