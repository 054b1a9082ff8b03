"""Records that were found sound are not checked again while their files are as they were, and only then."""

import json
import os
from pathlib import Path

import pytest

from pruneexp.errors import UserError
from pruneexp.records import seen
from pruneexp.records.check import check
from pruneexp.records.record import problem
from pruneexp.records.store import Store
from pruneexp.system import files
from tests.records.test_store import HISTORY, KEY, MASKS, RECORD, told


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The keys of the records that are checked; the file is written for one record, however fresh."""
    found: list[str | None] = []

    def counted(record: object, key: str | None = None) -> str | None:
        found.append(key)
        return problem(record, key)

    monkeypatch.setattr("pruneexp.records.store.problem", counted)
    monkeypatch.setattr(seen, "FEW", 1)
    monkeypatch.setattr(seen, "FRESH", -1.0)
    return found


@pytest.fixture
def known(tmp_path: Path, checks: list[str | None]) -> Path:
    """A folder with a record that was found sound."""
    one = Store(tmp_path)
    with one.claim(KEY):
        one.write(KEY, RECORD, MASKS, HISTORY)
    assert one.data_of(KEY) == (RECORD["data"]["name"], RECORD["data"]["sha256"])
    one.seen.save()
    assert checks == [KEY]
    return tmp_path


def test_a_record_as_it_was_is_read_and_not_checked_again(known: Path, checks: list[str | None]) -> None:
    again = Store(known)
    assert again.data_of(KEY) == (RECORD["data"]["name"], RECORD["data"]["sha256"])
    assert again.read(KEY) == told()
    assert checks == [KEY]


@pytest.mark.parametrize("restored", [False, True])
def test_a_digit_changed_in_place_is_told_though_size_and_time_are_the_same(known: Path, restored: bool) -> None:
    path = known / KEY / "record.json"
    before = path.stat()
    text = path.read_text().replace('"accuracy": 50.0', '"accuracy": 51.0')
    with path.open("r+") as file:
        file.write(text)
    if restored:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(UserError, match="is damaged"):
        Store(known).data_of(KEY)
    with pytest.raises(UserError, match="is damaged"):
        Store(known).read(KEY)


def test_an_amended_record_is_checked_again(known: Path, checks: list[str | None]) -> None:
    with Store(known).claim(KEY):
        Store(known).amend(KEY, {"latency": {"cpu": {"1": 0.5}}})
    checks.clear()
    record = Store(known).read(KEY)
    assert record is not None
    assert record["latency"] == {"cpu": {"1": 0.5}}
    assert checks == [KEY]


@pytest.mark.parametrize("damage", ["cut", "other rules", "no JSON", "gone"])
def test_without_a_file_that_can_be_used_all_are_checked(known: Path, checks: list[str | None], damage: str) -> None:
    path = known / ".seen"
    content = path.read_bytes()
    if damage == "other rules":
        said = json.loads(content[32:])
        files.write_sealed(path, json.dumps({**said, "rules": "0" * 64}).encode())
    elif damage == "no JSON":
        files.write_sealed(path, b"[1, 2")
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-10])
    assert Store(known).read(KEY) == told()
    assert checks == [KEY, KEY]


def test_mode_check_believes_nothing(known: Path, checks: list[str | None]) -> None:
    assert check(str(known)) == 0
    assert set(checks[1:]) == {KEY}


def test_a_small_folder_does_without_the_file(tmp_path: Path) -> None:
    one = Store(tmp_path)
    with one.claim(KEY):
        one.write(KEY, RECORD, MASKS, HISTORY)
    assert one.read(KEY) == told()
    one.seen.save()
    assert not (tmp_path / ".seen").exists()


def test_one_that_may_still_change_unseen_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "FEW", 1)
    one = Store(tmp_path)
    with one.claim(KEY):
        one.write(KEY, RECORD, MASKS, HISTORY)
    assert one.read(KEY) == told()
    assert one.seen.states == {}
