"""A plugin of pytest: each test's outcome is on the disk as soon as it is known, and a test that has begun before is not run again.

    LEASE_OUTCOMES=FILE python -m pytest -p scripts.lease.outcomes ...

FILE gets lines of JSON: ``{"test": id, "outcome": "started"}``, then ``passed``, ``failed`` or ``skipped`` with ``seconds`` and, unless
it passed, ``why``.
"""

import os
from pathlib import Path

import pytest

from scripts.lease.rows import add, rows

FILE = Path(os.environ["LEASE_OUTCOMES"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests that another process has begun."""
    known = {row["test"] for row in rows(FILE)}
    items[:] = [item for item in items if item.nodeid not in known]


def pytest_runtest_logstart(nodeid: str) -> None:
    """A test begins."""
    add(FILE, {"test": nodeid, "outcome": "started"})


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test, or a fixture of it that did not pass, has ended."""
    if report.when == "call" or report.outcome != "passed":
        why = {} if report.outcome == "passed" else {"why": _why(report)}
        add(FILE, {"test": report.nodeid, "outcome": report.outcome, "seconds": round(report.duration, 2), **why})


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # of a skipped test: file, line, reason
        return report.longrepr[2]
    return report.longreprtext
