"""The examples in the docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

import pruneexp

PACKAGE = Path(pruneexp.__file__).resolve().parent
WITH_EXAMPLES = sorted(
    ".".join(["pruneexp", *path.relative_to(PACKAGE).with_suffix("").parts])
    for path in PACKAGE.rglob("*.py")
    if ">>>" in path.read_text()
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_give_what_they_say(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_there_are_examples() -> None:
    assert "pruneexp.api" in WITH_EXAMPLES
