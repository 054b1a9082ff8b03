"""Records: written whole or not at all, claimed by one process, and one sentence for whatever is wrong with them."""

import errno
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from pruneexp.cell import Cell
from pruneexp.errors import UserError
from pruneexp.records.record import content_digest, sealed
from pruneexp.records.store import Store, read_records
from pruneexp.system.files import leftovers, remedy
from tests.reports.made_records import layer, record

CELL, OTHER_CELL = (
    Cell(
        dict.fromkeys(("dataset", "model", "scorer", "masker", "recipe"), "one"), 0.1, seed, "float32",
        {"masker": {"name": "greedy", "version": 1}, "density": 0.1, "seed": seed, "precision": "float32"},
        "digits-vgg_small-magnitude-greedy",
    )
    for seed in (0, 1)
)  # fmt: skip
KEY, OTHER = CELL.key, OTHER_CELL.key
RECORD = record(CELL, 50.0, layers=[layer("fc.weight", 2, shape=[1, 3])])
MASKS = {"masks.safetensors": safetensors.torch.save({"fc.weight": torch.tensor([[True, False, True]])})}
HISTORY = [{"epoch": 0, "train/loss": 2.5}, {"epoch": 1, "train/loss": 1.25}]
ROOT = Path(__file__).resolve().parents[2]


