"""``python -m scripts.bench_step``: a training step of one network and of several at once, by the way it is made.

    python -m scripts.bench_step [--network resnet20] [--batch 128] [--ways eager 1 2 4 8] [--seconds 3] [--processes 1]

A way is a number of networks, whose steps are recorded together and replayed where there is a CUDA GPU and made one after another on a
CPU; or ``eager``, one network whose operations are launched one by one. Each trains under random masks at 10 % on the same random
images, in bf16 on CUDA. Prints a line of JSON for each way as soon as it is measured: milliseconds of a round, in which each network
makes a step, the least of five parts of the time given, and the steps a second of all networks. With several processes each prints
its own; whether they share a GPU in turns or side by side (NVIDIA's MPS) is how the machine is set up.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

import pruneexp.training  # noqa: F401  (it makes torchvision and lightning importable beside a CPU torch)
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.seeding import stream
from pruneexp.training.cuda_graph import few_launches
from pruneexp.training.device import Device
from pruneexp.training.step import Step
from scripts.training_bench.cases import DENSITY, SETTINGS

WARM_UP, PARTS = 5, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=list(SETTINGS), default="resnet20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--ways", nargs="+", type=_way, default=["eager", 1, 2, 4, 8], metavar="eager|N")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--processes", type=int, default=1)
    chosen = parser.parse_args()
    if chosen.processes > 1:
        words = [sys.executable, "-m", "scripts.bench_step", *_without(sys.argv[1:], "--processes")]
        runs = [subprocess.Popen(words) for _ in range(chosen.processes)]
        sys.exit(max(run.wait() for run in runs))
    for way in chosen.ways:
        print(json.dumps(measure(chosen.network, chosen.batch, way, chosen.seconds)), flush=True)


def measure(network: str, batch: int, way: str | int, seconds: float) -> dict[str, Any]:
    """One way's row."""
    device = Device(graphs=way != "eager")
    device.prepare()
    members = way if isinstance(way, int) else 1
    row = {"network": network, "batch": batch, "way": str(way), "members": members, "device": device.name}
    try:
        milliseconds = 1000 * _seconds(_round(network, batch, members, device), device, seconds)
    except torch.OutOfMemoryError:
        return row | {"note": "out of memory"}
    return row | {"ms": round(milliseconds, 4), "steps_per_s": round(1000 * members / milliseconds, 1)}


def _round(network: str, batch: int, members: int, device: Device) -> Callable[[], object]:
    """A step of each of so many networks."""
    setting, draw = SETTINGS[network], stream(0, "masks")
    start = setting.make(setting.classes, (3, setting.side, setting.side))
    initialise(start, "kaiming_normal", stream(0, "initialisation"))
    steps = []
    for _ in range(members):
        one = device.place(setting.make(setting.classes, (3, setting.side, setting.side))).train()
        one.load_state_dict(start.state_dict())
        masks = {name: torch.rand(weight.shape, generator=draw) < DENSITY for name, weight in prunable(one).items()}
        steps.append(Step(one, masks, replace(setting.recipe, batch_size=batch), device))
    images = torch.randn(batch, 3, setting.side, setting.side, generator=stream(0, "images")).to(device.where)
    labels = torch.arange(batch, device=device.where) % setting.classes
    batches = [(images.contiguous(memory_format=torch.channels_last), labels)]
    make_steps = few_launches(steps, [0] * members, device)
    return lambda: make_steps(batches)


def _seconds(make_round: Callable[[], object], device: Device, seconds: float) -> float:
    """Of a round, after a few."""
    wait = torch.cuda.synchronize if device.where.type == "cuda" else lambda: None
    for _ in range(WARM_UP):
        make_round()
    parts = []
    for _ in range(PARTS):
        wait()
        start, rounds = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / PARTS:
            for _ in range(50 if device.where.type == "cuda" else 1):
                make_round()
                rounds += 1
            wait()
        parts.append((time.perf_counter() - start) / rounds)
    return min(parts)


def _way(word: str) -> str | int:
    if word == "eager":
        return word
    if word.isdigit() and int(word):
        return int(word)
    raise argparse.ArgumentTypeError(f"{word!r}: eager, or a number of networks, at least 1")


def _without(words: list[str], option: str) -> list[str]:
    """The words without an option and its value."""
    place = words.index(option) if option in words else len(words)
    return words[:place] + words[place + 2 :]


if __name__ == "__main__":
    main()
