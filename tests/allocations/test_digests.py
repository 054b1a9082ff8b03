"""The masks of every masker are what they were before the numbers of layers could be chosen apart from their weights."""

import pytest

from pruneexp.system.shipped import conf_dir
from tests.allocations.digests import LINES, digest, masks_of, recorded


@pytest.mark.parametrize("line", LINES)
def test_masks_are_those_of_their_digest(line: str) -> None:
    assert digest(masks_of(line)) == recorded()[line]


def test_every_masker_has_a_line() -> None:
    # random is, by its allocations, the presets of these names: tests/allocations/test_contract.py
    of_files = {path.stem for path in (conf_dir() / "masker").glob("*.yaml")} - {"random"}
    assert of_files == {line.split()[2] for line in LINES}
    assert set(LINES) == set(recorded())
