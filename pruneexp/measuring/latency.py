"""How long a network takes for one batch."""

import copy
import functools
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.training.device import Device

Run = Callable[[], object]
BATCHES = (1, 64)
WARM_UP, LEAST_RUNS, LEAST_SECONDS = 3, 10, 0.5


@component("measurement")
def latency(trainee: nn.Module, input_shape: tuple[int, ...], device: Device) -> dict[str, dict[str, dict[str, float]]]:
    """The record's field `latency`: median milliseconds of a forward pass,
    by device ("cpu", and "cuda" where the network is trained there) and batch size.

    Eval mode, float32, channels-last memory, random images, no gradients; three runs to warm up, then at least ten and half a
    second of them, each awaited. A GPU's times are its own, from an event before a run to one after it. A CPU's number depends on its
    threads (`trainer.threads`).

    Args:
        trainee: what is trained, left as it is.
        input_shape: [C, H, W].
        device: what to measure on besides the CPU; prepared, so that float32 is float32 (`Device.prepare`).
    """
    result: dict[str, dict[str, float]] = {}
    for where in sorted({"cpu", device.where.type}):
        ready = copy.deepcopy(trainee).eval().to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        timed = on_cuda if where == "cuda" else on_cpu
        result[where] = {}
        with torch.no_grad():
            for batch in BATCHES:
                images = torch.randn(batch, *input_shape, device=where).contiguous(memory_format=torch.channels_last)
                result[where][str(batch)] = _median(functools.partial(ready, images), timed)
    return {"latency": result}


def on_cpu(run: Run) -> float:
    """Milliseconds of a run on a CPU."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def on_cuda(run: Run) -> float:
    """Milliseconds of a run on the current GPU, by its own clock: from before its first kernel is launched to the last one's end."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def _median(run: Run, milliseconds: Callable[[Run], float]) -> float:
    for _ in range(WARM_UP):
        milliseconds(run)
    times: list[float] = []
    until = time.perf_counter() + LEAST_SECONDS
    while len(times) < LEAST_RUNS or time.perf_counter() < until:
        times.append(milliseconds(run))
    return statistics.median(times)
