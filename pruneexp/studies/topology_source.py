"""Where the tables and figures of topology take their networks from, and how they are written."""

import argparse
import json
import shlex
import sys
from pathlib import Path

import pandas as pd

from pruneexp.errors import UserError
from pruneexp.records.provenance import git_commit
from pruneexp.studies.prediction.pool import from_records, load_pool
from pruneexp.system import files
from pruneexp.system.shipped import published_dir

RESULTS = Path("results")


def parser(description: str) -> argparse.ArgumentParser:
    """With --pool FILE (the shipped one where left out), --records FILE.jsonl and --out FOLDER."""
    made = argparse.ArgumentParser(description=description)
    source = made.add_mutually_exclusive_group()
    source.add_argument("--pool", type=Path, help="a pool in the form of results/published/mge_pool.csv.gz")
    source.add_argument("--records", type=Path, help="records of our own, one JSON object a line")
    made.add_argument("--out", type=Path, default=RESULTS, help="holds tables/ and figures/")
    return made


def networks(arguments: argparse.Namespace) -> pd.DataFrame:
    """The frame that the command line asks for.

    Raises:
        UserError: a file is missing or damaged.
    """
    if arguments.records is None:
        return load_pool(arguments.pool)
    if not arguments.records.is_file():
        raise UserError(f"there is no file {arguments.records}.")
    try:
        return from_records(json.loads(line) for line in arguments.records.read_text().splitlines() if line.strip())
    except json.JSONDecodeError as error:
        raise UserError(f"{arguments.records} is not one JSON object a line: {error}.") from None


def stem(name: str, arguments: argparse.Namespace) -> str:
    """The files' name: that of the records beside, so that the pool's stay as they are."""
    return name if arguments.records is None else f"{name}-{arguments.records.stem}"


def command(script: str) -> str:
    """How this was made, and from which commit."""
    return f"python -m scripts.{script} {shlex.join(sys.argv[1:])}".strip() + f"; commit {git_commit()}"


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


def write(out: Path, stem: str, table: pd.DataFrame, text: str, made_by: str) -> None:
    """tables/<stem>.csv and .md, the command first in both."""
    folder = out / "tables"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SystemExit(f"{folder} cannot be made: {error.strerror}.") from error
    files.write(folder / f"{stem}.csv", f"# made by: {made_by}\n" + table.to_csv(index=False, float_format="%.6g"))
    files.write(folder / f"{stem}.md", f"<!-- made by: {made_by} -->\n{text.strip()}\n")
    print(text)
