"""Deterministic sparsifiers (BSS) against random ones (Sparsify) on single layers: time and quality at the same budget.

    python -m scripts.bench_bss [--quick]

Layers of VGG-16's shapes with magnitude scores at initialisation. `epsilon` is how far x'L_H x is from x'Lx at worst, measured on
the reweighted graph H, beside BSS's guarantee 2 sqrt(d) / (d + 1); lambda_2 is the mask's. Layers above 64 x 576
are done in batches. Prints a table and writes results/benchmarks/bss.{json,md}; --quick leaves the largest layer out and writes nothing.
"""

import argparse
import json
import math
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pruneexp.graphs.bss import bss_sparsifier
from pruneexp.graphs.inclusion import inclusion_probabilities
from pruneexp.graphs.leverage import leverage_scores
from pruneexp.graphs.sampling import systematic
from pruneexp.graphs.sparsifier import epsilon
from pruneexp.graphs.spectrum import lambda2
from pruneexp.maskers.bss import EXACT, UPDATES
from pruneexp.records.provenance import git_commit
from pruneexp.system import files

OUT = Path(__file__).resolve().parent.parent / "results" / "benchmarks"
LAYERS = ((64, 576, 0.05), (64, 576, 0.2), (128, 1152, 0.05), (512, 4608, 0.05))


def bench(rows: int, columns: int, density: float, batch: int | None = None) -> list[dict[str, Any]]:
    """BSS's and Sparsify's row for one layer; `batch` other than the masker's only to compare."""
    rng = np.random.default_rng(0)
    weights = np.abs(rng.standard_normal((rows, columns)))
    count = round(density * weights.size)
    d = count / (rows + columns - 1)
    size = (1 if weights.size <= EXACT else count // UPDATES) if batch is None else batch
    start = time.perf_counter()
    found = bss_sparsifier(weights, count, size)
    middle = time.perf_counter()
    leverages = leverage_scores(torch.from_numpy(weights)).numpy()
    p = inclusion_probabilities(leverages, count)
    chosen = systematic(p.ravel(), rng).reshape(p.shape)
    end = time.perf_counter()
    drawn = np.divide(weights, p, out=np.zeros_like(p), where=chosen)
    common = {
        "layer": f"{rows} x {columns}",
        "density": density,
        "picks": count,
        "guarantee": 2 * math.sqrt(d) / (d + 1),
    }
    return [
        {
            **common, "method": f"bss, {size} a step" if size > 1 else "bss, exact", "seconds": middle - start,
            "distinct": np.count_nonzero(found), "epsilon": epsilon(weights, found), "lambda2": lambda2(found > 0),
        },
        {
            **common, "method": "sparsify", "guarantee": math.nan, "seconds": end - middle, "distinct": int(chosen.sum()),
            "epsilon": epsilon(weights, drawn), "lambda2": lambda2(chosen),
        },
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    rows = []
    for layer in LAYERS[:-1] if quick else LAYERS:
        rows += bench(*layer)
        print(json.dumps(rows[-2:], indent=1, default=float), flush=True)
    rows.insert(1, bench(*LAYERS[0], batch=12)[0])  # the same layer in batches, which it does not need
    table = pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4g")
    print(table)
    if quick:
        return
    machine = f"{platform.machine()} CPU, {torch.get_num_threads()} threads, numpy {np.__version__}"
    about = {"command": "python -m scripts.bench_bss", "machine": machine, "commit": git_commit(), "rows": rows}
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "bss.json", json.dumps(about, indent=1, default=float) + "\n")
    files.write(OUT / "bss.md", f"<!-- made by: {about['command']}; {machine} -->\n{table}\n")


if __name__ == "__main__":
    main()