def told(history: str = "epoch,train/loss\n0,2.5\n1,1.25\n", **changes: Any) -> dict[str, Any]:
    """The record as it is read back."""
    contents = {**MASKS, "history.csv": history.encode()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return sealed({**RECORD, **changes, "files": digests})


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
    assert store.has_folder(KEY)
    assert store.read(KEY) == told()
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
    assert store.read(KEY) == told(history="", accuracy=60.0)
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
    assert Store(tmp_path).read(KEY) == told()


HOLD = """
import sys
from pruneexp.records.store import Store
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
from pruneexp.records.store import Store
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
    assert store.read(KEY) == told()


def test_a_claim_held_elsewhere_leaves_the_half_written_record_alone(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from pruneexp.system import files
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


def damage(tmp_path: Path, content: bytes) -> str:
    """What is said of a record with another content."""
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    path = tmp_path / KEY / "record.json"
    path.write_bytes(content)
    return refused(store, path)


def refused(store: Store, path: Path) -> str:
    with pytest.raises(UserError) as error:
        store.read(path.parent.name)
    said = str(error.value)
    assert said.startswith(f"{path} is damaged (")
    assert f"delete the folder {path.parent} " in said
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (json.dumps(RECORD, indent=1)[:40].encode(), "line"),
        (json.dumps(RECORD, indent=1)[:-1].encode(), "line"),
        (b"", "EOF while parsing"),
        (b"\xff\xfe\x00", "expected value"),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"[" * 100_000, "recursion"),
        (json.dumps({"key": KEY, "accuracy": 1.0}).encode(), "it has no digest"),
        (json.dumps(sealed({"key": KEY, "accuracy": 1.0})).encode(), "names: Field required"),
        (json.dumps(sealed({"key": None})).encode(), "it is the record of 'None'"),
        (b"{}", "it has no digest"),
    ],
)
def test_a_damaged_record_is_named_with_the_way_out(tmp_path: Path, content: bytes, part: str) -> None:
    assert part in damage(tmp_path, content)


@pytest.mark.parametrize(
    "name",
    sorted(
        told().keys()
        - {
            "train_accuracy",
            "imdb_sum",
            "parameters",
            "collapsed_layers",
            "effective_density",
            "imdb_norm",
            "imdb_layers",
        }
    ),
)
def test_a_record_without_a_field_is_refused_even_with_a_fitting_digest(tmp_path: Path, name: str) -> None:
    left = {field: value for field, value in told().items() if field != name}
    content = left if name == "digest" else sealed(left)
    part = {"digest": "it has no digest", "key": "record of 'None'"}.get(name, f"{name}: Field required")
    assert part in damage(tmp_path, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"accuracy": "50"}, "accuracy: "),
        ({"accuracy": 101.0}, "accuracy: "),
        ({"accuracy": -1.0}, "accuracy: "),
        ({"accuracy": True}, "accuracy: "),
        ({"accuracy": None}, "accuracy and loss are missing, and it did not diverge"),
        ({"accuracy": float("nan")}, "accuracy: "),
        ({"loss": float("inf")}, "loss: "),
        ({"seed": 0.0}, "seed: "),
        ({"seed": 1}, "its seed is 1"),
        ({"asked_density": 0.2}, "its density is 0.2"),
        ({"asked_density": 0.0}, "asked_density: "),
        ({"precision": "bf16"}, "its precision is 'bf16'"),
        ({"precision": "float16"}, "precision: "),
        ({"density": 1.5}, "density: "),
        ({"kept": 3}, "its layers do not add up"),
        ({"kept": 2.0}, "kept: "),
        ({"layers": []}, "layers: "),
        ({"layers": [layer("fc.weight", 1)]}, "its layers do not add up"),
        ({"layers": [{"name": "fc.weight", "kept": 2}]}, "layers.0.shape: Field required"),
        ({"layers": None}, "layers: "),
        ({"diverged": 0}, "diverged: "),
        ({"diverged": "false"}, "diverged: "),
        ({"macs": -1}, "macs: "),
        ({"seconds": {"scoring": 1.0, "masking": 1.0}}, "seconds.training: Field required"),
        ({"seconds": {"scoring": -1.0, "masking": 1.0, "training": 1.0}}, "seconds.scoring: "),
        ({"names": {"dataset": 1}}, "names.dataset: "),
        ({"description": {}}, "its seed is 0, and its description says None"),
        ({"description": RECORD["description"] | {"masker": "dense"}}, "its key is not that of its description"),
        ({"data": {"name": "digits", "sha256": "0"}}, "data.sha256: "),
        ({"files": {"masks.safetensors": 1}}, "files.masks.safetensors: "),
        ({"topology": {"imsg": "1"}}, "topology.imsg: "),
        ({"versions": []}, "versions: "),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_types_and_values_are_refused_even_with_a_fitting_digest(
    tmp_path: Path, changes: dict[str, Any], part: str
) -> None:
    assert part in damage(tmp_path, json.dumps(sealed(told() | changes)).encode())


def test_a_diverged_cell_may_lack_accuracy_and_loss(tmp_path: Path) -> None:
    store = Store(tmp_path)
    changes: dict[str, Any] = {"accuracy": None, "loss": None, "train_loss": None, "diverged": True}
    store.write(KEY, RECORD | changes, MASKS, HISTORY)
    assert store.read(KEY) == told(**changes)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"accuracy": 50.0', '"accuracy": 51.0'),
        ('"macs": 1000', '"macs": 1001'),
        ('"lambda2": 0.25', '"lambda2": 0.26'),
        ('"device": "a machine"', '"device": "a Machine"'),
        ('"diverged": false', '"diverged": true'),
        ('"command": "python', '"extra": 1, "command": "python'),
    ],
)
def test_one_digit_that_was_changed_is_noticed(tmp_path: Path, before: str, after: str) -> None:
    content = json.dumps(told(), indent=1)
    assert before in content
    assert "it was changed after it was written" in damage(tmp_path, content.replace(before, after).encode())
    # how it is laid out has no part in it
    (tmp_path / KEY / "record.json").write_text(json.dumps(told(), sort_keys=True))
    assert Store(tmp_path).read(KEY) == told()


def test_every_prefix_of_a_record_is_refused(tmp_path: Path) -> None:
    content = json.dumps(told(), indent=1).encode()
    damage(tmp_path, b"")
    for length in range(0, len(content), 97):
        (tmp_path / KEY / "record.json").write_bytes(content[:length])
        refused(Store(tmp_path), tmp_path / KEY / "record.json")


def test_records_that_were_swapped_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    store.write(OTHER, record(OTHER_CELL, 60.0), MASKS, HISTORY)
    one, other = tmp_path / KEY, tmp_path / OTHER
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    assert f"it is the record of {OTHER!r}" in refused(store, one / "record.json")
    assert f"it is the record of {KEY!r}" in refused(store, other / "record.json")


def waits(*frame: object) -> None:
    raise AssertionError("it waits")


@pytest.fixture
def impatient() -> Iterator[None]:
    """A test that waits for a FIFO's writer fails."""
    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["FIFO", "directory", "device", "dangling link"])
