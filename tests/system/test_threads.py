"""The number of threads stays what it was, whatever library would change it."""

import subprocess
import sys

from tests.command import environment

# in a process of its own, where numba has not run yet and may take more processors than torch has
CODE = """
import os
os.environ["NUMBA_NUM_THREADS"] = "3"
import torch
from pruneexp.graphs.ramanujan.galois_array_code import galois_array_code_matrix
before = torch.get_num_threads()
galois_array_code_matrix(4, 8, 4)
print(before, torch.get_num_threads())
"""


def test_galois_codes_leave_torch_its_threads() -> None:
    inherited = {name: value for name, value in environment().items() if name != "NUMBA_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", CODE], env=inherited, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]
