"""What the options of a pruning method do to its masks: kept weights in common, and whether an input-output path is left.

    python -m pruneexp.studies.method_options [--report-dir results] [--data-dir data] [--methods snip grasp ...] [--seeds 0 1 2]

ResNet-20 on CIFAR-10 at initialisation, the highest scores of the whole network kept; nothing is trained. Prints a table of each method
and writes tables/method_options-METHOD.{csv,md,json}; `LEGEND` says what its columns mean.
"""

import multiprocessing
import resource
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from pruneexp.artifacts import Artifacts
from pruneexp.cell import FIELDS, Seed
from pruneexp.components.options import checked
from pruneexp.errors import UserError
from pruneexp.measuring.layers import effective_density
from pruneexp.network.masks import Masks
from pruneexp.network.wiring import Wiring
from pruneexp.pruning.prune import pruned
from pruneexp.pruning.scoring import timed
from pruneexp.records.store import Store
from pruneexp.studies import report
from pruneexp.sweep import expand

DENSITIES = (0.1, 0.02)
ANOTHER = 1000  # added to the seed of images and streams, where the draw is another and the network the same
DRAW = "another draw"
# of each method the options that its other rows are compared with, and those of the other rows
CASES: dict[str, tuple[str, ...]] = {
    "snip": ("", DRAW, "samples=128", "augment=true", "samples=128 augment=true", "batchnorm_init=uniform"),
    "synflow": ("", "batchnorm_init=uniform"),
    "grasp": ("", DRAW, "per_class=25", "halves=true", "score_on=redrawn", "per_class=25 halves=true score_on=redrawn"),
    "prospr": (
        "",
        DRAW,
        "detach_first=true",
        "samples=256",
        "samples=256 detach_first=true",
        "samples=512",
        "samples=512 detach_first=true",
    ),
    "phew": ("", DRAW, "shortcut=every"),
    "ntk_sap": ("repeats=1", f"repeats=1 {DRAW}", "repeats=1 batchnorm=train"),
    "iter_snip": ("", DRAW, "fresh=false"),
}
SETTING = ("model=resnet20", "dataset=cifar10", "masker=greedy_global", "recipe=topology_cifar")
LEGEND = (
    "ResNet-20 on CIFAR-10 at initialisation, in each row the same weights. `common`: kept weights in percent that the first row of "
    "the density keeps too. `effective`: weights on an input-output path in percent of all, `paths`: networks of n in which there is "
    "one. Means over n seeds, with the largest deviation from them. `another draw` is the first row with as many other images and "
    "other streams: what lies near it is sampling. Seconds and GiB (peak resident memory beyond what it began with) are those of the "
    "scoring, in all rounds, float64, on whatever else the machine was doing."
)


@dataclass(frozen=True)
class Made:
    """One mask."""

    density: float
    seed: int
    masks: Masks
    effective: float
    seconds: float
    memory: float  # GiB, of the process up to here


def words_of(options: str) -> list[str]:
    """The overrides that a case stands for: options of the scorer, or of a cell."""
    return [
        option if option.partition("=")[0] in FIELDS else f"scorer.{option}"
        for option in options.replace(DRAW, "").split()
    ]


def made(method: str, options: str, seed: int, data_dir: str) -> list[Made]:
    """The masks of one method with these options, of one seed and each density."""
    another, words = DRAW in options, words_of(options)
    jobs = expand([*SETTING, f"scorer={method}", f"data_dir={data_dir}", *words, f"seed={seed},{seed + ANOTHER}"]).jobs
    own, drawn = (Artifacts(job, Store("nowhere")) for job in (jobs[0], jobs[another]))
    batches, scored = drawn.data.for_scoring(), None
    found, before = [], _peak()  # with the data and the program in memory
    if own.method.rounds == 1:
        assert own.method.scorer is not None
        scored = timed(own.initial, own.method.scorer, batches, drawn.job.seed)
    for density in DENSITIES:
        got = pruned(own.method, own.initial, density, drawn.job.seed, batches, scored)
        found.append(Made(density, seed, got.masks, _effective(got.masks, own.wiring), got.scoring, _peak() - before))
    return found


def _effective(masks: Masks, wiring: Wiring | None) -> float:
    share = effective_density(masks, wiring)
    assert share is not None
    return 100 * share


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def common(one: Masks, other: Masks) -> float:
    """Weights that both keep, in percent of those that the first keeps."""
    both = sum(int((mask & other[name]).sum()) for name, mask in one.items())
    return 100 * both / sum(int(mask.sum()) for mask in one.values())


def apart(function: Callable[..., list[Made]], *arguments: object) -> list[Made]:
    """What the function returns, called in a process of its own, whose memory is its own too.

    Raises:
        BrokenProcessPool: that process was killed.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


@checked
def method_options(method: str, data_dir: str, seeds: Annotated[list[Seed], Field(min_length=1)]) -> pd.DataFrame:
    """A row for each of a method's options and densities, each seed's made in a process of its own; options are left out, and told, with
    which that was killed.

    Raises:
        UserError: no seeds, the data are not there, or the process of the first options was killed.
    """
    rows: list[dict[str, Any]] = []
    first: list[Made] = []
    for options in CASES[method]:
        try:
            found = [one for seed in seeds for one in apart(made, method, options, seed, data_dir)]
        except BrokenProcessPool as error:
            why = f"{method} {options}: the process was killed, perhaps for want of memory"
            if not first:
                raise UserError(f"{why}, and the others are compared with it.") from error
            print(f"{why}; left out", flush=True)
            continue
        first = first or found
        for one, other in zip(found, first, strict=True):
            rows.append(
                {
                    "density": one.density, "options": options or "none", "seed": one.seed,
                    "common": common(one.masks, other.masks), "effective": one.effective, "paths": int(one.effective > 0),
                    "seconds": one.seconds, "GiB": one.memory,
                }
            )  # fmt: skip
            print(method, rows[-1], flush=True)
    return _summed(rows)


def _summed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Means over seeds, the largest deviation of some from them, the number of paths and the largest memory."""
    keys, spread = ["density", "options"], ["common_spread", "effective_spread"]
    table = report.over_seeds(rows, keys)
    groups = pd.DataFrame(rows).groupby(keys, sort=False)
    table["paths"], table["GiB"] = groups["paths"].sum().to_numpy(), groups["GiB"].max().to_numpy()
    return table[[*keys, "n", "common", "effective", "paths", "seconds", "GiB", *spread]]


def readable(table: pd.DataFrame) -> str:
    """Mean and spread in one column."""
    shown = table[["density", "options", "n"]].join(report.with_spread(table, {"common": 1, "effective": 3}))
    shown[["paths", "seconds", "GiB"]] = table[["paths", "seconds", "GiB"]].round({"seconds": 1, "GiB": 1})
    return str(shown.to_markdown(index=False))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--methods", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    options = parser.parse_args(arguments)
    told = report.made_by("method_options", arguments)
    for method in options.methods:
        table = method_options(method, str(options.data_dir), options.seeds)
        report.write_table(
            options.report_dir, f"method_options-{method}", table, f"{readable(table)}\n\n{LEGEND}", told
        )


if __name__ == "__main__":
    report.run(main)
