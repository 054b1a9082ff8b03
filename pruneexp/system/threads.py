"""Threads that wait give way to others, and nobody changes how many there are midway."""

import contextlib
import os
from collections.abc import Iterator

SPINS = "2700"  # fewer slow a small network that has the machine to itself, more slow one beside a busy process


def spin_less() -> None:
    """Have OpenMP's waiting threads give way to others soon, unless the user has chosen; before torch is first imported.

    GNU OpenMP's threads spin while they wait. Beside one other busy process they keep each other from the processor: a small
    network trains ten to twenty times slower. https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS  # worker processes inherit it


@contextlib.contextmanager
def as_many_threads() -> Iterator[None]:
    """As many threads after the block as before it, in every library of this process.

    numba, as its first parallel function runs, has OpenMP take all processors from then on, torch's included: sums that are split
    otherwise have other last digits.
    """
    from threadpoolctl import ThreadpoolController

    libraries = [(one, one.num_threads) for one in ThreadpoolController().lib_controllers]
    try:
        yield
    finally:
        for library, number in libraries:
            library.set_num_threads(number)
