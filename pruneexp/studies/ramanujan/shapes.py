"""Certified Ramanujan graphs for the shapes of real layers and for random ones: which are found, which are not.

    python -m pruneexp.studies.ramanujan.shapes [--report-dir results] [--random 50]

Every convolution of VGG-16 and ResNet-18/34 unfolded to C_out x C_in K K, and random shapes of sides 2 ... 600, at densities 0.3, 0.1,
0.05 and the smallest at which every vertex has two edges, by the search that masker=ramanujan_fit uses (exactly the edges asked for).
Prints what is not certified and writes tables/ramanujan_shapes.{csv,md}.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from pruneexp.components.options import checked
from pruneexp.components.values import Natural
from pruneexp.graphs.ramanujan.biregular import search
from pruneexp.models.resnet import resnet_imagenet
from pruneexp.models.vgg import vgg
from pruneexp.network.prunable import prunable
from pruneexp.studies import report

DENSITIES = (0.3, 0.1, 0.05)
INPUT = (10, (3, 32, 32))
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "VGG-16": partial(vgg, *INPUT, 16),
    "ResNet-18": partial(resnet_imagenet, *INPUT, 18),
    "ResNet-34": partial(resnet_imagenet, *INPUT, 34),
}
Shape = tuple[str, int, int]  # where it is from, rows, columns


@checked
def shapes(random: Natural = 50) -> list[Shape]:
    """Each shape of the networks' convolutions once, and as many random ones, the same each time.

    Raises:
        UserError: random below 0.
    """
    with torch.device("meta"):
        networks = {name: network() for name, network in NETWORKS.items()}
    found: dict[tuple[int, int], str] = {}
    for name, network in networks.items():
        for weight in prunable(network).values():
            if weight.ndim == 4:
                found.setdefault((weight.shape[0], weight[0].numel()), name)
    rng = np.random.default_rng(0)
    drawn = [("random", int(m), int(n)) for m, n in rng.integers(2, 601, (random, 2))]
    return [(name, *shape) for shape, name in found.items()] + drawn


def certificate(m: int, n: int, edges: int) -> dict[str, Any]:
    """What the search finds for m x n vertices and this many edges; infeasible with fewer than two edges for some vertex."""
    if not 2 * max(m, n) <= edges <= m * n:
        return {"found": "infeasible"}
    start = time.perf_counter()
    graph = search(m, n, edges, seed=0)
    return {
        "reached": graph.biadjacency.nnz / (m * n),
        "found": "certified" if graph.is_ramanujan else "not certified",
        "ratio": graph.ratio,
        "dead_filters": int((graph.row_degrees == 0).sum()),
        "seconds": time.perf_counter() - start,
        "graph": graph.name,
    }


def certificates(of: Iterable[Shape]) -> pd.DataFrame:
    """A row for each shape and number of edges."""
    rows = []
    for name, m, n in of:
        for edges in sorted({2 * max(m, n), *(round(d * m * n) for d in DENSITIES)}):
            about = {"from": name, "rows": m, "columns": n, "asked": edges / (m * n), "edges": edges}
            rows.append(about | certificate(m, n, edges))
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> str:
    """How many were found, and one by one those that were not."""
    kind = table["from"].where(table["from"] == "random", "networks")
    summary = table.groupby([kind, "found"]).agg(
        graphs=("edges", "size"),
        worst_ratio=("ratio", "max"),
        dead_filters=("dead_filters", "sum"),
        slowest=("seconds", "max"),
    )
    text = str(summary.reset_index().to_markdown(index=False, floatfmt=".4g"))
    failed = table[table["found"] == "not certified"]
    if len(failed):
        columns = ["rows", "columns", "edges", "asked", "ratio"]
        text += "\n\nNot certified, with sigma_2 / bound of the best graph found:\n\n"
        text += failed[columns].to_markdown(index=False, floatfmt=".4g")
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--random", type=int, default=50)
    options = parser.parse_args(arguments)
    table = certificates(shapes(options.random))
    made = report.made_by("ramanujan.shapes", arguments)
    report.write_table(options.report_dir, "ramanujan_shapes", table, readable(table), made)


if __name__ == "__main__":
    report.run(main)
