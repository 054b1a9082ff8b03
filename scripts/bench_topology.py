"""CPU seconds and peak memory of every topology metric, beside those of the authors' program.

    python -m scripts.bench_topology [--networks conv6_erk_0.98 ...] [--without-spectra]

The golden masks of tests/conformance (mode=published, the same graph that their program measured, and mode=correct), and Conv-6 under
generated masks: ERK at sparsities 0.9 and 0.6, and SynFlow at 0.6. Each
in a process of its own, one thread, after compilation. `encode` is from the network to its links, `edges` to the CSR arrays that
components, cuts, k_core and motif4 need; what metrics share is counted with the first. Their seconds are of one core of another
machine, on graphs of the same masks; they have none at 0.6. Writes results/benchmarks/topology.{json,md}.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
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
from pruneexp.topology.measure import METRICS, measure
from pruneexp.topology.quantities import Topology
from pruneexp.topology.tracing import encode

ROOT = Path(__file__).resolve().parent.parent
OUT, GOLDEN = ROOT / "results" / "benchmarks", ROOT / "tests" / "conformance"
SHAPE = (3, 32, 32)
GENERATED = ("conv6_erk_0.9", "conv6_erk_0.6", "conv6_synflow_0.6")
NAMES = ("conv6_erk_0.98", "resnet20_erk_0.98", "resnet20_erk_0.9", *GENERATED)
SPECTRAL = ("spectral_gap", "spectral_radius")
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


def bench(name: str, mode: str, spectra: bool) -> dict[str, Any]:
    """Every metric's CPU seconds and values."""
    torch.set_num_threads(1)
    small = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 4))
    for each in ("correct", "published"):
        measure(small, None, (3, 8, 8), each)  # compiles
    model, masks = network(name)
    before = _peak()
    seconds, values = {}, {}
    begin = time.process_time()
    if mode == "published":
        from pruneexp.topology.published import PublishedTopology, encode_published

        topology: Topology = PublishedTopology(encode_published(model, SHAPE, masks))
    else:
        topology = Topology(encode(model, SHAPE, masks))
    seconds["encode"] = time.process_time() - begin
    begin = time.process_time()
    _ = topology.undirected
    seconds["edges"] = time.process_time() - begin
    for metric, (function, _) in METRICS.items():
        if spectra or metric not in SPECTRAL:
            begin = time.process_time()
            values[metric] = function(topology)
            seconds[metric] = time.process_time() - begin
            print(f"{name} {mode} {metric}: {values[metric]:.8g}, {seconds[metric]:.3f} s", flush=True)
    rest = sum(value for key, value in seconds.items() if key not in (*SPECTRAL, "motif4"))
    result = {
        "network": name, "mode": mode, "nodes": topology.nodes, "edges": topology.edges, "seconds": seconds, "values": values,
        "all_but_spectra_and_motif4": rest, "memory_GiB": (_peak() - before) / 2**20,
    }  # fmt: skip
    if spectra:
        result["residuals"] = [topology.adjacency_spectrum.residual, topology.laplacian_spectrum.residual]
    theirs = (
        json.loads((GOLDEN / "multipartite.json").read_text(encoding="utf-8"))
        .get(name, {})
        .get("reference_cpu_seconds")
    )
    if theirs:
        reference = {key: sum(theirs[part] for part in parts) for key, parts in THEIRS.items()}
        result["reference"] = reference
        result["reference_all_but"] = sum(v for k, v in reference.items() if k not in (*SPECTRAL, "motif4"))
        result["reference_total"] = sum(reference.values())
    elif name == "conv6_erk_0.9":
        result["reference_total"] = 175.0  # all that is known of theirs here
    return result


def _peak() -> int:
    """KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def table(rows: list[dict[str, Any]]) -> str:
    """One column for each mask and mode, theirs beside where there are any."""
    columns: dict[str, dict[str, Any]] = {}
    for row in rows:
        title = f"{row['network']} {row['mode']}"
        columns[title] = {"edges": f"{row['edges']:,}", **{f"{k} s": f"{v:.3f}" for k, v in row["seconds"].items()}}
        columns[title] |= {
            "all but spectra and motif4": f"{row['all_but_spectra_and_motif4']:.2f}",
            "their program": f"{row['reference_all_but']:.1f}" if "reference_all_but" in row else "",
            "ratio": f"{row['reference_all_but'] / row['all_but_spectra_and_motif4']:.0f}" if "reference_all_but" in row else "",
            "everything": f"{sum(row['seconds'].values()):.1f}",
            "their program, everything": f"{row['reference_total']:.1f}" if "reference_total" in row else "",
            "their spectra s": f"{sum(row['reference'][k] for k in SPECTRAL):.1f}" if "reference" in row else "",
            "memory GiB": f"{row['memory_GiB']:.2f}",
        }  # fmt: skip
    return pd.DataFrame(columns).fillna("").to_markdown(disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--without-spectra", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.networks:
        for mode in ("correct",) if name in GENERATED else ("published", "correct"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                rows.append(pool.apply(bench, (name, mode, not arguments.without_spectra)))
    made = f"made by: python -m scripts.bench_topology {shlex.join(sys.argv[1:])}; commit {git_commit()}; {platform.machine()}, 1 thread"
    OUT.mkdir(parents=True, exist_ok=True)
    files.write(OUT / "topology.json", json.dumps({"made": made, "rows": rows}, indent=1) + "\n")
    files.write(OUT / "topology.md", f"<!-- {made} -->\n{table(rows)}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
