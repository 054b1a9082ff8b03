"""What people call from Python, besides what other modules have: masks for any network, and whole sweeps."""

import signal
import sys
from collections.abc import Sequence

import pandas as pd
import torch
from torch import nn

from pruneexp.components.values import shown
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.jobs.composing import Source
from pruneexp.launchers.task import spelled
from pruneexp.network.masks import Masks
from pruneexp.network.plain import plain
from pruneexp.program import do
from pruneexp.pruning import Method, pruned
from pruneexp.records.store import Store
from pruneexp.reports.frame import called, chosen, frame_of, load_results
from pruneexp.sweep import Grid, setting_of
from pruneexp.system.signals import Stopped, heeded


def prune(
    model: nn.Module,
    density: float,
    scorer: str = "magnitude",
    masker: str = "sparsify",
    seed: int = 0,
    example_input: torch.Tensor | None = None,
    data: tuple[torch.Tensor, torch.Tensor] | None = None,
    overrides: tuple[str, ...] = (),
) -> Masks:
    """Masks for any network; the model is left as it is (see `apply_masks`).

    Args:
        model: the network to prune.
        density: kept / prunable weights, in (0, 1].
        scorer: a name in conf/scorer.
        masker: a name in conf/masker.
        seed: of the scorer's and masker's random streams.
        example_input: one batch-shaped tensor [n, ...], for scorers and maskers that only need the input's shape.
        data: (images, labels), normalised as the network wants them, for scorers that need samples.
        overrides: more of what the command line takes, such as ``("masker.scope=global", "rounds=3", "treatment=shuffle",
            "hydra.searchpath=[file:///my/conf]")``.

    Returns:
        {weight name: bool tensor on the CPU}, round(density * N) of all N prunable weights True; a masker that has another rule
        (``ramanujan``, ``radix_net``, ``er_published``, of neurons ``structured``) keeps the number that it gives.

    Raises:
        UserError: unknown name, density not allowed, data missing.

    >>> model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    >>> masks = prune(model, density=0.1)
    >>> sum(int(mask.sum()) for mask in masks.values())
    75
    """
    if not isinstance(density, (int, float)) or not 0 < density <= 1:
        raise UserError(f"density must be above 0 and at most 1, got {density!r}: it is the share of weights kept.")
    for name, value in (("scorer", scorer), ("masker", masker)):
        if not isinstance(value, str):
            raise UserError(f"{name} must be the name of a file in conf/{name}, got {shown(value)}.")
    images, labels = data if data is not None else (None, None)
    sample = images if images is not None else example_input
    batches = Batches(images, labels, None if sample is None else tuple(sample.shape[1:]))
    method = Method.of(setting_of(f"scorer={scorer}", f"masker={masker}", *overrides), seed)
    network = plain(model)
    return pruned(method, network, density, seed, batches).masks


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
