"""How much of a mask made in rounds hangs on one weight, or on the last digits of the scores.

    python -m pruneexp.studies.rounds [--report-dir results] [--data-dir data] [--scorers synflow ntk_sap iter_snip]
        [--processes 1]

ResNet-20 at initialisation, the highest scores of the whole network kept in every round. Prints a table and writes
tables/rounds.{csv,md}; `LEGEND` says what its columns mean. Nothing is trained.
"""

import copy
import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from pruneexp.components.options import checked
from pruneexp.components.values import Count
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.layers import Layer, Notes
from pruneexp.means import Means
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.pruning.method import Masker, Method, Scorer, Scores
from pruneexp.pruning.prune import pruned
from pruneexp.seeding import stream
from pruneexp.studies import report
from pruneexp.sweep import expand, setting_of

SHAPE = (3, 32, 32)
DENSITIES = (0.1, 0.02, 0.005)
# what a core can afford in half an hour: all rounds, but of few samples, and one seed where a round takes long
SCORERS = {
    "synflow": ["scorer=synflow"],
    "ntk_sap": ["scorer=ntk_sap", "scorer.samples=8", "scorer.repeats=1"],
    "iter_snip": ["scorer=snip", "scorer.samples=10", "rounds=60", "round_counts=down"],
}
SEEDS = {"synflow": 3, "ntk_sap": 1, "iter_snip": 1}
NEEDS_IMAGES = {"iter_snip"}
KEYS = ["scorer", "rounds", "density", "variation"]
LEGEND = (
    "ResNet-20 at initialisation, the highest scores of the network kept in every round, which counts as the scorer's authors do "
    "(SynFlow and NTK-SAP up, iterative SNIP down) and scores in float64. `differs`: the percentage of the weights kept in the end "
    "that are others once something is varied that nobody would say matters: every round counts to the nearest whole number; the "
    "first round alone keeps one weight more; scores are computed in float32; the same sums are made in another order (channels laid "
    "out last, float64). `once` is the same of a single round, and `scores` the change of its scores, |s' - s| / |s| over all "
    "weights. Means over seeds, with the largest deviation from them where there are several. SynFlow in 100 rounds, NTK-SAP in 20 "
    "with 8 samples, SNIP in 60 on 10 images of CIFAR-10, the same in every round. Nothing is trained."
)


