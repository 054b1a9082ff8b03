"""Whether a record has what a job asks to be measured."""

from collections.abc import Mapping
from typing import Any


def is_measured(record: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether the metrics of `topology` and the `latency` that a job's configuration asks for are there.

    They are no part of a cell's key: a finished cell gets them later.
    """
    topology = {"none": None, "ramanujan": "imsg", "full": "spectral_gap"}[config["topology"]]
    return (topology is None or topology in record.get("topology", {})) and (
        not config["latency"] or "latency" in record
    )
