"""``python -m scripts.lease.machine FILE``: what a machine is, and whether pruneexp runs on it; FILE is written anew after each answer."""

import importlib
import json
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pruneexp.records.provenance import git_commit
from pruneexp.system import files

PACKAGES = (
    "torch", "torchvision", "lightning", "numpy", "scipy", "hydra-core", "omegaconf", "pydantic", "galois",
)  # fmt: skip
QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def driver() -> str:
    """Name, memory and driver of each GPU, as NVIDIA's own program says them."""
    return subprocess.run(QUERY, capture_output=True, encoding="utf-8", check=True, timeout=5).stdout.strip()


def imported(name: str) -> float:
    """Seconds that an import takes."""
    begin = time.perf_counter()
    importlib.import_module(name)
    return round(time.perf_counter() - begin, 2)


def device() -> str:
    """Where pruneexp trains here, as records name it."""
    from pruneexp.training.device import Device

    return Device().name


def removal() -> str:
    """Every other neuron of a ResNet-20 taken out on the device, which checks the smaller network's outputs."""
    import torch

    from pruneexp.models.resnet import resnet_cifar
    from pruneexp.network.coupling import coupled
    from pruneexp.network.prunable import prunable
    from pruneexp.network.removal import neuron_masks, remove
    from pruneexp.training.device import Device

    shape = (3, 32, 32)
    network = resnet_cifar(10, shape, 20).to(Device().where)
    groups = coupled(network, shape)
    masks = neuron_masks(groups, [torch.arange(group.channels) % 2 == 0 for group in groups], prunable(network))
    before, after = (sum(p.numel() for p in one.parameters()) for one in (network, remove(network, masks, shape)))
    return f"{after:,} of {before:,} parameters left"


def main() -> None:
    path, found = Path(sys.argv[1]), dict[str, Any]()

    def note(name: str, ask: Callable[[], Any]) -> None:
        try:
            found[name] = ask()
        except Exception as error:  # the next question may have an answer
            traceback.print_exc()
            found[name] = f"failed: {error!r}"
        files.write(path, json.dumps(found, indent=1) + "\n")

    def seconds(name: str) -> None:
        note(f"import {name}, seconds", partial(imported, name))

    note("python", platform.python_version)
    note("commit", git_commit)
    for package in PACKAGES:
        note(package, partial(version, package))
    note("driver", driver)
    seconds("torch")
    note("device", device)
    note("removal", removal)
    for name in ("lightning", "hydra", "pruneexp.running"):  # last: from a cold disk they take the longest
        seconds(name)


if __name__ == "__main__":
    main()
