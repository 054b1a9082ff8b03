"""What every study shares: its command line, and files that say how they were made."""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pruneexp.errors import UserError
from pruneexp.jobs.places import without_places
from pruneexp.records.provenance import git_commit
from pruneexp.reports.figures.drawing import save
from pruneexp.reports.markdown import made_by as commented
from pruneexp.system import files
from pruneexp.system.arguments import Parser
from pruneexp.system.console import quoted
from pruneexp.system.ending import told_at_the_end


def parser(doc: str | None) -> argparse.ArgumentParser:
    """With --report-dir, described by the first line of the study's docstring `doc`."""
    made = Parser(description=(doc or "").partition("\n")[0], allow_abbrev=False)
    made.add_argument("--report-dir", type=Path, default=Path("results"), help="holds tables/, figures/ and published/")
    return made


def made_by(study: str, arguments: Sequence[str] | None) -> str:
    """The command and the commit, which an installed wheel does not know; where files lie on this machine is left out.

    Args:
        study: its module below ``pruneexp.studies``.
        arguments: those that its `parser` has read; the process's own for None.
    """
    places = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    places.add_argument("--report-dir")
    places.add_argument("--data-dir")
    _, told = places.parse_known_args(arguments)
    words = [f"python -m pruneexp.studies.{study}", *map(quoted, without_places(told))]
    return f"{' '.join(words)}; commit {git_commit() or 'unknown'}"


def folder(report_dir: Path, kind: str) -> Path:
    """The folder of this kind of file, made if missing.

    Raises:
        UserError: it cannot be made.
    """
    found = report_dir / kind
    try:
        found.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{found} cannot be made ({error.strerror}): {files.remedy(error, '--report-dir')}.") from error
    return found


def of_networks(
    doc: str | None,
    study: Callable[[Sequence[str], int], pd.DataFrame],
    networks: Sequence[str],
    text: Callable[[pd.DataFrame], str],
    arguments: Sequence[str] | None,
) -> None:
    """Run a study of networks and seeds as its command line says, and write its table.

    Args:
        doc: its docstring.
        study: (networks, seeds) -> table; its name is the module's and the table's.
        networks: that there are.
        text: the table for people.
        arguments: of the command line.
    """
    reader = parser(doc)
    reader.add_argument("--networks", nargs="+", choices=list(networks), default=list(networks))
    reader.add_argument("--seeds", type=int, default=3)
    options, name = reader.parse_args(arguments), study.__name__
    table = study(options.networks, options.seeds)
    write_table(options.report_dir, name, table, text(table), made_by(name, arguments))


def over_seeds(rows: Sequence[Mapping[str, object]], keys: list[str]) -> pd.DataFrame:
    """Mean of each figure over the seeds and, as ``_spread``, the largest deviation from it.

    Args:
        rows: `keys`, a ``seed`` and figures, a row for each seed.
        keys: what the rows have in common that are averaged; they stand first, then ``n``, the number of seeds.
    """
    found = pd.DataFrame(rows)
    figures = [column for column in found if column not in (*keys, "seed")]
    groups = found.groupby(keys, sort=False)[figures]
    deviations = (found[figures] - groups.transform("mean")).abs()
    spread = deviations.groupby([found[key] for key in keys], sort=False).max().add_suffix("_spread")
    table = groups.mean().join(spread)
    table.insert(0, "n", groups.size())
    return table.reset_index()


def with_spread(table: pd.DataFrame, digits: Mapping[str, int]) -> pd.DataFrame:
    """Figures of `over_seeds` as text, ``mean ± spread`` with so many digits; of one seed without a spread, nothing where there is none.

    Args:
        table: each figure and its ``_spread``, and n.
        digits: by figure.
    """
    shown = pd.DataFrame(index=table.index)
    for figure, places in digits.items():
        rows = zip(table[figure], table[f"{figure}_spread"], table["n"], strict=True)
        shown[figure] = [
            "" if math.isnan(mean) else f"{mean:.{places}f}" + (f" ± {spread:.{places}f}" if n > 1 else "")
            for mean, spread, n in rows
        ]
    return shown


def write_table(
    report_dir: Path, name: str, table: pd.DataFrame, text: str, made: str, digits: int = 6, page: Path | None = None
) -> None:
    """Print `text`; write the whole table as tables/<name>.csv and `text` as .md (or `page`), and as .json the command that made them.

    Raises:
        UserError: the folder cannot be made.
    """
    print(text)  # first: a folder that cannot be written must not lose what took minutes
    stem = folder(report_dir, "tables") / name
    rows = table.to_csv(index=False, float_format=f"%.{digits}g")
    command, _, commit = made.partition("; commit ")
    files.write(stem.with_name(f"{name}.csv"), rows)
    files.write(stem.with_name(f"{name}.json"), json.dumps({"command": command, "commit": commit}, indent=1) + "\n")
    files.write(page or stem.with_name(f"{name}.md"), f"{commented(made)}{text.strip()}\n")


def write_figure(report_dir: Path, name: str, figure: Figure, made: str) -> None:
    """Write figures/<name>.png and .svg with the command in them, and print where.

    Raises:
        UserError: the folder cannot be made.
    """
    print(*save(figure, folder(report_dir, "figures") / name, made), sep="\n")


def run(main: Callable[[], None]) -> None:
    """`main` as a program (`pruneexp.system.ending`)."""
    with told_at_the_end("pruneexp"):
        main()