class Single(TorchFunctionMode):
    """Whatever makes a float64 tensor gives it in float32; random numbers are drawn as they were, and then rounded."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.float() if isinstance(made, torch.Tensor) and made.dtype == torch.float64 else made


def in_float32(scorer: Scorer) -> Scorer:
    """The scorer, computing in float32 what it computes in float64."""

    def single(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        with Single():
            return scorer(model, batches, generator)

    return single


def one_more(masker: Masker) -> Masker:
    """The masker, keeping one weight more in the first round, where none is pruned yet."""

    def off(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        first = all(bool(layer.available.all()) for layer in layers)
        total = sum(layer.size for layer in layers)
        return masker(layers, density + first / total, generator, notes)

    return off


def channels_last(scorer: Scorer) -> Scorer:
    """The scorer, given the network with its channels laid out last, where a convolution sums in another order."""

    def laid_out(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        other = copy.deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return scorer(other, batches, generator)

    return laid_out


def variations(method: Method) -> dict[str, Method]:
    """The method with what nobody would say matters another way, by name."""
    assert method.scorer is not None
    return {
        "nearest count in every round": replace(method, round_counts="nearest"),
        "one more in the first round": replace(method, masker=one_more(method.masker)),
        "scores in float32": replace(method, scorer=in_float32(method.scorer)),
        "sums in another order": replace(method, scorer=channels_last(method.scorer)),
    }


def differing(masks: Masks, others: Masks) -> float:
    """The percentage of the weights that `masks` keeps and `others` does not."""
    kept = sum(int(mask.sum()) for mask in masks.values())
    return 100 * sum(int((mask & ~others[name]).sum()) for name, mask in masks.items()) / kept


def images(seed: int, data_dir: Path) -> Batches:
    """CIFAR-10's training images for scorers, as a cell of this seed has them.

    Raises:
        UserError: they are not there.
    """
    words = ["dataset=cifar10", "model=resnet20", "scorer=snip", "masker=greedy_global", "recipe=topology_cifar"]
    (job,) = expand([*words, f"data_dir={data_dir}", f"seed={seed}"]).jobs
    return Means(job).data(seed).for_scoring()


def rows_of(scorer: str, density: float, seed: int, data_dir: Path) -> list[dict[str, Any]]:
    """All variations of one scorer at one density and seed; none, and why is printed, where it needs images that are not there."""
    try:
        batches = images(seed, data_dir) if scorer in NEEDS_IMAGES else Batches(input_shape=SHAPE)
    except UserError as error:
        print(f"{scorer}: {error}", flush=True)
        return []
    network, rows = resnet_cifar(10, SHAPE, 20), []
    initialise(network, "kaiming_normal", stream(seed, "initialisation"))
    method = Method.of(setting_of(*SCORERS[scorer], "masker=greedy_global"), seed)
    often, once = (pruned(replace(method, rounds=n), network, density, seed, batches) for n in (method.rounds, 1))
    for variation, varied in variations(method).items():
        row = dict(zip(KEYS, (scorer, method.rounds, density, variation), strict=True)) | {"seed": seed}
        row["differs"] = differing(often.masks, pruned(varied, network, density, seed, batches).masks)
        if varied.scorer is not method.scorer:  # of one round the counts are the final ones
            alone = pruned(replace(varied, rounds=1), network, density, seed, batches)
            row |= {"once": differing(once.masks, alone.masks), "scores": change(once.scores, alone.scores)}
        rows.append(row)
        print(row, flush=True)
    return rows


def change(scores: Scores, others: Scores) -> float:
    """|others - scores| / |scores| over all weights, in the Euclidean norm."""
    far = sum(float((others[name].double() - score).square().sum()) for name, score in scores.items())
    return math.sqrt(far / sum(float(score.square().sum()) for score in scores.values()))


@checked
def rounds(scorers: Sequence[str], data_dir: Path = Path("data"), processes: Count = 1) -> pd.DataFrame:
    """A row for each scorer, density and variation: mean and ``_spread`` (largest deviation) of each figure over `n` seeds.

    Raises:
        UserError: processes below 1, or nothing could be scored.
    """
    tasks = [
        (scorer, density, seed, data_dir)
        for scorer in scorers
        for density in DENSITIES
        for seed in range(SEEDS[scorer])
    ]
    if processes == 1:
        found = [rows_of(*task) for task in tasks]
    else:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            found = list(pool.map(rows_of, *zip(*tasks, strict=True)))
    if not (rows := [row for part in found for row in part]):
        raise UserError("nothing could be scored: see above.")
    return report.over_seeds(rows, KEYS)


def readable(table: pd.DataFrame) -> str:
    """Percentages with two digits and their spread, changes of scores with one."""
    shown = table[[*KEYS, "n"]].join(report.with_spread(table, {"differs": 2, "once": 2}))
    shown["scores"] = ["" if math.isnan(change) else f"{change:.0e}" for change in table["scores"]]
    return str(shown.to_markdown(index=False))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--scorers", nargs="+", choices=list(SCORERS), default=list(SCORERS))
    parser.add_argument("--processes", type=int, default=1, help="each with one thread; they share the work")
    options = parser.parse_args(arguments)
    table = rounds(options.scorers, options.data_dir, options.processes)
    made = report.made_by("rounds", arguments)
    report.write_table(options.report_dir, "rounds", table, f"{readable(table)}\n\n{LEGEND}", made)


if __name__ == "__main__":
    report.run(main)
