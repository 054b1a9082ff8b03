"""Two networks trained side by side and recorded, of which the first one's masks change: replays and waits, with updates and without."""

import unittest.mock
from typing import Any

import cuda_stub

from pruneexp.mask_updates.gmp import GMP
from pruneexp.mask_updates.rigl import RigL
from pruneexp.mask_updates.set_ import Set
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.training.cuda_graph import Replayed
from pruneexp.training.device import Device
from pruneexp.training.train import train_together
from tests.stub import small

UPDATES: dict[str, MaskUpdate | None] = {
    "none": None,
    "rigl": RigL(interval=3),
    "set": Set(interval=3),
    "gmp": GMP(interval=3),
}


def trained(update: MaskUpdate | None, precision: Any) -> dict[str, Any]:
    device = Device("cuda", precision)
    device.prepare()
    recipe = small.RECIPE
    trainees = small.trainees("vgg", [small.data(device, recipe, seed) for seed in (0, 1)])
    trainees[0].update = update
    rounds: list[int] = []
    call = Replayed.__call__

    def watched(steps: Replayed, batches: Any) -> Any:
        before = cuda_stub.counts()["replays"]
        results = call(steps, batches)
        rounds.append(cuda_stub.counts()["replays"] - before)
        return results

    cuda_stub.reset()
    with unittest.mock.patch.object(Replayed, "__call__", watched):
        results = train_together(trainees, recipe, device)
    return {
        "replayed": rounds,
        "waits": cuda_stub.counts()["synchronisations"],
        "updates": [one.updates for one in results],
        "masks": [None if one.masks is None else len(one.masks) for one in results],
    }


if __name__ == "__main__":
    with small.pretended():
        small.tell(
            {
                precision: {name: trained(one, precision) for name, one in UPDATES.items()}
                for precision in ("bf16", "float32")
            }
        )
