"""Certified Ramanujan graphs for the shapes of real layers and for random ones: which are found, which are not.

    python -m pruneexp.studies.ramanujan_shapes [--random 50]

Every convolution of VGG-16 and ResNet-18/34 unfolded to C_out x C_in K K, and random shapes of sides 2 ... 600, at densities 0.3, 0.1,
0.05 and the smallest at which every vertex has two edges, by the search that masker=ramanujan_fit uses (exactly the edges asked for).
Prints what is not certified and writes results/tables/ramanujan_shapes.{csv,md}.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pruneexp.graphs.ramanujan.biregular import search
from pruneexp.models.resnet import resnet_imagenet
from pruneexp.models.vgg import vgg
from pruneexp.network.prunable import prunable
from pruneexp.records.provenance import git_commit
from pruneexp.system import files

OUT = Path("results") / "tables"
DENSITIES = (0.3, 0.1, 0.05)


def shapes(random: int) -> list[tuple[str, int, int]]:
    """(where it is from, rows, columns)."""
    with torch.device("meta"):
        networks = {
            "VGG-16": vgg(10, (3, 32, 32), 16),
            "ResNet-18": resnet_imagenet(10, (3, 32, 32), 18),
            "ResNet-34": resnet_imagenet(10, (3, 32, 32), 34),
        }
    found: dict[tuple[int, int], str] = {}
    for name, network in networks.items():
        for weight in prunable(network).values():
            if weight.ndim == 4:
                found.setdefault((weight.shape[0], weight[0].numel()), name)
    rng = np.random.default_rng(0)
    drawn = [("random", int(m), int(n)) for m, n in rng.integers(2, 601, (random, 2))]
    return [(name, *shape) for shape, name in found.items()] + drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=50)
    random = parser.parse_args().random
    rows = []
    for name, m, n in shapes(random):
        least = 2 * max(m, n)
        for edges in sorted({least, *(round(d * m * n) for d in DENSITIES)}):
            row = {"from": name, "rows": m, "columns": n, "asked": edges / (m * n), "edges": edges}
            if not least <= edges <= m * n:  # fewer than two edges for some vertex
                rows.append({**row, "found": "infeasible"})
                continue
            start = time.perf_counter()
            graph = search(m, n, edges, seed=0)
            rows.append(
                {
                    **row,
                    "reached": graph.biadjacency.nnz / (m * n),
                    "found": "certified" if graph.is_ramanujan else "not certified",
                    "ratio": graph.ratio,
                    "dead_filters": int((graph.row_degrees == 0).sum()),
                    "seconds": time.perf_counter() - start,
                    "graph": graph.name,
                }
            )
    table = pd.DataFrame(rows)
    command = f"python -m pruneexp.studies.ramanujan_shapes --random {random}; commit {git_commit()}"
    kind = table["from"].where(table["from"] == "random", "networks")
    summary = table.groupby([kind, "found"]).agg(
        graphs=("edges", "size"),
        worst_ratio=("ratio", "max"),
        dead_filters=("dead_filters", "sum"),
        slowest=("seconds", "max"),
    )
    failed = table[table["found"] == "not certified"]
    text = summary.reset_index().to_markdown(index=False, floatfmt=".4g")
    if len(failed):
        columns = ["rows", "columns", "edges", "asked", "ratio"]
        text += "\n\nNot certified, with sigma_2 / bound of the best graph found:\n\n"
        text += failed[columns].to_markdown(index=False, floatfmt=".4g")
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(
        OUT / "ramanujan_shapes.csv", f"# made by: {command}\n" + table.to_csv(index=False, float_format="%.6g")
    )
    files.write(OUT / "ramanujan_shapes.md", f"<!-- made by: {command} -->\n{text}\n")
    print(text)


if __name__ == "__main__":
    main()
