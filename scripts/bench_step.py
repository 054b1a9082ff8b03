"""``python -m scripts.bench_step [--processes 1] [--eager] [--batch 128] [--seconds 3]``: a training step of ResNet-20 on a CUDA GPU.

Prints a line of JSON for each process: milliseconds a step in bf16, masks at 10 % on, while so many processes train at once on
the one GPU. Whether they share it in turns or side by side (NVIDIA's MPS) is how the machine is set up, not this script's affair.
"""

import argparse
import json
import subprocess
import sys
import time

import torch

import pruneexp.training  # noqa: F401  (it makes torchvision and lightning importable beside a CPU torch)
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.cuda_graph import few_launches
from pruneexp.training.device import Device
from pruneexp.training.step import Step

WARM_UP, AT_ONCE = 10, 50  # steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--eager", action="store_true", help="launched operation by operation, not replayed as a graph")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    if arguments.processes > 1:
        again = ["--batch", str(arguments.batch), "--seconds", str(arguments.seconds), *(["--eager"] * arguments.eager)]
        runs = [
            subprocess.Popen([sys.executable, "-m", "scripts.bench_step", *again]) for _ in range(arguments.processes)
        ]
        sys.exit(max(run.wait() for run in runs))
    milliseconds, steps = measure(arguments.batch, not arguments.eager, arguments.seconds)
    print(
        json.dumps(
            {"replayed": not arguments.eager, "batch": arguments.batch, "ms": round(milliseconds, 4), "steps": steps}
        )
    )


def measure(batch: int, graphs: bool, seconds: float) -> tuple[float, int]:
    """Milliseconds a step, and the number of steps, after a warm-up."""
    device = Device("cuda", graphs=graphs)
    device.prepare()
    network = resnet_cifar(10, (3, 32, 32), 20)
    initialise(network, "kaiming_normal", stream(0, "initialisation"))
    device.place(network).train()
    masks = {name: torch.rand(weight.shape) < 0.1 for name, weight in prunable(network).items()}
    step = few_launches(
        Step(network, masks, Recipe(epochs=1, batch_size=batch, lr=0.1, weight_decay=1e-4), device), device
    )
    images = torch.randn(batch, 3, 32, 32, device="cuda").to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (batch,), device="cuda")
    for _ in range(WARM_UP):
        step(images, labels)
    torch.cuda.synchronize()
    start, steps = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        for _ in range(AT_ONCE):
            step(images, labels)
        torch.cuda.synchronize()
        steps += AT_ONCE
    return 1000 * (time.perf_counter() - start) / steps, steps


if __name__ == "__main__":
    main()
