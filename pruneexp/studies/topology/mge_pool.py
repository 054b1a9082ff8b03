"""The pool of Cunegatti et al. as one small file: a row for each of their networks, under this project's names.

    python -m pruneexp.studies.topology.mge_pool FOLDER [--report-dir results]

FOLDER holds the authors' tables {unrolled,rolled,rolled_channel,ramanujan}.csv.gz (one row a network, one a layer, one a
layer, one a layer). Writes published/mge_pool.csv.gz and, for figures 2 and 5, mge_pool_layers.csv.gz; what
they hold and where each column comes from is said in mge_pool.md beside them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pruneexp.errors import UserError
from pruneexp.studies import reading, report
from pruneexp.studies.prediction.pool import METRICS, NETWORK, RIVALS, ROLLED
from pruneexp.system import files

MODELS = {"CONV-6": "conv6", "Resnet-20": "resnet20", "Resnet-32": "resnet32", "Wide-Resnet-28-2": "wrn28_2"}
DATASETS = {"CIFAR-10": "cifar10", "CIFAR-100": "cifar100", "tinyimagenet": "tiny_imagenet32"}
METHODS = ("snip", "grasp", "synflow", "prospr", "uniform", "er", "erk")
TABLES = ("unrolled", "rolled", "rolled_channel", "ramanujan")
# in the order of METRICS; their r-in and r-out are each what the paper calls the other
UNROLLED = [
    "sink_nodes", "source_nodes", "disc_nodes", "r-in", "r-out", "1-hop_nei", "2-hop_nei", "motif", "k-core",
    "avg_node_strength", "no_connected_components", "mean_connected_components", "cut-edges", "cut-nodes",
    "spectral_gap", "spectral_radius",
]  # fmt: skip
# their name of a layer's feature, and what it is divided by
LAYERS = {
    "nei_one_hop": "edges", "motifs_count": "edges", "coreness_all": "edges", "strenght_all": "edges",
    "weak_clusters": None, "mean_weak": "nodes", "bridges": "edges", "a_point": "edges",
    "spectral_gap_weighted_undirected": None, "spectral_radius_laplacian_weighted_undirected": None,
}  # fmt: skip

COLUMNS = {
    "unrolled": ["nodes", "edges", *UNROLLED],
    "rolled": ["layer_id", "layer_sparsity", "accuracy", "nodes", "edges", *LAYERS],
    "rolled_channel": ["nodes", "edges", *LAYERS],
    "ramanujan": ["no_weights", "no_params", "degree_bound", "iterative_degree_bound", "iterative_spectral_gap"],
}


def read(folder: Path, name: str) -> pd.DataFrame:
    """One of the authors' tables, the paper's networks only, in this project's names; the layers file by file.

    Raises:
        UserError: it is missing or damaged, or lacks a column.
    """
    path = folder / f"{name}.csv.gz"
    if not reading.there(path):
        raise UserError(f"{path} does not exist; the folder must hold {', '.join(f'{t}.csv.gz' for t in TABLES)}.")
    table = reading.table(path).rename(columns={"pruning": "method", "pruning_algorithm": "method"})
    if "file" in table:
        table = table.sort_values("file", kind="stable", ignore_index=True)
    if missing := [column for column in ("dataset", "model", "method") if column not in table]:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}.")
    table = reading.numbers(path, table, ["sparsity", "seed", *COLUMNS[name]])
    return table.assign(model=table["model"].map(MODELS), dataset=table["dataset"].map(DATASETS))


def chosen(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["method"].isin(METHODS) & table["model"].notna()]


def encoding(layers: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Each feature divided by the layer's own edges or nodes, then averaged over the layers; an empty layer's count as 0."""
    features = layers[list(LAYERS)].fillna(0.0)
    for name, by in LAYERS.items():
        if by:
            features[name] /= layers[by].clip(lower=1)
    features.columns = [f"{prefix}_{name}" for name in ROLLED]
    return features.groupby([layers[key] for key in NETWORK]).mean()


def ramanujan(rolled: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Density, difference of bound, IMDB and IMSG of every layer; NaN where undefined.

    The authors' difference of bound is divided by the bound sqrt(dL - 1) + sqrt(dR - 1); this is undone with the mean degrees over
    all vertices, L R = weights and L + R = nodes, because the tables do not say which vertices were isolated.
    """
    if not np.array_equal(rolled["edges"], measured["no_weights"]):
        raise UserError("ramanujan.csv.gz and rolled.csv.gz do not describe the same layers in the same order.")
    nodes, size, edges = rolled["nodes"], measured["no_params"], rolled["edges"]
    half = np.sqrt(np.maximum(nodes**2 / 4 - size, 0))
    bound = sum(np.sqrt(np.maximum(edges / side - 1, 0)) for side in (nodes / 2 + half, nodes / 2 - half))
    layers = rolled[[*NETWORK, "layer_id", "accuracy"]].rename(columns={"layer_id": "layer"})
    return layers.assign(
        layer_density=rolled["layer_sparsity"],
        difference_of_bound=(measured["degree_bound"] * bound).replace([np.inf, -np.inf], np.nan),
        imdb=measured["iterative_degree_bound"],
        imsg=measured["iterative_spectral_gap"],
    )


def pool(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The networks, and the Ramanujan metrics of the layers of those on CIFAR-10, averaged over seeds.

    Args:
        folder: holds the authors' tables.

    Raises:
        UserError: one is missing, or two do not describe the same layers.
    """
    unrolled, rolled, channel, measured = (read(folder, name) for name in TABLES)
    layers = chosen(ramanujan(rolled, measured))
    networks = layers.groupby(NETWORK).agg({"accuracy": "first"} | dict.fromkeys(RIVALS, "mean"))
    whole = chosen(unrolled).drop_duplicates(NETWORK).set_index(NETWORK)[["nodes", "edges", *UNROLLED]]
    whole.columns = pd.Index(["nodes", "edges", *METRICS])
    networks = networks.join(whole).join(encoding(chosen(rolled), "rolled")).join(encoding(chosen(channel), "channel"))
    features = networks.filter(regex="^(rolled|channel)_").columns
    networks = networks[["accuracy", "nodes", "edges", *METRICS, *RIVALS, *features]]
    networks = networks.astype({"nodes": "Int64", "edges": "Int64"}).reset_index()
    keys = ["model", "method", "sparsity", "layer"]
    of_layers = layers[layers["dataset"] == "cifar10"].groupby(keys)[list(RIVALS)].mean()
    return networks, of_layers.reset_index()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    networks, layers = pool(options.folder)
    out = report.folder(options.report_dir, "published")
    for table, name, digits in ((networks, "mge_pool", 7), (layers, "mge_pool_layers", 5)):
        with files.writing(out / f"{name}.csv.gz") as file:
            same = {"method": "gzip", "mtime": 1}  # the same bytes each time
            table.to_csv(file, index=False, float_format=f"%.{digits}g", compression=same)
    print(f"{len(networks)} networks, {int(networks['sink'].notna().sum())} with every metric; {len(layers)} layers")


if __name__ == "__main__":
    report.run(main)
