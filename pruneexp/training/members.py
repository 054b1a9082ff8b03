"""How many networks to train at once: what `trainer.members` asks for, or the fastest by a short measurement."""

import copy
import time

import torch
from torch import nn

from pruneexp.data.resident import Resident, Split
from pruneexp.errors import UserError, first_line
from pruneexp.recipe import Recipe
from pruneexp.training.cuda_graph import WARM_UP, few_launches
from pruneexp.training.device import Device
from pruneexp.training.ensemble import Ensemble
from pruneexp.training.step import Step

FIRST = 4  # members tried first: with fewer, torch.func's own cost hides what is gained
TIMED = 3  # steps, of which the fastest counts
GAIN = 0.95  # of the seconds of fewer members: above that, more do not pay


def why_not(network: nn.Module, input_shape: tuple[int, ...]) -> str | None:
    """Why networks of this kind cannot be trained as an `Ensemble`, or None where they can; nothing is computed."""
    twins = [_without_numbers(network) for _ in range(2)]
    try:
        Ensemble(twins).train()(torch.empty(2, *input_shape, device="meta"))
    except RuntimeError as error:
        if "random" in str(error):
            return "it draws random numbers, as dropout does, and could not draw those of a run of its own"
        return first_line(error).split(". ")[0]
    return None


def _without_numbers(network: nn.Module) -> nn.Module:
    """A copy whose tensors have shapes only."""
    shapes: dict[int, torch.Tensor] = {id(buffer): buffer.to("meta") for buffer in network.buffers()}
    shapes |= {id(weight): nn.Parameter(weight.detach().to("meta")) for weight in network.parameters()}
    return copy.deepcopy(network, shapes)


def check_members(device: Device, network: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise UserError if `trainer.members` is a number above 1 and the network cannot be trained so."""
    if device.members not in (1, "auto") and (why := why_not(network, input_shape)):
        raise UserError(
            f"trainer.members={device.members} does not go with this network ({why}): set trainer.members=1 or auto."
        )


def choose(network: nn.Module, recipe: Recipe, data: Resident, device: Device, most: int) -> int:
    """The number of networks to train at once, at most `most`.

    With ``auto``, more and more are tried until a step takes no less time for each, or there is no memory for them.

    Raises:
        UserError: a number is asked for that the network does not go with.
    """
    batch = next(data.epoch(0))[0]
    input_shape = tuple(batch[0].shape[1:])
    check_members(device, network, input_shape)
    if device.members != "auto":
        return min(int(device.members), most)
    if most == 1 or why_not(network, input_shape):
        return 1
    chosen, number = 1, min(FIRST, most)
    best = seconds(network, 1, recipe, device, batch)
    while True:
        try:
            mine = seconds(network, number, recipe, device, batch)
        except torch.OutOfMemoryError:
            break
        if mine > GAIN * best:
            break
        chosen, best = number, mine
        if number == most:
            break
        number = min(2 * number, most)
    if device.where.type == "cuda":
        torch.cuda.empty_cache()
    return chosen


def seconds(network: nn.Module, members: int, recipe: Recipe, device: Device, batch: Split) -> float:
    """Seconds of a training step for each of so many copies of the network, trained at once on one device.

    It is the step that a training makes, recorded where a training records it, but under no masks and with no part of
    the network frozen. The first ones, in which libraries choose their algorithms, do not count; of `TIMED` more the
    fastest does.

    Args:
        network: anywhere; left as it is.
        members: 1 for the network by itself, more for an `Ensemble`.
        recipe: its optimiser and label smoothing.
        device: where the copies are trained, and in which precision.
        batch: images float32 [b, C, H, W], fastest in channels-last memory as `Resident.epoch` makes them, and labels
            [b], on the device.

    Raises:
        torch.OutOfMemoryError: there is no room for so many.
    """
    copies = [device.place(copy.deepcopy(network)) for _ in range(members)]
    trained = Ensemble(copies) if members > 1 else copies[0]
    step = few_launches(Step(trained.train(), {}, recipe, device), device)
    times = []
    for _ in range(WARM_UP + 1 + TIMED if device.where.type == "cuda" else 1 + TIMED):
        start = time.perf_counter()
        step(*batch).sum().item()  # waits for the device
        times.append(time.perf_counter() - start)
    return min(times[-TIMED:]) / members
