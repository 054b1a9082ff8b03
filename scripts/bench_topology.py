"""CPU seconds and peak memory of every topology metric, beside those of the authors' program and of plain ways to them.

    python -m scripts.bench_topology [--networks conv6_erk_0.98 ...] [--repeats 3]

The golden masks of tests/conformance (mode=published, the same graph that their program measured, and mode=correct), and Conv-6 under
generated masks: ERK at sparsities 0.9 and 0.6, and SynFlow at 0.6. Each in a process of its own, one thread, after compilation,
several times: medians, and the least and the most. `encode` is from the network to its links, `edges` to the CSR arrays that
components, cuts, k_core and motif4 need; what metrics share is counted with the first. The plain ways, in the same process up to
30 million edges: ARPACK (scipy's eigsh, to half the residual allowed) on the sparse matrix of all edges, and for motif4 the
numbers of common neighbours of every node and all others. The authors' seconds are of one core of another machine, on graphs
of the same masks; they have none at 0.6. Writes results/benchmarks/topology.{json,md}.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import shlex
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import eigsh
from torch import nn

from pruneexp.api import prune
from pruneexp.layers import Layer
from pruneexp.maskers.random_layers import random_layers
from pruneexp.models.conv6 import Conv6
from pruneexp.models.resnet import resnet_cifar
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.records.provenance import git_commit
from pruneexp.seeding import stream
from pruneexp.system import files
from pruneexp.topology.edges import listed, simple
from pruneexp.topology.measure import METRICS, Mode, measure
from pruneexp.topology.motifs import shares
from pruneexp.topology.published import PublishedTopology, encode_published
from pruneexp.topology.quantities import Topology
from pruneexp.topology.tracing import encode

ROOT = Path(__file__).resolve().parent.parent
OUT, GOLDEN = ROOT / "results" / "benchmarks", ROOT / "tests" / "conformance"
SHAPE = (3, 32, 32)
GENERATED = ("conv6_erk_0.9", "conv6_erk_0.6", "conv6_synflow_0.6")
NAMES = ("conv6_erk_0.98", "resnet20_erk_0.98", "resnet20_erk_0.9", *GENERATED)
SPECTRAL = ("spectral_gap", "spectral_radius")
LEFT_OUT = {"all but spectra and motif4": (*SPECTRAL, "motif4"), "all but motif4": ("motif4",), "all": ()}
PLAIN = 30_000_000  # edges in a sparse matrix
ARPACK = {"tol": 5e-7, "ncv": 24, "maxiter": 4000}
# the authors' names of what they timed; of Conv-6 at 0.9 only their total is known
THEIRS = {
    "encode": ("encoding_multipartite",), "edges": ("undirect",), "sink": ("sink",), "source": ("source",),
    "disconnected": ("disconnected",), "r_out": ("lost_in(r-out)",), "r_in": ("lost_out(r-in)",), "n1": ("1-hop",),
    "n2": ("2-hop",), "k_core": ("coreness",), "strength": ("strength",), "components": ("components",),
    "cut_edges": ("cut-edges",), "cut_nodes": ("cut-nodes",), "motif4": ("motif4_sampled",),
    "spectral_gap": ("build_sparse", "spectral_gap"), "spectral_radius": ("spectral_radius",),
}  # fmt: skip


def network(name: str) -> tuple[nn.Module, Masks | None]:
    """A golden network with its zeros, or Conv-6 with a generated mask."""
    model: nn.Module = Conv6(10, SHAPE) if name.startswith("conv6") else resnet_cifar(10, SHAPE, 20)
    if name not in GENERATED:
        golden = np.load(GOLDEN / f"{name}.npz")
        arrays = []
        for key in (key.removesuffix(".shape") for key in golden.files if key.endswith(".shape")):
            shape = tuple(golden[f"{key}.shape"])
            kept = np.unpackbits(golden[f"{key}.mask"])[: np.prod(shape)].astype(bool)
            flat = np.zeros(len(kept), dtype=np.float32)
            flat[kept] = golden[f"{key}.kept"]
            arrays.append(flat.reshape(shape))
        with torch.no_grad():
            for weight in prunable(model).values():  # in their order, the shortcuts where the shapes say
                found = next(k for k, array in enumerate(arrays) if array.shape == tuple(weight.shape))
                weight.copy_(torch.from_numpy(arrays.pop(found)))
        return model, None
    initialise(model, "kaiming_normal", stream(0, "initialisation"))
    weights = prunable(model)
    if "erk" in name:
        layers = [Layer(key, w.detach(), torch.ones_like(w, dtype=torch.bool)) for key, w in weights.items()]
        return model, random_layers(layers, 1 - float(name.rsplit("_", 1)[1]), stream(0, "masker"), {}, "erk")
    return model, prune(model, 0.4, "synflow", "greedy_global", example_input=torch.empty(1, *SHAPE))


def made(name: str, mode: Mode) -> tuple[Topology, float]:
    """The topology, and the CPU seconds from the network to its links."""
    model, masks = network(name)
    begin = time.process_time()
    if mode == "published":
        topology: Topology = PublishedTopology(encode_published(model, SHAPE, masks))
    else:
        topology = Topology(encode(model, SHAPE, masks))
    return topology, time.process_time() - begin


def timed(name: str, mode: Mode) -> tuple[Topology, dict[str, float], dict[str, float]]:
    """CPU seconds and values of every metric, once."""
    topology, encoding = made(name, mode)
    seconds, values = {"encode": encoding}, {}
    begin = time.process_time()
    _ = topology.undirected
    seconds["edges"] = time.process_time() - begin
    for metric, (function, _) in METRICS.items():
        begin = time.process_time()
        values[metric] = function(topology)
        seconds[metric] = time.process_time() - begin
    return topology, seconds, values


def plain(topology: Topology) -> tuple[dict[str, float], dict[str, float]]:
    """CPU seconds and values by ARPACK on all edges, and from every node."""
    seconds, values = {}, {}
    begin = time.process_time()
    if isinstance(topology, PublishedTopology):
        source, target, weight = topology.published.source, topology.published.target, topology.published.weight
    else:
        source, target, weight = listed(topology.graph)
    ahead = sp.csr_array((weight, (target, source)), shape=(topology.nodes, topology.nodes))
    matrix = ahead + ahead.T.tocsr()
    found = eigsh(matrix, k=3, which="LM" if isinstance(topology, PublishedTopology) else "LA", **ARPACK)[0]
    found = found[np.argsort(-abs(found))]
    values["spectral_gap"] = abs(found[0]) - abs(found[2 if isinstance(topology, PublishedTopology) else 1])
    seconds["spectral_gap"] = time.process_time() - begin
    begin = time.process_time()
    laplacian = sp.diags_array(matrix.sum(axis=1)) - matrix
    values["spectral_radius"] = float(eigsh(laplacian, k=1, which="LA", **ARPACK)[0][0])
    seconds["spectral_radius"] = time.process_time() - begin
    begin = time.process_time()
    shares(simple(topology.undirected), np.arange(topology.nodes))
    seconds["motif4"] = time.process_time() - begin
    return seconds, values


def bench(name: str, mode: Mode, repeats: int) -> dict[str, Any]:
    """Every metric's CPU seconds, of each repeat, and values."""
    torch.set_num_threads(1)
    small = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 4))
    for each in ("correct", "published"):
        measure(small, None, (3, 8, 8), each)  # compiles
    shares(simple(Topology(encode(small, (3, 8, 8))).undirected), np.arange(9))
    before = _peak()
    runs = [timed(name, mode)[1:] for _ in range(repeats)]
    memory = (_peak() - before) / 2**20
    topology = made(name, mode)[0]
    values = runs[0][1]
    seconds = {key: [run[0][key] for run in runs] for key in runs[0][0]}
    result = {
        "network": name, "mode": mode, "nodes": topology.nodes, "edges": topology.edges, "seconds": seconds, "values": values,
        "memory_GiB": memory, "residuals": [topology.adjacency_spectrum.residual, topology.laplacian_spectrum.residual],
    }  # fmt: skip
    if topology.edges <= PLAIN:
        again = [plain(topology) for _ in range(repeats)]
        result["plain"] = {key: [run[0][key] for run in again] for key in again[0][0]}
        for key, value in again[0][1].items():
            if abs(value - values[key]) > 1e-6 * max(abs(value), 1.0):
                raise RuntimeError(f"{name} {mode} {key}: {values[key]!r}, and {value!r} by the plain way")
    golden = json.loads((GOLDEN / "multipartite.json").read_text(encoding="utf-8"))
    theirs = golden.get(name, {}).get("reference_cpu_seconds")
    if theirs:
        result["reference"] = {key: sum(theirs[part] for part in parts) for key, parts in THEIRS.items()}
    elif name == "conv6_erk_0.9":
        result["reference_total"] = 175.0  # all that is known of theirs here, without motif4
    return result


