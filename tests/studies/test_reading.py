"""Files that a study's command line names, or that lie in its --report-dir: one sentence for each that is damaged or none."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pruneexp.errors import UserError
from pruneexp.studies import reading
from pruneexp.studies.architectures.entries import Limits, entries_of
from pruneexp.studies.architectures.listed import LISTED
from pruneexp.studies.prediction.pool import from_records, load_pool
from pruneexp.studies.published.computed import of_densities, of_regressions
from pruneexp.studies.published.networks import _imdbs, _times
from pruneexp.studies.topology import mge_pool
from pruneexp.system import files
from pruneexp.system.shipped import published_dir

CONTENTS = {
    "empty": b"", "random": bytes(range(256)) * 9, "HTML": b"<html><body>\n404, not found</body></html>", "NUL": b"\0" * 99,
    "nested": b"[" * 100_000, "words": b"mean,std\nx,y\n", "cut": b'{"rows": [', "list": b"[1, 2]\n",
}  # fmt: skip


def placed(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "pool": ("pool.csv", lambda path: load_pool(path / "pool.csv")),
    "packed pool": ("pool.csv.gz", lambda path: load_pool(path / "pool.csv.gz")),
    "records": ("records.jsonl", lambda path: from_records(reading.lines(path / "records.jsonl"))),
    "authors": ("unrolled.csv.gz", mge_pool.pool),
    "regressions": ("tables/topology_table3.csv", lambda path: list(of_regressions(path))),
    "densities": ("tables/ramanujan_densities.csv", lambda path: list(of_densities(path))),
    "IMDBs": ("tables/ramanujan_table6_imdb.csv", _imdbs),
    "times": ("benchmarks/masks.json", _times),
    "entries": (
        "entries.jsonl",
        lambda path: list(entries_of(LISTED[0], path / "entries.jsonl", Limits())),
    ),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("reader", READERS)
def test_another_content_is_a_sentence(tmp_path: Path, reader: str, content: str) -> None:
    if (reader, content) in (("entries", "empty"), ("regressions", "words")):
        return  # nothing is asked yet; checked below
    name, read = READERS[reader]
    placed(tmp_path / name, CONTENTS[content])
    with pytest.raises(UserError) as refused:
        read(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_words_in_place_of_numbers(tmp_path: Path) -> None:
    printed = pd.read_csv(published_dir().parent / "tables" / "topology_table3.csv")
    printed["mean"] = printed["mean"].astype(str)
    printed.loc[3, "mean"] = "much"
    placed(tmp_path / "tables" / "topology_table3.csv", printed.to_csv(index=False).encode())
    with pytest.raises(
        UserError, match=r"topology_table3\.csv is damaged or another file \(column mean: Unable to parse string .much."
    ):
        list(of_regressions(tmp_path))
    pool = pd.read_csv(published_dir() / "mge_pool.csv.gz")
    pool["accuracy"] = "much"
    placed(tmp_path / "pool.csv", pool.to_csv(index=False).encode())
    with pytest.raises(UserError, match=r"pool\.csv is damaged or another file"):
        load_pool(tmp_path / "pool.csv")


@pytest.mark.parametrize(
    "record",
    [
        {"names": 1}, {"names": {"recipe": "a"}}, {}, {"names": None, "asked_density": None},
        {
            "names": dict.fromkeys(("recipe", "dataset", "model", "scorer", "masker"), "a"), "asked_density": [], "seed": 0,
            "accuracy": 1,
        },
    ],
)  # fmt: skip
def test_records_of_something_else(tmp_path: Path, record: object) -> None:
    path = placed(tmp_path / "a.jsonl", json.dumps(record).encode())
    with pytest.raises(UserError, match=r"a record (lacks the field|has a field of another kind)"):
        from_records(reading.lines(path))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pool.csv")
    with pytest.raises(UserError, match=r"pool\.csv is damaged or another file \(is a FIFO, not a file\)"):
        load_pool(tmp_path / "pool.csv")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="is a device, not a file"):
        reading.lines(tmp_path / "zero.jsonl")
    with pytest.raises(UserError, match="there is no file"):
        reading.lines(tmp_path / "none.jsonl")
    monkeypatch.setattr(files, "MOST", 1 << 16)
    placed(tmp_path / "bomb.csv.gz", gzip.compress(bytes(1 << 17)))
    with pytest.raises(UserError, match="it grows to more than"):
        reading.content(tmp_path / "bomb.csv.gz")
