"""How long a network takes for one batch."""

import copy
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from pruneexp.components.options import component
from pruneexp.training.device import Device

BATCHES = (1, 64)
WARM_UP, LEAST_RUNS, LEAST_SECONDS = 3, 10, 0.5


@component("measurement")
def latency(trainee: nn.Module, input_shape: tuple[int, ...], device: Device) -> dict[str, dict[str, dict[str, float]]]:
    """The record's field `latency`: median milliseconds of a forward pass,
    by device ("cpu", and "cuda" where the network is trained there) and batch size.

    Eval mode, float32, channels-last memory, random images, no gradients; three runs to warm up, then at least ten and half a
    second of them, each synchronised. A CPU's number depends on its threads (`trainer.threads`).

    Args:
        trainee: what is trained, left as it is.
        input_shape: [C, H, W].
        device: what to measure on besides the CPU.
    """
    result: dict[str, dict[str, float]] = {}
    for where in sorted({"cpu", device.where.type}):
        ready = copy.deepcopy(trainee).eval().to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        wait: Callable[[], None] = torch.cuda.synchronize if where == "cuda" else lambda: None
        result[where] = {}
        with torch.no_grad():
            for batch in BATCHES:
                images = torch.randn(batch, *input_shape, device=where).contiguous(memory_format=torch.channels_last)
                result[where][str(batch)] = _median(lambda model=ready, images=images: model(images), wait)  # type: ignore[misc]
    return {"latency": result}


def _median(run: Callable[[], object], wait: Callable[[], None]) -> float:
    for _ in range(WARM_UP):
        run()
    wait()
    times: list[float] = []
    while len(times) < LEAST_RUNS or sum(times) < 1000 * LEAST_SECONDS:
        start = time.perf_counter()
        run()
        wait()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)
