"""Time and memory of every scorer on ResNet-32 and VGG-16, and of GraSP and ProsPr by PyTorch's own Hessian-vector product.

    python -m scripts.bench_scorers [--networks resnet32 vgg16] [--scorers snip grasp ...] [--against grasp prospr] [--repeats 2]

Networks of ten classes at initialisation, random images of CIFAR's size, one scoring each with the options of conf/scorer, in a process
of its own; `rounds` is how often a mask asks for it. Memory is the process's peak resident set less that before scoring.
On VGG-16 those that `--against` names are scored `--repeats` times more, ProsPr with one step, in turn with the plain way, a gradient
and torch.autograd.functional.vhp over the network as it is, whose scores must be the same to 1e-9 of a layer's largest.
The published variants of scorers, which differ in options alone, are left out unless `--scorers` names them.
Prints tables and writes results/benchmarks/scorers.{json,md}.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.autograd.functional import vhp
from torch.func import functional_call
from torch.nn import functional

from pruneexp.data.batches import Batches
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.pruning.method import Scores
from pruneexp.pruning.scoring import score
from pruneexp.records.provenance import git_commit
from pruneexp.scorers.float64 import in_float64
from pruneexp.seeding import stream
from pruneexp.sweep import named
from pruneexp.system import files
from pruneexp.system.shipped import conf_dir

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
SHAPE = (3, 32, 32)
AGAINST = "vgg16"  # the network on which the plain way is measured
Vector = tuple[torch.Tensor, ...]
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "resnet32": lambda: resnet_cifar(10, SHAPE, 32),
    "vgg16": lambda: vgg(10, SHAPE, 16),
}


def plain_grasp(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    """`grasp` with its defaults, a gradient and then its product with the Hessian."""
    images, labels = batches.balanced(10)
    double = in_float64(model, "train")
    names, values = list(prunable(double)), tuple(value.detach() for value in prunable(double).values())
    loss = _loss(double, names, images, labels, temperature=200.0)
    hg = vhp(loss, values, _gradient(loss, values))[1]
    return {name: value * part for name, value, part in zip(names, values, hg, strict=True)}


def plain_prospr(model: nn.Module, batches: Batches, generator: torch.Generator, steps: int = 3) -> Scores:
    """`prospr` with its defaults, one product with a Hessian for each step."""
    samples, lr, momentum = 128, 0.5, 0.9
    images, labels = batches.samples((steps + 1) * samples)
    double = in_float64(model, "train")
    names = [name for name, _ in double.named_parameters()]
    thetas: list[Vector] = [tuple(value.detach() for value in double.parameters())]
    losses = [
        _loss(double, names, part, of, temperature=1.0)
        for part, of in zip(images.split(samples), labels.split(samples), strict=True)
    ]
    velocity = [torch.zeros_like(value) for value in thetas[0]]
    for loss in losses[:-1]:
        velocity = [momentum * v + g for v, g in zip(velocity, _gradient(loss, thetas[-1]), strict=True)]
        thetas.append(tuple(value - lr * v for value, v in zip(thetas[-1], velocity, strict=True)))
    by_theta, by_velocity = _gradient(losses[-1], thetas[-1]), tuple(torch.zeros_like(v) for v in velocity)
    for step in reversed(range(steps)):
        by_velocity = tuple(momentum * v - lr * t for v, t in zip(by_velocity, by_theta, strict=True))
        product = vhp(losses[step], thetas[step], by_velocity)[1]
        by_theta = tuple(t + part for t, part in zip(by_theta, product, strict=True))
    scores = {name: (t * value).abs() for name, t, value in zip(names, by_theta, thetas[0], strict=True)}
    return {name: scores[name] for name in prunable(double)}


PLAIN: dict[str, Callable[..., Scores]] = {"grasp": plain_grasp, "prospr": plain_prospr}
FEWER: dict[str, dict[str, Any]] = {"prospr": {"steps": 1}}  # whose product with a Hessian is as each step's


def _loss(
    network: nn.Module, names: list[str], images: torch.Tensor, labels: torch.Tensor, temperature: float
) -> Callable[..., torch.Tensor]:
    device = next(network.parameters()).device

    def loss(*values: torch.Tensor) -> torch.Tensor:
        found = functional_call(network, dict(zip(names, values, strict=True)), (images.to(device).double(),))
        return functional.cross_entropy(found / temperature, labels.to(device))

    return loss


def _gradient(loss: Callable[..., torch.Tensor], values: Vector) -> Vector:
    at = tuple(value.requires_grad_() for value in values)
    found = torch.autograd.grad(loss(*at), at)
    for value in values:
        value.requires_grad_(False)
    return found


def bench(network: str, name: str, threads: int, plain: bool, options: dict[str, Any]) -> tuple[dict[str, Any], Scores]:
    """One scoring of one network, and the scores."""
    torch.set_num_threads(threads)
    model = NETWORKS[network]()
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    images = torch.randn(1000, *SHAPE, generator=stream(0, "images"))
    batches = Batches(images, torch.arange(1000) % 10, SHAPE)
    scorer = partial(PLAIN[name], **options) if plain else named("scorer", name).make(**options)
    rounds = OmegaConf.select(OmegaConf.load(conf_dir() / "scorer" / f"{name}.yaml"), "rounds", default=1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)
    before = _peak()
    start, cpu = time.perf_counter(), time.process_time()
    scores = score(model, scorer, batches, 0)
    total = sum(float(value.sum()) for value in scores.values())  # waits for a GPU
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else (_peak() - before) / 2**10
    return {
        "network": network, "scorer": name, "rounds": rounds, "seconds": seconds, "cpu_seconds": cpu_seconds, "memory_MiB": memory,
        "sum": total, "device": device,
    }, {weight: value.cpu() for weight, value in scores.items()}  # fmt: skip


def apart(network: str, name: str, threads: int, plain: bool = False, **options: Any) -> tuple[dict[str, Any], Scores]:
    """`bench` in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(bench, (network, name, threads, plain, options))


