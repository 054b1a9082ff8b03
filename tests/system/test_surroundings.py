"""What libraries read of the environment does not end a command in a traceback."""

import os

import pytest

from pruneexp.errors import UserError
from pruneexp.system.surroundings import RANKS, check_surroundings


@pytest.mark.parametrize("name", RANKS)
def test_a_rank_must_be_a_number(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    monkeypatch.setenv(name, "abc")
    with pytest.raises(
        UserError, match=f"^the environment variable {name} must be a whole number, got 'abc': unset it.$"
    ):
        check_surroundings()
    monkeypatch.setenv(name, "3")
    check_surroundings()
    assert os.environ["MPLBACKEND"] == "agg"
