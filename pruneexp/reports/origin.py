"""Where a report's numbers come from."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from pruneexp.records.provenance import git_commit
from pruneexp.reports.subject import Subject


def origin(subject: Subject, command: str, cells: pd.DataFrame, notes: Sequence[str]) -> dict[str, Any]:
    """What stands in the .json beside a table, as plain JSON: what it is of, the command, the records, versions, devices, data.

    Args:
        subject: what is reported.
        command: that asked for it.
        cells: the tidy frame that the table is made of.
        notes: what a reader has to know.
    """
    commits, devices = (Counter(map(str, cells[name].fillna("unknown"))) for name in ("git_commit", "device"))
    data = cells[["dataset", "data_sha256"]].drop_duplicates().dropna()
    return {
        "name": subject.name,
        "title": subject.title,
        "command": command,
        "commit": git_commit(),
        "grid": subject.grid,
        "cells": len(cells),
        "cells_asked_for": subject.asked,
        "records": f"../records/{subject.stem}.jsonl",
        "recorded_by_commit": dict(commits.most_common()),
        "devices": dict(devices.most_common()),
        "precisions": sorted(cells["precision"].unique()),
        "test_precisions": dict(Counter(cells["test_precision"]).most_common()),
        "recipes": sorted(cells["recipe"].unique()),
        "data_sha256": dict(zip(data["dataset"], data["data_sha256"], strict=True)),
        "notes": list(notes),
    }
