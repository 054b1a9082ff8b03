"""IMDB in both units of the masks of "Deterministic Ramanujan graphs", Table 6, beside what is printed.

    python -m pruneexp.studies.ramanujan.table6 [--report-dir results] [--seeds 3] [--data-dir data] [--without SCORER ...]

The masks are those of the experiments ramanujan_table5_vgg (VGG-16), ramanujan_table6_vgg16 and ramanujan_table6_resnet34; nothing is
trained. Without --data-dir the scores that need images, SNIP's and GraSP's, are left out. Prints a table and writes
tables/ramanujan_table6_imdb.{csv,md}.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pruneexp.artifacts import Artifacts
from pruneexp.data.batches import Batches
from pruneexp.graphs.bipartite import biadjacency
from pruneexp.graphs.spectrum import both_imdbs
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks
from pruneexp.pruning.method import Method
from pruneexp.pruning.prune import pruned
from pruneexp.records.store import Store
from pruneexp.reports.grouping import rows_of
from pruneexp.reports.published import MASKS, published
from pruneexp.seeding import stream
from pruneexp.studies import report
from pruneexp.sweep import Grid, Slot, expand

EXPERIMENTS = {
    "ramanujan_table5_vgg": ["model=vgg16_2448"],
    "ramanujan_table6_vgg16": [],
    "ramanujan_table6_resnet34": [],
}
WITH_DATA = ("snip", "grasp")
SCORERS = ("random", "synflow", *WITH_DATA)
BEFORE_LPS = (
    "classifier.0.weight"  # pruned by the paper, and not among the layers that its printed mean for VGG-16 is over
)
FIGURES = ["imdb", "imdb_norm", "imdb_norm_pruned", "imdb_layers", "layers"]
PRINTED = ["published_imdb", "published_imdb_norm", "remark"]
LEGEND = (
    "imdb: mean over the pruned layers of the plain gap, as the paper prints it for its own masks. imdb_norm: mean over all layers with"
    " a regular subgraph (imdb_layers of the layers) of each gap over its bound, as Hoang et al. print it; a layer that stays dense"
    " counts with 1. imdb_norm_pruned: the same without those. For VGG-16-2448 imdb and imdb_norm_pruned are over the nine layers that"
    " give the printed figure: the pruned ones but the 2448 x 25088 one."
)


def masks_of(slot: Slot, with_data: bool) -> Masks:
    """The masks that the experiment's cell is trained with; scores on the data set's images where there are any."""
    job, dataset = slot.job, slot.job.setting.components["dataset"]
    shape = tuple(dataset.value("image_shape"))
    network = job.setting.make("model", num_classes=dataset.value("classes"), input_shape=shape)
    options = job.options
    initialise(network, options.initialisation, stream(job.seed, "initialisation"), options.batchnorm_init)
    batches = Artifacts(job, Store("nowhere")).data.for_scoring() if with_data else Batches(input_shape=shape)
    return pruned(Method.of(job.setting, job.seed), network, slot.density, job.seed, batches).masks


def figures(masks: Masks) -> dict[str, float]:
    """`FIGURES` of one network's masks."""
    both = np.array([both_imdbs(biadjacency(mask)) for mask in masks.values()])
    has = np.isfinite(both[:, 0])
    lps = any(len(mask) == 2448 for mask in masks.values())
    own = has & [not bool(mask.all()) and not (lps and name == BEFORE_LPS) for name, mask in masks.items()]
    means = both[own, 0].mean(), both[has, 1].mean(), both[own, 1].mean()
    return dict(zip(FIGURES, (*map(float, means), int(has.sum()), len(masks)), strict=True))


