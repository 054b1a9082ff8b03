"""Trainings of three networks in each precision, with and without recordings, and how many are best at once; and the memory after each.

memory NUMBER: no training; NUMBER MiB are not free.
"""

import functools
import gc
import itertools
import sys
import unittest.mock
from collections.abc import Callable
from typing import Any

import torch

from pruneexp.training import members
from pruneexp.training.device import Device
from pruneexp.training.members import choose
from pruneexp.training.train import train_together
from tests.stub import small

KINDS = list(itertools.product(("bf16", "float32"), ("vgg", "resnet"), (True, False)))


def allocated() -> int:
    """Bytes, but for cuBLAS's workspaces, one for each stream that it was used on."""
    torch._C._cuda_clearCublasWorkspaces()
    return torch.cuda.memory_allocated()


def stays(action: Callable[[], Any], collected: bool) -> tuple[Any, int]:
    """What the action answers, and how many bytes it leaves; without Python's garbage collection, or after it."""
    before = allocated()
    answer = action()
    if collected:
        gc.collect()
    return answer, allocated() - before


def trained(precision: str, kind: str, graphs: bool) -> list[int]:
    """Epochs of each of three networks of two seeds."""
    device = Device("cuda", precision, graphs=graphs)  # type: ignore[arg-type]
    device.prepare()
    of = {seed: small.data(device, seed=seed) for seed in (0, 1)}
    found = train_together(small.trainees(kind, [of[0], of[0], of[1]]), small.RECIPE, device)
    return [len(one.history) for one in found]


def chosen(precision: str, kind: str, graphs: bool) -> int:
    device = Device("cuda", precision, members="auto", graphs=graphs)  # type: ignore[arg-type]
    device.prepare()
    return choose(small.network(kind), small.RECIPE, small.data(device), device, 8)


def main(full: int) -> dict[str, Any]:
    gc.collect()
    gc.disable()
    ballast = torch.empty(full * 2**20, dtype=torch.uint8, device="cuda")
    real = members.seconds
    tried: list[int] = []

    def faster(network: Any, number: int, *means: Any) -> float:
        """The more at once, the better: a kernel takes no time here."""
        tried.append(number)
        return 0.0 * real(network, number, *means) + 1 / number

    found: dict[str, Any] = {"trained": [], "chosen": [], "tried": []}
    with small.pretended(), unittest.mock.patch.object(members, "seconds", faster):
        for kind in KINDS if not full else ():
            found["trained"].append(stays(functools.partial(trained, *kind), collected=True))
        for kind in KINDS if not full else KINDS[:1]:
            tried.clear()
            found["chosen"].append(stays(functools.partial(chosen, *kind), collected=False))
            found["tried"].append(list(tried))
        again = trained(*KINDS[0]) if full else []
    del ballast
    return {**found, "again": again}


if __name__ == "__main__":
    small.tell(main(int((sys.argv[1:] or ["0"])[0])))
