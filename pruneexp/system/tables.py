"""Tables of text: as wide as the terminal at most; in a file or a pipe, where nothing has to fit, whole and in plain lines."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Column, Table
from tabulate import tabulate

from pruneexp.system.console import console, terminal_width

Texts = Mapping[str, Sequence[str]]  # by a column's title
GAP = 2  # between columns
INDENT = 2  # of rows below a heading


@dataclass(frozen=True)
class Layout:
    """Where the columns of a table go.

    Attributes:
        kept: those that stand there, in their order.
        headings: settings that have no room, by whose values sections of the table are called, or that are the same in all rows.
        left_out: those that have no room.
    """

    kept: list[str]
    headings: list[str]
    left_out: list[str]


def laid_out(
    columns: Texts, needed: Collection[str], order: Sequence[str], settings: Collection[str], width: int
) -> Layout:
    """The layout of a table that has this width.

    Args:
        columns: all there are, in the order in which they stand.
        needed: those that have room before all others; those among them that are no settings, in any case.
        order: which others have room first; those that it does not name come after it, in their own order.
        settings: those that say what a row is of. They are never left out.
        width: of the terminal, in characters.
    """
    ranked = [name for name in dict.fromkeys([*needed, *order, *columns]) if name in columns]
    widths = {name: GAP + max(map(cell_len, [name, *columns[name]])) for name in columns}
    certain = {name for name in needed if name in columns and name not in settings}
    same = {name for name in columns if name in settings and name not in needed and len(set(columns[name])) == 1}
    room = width + GAP - INDENT - sum(widths[name] for name in certain)
    kept = set(certain)
    for name in ranked:
        if name not in certain | same and widths[name] <= room:
            kept.add(name)
            room -= widths[name]
    others = [name for name in columns if name not in kept]
    headings = [name for name in others if name in settings and any(columns[name])]
    return Layout(
        [name for name in columns if name in kept], headings, [name for name in others if name not in settings]
    )


def print_table(
    columns: Texts,
    needed: Collection[str] = (),
    order: Sequence[str] = (),
    settings: Collection[str] = (),
    bold: Sequence[bool] = (),
) -> list[str]:
    """Print a table, on a terminal as `laid_out` lays it out, no cell wrapped or cut; elsewhere all of it, as Markdown has tables.

    Args:
        columns, needed, order, settings: as for `laid_out`.
        bold: whether a row is emphasised, of each.

    Returns:
        The columns that had no room.
    """
    count = len(next(iter(columns.values()), ()))
    width, marks = terminal_width(), list(bold) or [False] * count
    if width is None:
        texts = {name: [text.replace("|", "\\|") for text in column] for name, column in columns.items()}
        print(tabulate(texts, headers="keys", tablefmt="github", disable_numparse=True))
        return []
    layout = laid_out(columns, needed, order, settings, width)
    same = [name for name in layout.headings if len(set(columns[name])) == 1]
    sections: dict[str, list[int]] = {}
    for row in range(count):
        varying = {name: columns[name][row] for name in layout.headings if name not in same}
        sections.setdefault(_said(varying) or f"no {' or '.join(varying)}", []).append(row)
    kept, several = {name: columns[name] for name in layout.kept}, len(layout.headings) > len(same)
    if same:
        console().print(_said({name: columns[name][0] for name in same}))
    if several:
        _print_rows(kept, [], marks, header=True, indent=INDENT)
    for heading, rows in sections.items():
        if several:
            console().print(heading)  # broken between words where it is longer than a line
        _print_rows(kept, rows, marks, header=not several, indent=INDENT if several else 0)
    return layout.left_out


def _said(values: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value)


def _print_rows(
    columns: Texts, rows: Sequence[int], bold: Sequence[bool], header: bool = False, indent: int = 0
) -> None:
    widths = {name: max(map(cell_len, [name, *texts])) for name, texts in columns.items()}
    table = Table(
        *(Column(name, min_width=width, no_wrap=True) for name, width in widths.items()),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        show_header=header,
    )
    for row in rows:
        table.add_row(*(texts[row] for texts in columns.values()), style="bold" if bold[row] else None)
    whole = indent + sum(widths.values()) + GAP * (len(widths) - 1)  # may be more than the terminal's
    console().print(Padding(table, (0, 0, 0, indent), expand=False), width=whole, soft_wrap=True)
