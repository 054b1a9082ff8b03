"""Bad command lines are answered in one sentence. All of them: `python -m scripts.bad_input`."""

import random
from pathlib import Path

import pytest

from pruneexp.failures import Failure
from pruneexp.system import memory
from scripts.bad_input import made
from scripts.bad_input.__main__ import kinds
from scripts.bad_input.folders import as_nobody
from scripts.bad_input.lines import Line
from scripts.bad_input.running import command, verdict
from scripts.corruptions_of.commands import composed, imported

COUNTS = {
    "values": 80, "combinations": 30, "made": 10, "words": 25, "configurations": 15, "folders": 20, "launching": 15, "logging": 4,
    "environment": 1, "entry": 5,
}  # fmt: skip
SOME = [
    line
    for kind, lines in kinds().items()
    if kind in COUNTS
    for line in random.Random(20).sample(
        [one for one in lines if not one.accepted and one.program is not as_nobody], COUNTS[kind]
    )
]


@pytest.fixture(autouse=True, scope="module")
def _once(data: Path) -> None:
    """What all lines need is imported once, and most of their configurations composed, in the process that they are forked from."""
    imported()
    composed(data, command(Line((), ""), data, data))


def test_lines_of_every_kind_are_tried() -> None:
    assert len(SOME) == 205
    assert kinds().keys() == COUNTS.keys()


@pytest.mark.parametrize("line", SOME, ids=[f"{n} {' '.join(line.words)[:40]!a}" for n, line in enumerate(SOME)])
def test_a_bad_line_is_refused_in_a_sentence(line: Line, data: Path) -> None:
    found = verdict(line, data)
    assert found.kind in ("sentence", "failed"), found.said


def test_a_network_that_does_not_fit_is_told_with_what_would(data: Path) -> None:
    (line,) = [one for one in made.lines() if "net_huge.net" in one.words[0]]
    found = verdict(line, data)
    assert found.kind == "sentence"
    assert "has 461,680,010 parameters, and its training needs at least 6.9 GiB" in found.said
    assert "which would do for" in found.said


def test_what_is_free_is_the_least_of_what_is_said(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 7 kB\n", encoding="ascii")
    assert memory.available(tmp_path) == 7 * 1024
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("5000\n", encoding="ascii")
    (group / "memory.current").write_text("3000\n", encoding="ascii")
    assert memory.available(tmp_path) == 2000


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_a_cell_without_memory_is_a_failure_with_a_sentence(error: Exception) -> None:
    failure = Failure.of("key", "cell", error)
    assert failure.why.startswith("there is not enough memory for it")
    assert not failure.trace
    assert Failure.of("key", "cell", RuntimeError("other")).trace
