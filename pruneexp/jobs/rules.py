"""Options of a job that exclude or need each other."""

import ast
from collections.abc import Mapping

from pruneexp.cell import Options
from pruneexp.components.component import Component
from pruneexp.components.values import shown
from pruneexp.errors import UserError, first_line
from pruneexp.jobs.identity import needs_scores
from pruneexp.mask_updates.update import MaskUpdate
from pruneexp.treatments.treat import treats


def check_together(options: Options, components: Mapping[str, Component], treatments: Mapping[str, Component]) -> None:
    """Raise UserError for options that no job can have together."""
    components["recipe"].make()
    if len(set(options.densities)) < len(options.densities):
        raise UserError(f"densities names one density twice: {options.densities}.")
    if len(set(options.columns)) < len(options.columns):
        raise UserError(f"columns names one column twice: {shown(options.columns)}.")
    _check_where(options.where)
    _check_export(options)
    masker = components["masker"]
    if masker.about.removes_neurons and options.rounds > 1:
        raise UserError(f"masker={masker.label} removes neurons at once, and rounds={options.rounds}: set rounds=1.")
    if options.levels > 1:
        _check_levels(options, components, treatments)
    for name, treatment in treatments.items():
        _check_treatment(name, treatment, options, masker, needs_scores(components))
    _check_rewind(options, components["recipe"])
    _check_selection(options, components["dataset"])
    _check_update(options, components, treatments)
    starts = any("batchnorm_init" in treatment.asks for treatment in treatments.values())
    if options.batchnorm_init != "ones" and options.weights != "none" and not starts:
        raise UserError(
            f"batchnorm_init={options.batchnorm_init} starts BatchNorm's weights, and weights={options.weights} brings them: set"
            " batchnorm_init=ones."
        )


def _check_update(options: Options, components: Mapping[str, Component], treatments: Mapping[str, Component]) -> None:
    """Raise UserError where masks cannot change in training as they are asked to; whether the training is long enough is known later."""
    component, masker = components.get("mask_update"), components["masker"]
    update = None if component is None else component.make()
    if component is None or update is None:
        return
    said = f"mask_update={component.label}"
    if not isinstance(update, MaskUpdate):
        raise UserError(
            f"{said} must make what pruneexp.mask_updates.update.MaskUpdate describes, and gives {shown(update)}."
        )
    if masker.about.removes_neurons:
        raise UserError(
            f"{said} changes masks, and masker={masker.label} removes neurons and leaves none: set mask_update=none."
        )
    if update.shrinks and masker.about.name != "random_layers":
        raise UserError(
            f"{said} takes from masks only how many weights each layer keeps in the end, and masker={masker.label} says which: take"
            " masker=random and an allocation, which says how many."
        )
    if update.shrinks and (moving := _moving(treatments)):
        raise UserError(
            f"{said} takes from masks only how many weights each layer keeps in the end, and treatment={moving} says which: leave it out."
        )
    if options.levels > 1:
        raise UserError(
            f"{said} changes masks while a network trains, and levels={options.levels} between trainings: set mask_update=none or levels=1."
        )
    if update.shrinks and (early := _selecting(options)):
        raise UserError(
            f"{said} prunes until a late step, and {' and '.join(early)} may leave the network of an earlier one, with more weights than"
            " its density says: set select=last and patience=0."
        )


def _check_where(where: str) -> None:
    """Raise UserError for words that are no comparison; which columns there are is known when cells are."""
    if where == "none" or "`" in where:  # pandas' own quotes around a column
        return
    try:
        read = ast.parse(where, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise no_comparison(where, first_line(error).partition(" (<")[0]) from error
    joined = isinstance(read, ast.BinOp) and isinstance(read.op, (ast.BitAnd, ast.BitOr))
    if not joined and not isinstance(read, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Call)):
        raise no_comparison(where, "it is no comparison")


