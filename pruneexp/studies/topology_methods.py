"""The topology of the dense network and of every pruning method's masks, at one density, in one table.

    python -m pruneexp.studies.topology_methods [--model resnet20] [--dataset cifar10] [--density 0.1] [--data-dir data]
        [--without SCORER ...]

The masks are those that the experiments train (seed 0, at initialisation, scores on the data set's images); nothing is trained.
`drop` is left to the experiments. Prints a table and writes results/tables/topology_methods-MODEL-DENSITY.{csv,md}.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.artifacts import Artifacts
from pruneexp.errors import UserError
from pruneexp.measuring.topology import topology
from pruneexp.network.masks import Masks
from pruneexp.records.provenance import git_commit
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from pruneexp.system import files
from pruneexp.topology import METRICS

OUT = Path("results") / "tables"
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


def bench(scorer: str, masker: str, arguments: argparse.Namespace) -> Artifacts:
    """The means of one method's job."""
    chosen = [
        f"model={arguments.model}",
        f"dataset={arguments.dataset}",
        f"data_dir={arguments.data_dir}",
        "recipe=topology_cifar",
    ]
    (job,) = expand(
        [*chosen, f"scorer={scorer}", f"masker={masker}", f"densities=[{arguments.density}]", "seed=0"]
    ).jobs
    return Artifacts(job, Store("nowhere"))


def row(scorer: str, masker: str, of: Artifacts, masks: Masks) -> dict[str, Any]:
    """One mask's metrics."""
    return {
        "scorer": scorer,
        "masker": masker,
        **topology(of.initial, masks, of.dataset.input_shape)["topology"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--density", type=float, default=0.1)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument(
        "--without", nargs="+", default=[], choices=BY_SCORE, help="scorers to leave out: iter_snip takes minutes"
    )
    arguments = parser.parse_args()
    rows, refused = [row("dense", "dense", bench("magnitude", "greedy", arguments), {})], []
    for scorer, masker in METHODS:
        if scorer in arguments.without:
            continue
        made_by = bench(scorer, masker, arguments)
        try:
            masks = made_by.prune(arguments.density).masks
        except UserError as error:
            refused.append(f"{masker}: {error}")
            print(refused[-1], flush=True)
            continue
        rows.append(row("none" if masker in WITHOUT else scorer, masker, made_by, masks))
        print({name: rows[-1][name] for name in ("scorer", "masker", *METRICS)}, flush=True)
    table = pd.DataFrame(rows)
    stem = f"topology_methods-{arguments.model}-{arguments.density:g}"
    command = f"python -m pruneexp.studies.topology_methods --model {arguments.model} --dataset {arguments.dataset}"
    command += f" --density {arguments.density:g}"
    command += f" --without {' '.join(arguments.without)}" if arguments.without else ""
    made = f"made by: {command}; commit {git_commit()}"
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / f"{stem}.csv", f"# {made}\n" + table.to_csv(index=False, float_format="%.8g"))
    shown = table[["scorer", "masker", *SHOWN]].to_markdown(index=False, floatfmt=".5g")
    notes = "".join(f"\n\n{line}" for line in refused)
    files.write(OUT / f"{stem}.md", f"<!-- {made} -->\n{shown}{notes}\n")
    print(shown)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
