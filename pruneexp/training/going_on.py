"""Whether what a checkpoint holds, whole as it is, can be what a training was at the end of one of its epochs."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from pruneexp.errors import first_line
from pruneexp.network.weights import misfit, not_finite
from pruneexp.training.branch import FIGURES, Branch

PARTS = {"network": dict, "optimiser": dict, "history": list, "seconds": float, "devices": list}


def fault(state: Mapping[str, Any], branch: Branch) -> str:
    """Why a training cannot go on from a state, as part of a sentence; nothing where it can, and then `Branch.restore` does not fail.

    The tensors have the names, shapes and types of the branch's own; parameters and momentum are finite, unless its loss is not, and
    no step count or mean square is below zero; the optimiser's options are the branch's; the history has a row for each of the branch's
    epochs from the first on, with the recipe's learning rate. Masks that change keep as many weights of each layer as the updates so far
    have left.

    Args:
        state: of a checkpoint.
        branch: that is to go on; it stays as it is.
    """
    try:
        return _fault(state, branch)
    except Exception as error:  # false content can bring about anything
        return f"{type(error).__name__}: {first_line(error)}"


def _fault(state: Mapping[str, Any], branch: Branch) -> str:
    for name, kind in PARTS.items():
        if not isinstance(state.get(name), kind):
            return f"its {name} is {type(state[name]).__name__ if name in state else 'missing'}"
    if not 0 <= state["seconds"] < math.inf or not all(isinstance(one, str) for one in state["devices"]):
        return "its seconds or devices are none"
    if why := _of_history(state["history"], branch):
        return f"its history {why}"
    if why := _of_optimiser(state["optimiser"], branch.step.optimiser.state_dict()):
        return f"of its optimiser {why}"
    if why := misfit(state["network"], branch.network.state_dict()):
        return f"of its network {why}"
    if why := _of_best(state, branch):
        return f"of its best epoch {why}"
    if why := _of_masks(state, branch):
        return why
    if not math.isfinite(state["history"][-1]["train/loss"]):
        return ""
    return not_finite(_parameters(state["network"], branch) | _buffers(state["optimiser"]))


def _parameters(state: Mapping[str, torch.Tensor], branch: Branch) -> dict[str, torch.Tensor]:
    """Of buffers some are not finite on purpose, such as the mask of what attention may not see."""
    return {name: state[name] for name, _ in branch.network.named_parameters()}


def _of_best(state: Mapping[str, Any], branch: Branch) -> str:
    if not branch.selection.best:
        return ""
    if why := misfit(state.get("best"), branch.network.state_dict()):
        return why
    row = state["history"][branch.selection.chosen(state["history"])]
    return not_finite(_parameters(state["best"], branch)) if math.isfinite(row["validation/loss"]) else ""


def _of_masks(state: Mapping[str, Any], branch: Branch) -> str:
    if branch.changes is None:
        return ""
    epochs, like = {"last": len(state["history"])}, branch.changes.masks()
    if branch.selection.best:
        epochs["best"] = branch.selection.chosen(state["history"]) + 1
    for part, done in epochs.items():
        masks = state["masks"][part]
        if why := misfit(masks, like):
            return f"of its {part} masks {why}"
        for name, count in branch.changes.left(done * branch.data.steps()).items():
            if (found := int(masks[name].sum())) != count:
                return f"of its {part} masks that of {name} keeps {found} weights and should keep {count}"
    return ""


def _of_history(rows: list[Any], branch: Branch) -> str:
    figures = FIGURES if len(branch.data.validation[1]) else FIGURES[:2]
    if not 0 < len(rows) <= branch.epochs - branch.start:
        return f"has {len(rows)} epochs of {branch.epochs - branch.start}"
    for epoch, row in enumerate(rows, start=branch.start):
        if not isinstance(row, dict) or row.keys() != {"epoch", *figures, "learning_rate"}:
            return f"has not the figures of a training in epoch {epoch}"
        if any(type(value) not in (int, float) for value in row.values()):
            return f"has something else than numbers in epoch {epoch}"
        if (row["epoch"], row["learning_rate"]) != (epoch, branch.recipe.learning_rate(epoch)):
            return f"is not this recipe's in epoch {epoch}"
        if not all(0 <= row[name] <= 100 for name in figures if name.endswith("accuracy")):
            return f"has an accuracy that is none in epoch {epoch}"
    if not all(math.isfinite(row["train/loss"]) for row in rows[:-1]):
        return "goes on after its loss was not finite"
    if any(branch.selection.ends(rows[:done]) for done in range(len(rows))):
        return f"goes on after {branch.selection.patience} epochs that were no better"
    return ""


def _of_optimiser(found: dict[str, Any], own: dict[str, Any]) -> str:
    if found.keys() != own.keys() or len(found["param_groups"]) != len(own["param_groups"]):
        return "parts are missing or not known here"
    for group, like in zip(found["param_groups"], own["param_groups"], strict=True):
        # the learning rate is set anew in each epoch, and a device may record steps that another does not
        if group | (apart := {"lr": 0, "capturable": None}) != like | apart:
            return "options are others"
    if why := misfit(buffers := _buffers(found), _buffers(own)):
        return why
    below = [
        name for name, value in buffers.items() if name.startswith(("step ", "exp_avg_sq ")) and bool((value < 0).any())
    ]
    return f"{below[0]} is below zero" if below else ""


def _buffers(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """An optimiser's tensors, by a name of their own."""
    return {f"{name} {number}": value for number, some in state["state"].items() for name, value in some.items()}