def _check_export(options: Options) -> None:
    """Raise UserError where mode=export does not know what to write, or what it would write is said and nothing is."""
    said = {name: value for name in ("cell", "format", "to") if (value := getattr(options, name)) != "none"}
    if options.mode != "export" and said:
        words = " ".join(f"{name}={value}" for name, value in said.items())
        raise UserError(
            f"{words} says what mode=export writes, and this is mode={options.mode}: type mode=export, or leave it out."
        )
    if options.mode == "export" and not {"cell", "format"} <= said.keys():
        raise UserError(
            "mode=export writes the network of one cell: it needs cell=FOLDER, of a finished cell (<results_dir>/<key>), and format=onnx,"
            f" pt2 or safetensors, got cell={options.cell} format={options.format}."
        )
    if "to" in said and not options.to.endswith(f".{options.format}"):
        raise UserError(f"to={options.to} must end in .{options.format}, as format={options.format} says.")


def no_comparison(where: str, why: str) -> UserError:
    """The sentence for a ``where=`` of which no row can be chosen."""
    return UserError(
        f"where={shown(where)} cannot be understood ({why}): it compares columns, as in \"masker == 'greedy' and asked_density < 0.1\"."
    )


def _check_treatment(name: str, treatment: Component, options: Options, masker: Component, scored: bool) -> None:
    if treats(treatment) == "masks" and masker.about.removes_neurons:
        raise UserError(f"treatment={name} moves single weights, and masker={masker.label} removes neurons.")
    if "scores" in treatment.asks and not scored:
        raise UserError(f"treatment={name} goes by scores, and masker={masker.label} has none.")
    if treatment.about.beside is not None:
        treatment.about.beside(options)


def _moving(treatments: Mapping[str, Component]) -> str | None:
    """A treatment of masks, if there is one."""
    return next((name for name, treatment in treatments.items() if treats(treatment) == "masks"), None)


def _check_levels(options: Options, components: Mapping[str, Component], treatments: Mapping[str, Component]) -> None:
    """Raise UserError where pruning level by level has no meaning, or would ask for what earlier levels have thrown away."""
    levels, masker = f"levels={options.levels}", components["masker"]
    if "allocation" in components and components["allocation"].contents:
        raise UserError(
            f"allocation={components['allocation'].label} has numbers for one density, and {levels} asks for several: take another"
            " allocation, or levels=1."
        )
    if options.when == "init":
        raise UserError(
            f"{levels} trains before each pruning, and when=init prunes once before training: set when=trained."
        )
    if not needs_scores(components):
        raise UserError(
            f"{levels} goes by the scores of trained networks, and masker={masker.label} looks at none: choose another masker, or levels=1."
        )
    if masker.about.own_density:
        raise UserError(
            f"masker={masker.label} has the density of its construction, and {levels} prunes bit by bit: set levels=1."
        )
    if masker.about.removes_neurons:
        raise UserError(f"masker={masker.label} removes neurons at once, and {levels} prunes bit by bit: set levels=1.")
    if options.rounds > 1:
        raise UserError(
            f"{levels} scores and masks once a level, and rounds={options.rounds} more often: set one of them to 1."
        )
    moving = _moving(treatments)
    if moving is not None and options.rewind == "none":
        raise UserError(
            f"treatment={moving} may bring back weights whose trained values earlier levels have thrown away ({levels} rewind=none):"
            " choose rewind=init or rewind=epoch."
        )


def _check_rewind(options: Options, recipe: Component) -> None:
    if options.when == "init" and options.rewind != "init":
        raise UserError(f"rewind={options.rewind} needs when=trained: at initialisation there is nothing to rewind.")
    if (options.rewind == "epoch") != (options.rewind_epoch > 0):
        raise UserError("rewind=epoch and rewind_epoch=K (K at least 1) go together.")
    if (epochs := recipe.options.get("epochs")) is not None and options.rewind_epoch >= epochs:
        raise UserError(
            f"rewind_epoch={options.rewind_epoch} leaves nothing of the recipe's {epochs} epochs to train: it must be less."
        )


def _selecting(options: Options) -> list[str]:
    """What a job asks for that goes by validation images, as it is typed."""
    asked = [f"select={options.select}"] if options.select != "last" else []
    return asked + ([f"patience={options.patience}"] if options.patience else [])


def _check_selection(options: Options, dataset: Component) -> None:
    asked = _selecting(options)
    if asked and dataset.value("validation") == 0:
        raise UserError(
            f"dataset={dataset.label} holds out no training images for {' and '.join(asked)} to go by: set dataset.validation=N, their"
            " number."
        )
