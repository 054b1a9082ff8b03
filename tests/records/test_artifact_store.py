"""What cells share: made once, found by others, never believed when damaged."""

import errno
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pruneexp.records.artifact_store import ArtifactStore, Tensors, put
from pruneexp.records.store import Store
from pruneexp.system import files

MADE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3, dtype=torch.int64)}


def store(folder: Path, **made_by: str) -> ArtifactStore:
    return ArtifactStore(Store(folder), {"data": "d", **made_by})


def get(where: ArtifactStore, path: Path, make: Callable[[], Tensors], stored: bool = True) -> Tensors:
    """As whoever needs an artifact does."""
    with where.claimed(path, lambda _: "") as found:
        if found is None:
            found = make()
            if stored:
                put(path, found)
    return found


def never() -> Tensors:
    pytest.fail("it was there already")


def same(one: Tensors, other: Tensors) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_is_made_once(tmp_path: Path) -> None:
    path = store(tmp_path).path("scores", {"seed": 0})
    assert same(get(store(tmp_path), path, lambda: dict(MADE)), MADE)
    assert same(get(store(tmp_path), path, never), MADE)
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_another_identity_code_or_data_is_another_file(tmp_path: Path) -> None:
    paths = [
        store(tmp_path).path("scores", {"seed": 0}), store(tmp_path).path("scores", {"seed": 1}),
        store(tmp_path).path("rewound", {"seed": 0}), store(tmp_path, data="e").path("scores", {"seed": 0}),
        store(tmp_path, code="2").path("scores", {"seed": 0}),
    ]  # fmt: skip
    assert len(set(paths)) == len(paths)
    assert paths[0] == store(tmp_path).path("scores", {"seed": 0})


@pytest.mark.parametrize("damage", [b"", b"x" * 40, "last byte", "cut"])
def test_a_damaged_one_is_made_again_after_a_sentence(
    tmp_path: Path, damage: bytes | str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store(tmp_path).path("scores", {})
    get(store(tmp_path), path, lambda: dict(MADE))
    content = path.read_bytes()
    broken = {"last byte": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:-5]}
    path.write_bytes(damage if isinstance(damage, bytes) else broken[damage])
    asked: list[int] = []

    def make() -> Tensors:
        asked.append(1)
        return dict(MADE)

    assert same(get(store(tmp_path), path, make), MADE)
    assert asked == [1]
    assert f"{path.name}: cannot be used" in capsys.readouterr().out
    assert path.read_bytes() == content


def test_what_is_not_worth_it_is_not_stored(tmp_path: Path) -> None:
    path = store(tmp_path).path("scores", {})
    assert same(get(store(tmp_path), path, lambda: dict(MADE), stored=False), MADE)
    assert not path.exists()


def test_a_full_disk_is_told_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = store(tmp_path).path("scores", {})
    monkeypatch.setattr(files, "write_sealed", full)
    assert same(get(store(tmp_path), path, lambda: dict(MADE)), MADE)
    assert (
        "could not be written (No space left on device): make room there; it will be made again"
        in capsys.readouterr().out
    )
    assert not path.exists()


def _ask(folder: Path, log: Path) -> None:
    made = store(folder)

    def slowly() -> Tensors:
        with log.open("a") as file:
            file.write("made\n")
        time.sleep(0.5)
        return dict(MADE)

    assert same(get(made, made.path("scores", {}), slowly), MADE)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_wait_for_the_one_that_makes_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    askers = [context.Process(target=_ask, args=(tmp_path / "runs", tmp_path / "log")) for _ in range(3)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
        assert asker.exitcode == 0
    assert (tmp_path / "log").read_text() == "made\n"


def test_tensors_of_any_layout_come_back_as_they_were(tmp_path: Path) -> None:
    strange = {
        "t": torch.arange(12.0).reshape(3, 4).T,
        "half": torch.ones(3, dtype=torch.float64)[::2],
        "view": torch.zeros(5)[1:3],
    }
    put(tmp_path / "x" / "a-0123456789abcdef", strange)
    assert same(get(store(tmp_path), tmp_path / "x" / "a-0123456789abcdef", never), strange)
