"""Whether a job's network can be made, trained and run here, before anything is."""

import math

import torch
from torch import nn

from pruneexp.components import foreign
from pruneexp.errors import UserError, first_line
from pruneexp.jobs.job import Job
from pruneexp.jobs.setting import Setting
from pruneexp.mask_updates.update import check_times
from pruneexp.network.outputs import logits
from pruneexp.network.plain import plain
from pruneexp.recipe import Recipe
from pruneexp.system import memory

UNSIZED = nn.parameter.UninitializedParameter  # of a lazy layer, which `check_runs` refuses
# of each parameter, float32: where it starts, where it is, its gradient, its momentum; Adam has its mean square too, and a training whose
# best epoch is selected where it was then
COPIES = 4


def check_room(job: Job, classes: int, input_shape: tuple[int, ...]) -> None:
    """Raise UserError where a network's training needs more memory than there is; the network is built without its numbers.

    Args:
        job: its model, trainer and recipe.
        classes, input_shape: what the model is made for; [C, H, W].
    """
    network = without_numbers(job.setting, classes, input_shape)
    free = memory.available()
    if network is None or free is None:
        return
    trainer = job.setting.components["trainer"]
    on_cpu = trainer.value("accelerator") == "cpu" or not torch.cuda.is_available()
    adam = job.setting.components["recipe"].value("optimiser") in ("adam", "adamw")
    selects = job.options.select == "best_validation"
    copies = (COPIES + adam + selects) * (trainer.value("devices") or 1) if on_cpu else 1  # others are the GPU's
    count = sum(math.prod(parameter.shape) for parameter in network.parameters() if not isinstance(parameter, UNSIZED))
    if (needed := 4 * copies * count) > free:
        raise UserError(
            f"model={job.setting.components['model'].label} has {count:,} parameters, and its training needs at least"
            f" {memory.said(needed)} of memory for them: {memory.said(free)} are free here, which would do for {free // (4 * copies):,}"
            " parameters; choose a smaller model."
        )


def images_of_epoch(setting: Setting, recipe: Recipe) -> int:
    """How many images an epoch of training has."""
    there = setting.sizes.train_count - (setting.components["dataset"].value("validation") or 0)
    return min(recipe.train_images or there, there)


def check_updates(job: Job) -> None:
    """Raise UserError where the training of a job's pruned networks is too short for a mask to change as it is asked to."""
    setting = job.setting
    update = setting.make("mask_update") if "mask_update" in setting.components else None
    if update is not None and (density := min(job.densities)) < 1:
        recipe: Recipe = setting.make("recipe")
        steps = -(-images_of_epoch(setting, recipe) // recipe.batch_size)
        check_times(update, (recipe.epochs - job.first_epoch(density)) * steps)


def check_runs(job: Job, network: nn.Module, classes: int, input_shape: tuple[int, ...]) -> None:
    """Raise UserError where a network does not give as many numbers as there are classes for each image, or cannot be trained.

    Those of pruneexp are run without numbers; those of others, which may look at them, on two black images.

    Args:
        network: the model's, left as it is.
        job, classes, input_shape: as for `check_room`.
    """
    component = job.setting.components["model"]
    name, images = f"model={component.label}", f"images {list(input_shape)}"
    if any(isinstance(one, UNSIZED) for one in network.parameters()):
        raise UserError(f"{name} has lazy layers, whose weights have no size yet: give them their sizes.")
    if foreign.is_ours(component.target):
        tried, where = without_numbers(job.setting, classes, input_shape), "meta"
        if tried is None:
            return
    else:
        tried, where = plain(network), "cpu"
    if any(not parameter.dtype == torch.float32 for parameter in tried.parameters()):
        raise UserError(
            f"{name} has parameters that are not float32: make them so, trainer.precision= says what is computed in."
        )
    try:
        with torch.random.fork_rng(devices=[]):
            output = logits(tried.eval()(torch.zeros(2, *input_shape, device=where)))
    except UserError:
        raise
    except Exception as error:  # whatever a network raises that takes other images
        if where == "meta" and isinstance(error, NotImplementedError):
            return  # an operation that torch cannot do without numbers
        if memory.ran_out(error):
            raise UserError(
                f"{name} cannot be run on two {images}, there is not enough memory: {first_line(error)[:200]}."
            ) from error
        raise UserError(
            f"{name} cannot be run on {images} ({type(error).__name__}: {first_line(error)[:300]}): choose a model that takes such images."
        ) from error
    if output.dim() != 2 or output.shape[0] != 2 or output.shape[1] < classes:
        raise UserError(
            f"{name} gives {list(output.shape)} for two {images}: it must be [2, {classes}], a number for each class."
        )
    if not output.requires_grad:
        raise UserError(f"{name} cannot be trained: its output depends on no parameter that requires a gradient.")


def without_numbers(setting: Setting, classes: int, input_shape: tuple[int, ...]) -> nn.Module | None:
    """The network on torch's meta device, where nothing is allocated; None where it cannot be built there."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            made = setting.make("model", num_classes=classes, input_shape=input_shape)
    except UserError:
        raise
    except Exception:  # it looks at numbers
        return None
    return made if isinstance(made, nn.Module) else None
