"""A measurement adds its own field to a record and touches no other."""

from typing import Any

import pytest

from pruneexp.components.component import Component
from pruneexp.components.options import About
from pruneexp.errors import UserError
from pruneexp.measuring.asked import measured


def of(found: Any) -> dict[str, Component]:
    def mine(network: str) -> Any:
        return found

    return {"mine": Component(mine, {}, About("measurement", "mine"), "mine", __name__, True)}


@pytest.mark.parametrize(
    "found", [{"mine": 1.5}, {"mine": None}, {"mine": {"a": {"b": 2}}, "mine_layers": {"fc": {"a": 1}}}]
)
def test_numbers_under_its_own_name_are_taken(found: dict[str, Any]) -> None:
    assert measured(of(found), network="it") == {**found, "measurements": ["mine"]}


@pytest.mark.parametrize(
    "found",
    [{"mine": 1, "accuracy": 99.0}, {"mine": 1, "seed": 3}, {"mine": "text"}, {"mine": [1]}, {"other": 1}, {}, 3],
)
def test_anything_else_is_refused(found: Any) -> None:
    with pytest.raises(UserError, match=r"^measurement\.mine m"):
        measured(of(found), network="it")
