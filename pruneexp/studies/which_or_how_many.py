"""How many or which: does the accuracy come of how many weights each layer keeps, or of which ones?

    python -m pruneexp.studies.which_or_how_many [WORD ...] [--report-dir results]

Reads the cells of `EXPERIMENTS`, in the results_dir and in records/which_or_how_many*.jsonl of the --report-dir, and trains nothing. WORDs
are options of the experiments, such as recipe=smoke or results_dir=PATH. Writes tables/which_or_how_many-variance.{csv,md,json}, the shares
of the variance and the answer; -means, the accuracies, with the figure of that name; -differences, which allocations and which choices
differ; -beyond, what the masks' graphs say besides.
Words that make other cells are in these names too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pruneexp.errors import UserError
from pruneexp.studies import report
from pruneexp.studies.asked import NAMED, asked_for, left_in, read, stem
from pruneexp.studies.factorial.answer import answer, order, rest, unseen
from pruneexp.studies.factorial.beyond import MEASURES, beyond
from pruneexp.studies.factorial.differences import differences
from pruneexp.studies.factorial.drawn import heat_map
from pruneexp.studies.factorial.least_fitting import least_fitting
from pruneexp.studies.factorial.readable import grid_of, readable_beyond, readable_differences, readable_variance
from pruneexp.studies.factorial.shares import shares
from pruneexp.studies.factorial.variance import ALLOCATION, CHOICE, FACTORS, Variance, analysed
from pruneexp.sweep import Grid

NAME = "which_or_how_many"
EXPERIMENTS = (NAME, f"{NAME}_snip")
ALIKE = [*NAMED, "besides", "density"]
ABOVE, NEAR = 1.5, "above chance"  # times chance: what has learned something
REST = "rest"
LEGEND = f"""
Two-way analysis of variance of the cells' accuracies, seeds as blocks, sums of squares of type II, for these levels (fixed effects). `F`
and `p`: against the residual, as if all cells varied by themselves. `F (seeds)` and `p (seeds)`: against the effect's own interaction
with the seeds, since all choices of one seed and allocation share their counts; the shares and the answer go by it. `share`: omega
squared, V_k / (V_allocation + V_choice + V_interaction + s^2) with V_k = (SS_k - df_k s_k^2) / N, s_k^2 the mean square of the effect's
interaction with the seeds, s^2 the residual's and N the cells; what seeds differ by is left out, and a negative estimate, which means
none, is shown as it is. `partial`: V_k / (V_k + s_k^2). In brackets 95 % intervals: of the partial form by inversion of the noncentral F,
of the share by the same inversion of the three effects together. `accuracy`: in percent; `logit`: log(a / (100 - a)), which stretches
what is near 0 and 100; `{NEAR}`: accuracies without cells below {ABOVE:g} x chance; `{REST}`: accuracies without the combination that the
two effects fit least, which is chosen by these accuracies and makes what is left of the interaction look small.
"""
LEGEND_DIFFERENCES = """
Differences of the means over all cells of a level, in points, with the 95 % intervals and p of Tukey's honestly significant difference,
which hold for all pairs of allocations, or of choices, together; the error is the factor's interaction with the seeds. An interval
that holds 0 ranks nothing. Where allocation and choice interact, a mean over allocations is of no single one of them.
"""
LEGEND_BEYOND = """
Of the accuracies of each allocation and choice, means over seeds: `partial R2`, the share of what the allocation leaves of their
variance that goes with the measure, with its 95 % interval by inversion of the noncentral F, and the F test. `slope`: accuracy, in
points, that goes with one standard deviation more of it, beside the allocation. It is correlation, not cause: masks that differ in one
measure differ in others.
"""


@dataclass(frozen=True)
class Factorial:
    """The cells of a factorial.

    Attributes:
        cells: a row for each that is asked for: allocation, choice, seed, accuracy, chance and `MEASURES`, NaN where it is missing.
        of: what was trained.
    """

    cells: pd.DataFrame
    of: str

    @property
    def there(self) -> pd.DataFrame:
        """Those that have an accuracy, which is their value."""
        return self.cells.dropna(subset="accuracy").assign(value=lambda cells: cells["accuracy"])

    @property
    def missing(self) -> str:
        """Which cells are missing, in a sentence."""
        lacking = self.cells[self.cells["accuracy"].isna()]
        if lacking.empty:
            return f"All {len(self.cells)} cells are there."
        called = lacking[ALLOCATION] + " x " + lacking[CHOICE]
        seeds = lacking["seed"].astype(str).groupby(called, sort=False).agg(", ".join)
        which = "; ".join(f"{name} (seed {own})" for name, own in seeds.items())
        return f"{len(lacking)} of {len(self.cells)} cells are missing: {which}."


def factorial(asked: Sequence[Grid], files: Sequence[Path] = ()) -> Factorial:
    """What is recorded of the pruned cells of these grids.

    Args:
        asked: that together are of each allocation, choice and seed once.
        files: of records, besides those that the grids name.

    Raises:
        UserError: they differ in more than that, or in precision; a record is damaged; or none is there.
    """
    cells = asked_for(asked, files, ["accuracy", "chance", *MEASURES])
    if several := [name for name in ALIKE if cells[name].nunique() > 1]:
        told = "; ".join(f"{name}: {', '.join(map(str, cells[name].unique()))}" for name in several)
        raise UserError(
            f"a factorial is of cells that differ in allocation, choice and seed alone, and these differ in more ({told})."
        )
    twice = cells[cells[[*FACTORS, "seed"]].duplicated(keep=False)]
    if len(twice):
        raise UserError(
            "a factorial has one cell of each allocation, choice and seed, and these words ask for several that have these in common"
            f" ({'; '.join(twice['method'].unique())}): name one of them."
        )
    first = cells.dropna(subset="chance").iloc[0]
    told = ", ".join(filter(None, (first["recipe"], first["besides"], first["precision"])))
    return Factorial(cells, f"{first['model']} on {first['dataset']} at {100 * first['density']:g} % ({told})")


def logit(accuracy: "pd.Series[float]") -> "pd.Series[float]":
    """log(a / (100 - a)) of accuracies in percent; NaN of 0 and 100."""
    inside = accuracy.where((accuracy > 0) & (accuracy < 100))
    found: pd.Series[float] = np.log(inside / (100 - inside))  # type: ignore[assignment]
    return found


SCALES: dict[str, Callable[[pd.DataFrame], "pd.Series[float]"]] = {
    "accuracy": lambda cells: cells["accuracy"],
    "logit": lambda cells: logit(cells["accuracy"]),
    NEAR: lambda cells: cells["accuracy"].where(cells["accuracy"] >= ABOVE * cells["chance"]),
    REST: lambda cells: cells["accuracy"].where((cells[FACTORS] != list(least_fitting(cells))).any(axis=1)),
}


def variances(cells: pd.DataFrame) -> tuple[dict[str, tuple[Variance, pd.DataFrame]], list[str]]:
    """By scale the analysis of variance and the shares of its effects; and what there is to know of scales that lack cells.

    Args:
        cells: allocation, choice, seed, accuracy, chance and value, none without an accuracy.

    Raises:
        UserError: the accuracies cannot be analysed.
    """
    found, remarks = dict[str, tuple[Variance, pd.DataFrame]](), list[str]()
    for scale, of in SCALES.items():
        scaled = cells.assign(value=of(cells)).dropna(subset="value")
        if lost := len(cells) - len(scaled):
            remarks.append(f"{scale}: without {lost} of {len(cells)} cells.")
        elif scale == NEAR:
            remarks.append(f"No cell is below {ABOVE:g} x chance.")
            continue
        try:
            variance = analysed(scaled)
        except UserError as error:
            if scale == "accuracy":
                raise
            remarks.append(f"{scale}: {error}")
            continue
        found[scale] = variance, shares(variance)
    return found, remarks


def table_of(found: dict[str, tuple[Variance, pd.DataFrame]]) -> pd.DataFrame:
    """A row for each scale and effect, and one for the residual: ss, df, f, p, f_seeds, p_seeds, the shares in percent, and `error`
    and `error_df`, the mean square of the interaction with the seeds and its degrees of freedom."""
    parts = []
    for scale, (variance, of) in found.items():
        part = variance.effects.join(variance.errors.rename(columns={"ms": "error", "df": "error_df"})).join(100 * of)
        part.loc["residual", ["ss", "df"]] = variance.residual * variance.freedom, variance.freedom
        part.insert(0, "scale", scale)
        parts.append(part.rename_axis("effect").reset_index().assign(n=variance.cells))
    return pd.concat(parts, ignore_index=True)[
        ["scale", "effect", "n", *parts[0].columns.drop(["scale", "effect", "n"])]
    ]


def robust(found: dict[str, tuple[Variance, pd.DataFrame]]) -> str:
    """Whether the other scales say the same of the larger share."""
    said = {scale: order(of) for scale, (_, of) in found.items()}
    larger = {name: f"{name} is the larger" for name in FACTORS} | {"neither": "the intervals of the two overlap"}
    return " ".join(
        f"On the scale `{scale}` the answer is {'the same' if other == said['accuracy'] else f'another: {larger[other]}'}."
        for scale, other in said.items()
        if scale != "accuracy"
    )


def _rest(found: dict[str, tuple[Variance, pd.DataFrame]], cells: pd.DataFrame) -> str:
    if REST not in found:
        return ""
    variance, of = found[REST]
    return rest(of, variance.effects["p_seeds"], least_fitting(cells))


def means_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy, n and the largest deviation from the mean of each allocation and choice, in the order of the cells."""
    rows: Any = cells[[*FACTORS, "seed", "accuracy"]].to_dict("records")
    return report.over_seeds(rows, FACTORS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = report.parser(__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="options of the experiments, such as results_dir=PATH")
    options = parser.parse_args(arguments)
    asked = read([f"+experiment={','.join(EXPERIMENTS)}", *options.words])
    whole = factorial(asked, left_in(options.report_dir, NAME))
    cells = whole.there
    try:
        found, remarks = variances(cells)
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')} ({len(cells)} of {len(whole.cells)} cells are there).") from error
    made, folder, name = report.made_by(NAME, arguments), options.report_dir, stem(asked)
    accuracy, of = found["accuracy"]
    said = [
        answer(of, accuracy.effects["p_seeds"], whole.of),
        robust(found),
        _rest(found, cells),
        unseen(accuracy, cells),
        whole.missing,
        *remarks,
    ]
    table, seeds = table_of(found), whole.cells["seed"].nunique()
    text = "\n\n".join([*filter(None, said), readable_variance(table), " ".join(LEGEND.split())])
    report.write_table(folder, f"{name}-variance", table, text, made)
    means = means_of(cells)
    heading = f"Accuracy in percent, mean over {seeds} seeds ± the largest deviation from it. {whole.missing}"
    report.write_table(folder, f"{name}-means", means, f"{grid_of(means, seeds)}\n\n{heading}", made)
    pairs = differences(cells, accuracy)
    shown = (
        readable_differences(pairs)
        if len(pairs)
        else f"Told where each allocation has a cell of each choice and seed. {whole.missing}"
    )
    text = f"{shown}\n\n{' '.join(LEGEND_DIFFERENCES.split())}"
    report.write_table(folder, f"{name}-differences", pairs, text, made)
    more = beyond(cells)
    report.write_table(
        folder, f"{name}-beyond", more, f"{readable_beyond(more)}\n\n{' '.join(LEGEND_BEYOND.split())}", made
    )
    report.write_figure(folder, f"{name}-means", heat_map(means, seeds, f"Accuracy of {whole.of}"), made)


if __name__ == "__main__":
    report.run(main)
