"""How alike the neurons are that each importance keeps of a pretrained network.

    python -m pruneexp.studies.kept_similarity --weights PATH [PATH ...] [--model vgg_small] [--dataset cifar10]
        [--data-dir data] [--report-dir results]

Each PATH is what `weights=` takes: a dense cell's folder, a state dict's file, or imagenet. Networks of several seeds make intervals.
Prints a table and writes tables/kept_similarity.{csv,md}; `LEGEND` says what its columns mean. Nothing is trained.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from pruneexp.artifacts import Artifacts
from pruneexp.errors import UserError
from pruneexp.graphs.centrality import cosines
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import classifier, prunable
from pruneexp.pruning.prune import pruned
from pruneexp.records.store import Store
from pruneexp.reports.intervals import interval95
from pruneexp.reports.text import number
from pruneexp.studies import report
from pruneexp.sweep import expand

IMPORTANCES = ("eigenvector_centrality", "least_central", "random", "l2", "taylor", "bn_scale")
CONTROL = "random"
SHARES = (0.75, 0.5, 0.25)
ALL = "all"  # in place of a layer: the mean over layers
KEYS = ["share", "importance", "layer"]
LEGEND = (
    "`similarity`: mean cosine similarity of two kept neurons of a layer, over all pairs; a neuron is its incoming weights (of a "
    "convolution the whole filter, with what reads removed neurons). Mean over layers, the classifier aside, then over n networks; ± is "
    "the 95 % interval of Student's t over networks, from three on. `above random`: difference to a random choice of as many neurons, "
    "network by network. The neurons are those that `masker=structured` keeps: where a shortcut couples layers, one choice for all of "
    "them. The classifier is new, as where fine-tuning starts, and taylor's gradients come through it. The CSV has each layer."
)


def similarity(weight: torch.Tensor, kept: torch.Tensor) -> float:
    """Mean cosine similarity of the pairs of kept neurons; NaN for fewer than two.

    Args:
        weight: [n, ...], a neuron's incoming weights in each row.
        kept: bool [n].
    """
    found = cosines(weight[kept]).double()
    count = len(found)
    return float((found.sum() - found.trace()) / (count * (count - 1))) if count > 1 else float("nan")


def layer_similarities(network: nn.Module, masks: Masks) -> dict[str, float]:
    """By weight name the `similarity` of the neurons that a mask leaves; without the classifier, whose outputs are classes.

    Args:
        network: before anything is removed.
        masks: of neurons, as `structured` makes them.
    """
    weights, head = prunable(network), f"{classifier(network)}.weight"
    return {
        name: similarity(weights[name].detach(), mask.flatten(1).any(dim=1).to(weights[name].device))
        for name, mask in masks.items()
        if name != head
    }


def rows_of(words: Sequence[str], seed: int) -> tuple[list[dict[str, object]], list[str]]:
    """What every importance keeps of one network, a row for each layer and share; and why some importances have none.

    Args:
        words: overrides that say the network, its weights and data.
        seed: of the importances' random streams.

    Raises:
        UserError: an unknown model or data set, or weights or data that are not there.
    """
    rows, refused = list[dict[str, object]](), list[str]()
    importances = f"scorer={','.join(IMPORTANCES)}"
    for job in expand([*words, importances, "masker=structured", "recipe=finetune", f"seed={seed}"]).jobs:
        made_by, importance = Artifacts(job, Store("nowhere")), job.setting.names()["scorer"]
        network, batches = made_by.initial, made_by.data.for_scoring()
        try:
            found = {share: pruned(made_by.method, network, share, seed, batches).masks for share in SHARES}
        except UserError as error:
            refused.append(f"{importance}: {error}")
            print(refused[-1], flush=True)
            continue
        for share, masks in found.items():
            layers = layer_similarities(network, masks)
            layers[ALL] = pd.Series(layers).mean()
            told = {"share": share, "importance": importance, "network": seed}
            rows += [told | {"layer": layer, "similarity": value} for layer, value in layers.items()]
            print(f"network {seed} {importance} {share:g}: {layers[ALL]:.4f}", flush=True)
    return rows, refused


def over_networks(rows: pd.DataFrame) -> pd.DataFrame:
    """A row for each share, importance and layer: over n networks the mean similarity, that above the control's, and their intervals."""
    pairs = ["share", "layer", "network"]
    control = rows[rows["importance"] == CONTROL][[*pairs, "similarity"]]
    rows = rows.merge(control, on=pairs, suffixes=("", "_of_control"), how="left")
    rows["above_random"] = rows["similarity"] - rows["similarity_of_control"]
    groups = rows.groupby(KEYS, sort=False)
    table = pd.DataFrame({"n": groups["similarity"].count()})
    for column in ("similarity", "above_random"):
        table[column], table[f"{column}_ci95"] = groups[column].mean(), groups[column].agg(interval95)
    return table.reset_index()


def readable(table: pd.DataFrame) -> str:
    """The means over layers, with their intervals."""
    shown = table[table["layer"] == ALL].sort_values("share", ascending=False, kind="stable")
    shown["kept"] = [f"{100 * share:g} %" for share in shown["share"]]
    for column in ("similarity", "above_random"):
        pairs = zip(shown[column], shown[f"{column}_ci95"], strict=True)
        shown[column] = [" ± ".join(filter(None, (number(mean, 4), number(half, 4)))) for mean, half in pairs]
    shown.loc[shown["importance"] == CONTROL, "above_random"] = ""
    shown = shown.rename(columns={"above_random": "above random"})
    return str(
        shown[["kept", "importance", "n", "similarity", "above random"]].to_markdown(index=False, disable_numparse=True)
    )


def named(weights: str) -> str:
    """What a source of weights is called: a cell by its key, with the accuracy that its record tells."""
    path = Path(weights).resolve()
    record: Mapping[str, object] | None = Store(path.parent).read(path.name) if path.is_dir() else None
    if record is None:
        return weights if weights == "imagenet" else path.name
    return f"`{record['key']}` (accuracy {record['accuracy']:.2f} %)"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument(
        "--weights", nargs="+", required=True, help="of each network: a dense cell's folder, a file, or imagenet"
    )
    parser.add_argument("--model", default="vgg_small")
    parser.add_argument("--dataset", default="cifar10", help="whose images taylor looks at")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    options = parser.parse_args(arguments)
    words = [f"model={options.model}", f"dataset={options.dataset}", f"data_dir={options.data_dir}"]
    found = [rows_of([*words, f"weights={weights}"], seed) for seed, weights in enumerate(options.weights)]
    table = over_networks(pd.DataFrame([row for rows, _ in found for row in rows]))
    networks = f"Networks: {options.model}, weights {', '.join(map(named, options.weights))}."
    told = [readable(table), networks, LEGEND, *dict.fromkeys(why for _, refused in found for why in refused)]
    made = report.made_by("kept_similarity", arguments)
    report.write_table(options.report_dir, "kept_similarity", table, "\n\n".join(told), made)


if __name__ == "__main__":
    report.run(main)
