"""What a reader of a table has to know: how its numbers were made, and what not to conclude from them."""

from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd

from pruneexp.cell import FIELDS, GROUPS, marked
from pruneexp.reports.best import uncompared
from pruneexp.reports.columns.mask_updates import FEWEST as FEWEST_UPDATES
from pruneexp.reports.columns.mask_updates import toy
from pruneexp.reports.columns.published import below_chance
from pruneexp.reports.intervals import FEWEST
from pruneexp.reports.presets import Presets
from pruneexp.reports.published import remarks

SHORT = 7  # digits of a commit


def notes(table: pd.DataFrame, cells: pd.DataFrame, presets: Presets | None = None) -> list[str]:
    """Sentences, those that concern this very table.

    Args:
        table: aggregated.
        cells: the tidy frame that it is made of.
        presets: that its labels name, pruneexp's unless given.
    """
    on_settings = _on_settings(table, presets or Presets())
    return [*_on_accuracy(table), *on_settings, *_on_updates(table), *_on_published(table), *_on_origin(cells)]


def _on_accuracy(table: pd.DataFrame) -> Iterator[str]:
    if (table["n"] >= FEWEST).any():
        yield "Accuracy: percent, mean over n seeds ± 95 % confidence interval (Student's t), in brackets where 0 or 100 cuts it."
    if (table["n"] < FEWEST).any():
        yield "Fewer than three seeds have no interval: their own accuracies are shown."
    if (table["accuracy"] <= table["chance"]).any() or below_chance(table).any():
        yield "* not above chance."
    if table["pairs"].any():
        yield "Drop: the dense network's accuracy less the pruned one's, seed by seed."
    if "pairs_unpruned" in table and table["pairs_unpruned"].any():
        yield "Drop from unpruned: the same from the network that the paper calls unpruned, which has another shape (wider layers)."
    yield from _on_best(table)
    if lost := int((table["seeds"] - table["n"]).sum()):
        yield f"{lost} of {int(table['seeds'].sum())} cells have no accuracy, since they diverged; means are of the others."
    if others := int(table["diverged"].sum()) - lost:
        yield f"{others} of {int(table['seeds'].sum())} cells diverged and count with the accuracy that they were left with."


def _on_settings(table: pd.DataFrame, presets: Presets) -> Iterator[str]:
    """What the files of its presets say in a note, which of a preset with other options may be false, and what the options of the
    schema mean that it names."""
    for group in GROUPS:
        for name in table[group].unique():
            if note := presets.note(group, name):
                yield note
    named = {word.partition("=")[0] for label in table["options"] for word in label.split(", ")}
    for name in marked("identity"):
        if name in named:
            yield f"{name}: {FIELDS[name].description}."


def _on_updates(table: pd.DataFrame) -> Iterator[str]:
    if count := int(toy(table).sum()):
        rows = "row's masks have" if count == 1 else "rows' masks have"
        yield f"Toy: {count} {rows} changed fewer than {FEWEST_UPDATES} times, which says nothing of the method at its usual length."


def _on_best(table: pd.DataFrame) -> Iterator[str]:
    if table["best"].ne("").any():
        yield (
            "Bold: the highest mean of a network, density and recipe, and what cannot be told from it at the 5 % level (a linear model"
            " accuracy ~ method + seed, its residual pooled over the methods; Holm-corrected over all pairs of them);"
            " differences with 95 % intervals, each for itself, are in the CSV."
        )
    if lacking := int(uncompared(table).sum()):
        yield f"Not compared, with fewer than three seeds in common with the highest mean: {lacking} row{'' if lacking == 1 else 's'}."


def _on_published(table: pd.DataFrame) -> Iterator[str]:
    if table["published_pruning_seconds"].notna().any():
        yield (
            "Published pruning times are of another machine and, for global masks, of another graph (unfolded inputs, tens of"
            " thousands of vertices, where ours has a vertex for each channel): not like for like."
        )
    if table[["published_imdb", "published_imdb_norm"]].notna().any(axis=None):
        yield (
            'IMDB: the mean over pruned layers of the gap to Ramanujan\'s bound, as "Deterministic Ramanujan graphs" prints it for its own'
            " masks; normalised: each gap over its bound, mean over all layers, as Hoang et al. print it for theirs. That paper's much"
            " higher IMDB is this difference of units: over their bounds its 3.463 (VGG-16) is 0.192, where its Table 6 has 0.348 for"
            " SynFlow, and its 3.099 (ResNet-34) 0.207, where it has 0.298 for SNIP; with its dense layers, each of which counts with 1"
            " in Hoang et al.'s mean, 0.496 and 0.314."
        )
    if elsewhere := Counter(table["published_elsewhere"].dropna()):
        told = _counted(sorted(elsewhere.items()), "row")
        yield f"Published accuracies of these networks and masks are of another recipe and do not stand here: {told}."
    if flat := int(table["published_ci95"].eq(0).sum()):
        yield f"{flat} of the published intervals {'has' if flat == 1 else 'have'} no width: the standard deviation is printed as 0.0."
    yield from remarks(table)
    if any(str(column).startswith("latency/") for column in table):
        yield "In brackets: share of the dense network's. Latency: median of a forward pass, by batch size."


def _on_origin(cells: pd.DataFrame) -> Iterator[str]:
    if coarse := int(cells["test_precision"].eq("bf16").sum()):
        yield f"{coarse} of {len(cells)} cells were tested in bfloat16, in which two logits are often equal; any others in float32."
    if unknown := int(cells["data_sha256"].isna().sum()):
        yield f"{unknown} of {len(cells)} cells were recorded before records had a digest of the data they saw."
    commits = Counter(_short(commit) if isinstance(commit, str) else "unknown" for commit in cells["git_commit"])
    if len(commits) > 1:
        yield f"Made by several versions of the program: {_counted(commits.most_common(), 'cell')}."
    devices = Counter(str(device) for device in cells["device"])
    if len(devices) > 1:
        yield f"Trained on several kinds of device: {_counted(devices.most_common(), 'cell')}."


def _short(commit: str) -> str:
    """With the plus of a checkout that was changed."""
    return commit[:SHORT] + "+" * commit.endswith("+")


def _counted(counts: Iterable[tuple[str, int]], what: str) -> str:
    return ", ".join(f"{name} ({count} {what}{'' if count == 1 else 's'})" for name, count in counts)