def rows(grid: Grid, without: Collection[str]) -> Iterator[dict[str, object]]:
    """A row for each setting of a grid's pruned cells but those of the scorers that are left out, mean over seeds."""
    for told, slots in rows_of(grid).items():
        dataset, model, scorer, masker, _, options, density = told
        if float(density) == 1 or scorer in without:
            continue
        apart = slots[:1] if scorer == "none" and masker.startswith("ramanujan") else slots  # the same for every seed
        found = pd.DataFrame([figures(masks_of(slot, scorer in WITH_DATA)) for slot in apart])
        setting = dict(zip(MASKS, (dataset, model, scorer, masker, options, float(density)), strict=True))
        yield {**setting, "n": len(apart), **found.mean()}
        print(*told[:4], f"imdb_norm {found['imdb_norm'].mean():.4f}", flush=True)


def beside_printed(found: pd.DataFrame) -> pd.DataFrame:
    """The rows with what Table 6 prints of the same masks, and what there is to say of it."""
    theirs = published().drop_duplicates(MASKS).set_index(MASKS)[PRINTED]
    columns = [*MASKS[:4], "asked_density", "n", "imdb", PRINTED[0], "imdb_norm", PRINTED[1], *FIGURES[2:], "remark"]
    return found.join(theirs, on=MASKS)[columns]


def claim(table: pd.DataFrame) -> str:
    """What the two units do to what the paper concludes from its Table 6."""
    own = table[table["masker"].str.startswith("ramanujan") & (table["dataset"] == "cifar10")].set_index("model")
    theirs = published().query("dataset == 'cifar10'").dropna(subset=["published_imdb_norm"])
    highest = theirs.sort_values("published_imdb_norm").groupby("model").tail(1).set_index("model")
    vgg, resnet = own.loc["vgg16_2448"], own.loc["resnet34"]
    beside = [
        f"{row['published_imdb_norm']:.3f} ({row['scorer']})" for row in (highest.loc["vgg16"], highest.loc["resnet34"])
    ]
    return (
        "The paper finds its masks' IMDB much higher than the others'. That is a difference of units: divided by their bounds its"
        f" {vgg['imdb']:.3f} on VGG-16 is {vgg['imdb_norm_pruned']:.3f}, where it prints up to {beside[0]} for others, and its"
        f" {resnet['imdb']:.3f} on ResNet-34 {resnet['imdb_norm_pruned']:.3f}, where it prints up to {beside[1]}. With the layers that its"
        " masks leave dense, each of which counts with 1 in a mean like Hoang et al.'s, they are"
        f" {vgg['imdb_norm']:.3f} and {resnet['imdb_norm']:.3f}: higher by layers that are not pruned."
    )


def text_of(table: pd.DataFrame, without: Collection[str]) -> str:
    """The table for people, with what there is to know of it."""
    shown = table.drop(columns="remark").astype(object).where(table.notna(), None)
    text = shown.to_markdown(index=False, floatfmt=".4g", missingval="")
    said = [
        f"{row['dataset']} {row['masker']}: {row['remark']}" for _, row in table.dropna(subset=["remark"]).iterrows()
    ]
    left = (
        [f"Left out, since SNIP and GraSP look at images and SynFlow takes minutes: {', '.join(without)}."]
        if without
        else []
    )
    return "\n\n".join([text, claim(table), LEGEND, *said, *left])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, help="for scores that need images")
    parser.add_argument("--without", nargs="+", default=[], choices=SCORERS, help="scorers to leave out")
    options = parser.parse_args(arguments)
    words = [
        f"seed={','.join(map(str, range(options.seeds)))}",
        *([f"data_dir={options.data_dir}"] if options.data_dir else []),
    ]
    grids = [expand([f"+experiment={name}", *own, *words]) for name, own in EXPERIMENTS.items()]
    without = dict.fromkeys([*options.without, *(() if options.data_dir else WITH_DATA)])
    table = beside_printed(pd.DataFrame([row for grid in grids for row in rows(grid, without)]))
    made = report.made_by("ramanujan.table6", arguments)
    report.write_table(options.report_dir, "ramanujan_table6_imdb", table, text_of(table, without), made)


if __name__ == "__main__":
    report.run(main)
