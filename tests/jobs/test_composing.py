"""Files of options that are none, from folders of the user's own."""

import os
from pathlib import Path

import pytest

from pruneexp.errors import UserError
from pruneexp.jobs.composing import check_files, loaded
from pruneexp.reports.presets import Presets

BOMB = b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + k, 98 + k, b",".join([b"*%c" % (97 + k)] * 9)) for k in range(8)
)


@pytest.mark.parametrize(
    "content",
    [
        b"name: !!python/object/apply:os.mkdir [harm]\n",
        b"name: own\n\tlr: 1\n",
        b"name: caf\xe9\n",
        b"name: " + b"[" * 3000,
        b"[1, 2]",
        b"5",
        bytes(1 << 20),
    ],
    ids=["code", "tab", "Latin-1", "deep", "list", "number", "large"],
)
def test_what_is_no_file_of_options_is_one_sentence(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model" / "mine.yaml"
    path.parent.mkdir()
    path.write_bytes(content)
    for reading in (lambda: loaded(path), lambda: Presets((tmp_path,)).title("model", "mine")):
        with pytest.raises(UserError, match=rf"^{path} (is no file of options|must have options)") as caught:
            reading()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_aliases_that_multiply_and_huge_files_are_refused_before_hydra_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {lr: 1}\nb: {<<: *a}\nc: [*a, *a]\n", encoding="utf-8")
    os.mkfifo(tmp_path / "fifo.yaml")
    check_files(tmp_path)
    for content in (BOMB, b"a: &a [*a]\n"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="or 10,000 values, aliases written out"):
            check_files(tmp_path)
    os.truncate(path, 10**10)
    with pytest.raises(UserError, match="has more than 256 KiB"):
        check_files(tmp_path)
