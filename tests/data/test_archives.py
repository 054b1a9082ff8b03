"""Archives that are damaged or made to do harm."""

import contextlib
import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pruneexp.data import archives
from pruneexp.data.official import check_md5, unpacked
from pruneexp.errors import UserError


def tarred(path: Path, *members: tuple[str, bytes, bytes]) -> None:
    """A .tar.gz of (name, type, content or where a link leads)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                info.linkname = content.decode()
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def zipped(path: Path, *members: tuple[str, int, bytes]) -> None:
    """A .zip of (name, mode, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, mode, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Path]:
    """A folder beside which nothing may change, and in which nothing but the archive may be left."""
    (tmp_path / "data").mkdir()
    (tmp_path / "outside").write_text("mine")
    yield tmp_path / "data"
    assert sorted(os.listdir(tmp_path)) == ["data", "outside"]
    assert (tmp_path / "outside").read_text(encoding="utf-8") == "mine"
    assert len(os.listdir(tmp_path / "data")) == 1


def refused(archive: Path) -> str:
    with pytest.raises(UserError) as error, unpacked(archive, archive.parent, "mine"):
        pass
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{archive} ")
    return str(error.value)


F = tarfile.REGTYPE
TARS = {
    "holds a link, 'a'": [("a", tarfile.SYMTYPE, b"../outside"), ("a", F, b"x")],
    "holds a link, 'b'": [("a", F, b"x"), ("b", tarfile.LNKTYPE, b"../../outside")],
    "holds a device, 'a'": [("a", tarfile.CHRTYPE, b"")],
    "holds a device, 'fifo'": [("fifo", tarfile.FIFOTYPE, b"")],
    "leads out of its folder, 'a/../../outside'": [("a/../../outside", F, b"x")],
    "leads out of its folder, '/tmp/outside'": [("/tmp/outside", F, b"x")],
    "has two members 'a/B'": [("a/b", F, b"x"), ("a/B", F, b"y")],
    "has two members 'a'": [("a", F, b"x"), ("a", F, b"y")],
    "name that is too long": [("a" * 300, F, b"x")],
}


@pytest.mark.parametrize("part", TARS)
def test_a_tar_holds_plain_files_alone(untouched: Path, part: str) -> None:
    tarred(untouched / "a.tar.gz", *TARS[part])
    assert part in refused(untouched / "a.tar.gz")


@pytest.mark.parametrize(
    ("part", "members"),
    [
        ("holds a link or device, 'a'", [("a", stat.S_IFLNK | 0o777, b"../outside")]),
        ("leads out of its folder, '../outside'", [("../outside", 0, b"x")]),
        ("leads out of its folder, '/outside'", [("/outside", 0, b"x")]),
        ("has two members 'A'", [("a", 0, b"x"), ("A", 0, b"x")]),
    ],
)
def test_a_zip_holds_plain_files_alone(untouched: Path, part: str, members: list[tuple[str, int, bytes]]) -> None:
    zipped(untouched / "a.zip", *members)
    assert part in refused(untouched / "a.zip")


def test_an_encrypted_zip(untouched: Path) -> None:
    archive = untouched / "a.zip"
    zipped(archive, ("a", 0, b"x"))
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    assert "holds an encrypted file, 'a'" in refused(archive)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_what_grows_a_thousandfold(untouched: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    content = bytes(2 << 20)
    if name == "a.zip":
        zipped(untouched / name, ("a", 0, content))
    else:
        tarred(untouched / name, ("a", F, content))
    assert "grows to more than 1 MiB" in refused(untouched / name)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_too_many_members(untouched: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 5)
    if name == "a.zip":
        zipped(untouched / name, *((str(k), 0, b"") for k in range(6)))
    else:
        tarred(untouched / name, *((str(k), F, b"") for k in range(6)))
    assert "more than 5 members" in refused(untouched / name)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize(
    "content",
    [b"", b"<html>404</html>", gzip.compress(b"x" * 1000, mtime=0), gzip.compress(b"", mtime=0)],
    ids=["empty", "a page", "no tar", "nothing packed"],
)
def test_what_is_no_archive(untouched: Path, name: str, content: bytes) -> None:
    (untouched / name).write_bytes(content)
    assert "is damaged" in refused(untouched / name)


def test_a_fifo_is_named_and_not_waited_for(untouched: Path) -> None:
    os.mkfifo(untouched / "a.zip")
    assert "is a FIFO, not a file" in refused(untouched / "a.zip")
    with pytest.raises(UserError, match="is a FIFO, not a file"):
        check_md5(untouched / "a.zip", "0" * 32, "delete it")


def test_a_plain_archive_is_written_as_it_is(tmp_path: Path) -> None:
    tarred(tmp_path / "a.tar.gz", ("f", tarfile.DIRTYPE, b""), ("f/a", F, b"one"), ("g/b", F, b"two"))
    zipped(tmp_path / "a.zip", ("f/", 0, b""), ("f/a", stat.S_IFREG | 0o644, b"one"), ("g/b", 0, b"two"))
    for name in ("a.tar.gz", "a.zip"):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(unpacked(tmp_path / name, tmp_path, "mine"))
            assert {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*")} == {
                "f/a": b"one",
                "g/b": b"two",
            }
