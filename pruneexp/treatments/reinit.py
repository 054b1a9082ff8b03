"""New weights: only the structure is left of a method.

A sanity control (Frankle et al. 2021, "Pruning neural networks at initialization: why are we missing the mark?").
"""

import copy

from torch import nn

from pruneexp.cell import Options
from pruneexp.components.options import component
from pruneexp.errors import UserError
from pruneexp.network.initialise import initialise
from pruneexp.seeding import stream


def _from_the_start(options: Options) -> None:
    """Raise UserError where training is to start from other weights."""
    if options.rewind != "init":
        raise UserError(
            f"treatment=reinit draws new weights, and rewind={options.rewind} brings back old ones: choose one."
        )


@component("treatment", name="reinit", beside=_from_the_start)
def reinitialised(network: nn.Module, seed: int, initialisation: str, batchnorm_init: str) -> nn.Module:
    """A copy, on the CPU, with weights drawn anew from the stream (seed, "reinitialisation"), for the pruned cells alone."""
    fresh = copy.deepcopy(network).cpu()
    initialise(fresh, initialisation, stream(seed, "reinitialisation"), batchnorm_init)
    return fresh
