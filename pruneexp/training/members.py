"""How many networks to train at once: what `trainer.members` asks for, or the fastest by a short measurement."""

import copy
import math
import time
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from pruneexp.data.resident import Resident, Split
from pruneexp.errors import first_line
from pruneexp.recipe import Recipe
from pruneexp.system.console import tell
from pruneexp.training.cuda_graph import WARM_UP, few_launches
from pruneexp.training.device import Device
from pruneexp.training.step import Step

MOST = 8  # networks that are tried at once
TIMED, REPEATS = 10, 3  # rounds of steps that are timed together, and how often: the fastest counts
GAIN = 0.95  # of the seconds of fewer members: above that, more do not pay


class _Draws(Exception):  # noqa: N818
    """A network has drawn a random number."""


class _NoDraws(TorchDispatchMode):
    """Raises `_Draws` where a random number would be drawn."""

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in operator.tags:
            raise _Draws
        return operator(*args, **(kwargs or {}))


def why_alone(network: nn.Module, input_shape: tuple[int, ...]) -> str | None:
    """Why a network is trained by itself and not beside others, or None where it can be; nothing is computed.

    One that draws random numbers in training, as dropout does, would draw others than by itself. One that cannot be run
    without numbers, because it looks at them, is not known.

    Args:
        network: left as it is.
        input_shape: [C, H, W].
    """
    shapes: dict[int, torch.Tensor] = {id(buffer): buffer.to("meta") for buffer in network.buffers()}
    shapes |= {id(weight): nn.Parameter(weight.detach().to("meta")) for weight in network.parameters()}
    try:
        with _NoDraws():
            copy.deepcopy(network, shapes).train()(torch.empty(2, *input_shape, device="meta"))
    except _Draws:
        return "it draws random numbers, as dropout does"
    except Exception as error:  # whatever a network raises that finds no numbers
        told = first_line(error).split(". ")[0]
        return f"whether it draws random numbers cannot be told without running it ({told})"
    return None


def choose(
    network: nn.Module, recipe: Recipe, data: Resident, device: Device, most: int, timed: dict[int, float] | None = None
) -> int:
    """The number of networks to train at once, at most `most`: what is asked for, or with ``auto`` what takes the least time for each.

    On a CPU, where the steps are made one after another, that is one. On CUDA 1, 2, 4 and `MOST` are tried, until a step
    takes no less time for each or there is no memory for them. What else goes wrong is told, and the answer is one; so
    is why a network is trained by itself.

    Args:
        timed: what has been measured, seconds by number, and is not measured again; added to.
    """
    timed = {} if timed is None else timed
    if 1 in (most, device.members) or (device.members, device.where.type) == ("auto", "cpu"):
        return 1
    if why := why_alone(network, data.input_shape):
        tell(f"One network at a time, whatever trainer.members says: {why}.")
        return 1
    if device.members != "auto":
        return min(device.members, most)
    chosen, best = 1, math.inf
    try:
        batch = next(data.epoch(0))[0]
        for number in sizes(min(most, MOST)):
            if number not in timed:
                try:
                    timed[number] = seconds(network, number, recipe, device, batch)
                except torch.OutOfMemoryError:
                    timed[number] = math.inf
            if timed[number] >= GAIN * best:
                break
            chosen, best = number, timed[number]
    except Exception as error:  # whatever it is, one at a time may go
        tell(f"trainer.members=auto could not be measured ({first_line(error)}).")
        chosen = 1
    torch._C._cuda_clearCublasWorkspaces()  # one for each of the streams
    torch.cuda.empty_cache()
    tell(f"trainer.members=auto: {chosen} at once.")
    return chosen


def sizes(most: int) -> list[int]:
    """1, 2, 4 and so on, below `most`, and it."""
    return [2**k for k in range(most.bit_length()) if 2**k < most] + [most]


def seconds(
    network: nn.Module, members: int, recipe: Recipe, device: Device, batch: Split, frozen: bool = False
) -> float:
    """Seconds of a training step for each of so many copies of the network, trained at once on one device.

    It is the step that a training makes, recorded where a training records it, but under no masks. The first ones, in which
    libraries choose their algorithms, do not count; of `REPEATS` times after them the shortest does.

    Args:
        network: anywhere; left as it is.
        recipe: its optimiser and label smoothing.
        device: where the copies are trained, and in which precision.
        batch: images float32 [b, C, H, W], fastest in channels-last memory as `Resident.epoch` makes them, and labels
            [b], on the device.
        frozen: only the classifier is trained.

    Raises:
        torch.OutOfMemoryError: there is no room for so many.
    """
    copies = [device.place(copy.deepcopy(network)).train() for _ in range(members)]
    steps = [Step(one, {}, recipe, device) for one in copies]
    for step in steps if frozen else ():
        step.freeze(True)
    make_steps = few_launches(steps, [0] * members, device)
    cuda = device.where.type == "cuda"
    rounds = TIMED if cuda else 1
    for _ in range(WARM_UP + 1 if cuda else 1):
        make_steps([batch])
    times = []
    for _ in range(REPEATS):
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(rounds):
            make_steps([batch])
        if cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) / rounds / members
