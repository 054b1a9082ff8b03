"""Which commit a record says it was made by."""

import subprocess
from pathlib import Path

import pytest

from pruneexp.errors import UserError
from pruneexp.records import provenance

git_commit = provenance.git_commit.__wrapped__  # asked anew each time
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a copy of pruneexp."""
    (tmp_path / "pruneexp").mkdir()
    (tmp_path / "pruneexp" / "code.py").write_text("a = 1\n", encoding="utf-8")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "pruneexp")
    monkeypatch.delenv("PRUNEEXP_COMMIT", raising=False)
    return tmp_path


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize(("told", "found"), [(COMMIT, COMMIT), (f"{COMMIT}+", f"{COMMIT}+"), ("", None), (None, None)])
def test_a_copy_without_a_checkout_is_told_its_commit(
    told: str | None, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if told is not None:
        monkeypatch.setenv("PRUNEEXP_COMMIT", told)
    assert git_commit() == found


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("told", ["main", COMMIT[:7], COMMIT.upper(), f"{COMMIT}++", f" {COMMIT}", f"{COMMIT}\n"])
def test_what_is_no_commit_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNEEXP_COMMIT", told)
    with pytest.raises(
        UserError, match=r"^PRUNEEXP_COMMIT must be the 40 digits that `git rev-parse HEAD` prints, .*, got '"
    ):
        git_commit()


def test_a_checkout_knows_better(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        own = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-C", str(copied))
        return subprocess.run(["git", *own, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.setenv("PRUNEEXP_COMMIT", COMMIT)
    git("init")
    git("add", ".")
    git("commit", "--message=first")
    assert git_commit() == git("rev-parse", "HEAD")
    (copied / "pruneexp" / "code.py").write_text("a = 2\n", encoding="utf-8")
    assert git_commit() == git("rev-parse", "HEAD") + "+"
