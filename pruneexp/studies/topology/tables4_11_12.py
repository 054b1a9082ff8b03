"""Tables 4, 11 and 12 of Cunegatti et al.: which score ranks pruning methods as their accuracy does; ours, published, difference.

    python -m pruneexp.studies.topology.tables4_11_12 [--report-dir results] [--pool FILE | --records FILE.jsonl]

Writes tables/topology_table{4,11,12}.{csv,md}: all methods, those that prune at initialisation by score, random ones.
Nothing is trained but small predictors; under a minute.
"""

from collections.abc import Sequence

import pandas as pd

from pruneexp.studies import report
from pruneexp.studies.prediction.learned import FEATURES, learned
from pruneexp.studies.prediction.pool import RIVALS
from pruneexp.studies.prediction.ranking import agreement, mixture
from pruneexp.studies.topology import source
from pruneexp.studies.topology.ranking_text import HELD_OUT, IN_SAMPLE, NAMES, shown

TABLES = {"4": None, "11": ("snip", "grasp", "synflow", "prospr"), "12": ("uniform", "er", "erk")}
COLUMNS = ["model", "strategy", "sparsity"]


def strategies(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Scores by network, lower is better."""
    scores = {NAMES[name]: -frame[name] for name in RIVALS if name in frame and frame[name].notna().any()}
    for held_out, name in ((False, IN_SAMPLE), (True, HELD_OUT)):
        scores[name] = mixture(frame, "regressors", held_out)
        scores[f"{name}, drop"] = mixture(frame, "drop", held_out)
    if frame[FEATURES].notna().all(axis=1).any():
        scores["forest, held-out"] = learned(frame, "forest")
        scores["ridge, held-out"] = learned(frame, "ridge")
        scores["prior, held-out"] = learned(frame, "prior")
        if frame["model"].nunique() > 1:
            scores["forest, held-out model"] = learned(frame, "forest", "model")
    return scores


def ranked(frame: pd.DataFrame, scores: dict[str, pd.Series], methods: tuple[str, ...] | None) -> pd.DataFrame:
    """Columns model, strategy, sparsity, mean, std, n."""
    parts = [agreement(frame, score, methods).assign(strategy=name) for name, score in scores.items()]
    return pd.concat(parts, ignore_index=True)[[*COLUMNS, "mean", "std", "n"]]


def compared(frame: pd.DataFrame, facts: bool = True) -> dict[str, pd.DataFrame]:
    """Tables 4, 11 and 12 of these networks by number, published mean and std beside them.

    Args:
        frame: in the form of `pruneexp.studies.prediction.pool`.
        facts: whether these are the paper's networks; other networks stand beside nothing.

    Returns:
        without the tables of which fewer than two methods are among the networks.

    Raises:
        UserError: too few networks to rank.
    """
    scores, tables = strategies(frame), {}
    for number, methods in TABLES.items():
        if methods is not None and len(set(methods) & set(frame["method"])) < 2:
            continue
        printed = source.published("mge_ranking_rbo")
        printed = printed[(printed["table"] == f"table{number}") & facts]
        printed = printed.assign(strategy=printed["strategy"].replace(NAMES))
        tables[number] = source.beside(ranked(frame, scores, methods), printed, COLUMNS, "rbo_")
    return tables


def main(arguments: Sequence[str] | None = None) -> None:
    options = source.parser(__doc__).parse_args(arguments)
    made, facts = report.made_by("topology.tables4_11_12", arguments), options.records is None
    tables = compared(source.networks(options), facts)
    for number, table in tables.items():
        name = source.named(f"topology_table{number}", options)
        report.write_table(options.report_dir, name, table, shown(number, table, facts), made)
    for number, methods in TABLES.items():
        if number not in tables:
            print(f"table {number}: fewer than two of {', '.join(methods or ())} among the networks")


if __name__ == "__main__":
    report.run(main)
