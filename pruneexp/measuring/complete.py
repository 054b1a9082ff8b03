"""Whether a record has what a job asks to be measured."""

from collections.abc import Mapping
from typing import Any

from pruneexp.cell import Options


def is_measured(record: Mapping[str, Any], options: Options) -> bool:
    """Whether the metrics of `topology` and the `latency` that a job asks for are there.

    They are no part of a cell's key: a finished cell gets them later.
    """
    topology = {"none": None, "ramanujan": "imsg", "full": "spectral_gap"}[options.topology]
    return (topology is None or topology in record.get("topology", {})) and (not options.latency or "latency" in record)
