"""Table 3 of Cunegatti et al.: how well each graph encoding predicts the accuracy drop; ours, published, difference.

    python -m pruneexp.studies.topology.table3 [--report-dir results] [--repeats 100] [--pool FILE | --records FILE.jsonl]

Writes tables/topology_table3.{csv,md}; a hundred repeats take some ten minutes on one core.
"""

import time
from collections.abc import Sequence

import pandas as pd

from pruneexp.studies import report
from pruneexp.studies.prediction.pool import MODELS
from pruneexp.studies.prediction.regression import table3
from pruneexp.studies.topology import source

NAMES = {"rolled_bge": "rolled", "rolled_channel_bge": "rolled channel", "unrolled_mge": "unrolled (MGE)"}
KEYS = ["metric", "encoding", "scenario", "group"]
REMARK = """
Each cell: ours / published (ours less published), averages of eight regressors' predictions of networks they have not
seen; deviations over the repeats in the csv. The published networks are the paper's 1,260 less two; seven more lack the
unrolled metrics and four the local ones, and are left out of the MGE's rows.

Conv-6 is the cell of the MGE that does not come out: {conv6}. Least squares fitted and judged on all of its networks at once
reaches an adjusted R^2 of .74, and the same regressors reach .73 without SNIP at sparsity 0.98, the networks furthest
from every fit; how the paper treated them is not said.
"""


def shown(table: pd.DataFrame) -> str:
    """A block for each metric, a row for each encoding."""
    blocks = []
    for metric, digits in (("adjusted_r2", 2), ("mae", 3)):
        part = table[table["metric"] == metric].copy()
        pairs = zip(part["mean"], part["published"], strict=True)
        part["cell"] = [source.cell(mean, theirs, digits) for mean, theirs in pairs]
        part["group"] = part["group"].replace(MODELS)
        wide = part.pivot_table(index="encoding", columns="group", values="cell", aggfunc="first", sort=False)
        wide = wide.rename(index=NAMES)[list(dict.fromkeys(part["group"]))].reset_index()
        name = {"adjusted_r2": "adjusted R^2", "mae": "MAE"}[metric]
        blocks.append(f"{name}:\n\n{wide.to_markdown(index=False, disable_numparse=True)}")
    return "\n\n".join(blocks)


def compared(frame: pd.DataFrame, repeats: int = 100, facts: bool = True) -> pd.DataFrame:
    """Table 3 of these networks, published mean and std beside it.

    Args:
        frame: in the form of `pruneexp.studies.prediction.pool`.
        repeats: of the cross-validation.
        facts: whether these are the paper's networks; other networks stand beside nothing.

    Raises:
        UserError: see `table3`.
    """
    published = source.published("mge_regression")
    return source.beside(pd.DataFrame(table3(frame, repeats)), published if facts else published[:0], KEYS, "")


def remark(table: pd.DataFrame) -> str:
    """`REMARK` with Conv-6's numbers, where the table has them."""
    chosen = (table["encoding"] == "unrolled_mge") & (table["group"] == "conv6") & (table["metric"] == "adjusted_r2")
    pairs = table.loc[chosen, ["mean", "published"]].itertuples(index=False)
    return "".join(REMARK.format(conv6=f"{mean:.2f} against {theirs:.2f}") for mean, theirs in pairs)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = source.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    table = compared(source.networks(options), options.repeats, facts=options.records is None)
    text = shown(table) + ("\n" + remark(table) if options.records is None else "")
    text += f"\n{options.repeats} repeats in {time.perf_counter() - start:.0f} s."
    made = report.made_by("topology.table3", arguments)
    report.write_table(options.report_dir, source.named("topology_table3", options), table, text, made)


if __name__ == "__main__":
    report.run(main)
