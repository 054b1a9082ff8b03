"""What people call from Python, besides what other modules have: masks for any network, and whole sweeps."""

import contextlib
import functools
import inspect
import re
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import pandas as pd
from torch import nn

from pruneexp.cell import Seed
from pruneexp.components.options import CALLED_IN_ORDER, check_options
from pruneexp.components.values import shown, value_of
from pruneexp.data.given import given
from pruneexp.errors import UserError
from pruneexp.jobs.composing import Source
from pruneexp.jobs.setting import Setting
from pruneexp.jobs.words import GROUP_OF
from pruneexp.launchers.task import spelled
from pruneexp.network.chosen import chosen_weights
from pruneexp.network.keeping import masks_on
from pruneexp.network.masks import Masks
from pruneexp.network.plain import plain
from pruneexp.network.prunable import prune_embeddings
from pruneexp.network.usual import as_usual
from pruneexp.program import do
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.records.store import Store
from pruneexp.reports.frame import called, chosen, frame_of, load_results
from pruneexp.sweep import Grid, setting_of
from pruneexp.system.signals import Stopped, heeded
from pruneexp.treatments.treat import treats

Function = Callable[..., Any]
OVERRIDDEN = ("rounds", "round_masker", "round_counts", "treatment", "hydra.searchpath")  # and scorer.X=, masker.X=


def prune(
    model: nn.Module,
    density: float,
    scorer: str | Function = "magnitude",
    masker: str | Function = "sparsify",
    seed: int = 0,
    example_input: Any = None,
    data: Any = None,
    overrides: Sequence[str] = (),
    scorer_options: Mapping[str, Any] | None = None,
    masker_options: Mapping[str, Any] | None = None,
    only: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    embeddings: bool = False,
    allocation: str = "own",
) -> Masks:
    """Masks for any network, compiled, wrapped or pruned already; the model is left as it is (see `apply_masks`).

    Args:
        model: the network; masks that are on it (`pruneexp.network.keeping.masks_on`) stay: what they prune stays pruned.
        density: kept / prunable weights, in (0, 1]; of those that only and exclude choose.
        scorer: a name in conf/scorer, or a function (model, batches, generator) -> {weight name: score}.
        masker: a name in conf/masker, or a function (layers, density, generator, notes) -> {weight name: bool mask}.
        seed: of the scorer's and masker's random streams.
        example_input: a tensor [n, ...], for scorers and maskers that need an input's shape, or an input of indices, alone.
        data: (images, labels), normalised as the network wants them, for scorers that need samples; a DataLoader or another iterable of
            such batches; or a Dataset (`pruneexp.data.given.given`).
        overrides: more of what the command line takes: ``("rounds=3", "treatment=shuffle", "hydra.searchpath=[file:///my/conf]")``.
        scorer_options, masker_options: by name, as in ``{"samples": 50}``.
        only, exclude: patterns of names of weights or modules, or classes of layers: which weights are pruned, and which are not.
        embeddings: whether those of Embedding modules are too.
        allocation: how many weights each layer keeps, a name in conf/allocation: ``own`` as the masker has it, ``erk``, ``like_snip``; its
            options stand among the overrides, as in ``"allocation.path=FOLDER"``.

    Returns:
        {weight name: bool tensor on the CPU}, round(density * N) of all N prunable weights True; a masker that has another rule
        (``n_m``, ``ramanujan``, ``radix_net``, ``er_published``, of neurons ``structured``) keeps the number that it gives.

    Raises:
        UserError: unknown name, density not allowed, data missing or not fitting the network.

    >>> masks = prune(nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5)), density=0.1)
    >>> sum(int(mask.sum()) for mask in masks.values())
    75
    """
    seed, density = value_of("seed", Seed, seed), _share(density)
    options = {"scorer": scorer_options or {}, "masker": masker_options or {}}
    method = replace(_method(scorer, masker, options, overrides, seed, allocation), only=only, exclude=exclude)
    with as_usual():
        network = plain(model)
        if embeddings:
            prune_embeddings(network)
        names = chosen_weights(network, only, exclude)
        on = {name: mask for name, mask in masks_on(model).items() if name in names}
        indices = any(isinstance(module, (nn.Embedding, nn.EmbeddingBag)) for module in network.modules())
        found = pruned(method, network, density, seed, given(data, example_input, indices, seed), previous=on)
    _warn_of(found.unscored)
    return {name: mask for name, mask in found.masks.items() if name in names or not mask.all()}


def _share(density: float) -> float:
    if isinstance(density, bool) or not isinstance(density, Real) or not 0 < density <= 1:
        raise UserError(
            f"density must be above 0 and at most 1, got {shown(density)}: it is the share of weights kept."
        )
    return float(density)