def test_what_is_no_file_in_place_of_a_record_is_refused(tmp_path: Path, kind: str) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    path = tmp_path / KEY / "record.json"
    path.unlink()
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    assert KEY in store
    refused(store, path)


# the cell's other files


def flipped(content: bytes) -> bytes:
    """Of the same length, the last byte another."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("name", ["masks.safetensors", "weights.safetensors", "history.csv"])
def test_a_file_that_changed_at_equal_length_is_refused(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    contents = MASKS | {"weights.safetensors": safetensors.torch.save({"fc.weight": torch.ones(1, 3)})}
    store.write(KEY, RECORD, contents, HISTORY)
    path = tmp_path / KEY / name
    before = store.file(KEY, name)
    assert before == path.read_bytes()
    for content in (flipped(before), before[:-1], before + b"0", b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"{name} is damaged \(it has another digest than its record says\)"):
            store.file(KEY, name)
    path.write_bytes(before)
    assert store.file(KEY, name) == before
    path.unlink()
    with pytest.raises(UserError, match=rf"{name} is damaged \(No such file"):
        store.file(KEY, name)


@pytest.mark.usefixtures("impatient")
def test_a_file_that_the_record_does_not_mention_or_that_is_none_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    (tmp_path / KEY / "weights.safetensors").write_bytes(b"weights")
    with pytest.raises(UserError, match="another digest"):
        store.file(KEY, "weights.safetensors")
    path = tmp_path / KEY / "masks.safetensors"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match="is damaged"):
        store.file(KEY, "masks.safetensors")


def test_an_amendment_renews_the_digest_and_leaves_the_files(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)
    before = told()
    store.amend(KEY, {"topology": {"imsg": 1.5}})
    after = store.read(KEY)
    assert after is not None
    assert after["digest"] == content_digest(after) != before["digest"]
    assert after == before | {"topology": {"imsg": 1.5}, "digest": after["digest"]}
    assert store.file(KEY, "masks.safetensors") == MASKS["masks.safetensors"]


def test_a_damaged_record_is_not_amended(tmp_path: Path) -> None:
    damage(tmp_path, json.dumps(told() | {"accuracy": 99.0}).encode())
    before = (tmp_path / KEY / "record.json").read_bytes()
    with pytest.raises(UserError, match="is damaged"):
        Store(tmp_path).amend(KEY, {"topology": {}})
    assert (tmp_path / KEY / "record.json").read_bytes() == before


# records of others


def test_records_from_files_count_as_finished_and_have_no_folder(tmp_path: Path) -> None:
    source, runs = tmp_path / "records.jsonl", tmp_path / "runs"
    other = sealed({**record(OTHER_CELL, 60.0), "files": {}})
    source.write_text(f"{json.dumps(told())}\n\n{json.dumps(other)}\n")
    store = Store(runs, [source])
    assert read_records(source) == store.sourced == {KEY: told(), OTHER: other}
    assert KEY in store
    assert not store.has_folder(KEY)
    assert store.read(KEY) == told()
    assert not runs.exists()
    with pytest.raises(UserError, match="is damaged"):
        store.file(KEY, "masks.safetensors")
    # what lies in the folder goes before what others say
    store.write(KEY, {**RECORD, "accuracy": 70.0}, MASKS, HISTORY)
    assert store.has_folder(KEY)
    assert store.read(KEY) == told(accuracy=70.0)
    # and a damaged one is not covered up
    (runs / KEY / "record.json").write_text("{")
    refused(store, runs / KEY / "record.json")


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (json.dumps(told())[:-1], "EOF while parsing"),
        (json.dumps(told() | {"accuracy": 51.0}), "it was changed after it was written"),
        (json.dumps(sealed(told() | {"seed": 1})), "its seed is 1"),
        (json.dumps(sealed(told() | {"key": OTHER})), "its key is not that of its description"),
        ("[]", "no JSON object"),
        ("\xff", "expected value"),
        ("[" * 100_000, "recursion"),
    ],
    ids=["truncated", "changed", "another seed", "another key", "list", "no JSON", "deep"],
)
def test_a_line_of_a_file_that_cannot_be_believed_is_named(tmp_path: Path, line: str, part: str) -> None:
    source = tmp_path / "records.jsonl"
    source.write_bytes(json.dumps(told()).encode() + b"\n" + line.encode("latin-1") + b"\n")
    with pytest.raises(
        UserError, match=rf"^line 2 of {source} is no record that can be believed \(.*({part})"
    ) as error:
        Store(tmp_path / "runs", [source])
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["missing", "FIFO", "directory"])
def test_a_file_of_records_that_cannot_be_read_is_one_sentence(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "records.jsonl"
    if kind == "FIFO":
        os.mkfifo(source)
    elif kind == "directory":
        source.mkdir()
    with pytest.raises(UserError, match=rf"^records={source} cannot be read \(.*name files that a report has left"):
        Store(tmp_path / "runs", [source])


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from pruneexp.cell import Cell
from pruneexp.errors import UserError
from pruneexp.records.store import Store
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
    assert re.search(r"it takes [\d,]+ bytes in 3 files: raise the limit of a file's size \(ulimit -f\)", out)
    assert err == ""
    assert files(tmp_path) == []


def test_two_files_that_contradict_each_other_are_not_settled_silently(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text(json.dumps(told()) + "\n")
    other.write_text(json.dumps(sealed(told() | {"seconds": {"scoring": 9.0, "masking": 9.0, "training": 9.0}})) + "\n")
    assert Store(tmp_path, [one, other]).read(KEY) == told()
    other.write_text(json.dumps(sealed(told() | {"accuracy": 51.0})) + "\n")
    with pytest.raises(UserError, match=f"different results of {KEY}"):
        Store(tmp_path, [one, other])
    one.write_text(one.read_text() + other.read_text())
    with pytest.raises(UserError, match=f"line 2 of .* has another result of {KEY}"):
        Store(tmp_path, [one])


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.EMFILE])
def test_what_the_system_fails_to_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store = Store(tmp_path)
    store.write(KEY, RECORD, MASKS, HISTORY)

    def failing(path: Path) -> Any:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("pruneexp.system.files.contents", failing)
    with pytest.raises(UserError, match="cannot be read .*" + re.escape(remedy(OSError(number, "")))) as error:
        store.read(KEY)
    assert "delete" not in str(error.value)


def test_a_link_in_place_of_the_locks_file_is_not_followed(tmp_path: Path) -> None:
    runs, victim = tmp_path / "runs", tmp_path / "victim"
    runs.mkdir()
    (runs / ".claims").symlink_to(victim)
    with pytest.raises(UserError, match="cannot be written"), Store(runs).claim(KEY):
        pass
    assert not victim.exists()


def test_a_second_claim_of_a_process_keeps_the_first(tmp_path: Path) -> None:
    """Opening and closing the file of locks would let go of them all."""
    asking = "import sys\nfrom pruneexp.records.store import Store\nwith Store(sys.argv[1]).claim(sys.argv[2]) as mine: print(mine)"
    with Store(tmp_path).claim(KEY), Store(tmp_path).claim(OTHER):
        asked = subprocess.run(
            [sys.executable, "-c", asking, str(tmp_path), KEY], capture_output=True, text=True, check=True, timeout=100
        )
    assert asked.stdout == "False\n"