def against(name: str, threads: int, repeats: int) -> list[dict[str, Any]]:
    """CPU seconds and memory of a scorer as it is, of the plain way and, pair by pair, the one's share of the other: median, least, most.

    Raises:
        AssertionError: their scores differ.
    """
    pairs = []
    for _ in range(repeats):
        (ours, scores), (plain, plainly) = (
            apart(AGAINST, name, threads, plain, **FEWER.get(name, {})) for plain in (False, True)
        )
        for weight, value in plainly.items():
            difference = float((scores[weight] - value).abs().max() / value.abs().max())
            assert difference < 1e-9, f"{name}'s scores of {weight} differ by {difference:.1e} of the largest."
        pairs.append((ours, plain))
        print(json.dumps(pairs[-1]), flush=True)
    rows = []
    for measure in ("cpu_seconds", "memory_MiB"):
        ways = {
            "as it is": [ours[measure] for ours, _ in pairs],
            "plain": [plain[measure] for _, plain in pairs],
            "share": [ours[measure] / plain[measure] for ours, plain in pairs],
        }
        for way, found in ways.items():
            spread = {"median": statistics.median(found), "least": min(found), "most": max(found)}
            rows.append({"network": AGAINST, "scorer": name, "measure": measure, "way": way} | spread)
    return rows


def _peak() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    names = sorted(path.stem for path in (conf_dir() / "scorer").glob("*.yaml"))
    few = [name for name in names if not name.endswith("_published")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--scorers", nargs="+", choices=names, default=few)
    parser.add_argument("--against", nargs="*", choices=list(PLAIN), default=list(PLAIN))
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    threads = torch.get_num_threads()
    rows = []
    for network in arguments.networks:
        for name in arguments.scorers:
            rows.append(apart(network, name, threads)[0])
            print(json.dumps(rows[-1]), flush=True)
    compared = [row for name in arguments.against for row in against(name, threads, arguments.repeats)]
    made = f"made by: python -m scripts.bench_scorers; commit {git_commit()}; {platform.machine()}, {threads} threads"
    shown = pd.DataFrame(rows).drop(columns="sum").to_markdown(index=False, floatfmt=".3g")
    beside = pd.DataFrame(compared).to_markdown(index=False, floatfmt=".3g")
    OUT.mkdir(parents=True, exist_ok=True)
    said = {"made": made, "rows": rows, "against": compared}
    files.write(OUT / "scorers.json", json.dumps(said, indent=1) + "\n")
    files.write(
        OUT / "scorers.md",
        f"<!-- {made} -->\n{shown}\n\nSeconds and memory of one scoring; rounds multiply the seconds.\n\n{beside}\n\n"
        f"{arguments.repeats} scorings in turn with the plain way (ProsPr's with one step), a gradient and"
        " torch.autograd.functional.vhp over the network as it is;"
        " share: the one's part of the other in one pair.\n",
    )
    print(shown, beside, sep="\n\n")


if __name__ == "__main__":
    main()
