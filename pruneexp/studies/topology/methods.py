"""The topology of the dense network and of every pruning method's masks, at one density, in one table.

    python -m pruneexp.studies.topology.methods [--report-dir results] [--model resnet20] [--dataset cifar10] [--density 0.1]
        [--data-dir data] [--without SCORER ...]

The masks are those that the experiments train (seed 0, at initialisation, scores on the data set's images); nothing is trained.
`drop` is left to the experiments. Prints a table and writes tables/topology_methods-MODEL-DENSITY.{csv,md}.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.artifacts import Artifacts
from pruneexp.errors import UserError
from pruneexp.measuring.topology import topology
from pruneexp.network.masks import Masks
from pruneexp.pruning.prune import pruned
from pruneexp.records.store import Store
from pruneexp.studies import report
from pruneexp.sweep import expand
from pruneexp.topology import METRICS

BY_SCORE = ("snip", "iter_snip", "grasp", "synflow", "prospr", "ntk_sap", "phew", "magnitude", "random")
SPECTRAL = ("greedy", "greedy_matched", "sparsify", "sparsify_global", "sparsify_tree", "bss")
WITHOUT = ("uniform", "er", "erk", "random_regular", "x_net", "radix_net", "ramanujan", "ramanujan_fit")
METHODS = [
    *[(scorer, "greedy_global") for scorer in BY_SCORE],
    *[("magnitude", masker) for masker in (*SPECTRAL, *WITHOUT)],
]
SHOWN = (
    "sink", "source", "disconnected", "r_out", "r_in", "n1", "n2", "motif4", "k_core", "strength", "components", "cut_edges",
    "cut_nodes", "spectral_gap", "spectral_radius", "difference_of_bound", "imdb", "imsg",
)  # fmt: skip


def bench(scorer: str, masker: str, setting: Sequence[str]) -> Artifacts:
    """The means of one method's job."""
    (job,) = expand([*setting, f"scorer={scorer}", f"masker={masker}", "recipe=topology_cifar", "seed=0"]).jobs
    return Artifacts(job, Store("nowhere"))


def row(scorer: str, masker: str, of: Artifacts, masks: Masks) -> dict[str, Any]:
    """One mask's metrics."""
    metrics = topology(of.initial, masks, of.dataset.input_shape)["topology"]
    return {"scorer": scorer, "masker": masker, **metrics}


def compared(
    model: str, dataset: str, density: float, data_dir: Path, without: Collection[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """The metrics of the dense network and of each method's masks, a row each; and why some methods have none.

    Args:
        without: scorers to leave out.

    Raises:
        UserError: an unknown model or data set, a wrong density, or data that are not there.
    """
    setting = [f"model={model}", f"dataset={dataset}", f"data_dir={data_dir}", f"densities=[{density}]"]
    rows, refused = [row("dense", "dense", bench("magnitude", "greedy", setting), {})], []
    for scorer, masker in METHODS:
        if scorer in without:
            continue
        made_by = bench(scorer, masker, setting)
        try:
            masks = pruned(made_by.method, made_by.initial, density, 0, made_by.data.for_scoring()).masks
        except UserError as error:
            refused.append(f"{masker}: {error}")
            print(refused[-1], flush=True)
            continue
        rows.append(row("none" if masker in WITHOUT else scorer, masker, made_by, masks))
        print({name: rows[-1][name] for name in ("scorer", "masker", *METRICS)}, flush=True)
    return pd.DataFrame(rows), refused


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument(
        "--without", nargs="+", default=[], choices=BY_SCORE, help="scorers to leave out: iter_snip takes minutes"
    )
    options = parser.parse_args(arguments)
    table, refused = compared(options.model, options.dataset, options.density, options.data_dir, options.without)
    shown = table[["scorer", "masker", *SHOWN]].to_markdown(index=False, floatfmt=".5g")
    name = f"topology_methods-{options.model}-{options.density:g}"
    made = report.made_by("topology.methods", arguments)
    report.write_table(options.report_dir, name, table, "\n\n".join([shown, *refused]), made, digits=8)


if __name__ == "__main__":
    report.run(main)
