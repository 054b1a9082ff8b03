"""What a tracker is told of a run before it begins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class About:
    """A run, as trackers show it.

    Attributes:
        key: no other run has it: the name of the cell's folder.
        name: for people.
        group: the experiment.
        kind: W&B's job type: dense, pruned or report.
        tags: to find it by.
        config: what it is grouped and filtered by: names, numbers, and mappings of them.
    """

    key: str
    name: str
    group: str
    kind: str
    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


def flat(config: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """A mapping of mappings as one: numbers, truth and text stay, of anything else it is the text.

    >>> flat({"seed": 0, "options": {"recipe": {"lr": 0.1, "milestones": [80, 120]}}})
    {'seed': 0, 'options/recipe/lr': 0.1, 'options/recipe/milestones': '[80, 120]'}
    """
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{within}{name}/")
        else:
            found[within + name] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return found
