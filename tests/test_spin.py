"""Waiting threads give way: the spin count is there before torch is, and the user's choice stays."""

import os
import subprocess
import sys

import pytest

from pruneexp.cli import SPINS, spin_less
from tests.command import environment

SAY = (
    "import sys, os, pruneexp.cli as cli; before = 'torch' in sys.modules; sys.argv = ['pruneexp', 'mode=plan', 'recipe=x'];\n"
    "try: cli.main()\n"
    "except SystemExit: pass\n"
    "print(before, os.environ.get('GOMP_SPINCOUNT'))"
)


def test_it_is_set_before_torch_is_imported() -> None:
    inherited = {
        name: value for name, value in environment().items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    done = subprocess.run([sys.executable, "-c", SAY], env=inherited, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", SPINS]


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_what_the_user_has_set_stays(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    spin_less()
    assert os.environ[name] == value
    assert name == "GOMP_SPINCOUNT" or "GOMP_SPINCOUNT" not in os.environ
