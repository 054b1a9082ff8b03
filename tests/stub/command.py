"""``python -m pruneexp`` on the pretended GPU; what it prints and leaves takes the place of a line of JSON.

command SIGNAL OVERRIDES: before the recorded step of that number this process is sent SIGTERM; 0 for never.
"""

import itertools
import os
import signal
import sys
import unittest.mock
from typing import Any

from pruneexp.cli import main
from pruneexp.measuring.always import always
from pruneexp.models.vgg import vgg_small
from pruneexp.network.structure import Structure
from pruneexp.training.cuda_graph import Replayed
from tests.stub import small


def patched(number: int) -> None:
    """Run the command."""
    steps, real, network, shape = itertools.count(1), Replayed.__call__, vgg_small(10, (1, 8, 8)), (1, 8, 8)
    measured = always(network, {}, network, None, Structure(network, shape).macs)

    def call(self: Replayed, batches: Any) -> Any:
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, batches)

    with (
        small.pretended(),
        unittest.mock.patch.object(Replayed, "__call__", call),
        # a copy of a network on the device has any numbers there, and not all matrices have singular values
        unittest.mock.patch("pruneexp.trials.always", side_effect=lambda *_: dict(measured)),
    ):
        main()


if __name__ == "__main__":
    patched(int(sys.argv.pop(1)))
