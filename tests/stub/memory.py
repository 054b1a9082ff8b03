"""Trainings of several networks in each precision, with and without recordings, and how many are best at once; what memory each leaves.

memory MIB: as if so much of the memory were taken; how many networks are best at once then, and a training of so many.
"""

import functools
import gc
import itertools
import sys
from collections.abc import Callable
from typing import Any

import torch

from pruneexp.training.device import Device
from pruneexp.training.members import choose
from pruneexp.training.train import train_together
from tests.stub import small

TRAINED = list(itertools.product(("bf16", "float32"), ("vgg", "resnet"), (True, False)))
CHOSEN = [kind for number, kind in enumerate(TRAINED) if number in (0, 3, 5, 6)]


def allocated() -> int:
    """Bytes, but for cuBLAS's workspaces, one for each stream that it was used on."""
    torch._C._cuda_clearCublasWorkspaces()
    return torch.cuda.memory_allocated()


def left_by(action: Callable[[], Any]) -> dict[str, Any]:
    """What the action answers, and the bytes that it leaves: allocated and held back before Python's garbage collection, and after it."""
    before, held = allocated(), reserved()
    answer = action()
    left = {"answer": answer, "allocated": allocated() - before, "reserved": reserved() - held}
    gc.collect()
    return {**left, "collected": allocated() - before}


def reserved() -> int:
    """Bytes that the allocator cannot give back."""
    torch.cuda.empty_cache()
    return torch.cuda.memory_reserved()


def trained(precision: Any, kind: str, graphs: bool, number: int = 3) -> list[int]:
    """Epochs of each of so many networks of two seeds."""
    device = Device("cuda", precision, graphs=graphs)
    device.prepare()
    of = [small.data(device, seed=seed) for seed in (0, 1)]
    found = train_together(small.trainees(kind, [of[one % 2] for one in range(number)]), small.RECIPE, device)
    return [len(one.history) for one in found]


def chosen(precision: Any, kind: str, graphs: bool, most: int) -> int:
    device = Device("cuda", precision, members="auto", graphs=graphs)
    device.prepare()
    return choose(small.network(kind), small.RECIPE, small.data(device), device, most)


def main(taken: int) -> dict[str, Any]:
    gc.collect()
    gc.disable()
    ballast = torch.empty(taken * 2**20, dtype=torch.uint8, device="cuda")
    with small.pretended():
        if taken:
            fit = chosen(*TRAINED[0], most=8)
            return {"fit": fit, "trained": trained(*TRAINED[0], number=fit), "taken": ballast.nbytes}
        return {
            "trained": [left_by(functools.partial(trained, *kind)) for kind in TRAINED],
            "chosen": [left_by(functools.partial(chosen, *kind, most=4)) for kind in CHOSEN],
        }


if __name__ == "__main__":
    small.tell(main(int((sys.argv[1:] or ["0"])[0])))
