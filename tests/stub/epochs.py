"""What an epoch of a training asks of the device: waits, launches and replays; and in which arithmetic it is evaluated."""

import contextlib
import dataclasses
import itertools
import tempfile
import unittest.mock
from pathlib import Path
from typing import Any

import cuda_stub
import torch
from torch import nn

from pruneexp.training.checkpoint import Checkpoint
from pruneexp.training.cuda_graph import Replayed, few_launches
from pruneexp.training.device import Device
from pruneexp.training.round import Round
from pruneexp.training.selection import Selection
from pruneexp.training.step import Step
from pruneexp.training.train import train_together
from tests.stub import small

FEWER, MORE = 6, 8  # epochs, in whose last the batches of both shapes are replayed
CHUNK = 64 * 16 * 16  # pixels prepared at once, so that an epoch comes in three chunks


class Watch:
    """The sizes of the batches that are replayed, and whether each forward pass has autocast."""

    def __init__(self) -> None:
        self.replayed: list[int] = []
        self.autocast: dict[str, set[bool]] = {"training": set(), "evaluation": set()}

    @contextlib.contextmanager
    def here(self) -> Any:
        call = Replayed.__call__

        def replayed(steps: Replayed, batches: Any) -> Any:
            before = cuda_stub.counts()["replays"]
            results = call(steps, batches)
            self.replayed += [len(batches[0][1])] * (cuda_stub.counts()["replays"] - before)
            return results

        with unittest.mock.patch.object(Replayed, "__call__", replayed):
            yield

    def look(self, network: nn.Module) -> None:
        network.register_forward_pre_hook(
            lambda module, _: self.autocast["training" if module.training else "evaluation"].add(
                torch.is_autocast_enabled("cuda")
            )
        )


def trained(networks: int, graphs: bool, validation: int, crop: bool, epochs: int, folder: str) -> dict[str, Any]:
    """A training of networks of different seeds that leaves checkpoints; with validation images each epoch is better than the one before,
    and kept."""
    device = Device("cuda", graphs=graphs)
    device.prepare()
    recipe = dataclasses.replace(small.RECIPE, epochs=epochs, resized_crop=crop, shift=0 if crop else 2)
    residents = [small.data(device, recipe, seed, validation) for seed in range(networks)]
    trainees, watch = small.trainees("vgg", residents), Watch()
    for trainee in trainees:
        trainee.selection = Selection(best=validation > 0)
        watch.look(trainee.network)
    checkpoints = [
        Checkpoint(Path(folder) / str(number), {}, "stub", 3600, print, number) for number in range(networks)
    ]
    cuda_stub.reset()
    falling = ((float(loss), 50.0) for loss in itertools.count(10**6, -1))
    better = unittest.mock.patch("pruneexp.training.tally._means", side_effect=falling)
    with watch.here(), better:
        results = train_together(trainees, recipe, device, checkpoints)
    return {
        **cuda_stub.counts(),
        "kept": sum(result.chosen == epochs - 1 for result in results),
        "replayed": watch.replayed,
        "autocast": {name: sorted(seen) for name, seen in watch.autocast.items()},
    }


def an_epoch(networks: int, graphs: bool, validation: int, crop: bool) -> dict[str, Any]:
    """What each of the last epochs adds."""
    with tempfile.TemporaryDirectory() as folder:
        fewer, more = (trained(networks, graphs, validation, crop, epochs, folder) for epochs in (FEWER, MORE))
    return {
        "kept": more["kept"],
        "waits": (more["synchronisations"] - fewer["synchronisations"]) / (MORE - FEWER),
        "launches": (more["launches"] - fewer["launches"]) / (MORE - FEWER),
        "replayed": more["replayed"][len(fewer["replayed"]) :],
        "autocast": more["autocast"],
    }


def a_step(networks: int) -> int:
    """Waits of the host in a round of steps as it is, and in a replayed one."""
    device = Device("cuda")
    device.prepare()
    steps = [Step(device.place(small.network("resnet")).train(), {}, small.RECIPE, device) for _ in range(networks)]
    made = few_launches(steps, list(range(networks)), device)
    assert isinstance(made, Replayed)
    together, batches = made.steps, [small.batch() for _ in range(networks)]
    assert isinstance(together, Round)
    for _ in range(5):  # the last is replayed
        made(batches)
    cuda_stub.reset()
    together(batches)
    made(batches)
    assert cuda_stub.counts()["replays"] == 1
    return cuda_stub.counts()["synchronisations"]


def tf32() -> dict[str, bool]:
    return {"matmul": torch.backends.cuda.matmul.allow_tf32, "convolution": torch.backends.cudnn.allow_tf32}


def main() -> dict[str, Any]:
    before = tf32()
    Device("cuda").prepare()
    after = tf32()
    cases = [*itertools.product((1, 3), (True,), (0, 30), (False, True)), (1, False, 0, True), (3, False, 30, False)]
    with unittest.mock.patch("pruneexp.data.resident.CHUNK", CHUNK):
        epochs = [[case, an_epoch(*case)] for case in cases]
    return {"tf32": [before, after], "steps": [a_step(networks) for networks in (1, 3)], "epochs": epochs}


if __name__ == "__main__":
    with small.pretended():
        small.tell(main())
