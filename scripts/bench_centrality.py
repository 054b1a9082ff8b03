"""Seconds of a layer's similarity graph and its eigenvector centrality, against numpy loops and networkx.

    python -m scripts.bench_centrality

Layers of random weights. The naive way - cosines pair by pair in Python, networkx's eigenvector_centrality_numpy on the largest
component - is run where it takes seconds; the largest difference of the two centralities stands beside. Writes
results/benchmarks/centrality.{json,md}.
"""

import json
import math
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import torch

from pruneexp.graphs.centrality import centrality, cosines, similarity_graph
from pruneexp.records.provenance import git_commit
from pruneexp.system import files

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
LAYERS = ((256, 2304, 0.0, True), (512, 4608, 0.0, True), (2048, 512, 0.0, False), (4096, 4096, 0.0, False), (4096, 4096, 0.02, False),
          (4096, 25088, 0.0, False))  # fmt: skip
REPEATS = 5


def naive(rows: np.ndarray, tau: float) -> np.ndarray:
    """The centralities of the largest component, 0 elsewhere."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(rows)))
    for i in range(len(rows)):
        for j in range(i):
            similar = rows[i] @ rows[j] / math.sqrt((rows[i] @ rows[i]) * (rows[j] @ rows[j]))
            if similar > tau:
                graph.add_edge(i, j, weight=similar)
    largest = max(nx.connected_components(graph), key=len)
    values = nx.eigenvector_centrality_numpy(graph.subgraph(largest), weight="weight")
    return np.array([values.get(k, 0.0) for k in range(len(rows))])


def bench(neurons: int, inputs: int, tau: float, beside_naive: bool) -> dict[str, Any]:
    rows = torch.randn(neurons, inputs, generator=torch.Generator().manual_seed(0))
    graph_seconds, centrality_seconds = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        graph = similarity_graph(cosines(rows), tau)
        middle = time.perf_counter()
        found = centrality(graph)
        centrality_seconds.append(time.perf_counter() - middle)
        graph_seconds.append(middle - start)
    row: dict[str, Any] = {
        "layer": f"{neurons} x {inputs}", "tau": tau, "edges": int((graph > 0).sum()) // 2, "graph s": statistics.median(graph_seconds),
        "centrality s": statistics.median(centrality_seconds), "naive s": math.nan, "difference": math.nan,
    }  # fmt: skip
    if beside_naive:
        start = time.perf_counter()
        want = naive(rows.double().numpy(), tau)
        row["naive s"] = time.perf_counter() - start
        row["difference"] = float(np.abs(want - found.numpy()).max())
    return row


def main() -> None:
    rows = [bench(*layer) for layer in LAYERS]
    table = pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3g")
    print(table)
    about = {
        "command": "python -m scripts.bench_centrality", "git_commit": git_commit(), "machine": f"{platform.machine()} CPU",
        "threads": torch.get_num_threads(), "repeats": REPEATS,
    }  # fmt: skip
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "centrality.json", json.dumps({**about, "rows": rows}, indent=1) + "\n")
    files.write(
        OUT / "centrality.md",
        f"<!-- made by: {about['command']}, commit {about['git_commit']} -->\n{table}\n\nMedians of {REPEATS} runs on"
        f" {about['threads']} threads of a {about['machine']}.\n",
    )


if __name__ == "__main__":
    main()
