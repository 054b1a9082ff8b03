"""The masks of every preset are what they were before layers' counts could be chosen apart from weights."""

import pytest

from pruneexp.system.shipped import conf_dir
from tests.allocations.digests import LINES, digest, masks_of, recorded


@pytest.mark.parametrize("line", LINES)
def test_masks_are_those_of_their_digest(line: str) -> None:
    assert digest(masks_of(line)) == recorded()[line]


def test_every_masker_has_a_line() -> None:
    assert {path.stem for path in (conf_dir() / "masker").glob("*.yaml")} == {line.split()[2] for line in LINES}
    assert set(LINES) == set(recorded())
