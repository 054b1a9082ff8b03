"""Locks between processes of several users, each able or unable to write the files of locks that are there."""

import contextlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pruneexp.errors import UserError
from pruneexp.records.store import Store
from pruneexp.system.locks import is_held, lock

A, B, C = 54_001, 54_002, 54_003
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
Sides = tuple[int, int]


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that all may write, in which nothing is opened before processes are forked."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


@contextlib.contextmanager
def process(user: int, work: Callable[[Callable[[object], None]], None]) -> Iterator[str]:
    """A process of the user's in which `work` tells something once, and goes on when the block ends; what it told."""
    (told, tell), (stay, leave) = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:

        def say(what: object) -> None:
            os.write(tell, str(what).encode())
            os.read(stay, 1)

        try:
            os.umask(0o022)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            work(say)
        except BaseException as error:
            os.write(tell, repr(error).encode())
        os._exit(0)
    try:
        yield os.read(told, 1000).decode()
    finally:
        os.write(leave, b".")
        os.waitpid(child, 0)
        for handle in (told, tell, stay, leave):
            os.close(handle)


def holds(path: Path, byte: int, wait: bool = False) -> Callable[[Callable[[object], None]], None]:
    def work(say: Callable[[object], None]) -> None:
        with lock(path, byte, wait) as mine:
            say(mine)

    return work


def asks(path: Path, byte: int) -> Callable[[Callable[[object], None]], None]:
    return lambda say: say(is_held(path, byte))


@needs_root
@pytest.mark.parametrize("holder", [A, B, C])
@pytest.mark.parametrize("other", [A, B, C])
def test_users_exclude_one_another_whoever_made_the_files(folder: Path, holder: int, other: int) -> None:
    path, byte = folder / ".claims", 2**60 - 1
    for user in (A, B, C):  # the first file is A's, the second B's, the third C's, and nobody else may write them
        with process(user, holds(path, byte)) as mine:
            assert mine == "True"
    made = {one.name: (one.stat().st_uid, stat.S_IMODE(one.stat().st_mode)) for one in folder.iterdir()}
    assert made == {".claims": (A, 0o644), ".claims+": (B, 0o644), ".claims++": (C, 0o644)}
    with process(holder, holds(path, byte)) as mine:
        assert mine == "True"
        for _ in range(2):  # a refusal lets go of nothing
            with process(other, holds(path, byte)) as again, process(other, asks(path, byte)) as held:
                assert (again, held) == ("False", "True")
        with process(other, holds(path, 7)) as another, process(other, asks(path, 8)) as held:
            assert (another, held) == ("True", "False")
    with process(other, holds(path, byte, wait=True)) as after, process(holder, asks(path, byte)) as held:
        assert (after, held) == ("True", "True")


@needs_root
@pytest.mark.parametrize("users", [(A, B), (B, A), (B, C), (B, B)])
def test_who_waits_gets_it_when_the_holder_lets_go(folder: Path, users: Sides) -> None:
    path, has = folder / ".claims", folder / "has"
    with process(A, holds(path, 3)):
        pass

    def waits(say: Callable[[object], None]) -> None:
        say("waits")
        with lock(path, 3, wait=True) as mine:
            has.write_text(str(mine))

    first = contextlib.ExitStack()
    assert first.enter_context(process(users[0], holds(path, 3))) == "True"
    later = threading.Timer(0.3, first.close)
    with process(users[1], waits) as told:
        assert told == "waits"
        later.start()
    later.join()
    assert has.read_text() == "True"


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o077, 0o600)])
def test_the_file_may_be_written_by_whom_the_umask_lets(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with lock(tmp_path / "locks") as mine:
            assert mine
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == mode


@needs_root
def test_a_file_of_locks_that_nobody_else_may_read_is_told(folder: Path) -> None:
    path = folder / ".claims"
    path.touch(0o600)

    def work(say: Callable[[object], None]) -> None:
        try:
            with Store(folder).claim("0" * 16) as mine:
                say(mine)
        except UserError as error:
            say(error)

    with process(B, work) as told:
        assert told == (
            f"results_dir={folder} cannot be written (Permission denied): ask its owner for the permission, or take another folder with"
            " results_dir=PATH."
        )


def test_asking_makes_nothing_and_needs_no_folder(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "no" / "locks")
    assert not is_held(tmp_path / "locks")
    assert list(tmp_path.iterdir()) == []