def _method(
    scorer: str | Function,
    masker: str | Function,
    options: Mapping[str, Mapping[str, Any]],
    overrides: Sequence[str],
    seed: int,
    allocation: str,
) -> Method:
    """How `prune` prunes: what the words compose, with functions and options put in."""
    for kind, some in options.items():
        if not isinstance(some, Mapping):
            raise UserError(f"{kind}_options must be a dict of options by name, got {shown(some)}.")
    asked = {"scorer": scorer, "masker": masker}
    functions = {kind: _function(kind, one, options[kind]) for kind, one in asked.items() if not isinstance(one, str)}
    if not isinstance(allocation, str):
        raise UserError(f"allocation must be the name of a file in conf/allocation, got {shown(allocation)}.")
    words = [f"{kind}={name}" for kind, name in {**asked, "allocation": allocation}.items() if kind not in functions]
    setting = setting_of(*words, *_allowed(overrides))
    if more := {kind: some for kind, some in options.items() if some and kind not in functions}:
        setting = Setting({**setting.config, **{kind: {**setting.config[kind], **some} for kind, some in more.items()}})
    for name, treatment in setting.treatments.items():
        if treats(treatment) == "network":
            raise UserError(
                f"treatment={name} changes the network that is trained, and prune makes masks: leave it out."
            )
    method = Method.of(setting, seed, **functions)
    if method.allocation is not None and "counts" not in inspect.signature(method.masker).parameters:
        raise UserError(
            f"allocation={allocation} says how many weights each layer keeps, and masker takes no counts: give the function an argument of"
            " this name (int64 [layers])."
        )
    return method


def _function(kind: str, function: Any, options: Mapping[str, Any]) -> Any:
    """A scorer or masker of the caller's own, with its options."""
    arguments = CALLED_IN_ORDER[kind]
    fits = callable(function) and not isinstance(function, type)
    if fits:
        with contextlib.suppress(ValueError):  # a builtin's signature may not be known
            signature = inspect.signature(function)
            options = check_options(kind, function, kind, options) if options else options
            try:
                signature.bind(*arguments, **options)
            except TypeError:
                fits = False
    if not fits:
        raise UserError(
            f"{kind} must be the name of a file in conf/{kind}, or a function of ({', '.join(arguments)}), got {shown(function)}."
        )
    return functools.partial(function, **options)


def _allowed(overrides: Sequence[str]) -> Sequence[str]:
    """The overrides, those that mean something to `prune`; raises UserError for others."""
    if not isinstance(overrides, (tuple, list)) or not all(isinstance(word, str) for word in overrides):
        raise UserError(f'overrides must be a list such as ("rounds=3", "treatment=shuffle"), got {shown(overrides)}.')
    for word in overrides:
        name = word.lstrip("+~").partition("=")[0]
        group = re.split(r"[./@]", name)[0]
        told = name in OVERRIDDEN or GROUP_OF.get(name, group) == "treatment"
        if not told and (name == group or group not in ("scorer", "masker", "allocation")):
            raise UserError(
                f"prune can do nothing with {word!r} among its overrides: it takes {', '.join(f'{one}=' for one in OVERRIDDEN)},"
                " scorer.X=, masker.X= and allocation.X= there; scorer, masker, allocation, seed, density, only and exclude are its own"
                " arguments."
            )
    return overrides


def _warn_of(unscored: Sequence[str]) -> None:
    """Name the weights whose scores are all zero, in one line."""
    if unscored:
        which = f"{', '.join(unscored[:5])}{' ...' if len(unscored) > 5 else ''}"
        why = "the network's output does not reach them, or they are zero"
        warnings.warn(f"the scores of {which} are all zero: {why}.", stacklevel=3)


def run(overrides: Sequence[str] = (), config_dir: str | None = None, config_name: str = Source().name) -> pd.DataFrame:
    """Run a whole sweep, as ``python -m pruneexp`` does with the same words: what is recorded is not made again.

    Progress, the table and the cells that could not be made are printed, and the report is written to ``report_dir``. An interrupted
    call leaves what an interrupted command does: called again it goes on.

    Args:
        overrides: such as ``["+experiment=vgg16_c100_sweep", "seed=0,1"]``; with ``mode=report`` nothing is made.
        config_dir: a folder of your own with recipe/, model/, experiment/ and so on.
        config_name: a configuration of your own in place of config.yaml.

    Returns:
        A row for each cell that is recorded, with its experiment (of from=: the folder or file) and everything that `load_results` tells.

    Raises:
        UserError: a mistake in the overrides, or something that is needed is not there.
        KeyboardInterrupt: the call was interrupted.
    """
    source = Source(config_name, config_dir)
    try:
        with heeded():
            done = do(list(overrides), source, spelled(list(overrides)))
    except Stopped as stopped:
        if stopped.number == signal.SIGINT:
            raise KeyboardInterrupt from stopped
        sys.exit(stopped.code)
    if (mode := done.grids[0].jobs[0].options.mode) not in ("run", "report"):
        raise UserError(f"mode={mode} prints something and has no rows: call run with mode=run or mode=report.")
    options = done.grids[0].jobs[0].options
    store, frames = Store(options.results_dir, options.records), []
    for one in done.sources or done.grids:
        if isinstance(one, Grid):
            name, cells = one.jobs[0].options.name, frame_of(one, store)
        else:
            name, cells = called(one), load_results(one)
        rows = chosen(cells, options.where)
        rows.insert(0, "experiment", name)
        frames.append(rows)
    return pd.concat(frames, ignore_index=True)
