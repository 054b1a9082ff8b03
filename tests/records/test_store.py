"""Records: written whole or not at all, claimed by one process, and one sentence for whatever is wrong with them."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from pruneexp.errors import UserError
from pruneexp.files import leftovers
from pruneexp.records.store import REQUIRED, Store

KEY = "digits-vgg_small-magnitude-greedy-d0.1-s0-0123456789abcdef"
OTHER = "digits-vgg_small-magnitude-greedy-d0.1-s1-fedcba9876543210"
RECORD: dict[str, Any] = dict.fromkeys(REQUIRED) | {"key": KEY, "accuracy": 50.0, "layers": []}
MASKS = {"masks.safetensors": safetensors.torch.save({"fc.weight": torch.tensor([[True, False, True]])})}
HISTORY = [{"epoch": 0, "train/loss": 2.5}, {"epoch": 1, "train/loss": 1.25}]
ROOT = Path(__file__).resolve().parents[2]


def files(folder: Path) -> list[str]:
    """Everything below `folder`, the lock file aside."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".claims")


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.claim(KEY) as mine:
        assert mine
        assert KEY not in store
        store.write(KEY, RECORD, MASKS, HISTORY)
    assert KEY in store
    assert store.read(KEY) == RECORD
    folder = tmp_path / KEY
    assert safetensors.torch.load_file(folder / "masks.safetensors")["fc.weight"].tolist() == [[True, False, True]]
    assert (folder / "history.csv").read_text() == "epoch,train/loss\n0,2.5\n1,1.25\n"
    assert files(tmp_path) == sorted(
        [KEY, *(f"{KEY}/{file}" for file in ("record.json", "masks.safetensors", "history.csv"))]
    )


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    assert Store(tmp_path).read(KEY) is None
    assert KEY not in Store(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_whose_record_someone_deleted_is_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    (tmp_path / KEY / "record.json").unlink()
    assert KEY not in store
    store.write(KEY, {**RECORD, "accuracy": 60.0}, MASKS, [])
    record = store.read(KEY)
    assert record is not None
    assert record["accuracy"] == 60.0
    assert (tmp_path / KEY / "history.csv").read_text() == ""


def test_a_write_that_fails_at_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(source: object, target: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", failing)
        with pytest.raises(UserError, match="Input/output error"):
            Store(tmp_path).write(KEY, RECORD, MASKS, HISTORY)
    assert files(tmp_path) == []
    Store(tmp_path).write(KEY, RECORD, MASKS, HISTORY)
    assert Store(tmp_path).read(KEY) == RECORD


HOLD = """
import sys
from pruneexp.records.store import REQUIRED, Store
with Store(sys.argv[1]).claim(sys.argv[2]) as mine:
    print(mine, flush=True)
    sys.stdin.readline()
"""


def test_a_claim_excludes_another_process_until_it_is_killed(tmp_path: Path) -> None:
    with python(HOLD, str(tmp_path), KEY) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        store = Store(tmp_path)
        with store.claim(KEY) as mine:
            assert not mine
        with store.claim(OTHER) as mine:
            assert mine
        holder.kill()
        assert holder.wait() == -signal.SIGKILL
        with store.claim(KEY) as mine:
            assert mine


def test_waiting_for_a_claim_ends_when_the_holder_lets_go(tmp_path: Path) -> None:
    with python(HOLD, str(tmp_path), KEY) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        wait = "import sys; from pruneexp.records.store import Store\nprint('started', flush=True)\n"
        wait += "with Store(sys.argv[1]).claim(sys.argv[2], wait=True) as mine: print(mine, flush=True)"
        with python(wait, str(tmp_path), KEY) as waiter:
            assert waiter.stdout is not None
            assert waiter.stdout.readline() == "started\n"
            assert waiter.poll() is None
            holder.stdin.write("\n")
            holder.stdin.flush()
            assert holder.wait() == 0
            assert waiter.stdout.readline() == "True\n"
            assert waiter.wait() == 0


def test_what_a_killed_process_left_half_written_is_removed_on_claim(tmp_path: Path) -> None:
    code = """
import os, sys
os.rename = lambda *names: os.kill(os.getpid(), 9)
from pruneexp.records.store import REQUIRED, Store
store = Store(sys.argv[1])
with store.claim(sys.argv[2]):
    store.write(sys.argv[2], {"key": 1}, {"masks.safetensors": b"masks"}, [])
"""
    with python(code, str(tmp_path), KEY) as process:
        assert process.wait() == -signal.SIGKILL
    store = Store(tmp_path)
    assert KEY not in store
    assert len(files(tmp_path)) == 4
    with store.claim(OTHER):
        assert len(files(tmp_path)) == 4  # another cell's, perhaps being written
    with store.claim(KEY) as mine:
        assert mine
        assert files(tmp_path) == []
        store.write(KEY, RECORD, MASKS, HISTORY)
    assert store.read(KEY) == RECORD


def test_a_claim_held_elsewhere_leaves_the_half_written_record_alone(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from pruneexp import files
from pruneexp.records.store import Store
with Store(sys.argv[1]).claim(sys.argv[2]), files.scratch_folder(Path(sys.argv[1], sys.argv[2])):
    print("claimed", flush=True)
    sys.stdin.readline()
"""
    with python(code, str(tmp_path), KEY) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "claimed\n"
        with Store(tmp_path).claim(KEY) as mine:
            assert not mine
        assert len(leftovers(tmp_path / KEY)) == 1
        holder.communicate("\n")


@pytest.mark.parametrize("wait", [False, True])
def test_a_results_dir_that_cannot_be_written(tmp_path: Path, wait: bool) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = Store(tmp_path / "file" / "runs")
    with pytest.raises(UserError, match=r"cannot be written.*results_dir=PATH"), store.claim(KEY, wait):
        pytest.fail("claimed")
    assert KEY not in store


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (json.dumps(RECORD, indent=1)[:40].encode(), "damaged"),
        (json.dumps(RECORD, indent=1)[:-1].encode(), "damaged"),
        (b"", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"[1, 2]", "fields are missing"),
        (b"null", "fields are missing"),
        (json.dumps({"key": KEY, "accuracy": 1.0}).encode(), "fields are missing"),
    ],
)
def test_a_damaged_record_is_named_with_the_way_out(tmp_path: Path, content: bytes, part: str) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    (tmp_path / KEY / "record.json").write_bytes(content)
    with pytest.raises(UserError) as error:
        store.read(KEY)
    told = str(error.value)
    assert part in told
    assert str(tmp_path / KEY / "record.json") in told
    assert "delete the folder" in told
    assert "\n" not in told


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from pruneexp.errors import UserError
from pruneexp.records.store import REQUIRED, Store
store = Store(sys.argv[1])
with store.claim(sys.argv[2]) as mine:
    try:
        store.write(sys.argv[2], {"key": 1}, {"masks.safetensors": bytes(int(sys.argv[3]))}, [{"epoch": 0}] * int(sys.argv[4]))
    except UserError as error:
        print(error)
"""


@pytest.mark.parametrize(("masks", "rows"), [(10_000, 1), (10, 10_000)])
def test_a_disk_that_is_full_is_one_sentence_and_leaves_nothing(tmp_path: Path, masks: int, rows: int) -> None:
    assert hasattr(resource, "RLIMIT_FSIZE")
    with python(FULL, str(tmp_path), KEY, str(masks), str(rows)) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.count("\n") == 1
    assert "File too large" in out
    assert "make room" in out
    assert err == ""
    assert files(tmp_path) == []
