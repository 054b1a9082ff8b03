"""Four networks of two seeds as branches of one recording, against one network alone: launches, streams and memory of each."""

import collections
import itertools
import unittest.mock
from collections.abc import Iterator
from typing import Any

import cuda_stub
import torch

from pruneexp.training.cuda_graph import WARM_UP, Replayed, few_launches
from pruneexp.training.device import Device
from pruneexp.training.step import Counters, Step
from tests.stub import small

Ranges = list[tuple[int, int]]  # of addresses


class Seen:
    """What each `Step.__call__` does while it is recorded."""

    def __init__(self) -> None:
        self.kernels: list[collections.Counter[str]] = []
        self.nodes: list[int] = []
        self.streams: list[int] = []
        self.inputs: list[int] = []
        self.allocated: list[list[dict[str, Any]]] = []
        self.real = Step.__call__

    def watched(self, step: Step, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if not torch.cuda.is_current_stream_capturing():
            return self.real(step, images, labels)
        allocations, kernels, nodes = len(traces()), cuda_stub.kernels(), cuda_stub.counts()["nodes"]
        logits = self.real(step, images, labels)
        self.kernels.append(cuda_stub.kernels() - kernels)
        self.nodes.append(cuda_stub.counts()["nodes"] - nodes)
        self.streams.append(torch.cuda.current_stream().cuda_stream)
        self.inputs.append(images.data_ptr())
        self.allocated.append([one for one in traces()[allocations:] if one["action"] == "alloc"])
        return logits


def traces() -> list[dict[str, Any]]:
    """What the allocator has done so far."""
    found: list[dict[str, Any]] = torch.cuda.memory._snapshot()["device_traces"][0]
    return found


def kept(step: Step, logits: torch.Tensor) -> Iterator[torch.Tensor]:
    """All the tensors that are a branch's own."""
    assert step.shadow is not None
    yield from (logits, *step.kept, *step.network.buffers(), *step.shadow.gradients)
    for parameter in step.parameters.values():
        assert parameter.grad is not None
        yield from (parameter, parameter.grad, step.optimiser.state[parameter]["momentum_buffer"])
    for copied in step.shadow.copies.values():
        assert copied.grad is not None
        yield from (copied, copied.grad)


def ranges(tensors: Iterator[torch.Tensor]) -> Ranges:
    storages = [one.untyped_storage() for one in tensors]
    return [(one.data_ptr(), one.data_ptr() + one.nbytes()) for one in storages]


def overlapping(branches: list[Ranges]) -> int:
    """How many pairs of branches have an address in common."""
    return sum(
        any(a < d and c < b for a, b in one for c, d in other) for one, other in itertools.combinations(branches, 2)
    )


def recorded(feeds: list[int]) -> dict[str, Any]:
    device = Device("cuda")
    device.prepare()
    steps = []
    for _ in feeds:
        network = device.place(small.network("resnet")).train()
        steps.append(Step(network, small.masks(network), small.RECIPE, device))
        Counters(network)
    seen, batches = Seen(), [small.batch() for _ in range(max(feeds) + 1)]
    make_steps = few_launches(steps, feeds, device)
    assert isinstance(make_steps, Replayed)
    for _ in range(WARM_UP):
        make_steps(batches)
    cuda_stub.reset()
    with unittest.mock.patch.object(Step, "__call__", lambda *arguments: seen.watched(*arguments)):
        make_steps(batches)
    nodes = cuda_stub.counts()["nodes"]
    cuda_stub.reset()
    results = make_steps(batches)
    replay = cuda_stub.counts()
    (recording,) = make_steps.recordings.values()
    buffers = [images.data_ptr() for images, _ in recording.batches]
    return {
        "kernels": seen.kernels,
        "nodes": seen.nodes,
        "nodes of all": nodes,
        "streams": seen.streams,
        "allocated on": [sorted({made["stream"] for made in some}) for some in seen.allocated],
        "buffers": len(set(buffers)),
        "inputs": [buffers.index(one) for one in seen.inputs],
        "overlapping": overlapping([ranges(kept(*one)) for one in zip(steps, recording.logits, strict=True)]),
        "overlapping on the way": overlapping(
            [[(made["addr"], made["addr"] + made["size"]) for made in some] for some in seen.allocated]
        ),
        "replay": replay,
        "logits": [list(one.shape) for one in results],
    }


if __name__ == "__main__":
    torch.cuda.memory._record_memory_history(enabled="all", context=None, stacks="python", max_entries=10**6)
    with small.pretended():
        small.tell({"alone": recorded([0]), "four": recorded([0, 0, 1, 1])})
