"""Files and folders that cannot even be looked for, as another's or with too long a name, are a sentence and not said to be missing."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import pruneexp
from pruneexp.components.foreign import _file
from pruneexp.data.caltech101 import caltech101
from pruneexp.data.dataset import _complete
from pruneexp.data.flowers102 import flowers102
from pruneexp.data.image_folder import image_folder
from pruneexp.data.official import official
from pruneexp.errors import UnwrittenError, UserError
from pruneexp.preflight import _check_weights
from pruneexp.records.check import check
from pruneexp.records.store import Store
from pruneexp.reports.frame import recorded
from pruneexp.reports.presets import Presets
from pruneexp.reports.report import write_report
from pruneexp.sweep import expand
from pruneexp.system.files import kind_of
from pruneexp.system.tracking import _anything_set
from tests.command import in_process, refused
from tests.reports.made_records import fill, record
from tests.system.test_files import KEY, RECORD

LONG = "a" * 300
DENIED = r"cannot be read \(Permission denied\): ask its owner for the permission"
FAILING = r"cannot be read \(Input/output error\): look whether the disk is failing"
Hide = Callable[[Path, int], None]


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Have nobody look at what lies under a folder, for this reason."""
    look = os.stat

    def hide(folder: Path, why: int) -> None:
        def looked(path: "str | Path", *rest: object, **options: bool) -> os.stat_result:
            if str(path).startswith(f"{folder}/"):
                raise OSError(why, os.strerror(why), str(path))
            return look(path, *rest, **options)

        monkeypatch.setattr(os, "stat", looked)

    return hide


def _last(name: str, count: int) -> np.ndarray:
    return np.arange(count) == count - 1


READERS: dict[str, Callable[[Path], object]] = {
    "image_folder": lambda folder: image_folder(folder / "classes", 8, 2, _last),
    "official": lambda folder: official(folder, "digits", "digits", "digits.tgz", "", "").__enter__(),
    "dataset": lambda folder: _complete(folder / "digits"),
    "caltech101": lambda folder: caltech101(folder, "caltech101", 224),
    "flowers102": lambda folder: flowers102(folder, "flowers102", 224),
    "recorded": lambda folder: recorded(folder / "runs"),
    "load_cell": lambda folder: pruneexp.load_cell(folder / "cell"),
    "weights": lambda folder: _check_weights(folder / "cell"),
    "code": lambda folder: _file("hidden"),
    "presets": lambda folder: Presets((folder,)).title("model", "mine"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(("why", "told"), [(errno.EACCES, DENIED), (errno.EIO, FAILING)])
def test_what_nobody_may_look_at_is_not_missing(
    name: str, why: int, told: str, tmp_path: Path, hide: Hide, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("hidden")
    module.__file__ = str(tmp_path / "hidden.py")
    monkeypatch.setitem(sys.modules, "hidden", module)
    hide(tmp_path, why)
    with pytest.raises(UserError, match=told):
        READERS[name](tmp_path)


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"code", "presets"}))
def test_too_long_a_name_is_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(File name too long\): take a shorter name"):
        READERS[name](tmp_path / LONG)


def test_the_option_that_takes_another_folder_is_named(tmp_path: Path, hide: Hide) -> None:
    hide(tmp_path, errno.EACCES)
    for name, option in (("image_folder", "data_dir"), ("dataset", "data_dir"), ("weights", "weights")):
        with pytest.raises(UserError, match=rf"{DENIED}, or take another folder with {option}=PATH\.$"):
            READERS[name](tmp_path)


def test_a_preset_may_have_any_name(tmp_path: Path) -> None:
    for name in (LONG, "\udc80" * 250, "a\0b", "../model/resnet20", "a" * 5000):  # as a record of somebody's may say
        assert Presets((tmp_path,)).title("model", name) == name
    assert Presets((tmp_path,)).component("model", "é" * 126) is None


def test_what_is_there_has_its_kind(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    kinds = [kind_of(tmp_path / name) for name in ("", "file", "fifo", "link")]
    assert kinds == [stat.S_IFDIR, stat.S_IFREG, stat.S_IFIFO, stat.S_IFDIR]
    assert not any(kind_of(tmp_path / name) for name in ("dangling", "loop", "nothing", "file/in it", "a\0b"))


def test_cells_that_nobody_may_list_or_look_into_are_told_one_by_one(
    tmp_path: Path, hide: Hide, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    with store.claim(KEY):
        store.write(KEY, RECORD, {"masks.safetensors": b"masks"}, [])
    listed = os.listdir

    def listing(folder: Path) -> list[str]:
        if folder == tmp_path / KEY:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "listdir", listing)
    assert check(str(tmp_path)) == 1
    assert f"{tmp_path / KEY} cannot be read (Permission denied): ask its owner" in capsys.readouterr().out
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # as it says of what it cannot know
    hide(tmp_path / KEY, errno.EACCES)
    assert check(str(tmp_path)) == 1
    assert f"{tmp_path / KEY}/record.json cannot be read (Permission denied): ask" in capsys.readouterr().out


def test_a_loop_of_links_is_no_reason_to_delete_what_it_lies_in(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(
        UserError, match=r"loop cannot be read \(Too many levels .*\): move what is in the way elsewhere\.$"
    ):
        check(str(tmp_path / "loop"))


def test_what_is_recorded_is_shown_where_no_report_can_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid = expand([f"results_dir={tmp_path}/runs", f"report_dir={tmp_path / LONG}", "seed=0,1", "figure=[]"])
    fill(grid, tmp_path / "runs", lambda cell: record(cell, 50) if cell.seed == 0 else None)
    with pytest.raises(UnwrittenError, match=r"could not be written .*\(File name too long\): take a shorter name"):
        write_report(grid, "command")
    assert ", 9 of 27 cells" in capsys.readouterr().out


def test_records_are_looked_for_in_a_sentence(tmp_path: Path) -> None:
    for looking in (lambda: check(str(tmp_path / LONG)), lambda: Store(tmp_path / LONG).read_all(["key"])):
        with pytest.raises(UserError, match=r"cannot be read \(File name too long\): take a shorter name\.$"):
            looking()


def test_no_folder_has_no_records(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").read_all(["key"]) == {}
    with pytest.raises(UserError, match="is no folder: name one that holds finished cells"):
        check(str(tmp_path / "none"))


def test_wandb_is_asked_where_home_cannot_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", LONG)
    assert _anything_set()  # W&B may find something there all the same


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["report_dir=" + LONG],
            "cannot be read (File name too long): take a shorter name, or take another folder with report_dir=PATH.",
        ),
        (["results_dir=" + LONG], "cannot be read (File name too long): take a shorter name."),
    ],
)
def test_a_report_out_of_reach_is_refused(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(in_process(tmp_path, monkeypatch, capsys, "mode=report", "seed=0", *words), told, tmp_path)
