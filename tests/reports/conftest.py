"""What tests of reports share: a folder of their own to write to, and declared grids that are composed once."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pruneexp import sweep
from pruneexp.jobs.composing import Source
from pruneexp.sweep import Grid

WHOLE: dict[tuple[tuple[str, ...], Source | None], Grid] = {}
EXPAND = sweep.expand


def _once(arguments: Sequence[str], source: Source | None = None) -> Grid:
    key = (tuple(arguments), source)
    if key not in WHOLE:
        WHOLE[key] = EXPAND(arguments, source)
    return WHOLE[key]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default results_dir in an empty folder that this process is in, so that grids of several tests have the same words."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "expand", _once)  # the grids that others are parts of
    return Path("results/runs")
