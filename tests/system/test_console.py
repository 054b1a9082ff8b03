"""What is told fits every terminal: characters that its encoding lacks stand there as their escapes."""

import io
import os
import subprocess
import sys

import pytest

from pruneexp.system.console import PASSED_ON, terminal_width
from tests.command import ROOT

TELLS = """
import sys
from rich.progress import track
from pruneexp.system.console import console, say, write_whatever
write_whatever()
odd = "\\xe9\\u2192\\u4e2d"
print(odd); say("cell [1]", "\\xe9\\x1b[31m"); print(odd, file=sys.stderr)
list(track([1], odd, console=console()))
"""


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "1"},
    ],
)
def test_no_text_is_too_much_for_an_encoding(locale: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-c", TELLS],
        capture_output=True,
        env=environment | {"PYTHONPATH": str(ROOT)} | locale,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout
    first, second = done.stdout.splitlines()[:2]
    assert first in ("é→中".encode(), b"\\xe9\\u2192\\u4e2d", b"\xe9\\u2192\\u4e2d")
    assert second.startswith(b"cell [1]: ")
    assert second.endswith(b"\\x1b[31m")


def test_a_process_may_be_told_how_wide_the_terminal_is_that_shows_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.delenv(PASSED_ON, raising=False)
    assert terminal_width() is None
    monkeypatch.setenv(PASSED_ON, "76")
    assert terminal_width() == 76
    monkeypatch.setenv(PASSED_ON, "wide")
    assert terminal_width() is None
