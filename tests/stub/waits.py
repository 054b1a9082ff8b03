"""How often the host waits for the device in an epoch of training, and what the evaluation and the last batch are made by."""

import dataclasses
import unittest.mock
from typing import Any

import cuda_stub
import torch

from pruneexp.training.device import Device
from pruneexp.training.train import train_together
from tests.stub import small

WAYS = {
    "one": ([0], 0, False),
    "one, validation": ([0], 40, False),
    "three": ([0, 0, 1], 0, False),
    "three, validation": ([0, 0, 1], 40, False),
    "three, crops": ([0, 0, 1], 0, True),
}


def counts(seeds: list[int], validation: int, crops: bool, epochs: int) -> dict[str, int]:
    """Of a whole training."""
    device = Device("cuda")
    device.prepare()
    recipe = dataclasses.replace(small.RECIPE, epochs=epochs, milestones=())
    if crops:
        recipe = dataclasses.replace(recipe, shift=0, resized_crop=True)
    residents = {seed: small.data(device, recipe, seed, validation) for seed in set(seeds)}
    cuda_stub.reset()
    train_together(small.trainees("vgg", [residents[seed] for seed in seeds]), recipe, device)
    return cuda_stub.counts()


def evaluated() -> list[str]:
    """The arithmetic of each forward pass in eval mode, of a network trained in bf16."""
    device, seen = Device("cuda", "bf16"), []
    device.prepare()
    trainees = small.trainees("vgg", [small.data(device, validation=40)])
    forward = type(trainees[0].network).forward

    def watched(self: Any, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = forward(self, images)
        if not self.training:
            seen.append(f"{logits.dtype}, autocast {torch.is_autocast_enabled('cuda')}")
        return logits

    with unittest.mock.patch.object(type(trainees[0].network), "forward", watched):
        train_together(trainees, small.RECIPE, device)
    return sorted(set(seen))


def main() -> dict[str, Any]:
    waits = {}
    for name, way in WAYS.items():
        six, four = (counts(*way, epochs=epochs)["synchronisations"] for epochs in (6, 4))
        waits[name] = (six - four) / 2
    # batches of an epoch, all alike but the last, each of which is one replay once its kind has been recorded
    replays = [counts([0, 1], 0, False, epochs)["replays"] for epochs in (5, 6)]
    flags = [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark]
    return {
        "waits": waits,
        "replays of an epoch": replays[1] - replays[0],
        "evaluated": evaluated(),
        "flags": flags,
        "deterministic": torch.backends.cudnn.deterministic,
    }


if __name__ == "__main__":
    with small.pretended():
        small.tell(main())
