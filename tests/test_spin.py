"""Waiting threads give way: the spin count is there before torch is, in every process of ours, and the user's choice stays."""

import os
import subprocess
import sys

import pytest

from pruneexp.system.threads import SPINS, spin_less
from tests.command import environment

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
# prints what is in the environment as torch is first looked for
HOOK = """
import os, sys
class Seen:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"), flush=True)
            os._exit(0)
sys.meta_path.insert(0, Seen)
"""
PROCESSES = {
    "the command line": "from pruneexp.cli import main; sys.argv = ['pruneexp', 'mode=plan', 'seed=0']; main()",
    "launcher=gpus": "import runpy; runpy.run_module('pruneexp.launchers.gpu_worker', run_name='__main__')",
    "a cluster's job, which submitit unpickles": "import pruneexp.launchers.submitted",
    "a study": "import runpy; runpy.run_module('pruneexp.studies.rounds', run_name='__main__')",
}


@pytest.mark.parametrize("process", PROCESSES)
def test_it_is_set_before_torch_is_imported(process: str) -> None:
    inherited = {name: value for name, value in environment().items() if name not in NAMES}
    code = HOOK + PROCESSES[process]
    done = subprocess.run([sys.executable, "-c", code], env=inherited, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [SPINS]


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "active")])
def test_what_the_user_has_set_stays(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in NAMES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    spin_less()
    assert os.environ[name] == value
    assert name == "GOMP_SPINCOUNT" or "GOMP_SPINCOUNT" not in os.environ
