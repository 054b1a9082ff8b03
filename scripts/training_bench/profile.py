"""What bounds a training step on CUDA, by torch's profiler: launches, bytes or arithmetic."""

import time
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from pruneexp.data.resident import Resident
from pruneexp.training.cuda_graph import few_launches
from pruneexp.training.device import Device
from pruneexp.training.step import Step
from scripts.training_bench.cases import Case, prepared

STEPS = 20
ARITHMETIC = ("gemm", "conv", "cutlass", "cudnn", "wgrad", "dgrad", "xmma", "nvjet")  # in the names of kernels
BUSY = 0.9  # share of the wall time that kernels must fill: below it, launches bound


def bound(case: Case) -> dict[str, Any]:
    """Microseconds of a step's wall time and of its kernels, how many they are, and what bounds the step.

    Wall time is taken without the profiler. Convolutions and matrix products count as arithmetic, all other kernels as bytes.
    """
    network, masks, recipe, dataset = prepared(case)
    device = Device("cuda")
    device.prepare()
    device.place(network).train()
    batch = next(Resident(dataset, recipe, 0, device.where).epoch(0))[0]
    make_step = few_launches([Step(network, masks[0], recipe, device)], [0], device)

    def steps() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(STEPS):
            make_step([batch])
        torch.cuda.synchronize()
        return (time.perf_counter() - start) / STEPS * 1e6

    steps()
    wall = min(steps() for _ in range(3))
    with profile(activities=[ProfilerActivity.CUDA]) as recorded:
        steps()
    events = [event for event in recorded.events() if event.device_type.name == "CUDA"]
    kernels = [(event.name.lower(), event.time_range.elapsed_us()) for event in events]
    busy = sum(us for _, us in kernels) / STEPS
    arithmetic = sum(us for name, us in kernels if any(part in name for part in ARITHMETIC)) / STEPS
    by = "launches" if busy < BUSY * wall else "arithmetic" if arithmetic > busy / 2 else "bytes"
    return {
        "bound_by": by,
        "step_us": wall,
        "kernels_us": busy,
        "arithmetic_us": arithmetic,
        "kernels": len(kernels) / STEPS,
    }
