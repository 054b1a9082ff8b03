"""Where the tables and figures of topology take their networks from, and what they are set beside."""

import argparse
from pathlib import Path

import pandas as pd

from pruneexp.studies import reading, report
from pruneexp.studies.prediction.pool import from_records, load_pool
from pruneexp.system.shipped import published_dir


def parser(doc: str | None) -> argparse.ArgumentParser:
    """With --pool FILE (the shipped one where left out), --records FILE.jsonl and what every study takes."""
    made = report.parser(doc)
    source = made.add_mutually_exclusive_group()
    source.add_argument("--pool", type=Path, help="a pool in the form of results/published/mge_pool.csv.gz")
    source.add_argument("--records", type=Path, help="records of our own, one JSON object a line")
    return made


def networks(options: argparse.Namespace) -> pd.DataFrame:
    """The frame that the command line asks for.

    Raises:
        UserError: a file is missing or damaged.
    """
    if options.records is None:
        return load_pool(options.pool)
    return from_records(reading.lines(options.records))


def named(name: str, options: argparse.Namespace) -> str:
    """The files' name: with that of the records, so that the pool's stay as they are."""
    return name if options.records is None else f"{name}-{options.records.stem}"


def published(name: str) -> pd.DataFrame:
    """A published table as text: keys compare as printed."""
    return pd.read_csv(published_dir() / "topology" / f"{name}.csv", dtype=str, keep_default_na=False)


def beside(table: pd.DataFrame, facts: pd.DataFrame, on: list[str], value: str) -> pd.DataFrame:
    """Add the published mean and std and ours less theirs."""
    facts = facts.rename(columns={f"{value}mean": "published", f"{value}std": "published_std"})
    facts = facts[[*on, "published", "published_std"]]
    facts = facts.assign(**{c: pd.to_numeric(facts[c]) for c in ("published", "published_std")})
    keyed = table.assign(**{column: table[column].astype(str) for column in on})
    joined = keyed.merge(facts, on=on, how="left")
    return joined.assign(difference=joined["mean"] - joined["published"])


def cell(mean: float, theirs: float, digits: int = 2) -> str:
    """Ours / published (ours less published); ours alone where nothing is published."""
    shown = f"{mean:.{digits}f}"
    return shown if pd.isna(theirs) else f"{shown} / {theirs:.{digits}f} ({mean - theirs:+.{digits}f})"