def _peak() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def spread(values: list[float], digits: int = 3) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(rows: list[dict[str, Any]]) -> str:
    """One column for each mask and mode, theirs beside where there are any."""
    columns: dict[str, dict[str, str]] = {}
    for row in rows:
        seconds, theirs = row["seconds"], row.get("reference")
        column = {"edges": f"{row['edges']:,}", **{f"{key} s": spread(value) for key, value in seconds.items()}}
        for what, left_out in LEFT_OUT.items():
            ours = [sum(run) for run in zip(*(v for k, v in seconds.items() if k not in left_out), strict=True)]
            column[f"{what} s"] = spread(ours, 2)
            total = sum(v for k, v in theirs.items() if k not in left_out) if theirs else None
            if what == "all but motif4" and total is None:
                total = row.get("reference_total")
            if total is not None:
                column[f"{what}, their program s"] = f"{total:.1f}"
                column[f"{what}, ratio"] = spread([total / one for one in ours], 1)
        for key, value in row.get("plain", {}).items():
            column[f"{key} by the plain way s"] = spread(value, 2)
            ratios = [there / here for there, here in zip(value, seconds[key], strict=True)]
            column[f"{key}, ratio"] = spread(ratios, 1)
        if "plain" in row:
            both = [
                [sum(run) for run in zip(*(of[k] for k in SPECTRAL), strict=True)] for of in (row["plain"], seconds)
            ]
            column["both spectra, ratio"] = spread([a / b for a, b in zip(*both, strict=True)], 1)
        column["memory GiB"] = f"{row['memory_GiB']:.2f}"
        columns[f"{row['network']} {row['mode']}"] = column
    return pd.DataFrame(columns).fillna("").to_markdown(disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for name in arguments.networks:
        for mode in ("correct",) if name in GENERATED else ("published", "correct"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(bench, (name, mode, arguments.repeats)))
            print(f"{name} {mode} is done", flush=True)
    by = f"made by: python -m scripts.bench_topology {shlex.join(sys.argv[1:])}; commit {git_commit()}; {platform.machine()}, 1 thread"
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "topology.json", json.dumps({"made": by, "rows": rows}, indent=1) + "\n")
    files.write(OUT / "topology.md", f"<!-- {by} -->\n{table(rows)}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
