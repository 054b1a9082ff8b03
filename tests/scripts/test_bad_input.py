"""Bad command lines are answered in one sentence. All of them: `python -m scripts.bad_input`."""

import random
from pathlib import Path

import pytest

from pruneexp.failures import Failure
from pruneexp.system import memory
from scripts.bad_input import combinations, made, values
from scripts.bad_input.lines import Line
from scripts.bad_input.running import verdict

LATE = ("report_dir=", "where=", "figure")  # of reports: some of them are told when the cells are made, and kept
SOME = [  # those that end in a sentence, most of them before anything is made
    line
    for lines, count in ((values.lines(), 80), (combinations.lines(), 30), (made.lines(), 10))
    for line in random.Random(20).sample(
        [one for one in lines if not (one.accepted or " ".join(one.words).startswith(LATE))], count
    )
]


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
