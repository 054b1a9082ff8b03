"""The masks of maskers by name, as digests: ``python -m tests.allocations.digests`` adds those of new lines; it changes none.

The weights are a permutation of the whole numbers, with random signs: no two scores are equal or nearly so, so that rounding on another
CPU moves no mask. For the same reason there is one line each of scorers that compute gradients, on the smallest network.
Left out are `bss` on larger networks, which takes minutes there, and `greedy_matched` on ResNet-20: equal layers have equal shares of
leverage, and rounding decides which of them gets the odd weight.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

import pruneexp
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_small

FILE = Path(__file__).with_name("digests.json")

RANDOM = ("uniform", "er", "erk", "er_published", "random_regular", "x_net", "radix_net")
SCORED = ("greedy", "greedy_global", "greedy_matched", "sparsify", "sparsify_tree")
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 10)),
    "vgg_small": lambda: vgg_small(10, (1, 8, 8)),
    "resnet20": lambda: resnet_cifar(10, (3, 32, 32), 20),
}
DENSITIES = {"mlp": (0.3, 0.1), "vgg_small": (0.2, 0.05), "resnet20": (0.1, 0.05, 0.02)}
# a line: network, scorer, masker, its options in YAML's words, density
LINES = [
    *(
        f"{network} magnitude {masker} {density}"
        for network, densities in DENSITIES.items()
        for density in densities
        for masker in (*RANDOM, *SCORED)
        if (network, masker) != ("resnet20", "greedy_matched")
    ),
    *(f"resnet20 magnitude {masker} 0.05" for masker in ("sparsify_global", "sparsify scope=global,skip=unit")),
    *(f"mlp magnitude {masker} {density}" for masker in ("bss", "ramanujan_fit") for density in (0.3, 0.15)),
    *(f"vgg_small magnitude {masker} 0.2" for masker in ("ramanujan_fit", "sparsify_global")),
    "resnet20 magnitude ramanujan_fit 0.1", "vgg_small magnitude ramanujan least_channels=8 0.1238", "vgg_small magnitude structured 0.5",
    "vgg_small magnitude n_m 0.5", "vgg_small magnitude n_m n=1 0.26",
    *(f"mlp {scorer} greedy_global 0.1" for scorer in ("random", "snip", "synflow", "grasp")),
    *(f"mlp {scorer} {masker} 0.1" for scorer in ("random", "snip") for masker in ("greedy", "greedy_matched", "sparsify")),
    *(f"vgg_small magnitude sparsify {options} 0.1" for options in ("sampling=paper", "scope=global", "scope=global,join=disjoint")),
    *(
        f"vgg_small magnitude {masker} allocation={allocation} 0.1"
        for masker in ("erk", "random_regular", "x_net")
        for allocation in ("uniform", "er", "erk", "vertices")
    ),
    "vgg_small magnitude ramanujan_fit allocation=vertices 0.2",
]  # fmt: skip


def network(name: str) -> nn.Module:
    model = NETWORKS[name]()
    rng = np.random.default_rng(22)
    total = sum(weight.numel() for weight in model.parameters())
    values = (rng.permutation(total) + 1) * rng.choice([-1, 1], total) / 2**20  # exact in float32
    with torch.no_grad():
        for weight, some in zip(
            model.parameters(), np.split(values, np.cumsum([w.numel() for w in model.parameters()])[:-1]), strict=True
        ):
            weight.copy_(torch.from_numpy(some).reshape(weight.shape))
    return model


def samples(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    shape = {"mlp": (64,), "vgg_small": (1, 8, 8), "resnet20": (3, 32, 32)}[name]
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.integers(-8, 9, (200, *shape)) / 8).float(), torch.arange(200) % 10


def masks_of(line: str, seed: int = 3) -> dict[str, torch.Tensor]:
    name, scorer, masker, *options, density = line.split()
    words = [f"masker.{option}" for text in options for option in text.split(",")]
    with torch.random.fork_rng():
        model = network(name)
    return pruneexp.prune(model, float(density), scorer, masker, seed, data=samples(name), overrides=words)


def digest(masks: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, shapes and packed masks."""
    found = hashlib.sha256()
    for name, mask in masks.items():
        found.update(f"{name} {tuple(mask.shape)}\n".encode())
        found.update(np.packbits(mask.numpy().ravel()).tobytes())
    return found.hexdigest()


def recorded() -> dict[str, str]:
    found: dict[str, str] = json.loads(FILE.read_text())
    return found


def main() -> None:
    old = recorded() if FILE.exists() else {}
    new = {line: digest(masks_of(line)) for line in LINES if line not in old}
    FILE.write_text(json.dumps(old | new, indent=1) + "\n")


if __name__ == "__main__":
    main()
