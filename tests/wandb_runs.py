"""W&B's runs as they lie on disk offline, read back."""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pruneexp.system.console import say_once
from pruneexp.system.tracking import MODE


@dataclass(frozen=True)
class Run:
    """What one run's file says."""

    name: str
    group: str
    kind: str
    tags: list[str]
    config: dict[str, Any]
    summary: dict[str, Any]
    history: list[dict[str, Any]]
    artifacts: dict[str, dict[str, Path]]  # by type and name; their files
    code: int


def take_offline(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have no W&B key anywhere, and nothing of W&B's outside the folder."""
    for name in ("WANDB_API_KEY", "WANDB_DIR", "WANDB_DATA_DIR", "WANDB_TAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(MODE, "offline")  # as a sweep finds out, ahead of its cells
    monkeypatch.setenv("NETRC", str(folder / "netrc"))
    monkeypatch.setenv("HOME", str(folder))
    say_once.cache_clear()


def offline_runs(folder: Path) -> list[list[Any]]:
    """The records of each offline run, once W&B's background process has written its last."""
    import wandb

    wandb.teardown()
    return [wandb_records(path) for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))]


def wandb_records(path: Path) -> list[Any]:
    """The records of an offline run's file: LevelDB's log format (blocks of 32 KiB) of protocol buffers."""
    Record = importlib.import_module("wandb.proto.wandb_internal_pb2").Record  # noqa: N806
    data, at, part, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if (rest := 32768 - at % 32768) < 7:
            at += rest
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            found.append(Record())
            found[-1].ParseFromString(part)
            part = b""
    return found


def told(records: list[Any]) -> Run:
    """One run of its records."""
    run = next(record.run for record in records if record.HasField("run"))
    summary: dict[str, Any] = {}
    for record in records:
        if record.HasField("summary"):
            summary |= _items(record.summary.update)
    artifacts = [record.artifact for record in records if record.HasField("artifact")]
    return Run(
        run.display_name,
        run.run_group,
        run.job_type,
        list(run.tags),
        _items(run.config.update),
        summary,
        [_items(record.history.item) for record in records if record.HasField("history")],
        {f"{one.type} {one.name}": {it.path: Path(it.local_path) for it in one.manifest.contents} for one in artifacts},
        next(record.exit.exit_code for record in records if record.HasField("exit")),
    )


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
