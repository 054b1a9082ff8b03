"""What all stages of a lease know."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.lease.archives import Archives
from scripts.lease.clock import Clock


@dataclass
class Lease:
    """A GPU for some minutes.

    Attributes:
        clock: the deadline.
        out: the folder of what is brought home.
        archives: of the results_dir, in `out`.
        data_dir: pruneexp's.
        records: files of cells that need not be made.
        sweeps: overrides of ``python -m pruneexp``, in the order in which they run.
        environment: of all commands, added to this process's.
        before: the keys of the cells that were finished when the lease began.
        begun: the sweeps that have been started.
        seconds: that they have taken.
    """

    clock: Clock
    out: Path
    archives: Archives
    data_dir: Path
    records: list[Path]
    sweeps: list[list[str]]
    environment: dict[str, str]
    before: set[str] = field(default_factory=set)
    begun: list[list[str]] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.machine, self.tests, self.steps = (
            self.out / name for name in ("machine.json", "tests.jsonl", "steps.jsonl")
        )
        self.output, self.summary = self.out / "output.log", self.out / "summary.md"

    def ended(self, code: int | None, sound: tuple[int, ...] = (0,)) -> str:
        """How a command ended, as people are told; nothing where it ended with an exit code that is sound."""
        if code is None:
            return "; its time was over"
        if code in sound:
            return ""
        lines = self.output.read_text(encoding="utf-8", errors="replace").split("\n")
        return f"; exit code {code}: {next((line for line in reversed(lines) if line.strip()), 'nothing was said')}"

    def follow(self, at_once: bool = False) -> bool:
        """Bring the archives up to what lies in the results_dir, and say which cells have come; whether some have.

        Args:
            at_once: checkpoints too, however lately they were packed.
        """
        new = self.archives.follow(at_once)
        for key in sorted(new):
            record = self.record(key)
            self.clock.say(f"cells: {method(record)}: {outcome(record)}")
        return bool(new)

    def record(self, key: str) -> dict[str, Any]:
        """The record of a finished cell."""
        found: dict[str, Any] = json.loads((self.archives.folder / key / "record.json").read_bytes())
        return found


def method(record: Mapping[str, Any]) -> str:
    """What the cells of a row have in common, in words."""
    names = " ".join(record["names"][group] for group in ("dataset", "model", "scorer", "masker", "recipe"))
    return f"{names} density {record['asked_density']:g}"


def outcome(record: Mapping[str, Any]) -> str:
    """What came of one seed."""
    return f"{'diverged' if record['diverged'] else format(record['accuracy'], '.2f')} (seed {record['seed']})"
