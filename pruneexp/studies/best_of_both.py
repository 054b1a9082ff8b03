"""Is the best allocation with the best choice better than the best published method, and than ERK?

    python -m pruneexp.studies.best_of_both [WORD ...] [--ours WORD ...] [--report-dir results]

Reads the cells of best_of_both and best_of_both_rivals, in the results_dir and in records/best_of_both*.jsonl of the --report-dir, and
trains nothing. WORDs are options of both experiments, such as model=vgg_small dataset=digits recipe=digits; those after --ours, such as
allocation=like_snip masker=greedy scorer=snip, say what is compared. Writes tables/best_of_both-differences.{csv,md,json}, with the words
that make other cells in its name; `LEGEND` says what its columns mean.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pruneexp.errors import UserError
from pruneexp.reports.comparison import holm, with_the_first
from pruneexp.reports.text import number
from pruneexp.studies import report
from pruneexp.studies.asked import NAMED, asked_for, left_in, read, stem

NAME = "best_of_both"
RIVALS = f"{NAME}_rivals"
WITHIN = [*NAMED, "precision", "density"]  # what methods are compared in
LEVEL = 0.05
FEWEST = 2  # seeds in common that a difference has a spread of
LEGEND = """
`difference`: accuracy of ours less the rival's in points, with its 95 % interval, each for itself; both by a linear model accuracy ~
method + seed of a network and density, which compares seed by seed, its residual pooled over the methods. `p`: two-sided, uncorrected;
`p (Holm)`: corrected over all comparisons that the experiments ask for, those whose cells are missing included. The residual is taken to
vary alike in all methods: one that is at chance with every seed narrows the intervals of all. Where ours was chosen for its accuracy on
this very network, density and seeds, the difference flatters it: the other networks and densities are the test.
"""


def differences(cells: pd.DataFrame, ours: str) -> tuple[pd.DataFrame, list[str]]:
    """A row for each network, density and rival; and what cannot be compared.

    Columns: `WITHIN`; rival; n, the seeds that both have; ours and theirs, mean accuracies of these seeds; difference, ci95 (half width),
    p, p_holm.

    Args:
        cells: `WITHIN`, method, seed and accuracy, NaN where a cell is missing.
        ours: the method that the others are rivals of.

    Raises:
        UserError: no rival has two seeds in common with ours.
    """
    rows, lacking = list[dict[str, Any]](), list[str]()
    for place, group in cells.groupby(WITHIN, sort=False, dropna=False):
        found, without = _of_one(group, ours)
        rows += [dict(zip(WITHIN, place, strict=True)) | row for row in found]
        lacking += [
            f"{_called(place)}: {rival} and ours have fewer than {FEWEST} seeds in common." for rival in without
        ]
    if not rows:
        raise UserError(
            f"nothing can be compared, since ours ({ours}) and no rival have two recorded seeds in common: run the missing"
            " cells, of two seeds at least."
        )
    table = pd.DataFrame(rows)
    planned = np.ones(len(rows) + len(lacking))  # what is missing may yet be anything
    planned[: len(rows)] = table["p"]
    table["p_holm"] = holm(planned)[: len(rows)]
    return table, lacking


def _of_one(group: pd.DataFrame, ours: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of one network and density, and the rivals that lack seeds."""
    wide = group.pivot(index="seed", columns="method", values="accuracy")
    rivals = [str(method) for method in dict.fromkeys(group["method"]) if method != ours]
    both = {rival: wide[[ours, rival]].dropna() for rival in rivals if ours in wide}
    there = [rival for rival, pairs in both.items() if len(pairs) >= FEWEST]
    if not there:
        return [], rivals
    found, rows = with_the_first(wide[[ours, *there]].to_numpy(float)), []
    for rival, more, half, p in zip(there, found.differences, found.halves, found.alone, strict=True):
        means = both[rival].mean()
        rows.append(
            {"rival": rival, "n": len(both[rival]), "ours": means[ours], "theirs": means[rival]}
            | {"difference": float(more), "ci95": float(half), "p": float(p)}
        )
    return rows, [rival for rival in rivals if rival not in there]


def _called(place: Sequence[Any]) -> str:
    named = dict(zip(WITHIN, place, strict=True))
    return f"{named['model']} on {named['dataset']} at {100 * named['density']:g} %"


def verdict(table: pd.DataFrame, ours: str, rivals: int) -> str:
    """Whether there is a gain, in sentences made of the numbers.

    Args:
        table: of `differences`.
        ours: what is compared.
        rivals: how many it is compared with; a place where one is missing is none of a gain over every rival.
    """
    told = table["p_holm"] < LEVEL
    ahead, behind = (int((told & sign).sum()) for sign in (table["difference"] > 0, table["difference"] < 0))
    better = (told & (table["difference"] > 0)).groupby([table[name] for name in WITHIN], sort=False).sum()
    gains = [_called(place) for place, beaten in better.items() if beaten == rivals]  # type: ignore[arg-type]
    gain = (
        f"There is a gain over every rival: {'; '.join(gains)}."
        if gains
        else "Nowhere is there a gain over every rival."
    )
    halves = table["ci95"]
    return (
        f"Of {len(table)} comparisons of {ours}, it is ahead in {ahead} and behind in {behind} at the 5 % level, Holm-corrected; in"
        f" {len(table) - ahead - behind} no difference is told. {gain} The 95 % intervals are ± {halves.min():.1f} to"
        f" ± {halves.max():.1f} points: a smaller difference could well have been missed."
    )


def readable(table: pd.DataFrame) -> str:
    """Accuracies and differences in percent and points."""
    pairs = zip(table["difference"], table["ci95"], strict=True)
    shown = table[[*NAMED, "precision"]].assign(
        density=[f"{100 * density:g} %" for density in table["density"]], rival=table["rival"], n=table["n"],
        ours=[number(mean, 2) for mean in table["ours"]], theirs=[number(mean, 2) for mean in table["theirs"]],
        difference=[f"{mean:+.2f} ± {half:.2f}" for mean, half in pairs], p=[f"{p:.2g}" for p in table["p"]],
    )  # fmt: skip
    shown["p (Holm)"] = [f"{p:.2g}" for p in table["p_holm"]]
    return str(shown.to_markdown(index=False, disable_numparse=True))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="options of both experiments, such as results_dir=PATH"
    )
    parser.add_argument(
        "--ours", nargs="+", default=[], metavar="WORD", help="options of what is compared, such as allocation=erk"
    )
    options = parser.parse_args(arguments)
    (ours,), (rivals,) = (
        read([f"+experiment={NAME}", *options.words, *options.ours]),
        read([f"+experiment={RIVALS}", *options.words]),
    )
    cells = asked_for([ours, rivals], left_in(options.report_dir, NAME), ["accuracy"])
    name, *others = cells.loc[cells["key"].isin([slot.cells[0].key for slot in ours.slots]), "method"].unique()
    if others:
        raise UserError(
            f"ours is one method, and these words ask for {name}, {', '.join(others)}: name one after --ours."
        )
    table, lacking = differences(cells, name)
    if lost := int(cells["accuracy"].isna().sum()):
        lacking = [f"{lost} of {len(cells)} cells are missing.", *lacking]
    text = "\n\n".join(
        [verdict(table, name, cells["method"].nunique() - 1), *lacking, readable(table), " ".join(LEGEND.split())]
    )
    report.write_table(options.report_dir, f"{stem([ours])}-differences", table, text, report.made_by(NAME, arguments))


if __name__ == "__main__":
    report.run(main)
