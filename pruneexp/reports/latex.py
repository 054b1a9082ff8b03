"""A table as LaTeX that fits a page."""

import re
from collections.abc import Sequence

import pandas as pd

from pruneexp.reports.frame import NETWORK
from pruneexp.reports.shown import Shown, fitting, indispensable
from pruneexp.reports.titles import Titles
from pruneexp.system.console import visible

LINE = 345.0  # points: \textwidth of article at 10 pt, the narrowest that is common
SIZES = {"small": 4.7, "footnotesize": 4.25, "scriptsize": 4.0}  # points of a character, about
GAP = 3.0  # points on either side of a column
PAGE = 42  # rows of a table that is not broken
SPECIAL = {
    **{one: f"\\{one}" for one in "&%$#_{}"}, "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "[": "{[}", "]": "{]}", "*": "$^{*}$", "<": "$<$", ">": "$>$", "|": "$|$", '"': "''", "≤": r"$\leq$",
    "≥": r"$\geq$", "×": r"$\times$", "λ": r"$\lambda$",
}  # fmt: skip
LATIN, STRANGE = "\u0180", "ĦħĸĿŀŉŦŧſ"  # pdflatex has the letters before the first, but not the others
WIDE = "%&@mwMW<>±≤≥×~"
HEADS = {"scorer": "scores", "masker": "mask", "lambda_2": r"$\lambda_2$"}
CONSTANT = {"scorer": "{} scores", "recipe": "recipe {}"}  # in a caption
MINUS = re.compile(r"(?<![\w}])-(?=\d)")


def latex(table: Shown, titles: Titles, caption: str, label: str) -> str:
    """The table with booktabs, as a float, or page by page (longtable) where it is long.

    Networks are headings over their rows; names are those for people; the best accuracy and what cannot be told from it are bold. The
    size of type is the largest at which the columns fit a line of 345 points; where even the smallest does not do, columns are left
    out from the last on, and the caption says which: the CSV has them.
    """
    groups = [name for name in NETWORK if name in table.rows]
    rows = table.rows.drop(columns=groups)
    for name in table.settings:
        if name in rows:
            rows[name] = [titles(name, text) for text in rows[name]]
    columns = [[*str(column).split(), *rows[column]] for column in rows]  # a heading's words stand one over the other
    size, kept = _fitting(columns, indispensable(rows))
    left_out = [str(column) for column in list(rows)[kept:]]
    rows = rows[list(rows)[:kept]]
    facts = [CONSTANT.get(name, "{}").format(titles(name, value)) for name, value in table.constant.items()]
    caption = (
        ". ".join([", ".join([caption, *facts]), *([f"Not shown: {', '.join(left_out)}"] if left_out else [])]) + "."
    )
    body, previous = list[str](), None
    for place, row in enumerate(rows.to_dict("records")):
        network = tuple(table.rows[name].iloc[place] for name in groups)
        if groups and network != previous:
            heading = ", ".join(titles(name, text) for name, text in zip(groups, network, strict=True))
            body += [*([r"\midrule"] if body else []), _heading(heading, kept)]
            previous = network
        cells = [
            rf"\textbf{{{escaped(text)}}}" if column == "accuracy" and table.best[place] else escaped(text)
            for column, text in row.items()
        ]
        body.append(" & ".join(cells) + r" \\")
    head = " & ".join(_head(str(column)) for column in rows) + r" \\"
    return _written(
        body,
        head,
        _alignment(rows, table.settings),
        size,
        escaped(caption).replace(escaped("lambda_2"), HEADS["lambda_2"]),
        label,
    )


def escaped(text: str) -> str:
    """Text as pdflatex takes it: of characters that it has none for, the number; of those that cannot be seen, the escape."""
    known = (
        SPECIAL.get(one, one if one < LATIN and one not in STRANGE else f"U+{ord(one):04X}") for one in visible(text)
    )
    return MINUS.sub("$-$", "".join(known))


def _heading(text: str, columns: int) -> str:
    """Over all columns, in several lines where it is long."""
    fits = _width(text) * SIZES["small"] <= LINE - 2 * GAP
    place = "l" if fits else rf"p{{{LINE - 2 * GAP:g}pt}}"
    told = escaped(text) if fits else escaped(text).replace(",", r",\allowbreak{}")
    return rf"\multicolumn{{{columns}}}{{{place}}}{{\textit{{{told}}}}} \\"


def _width(text: str) -> float:
    """In characters of usual width, about."""
    return sum(1.6 if one in WIDE else 1 if one in SPECIAL else len(escaped(one)) for one in text)


def _fitting(columns: Sequence[Sequence[str]], least: int) -> tuple[str, int]:
    """How many columns fit a line in the smallest type, and the largest in which these do; a smaller one for what must not be left out."""
    characters = [max(map(_width, column)) for column in columns]

    def widths(point: float) -> list[float]:
        return [count * point + 2 * GAP for count in characters]

    kept = fitting(widths(min(SIZES.values())), LINE, least)
    sizes = [size for size, point in SIZES.items() if sum(widths(point)[:kept]) <= LINE]
    return sizes[0] if sizes else "tiny", kept


def _head(column: str) -> str:
    """A heading, its words one over the other."""
    words = [HEADS[column]] if column in HEADS else [escaped(word) for word in column.split()]
    return words[0] if len(words) == 1 else r"\shortstack[r]{" + r"\\".join(words) + "}"


def _alignment(rows: pd.DataFrame, settings: Sequence[str]) -> str:
    return "".join("l" if column in settings and column != "density" else "r" for column in rows)


def _written(body: list[str], head: str, alignment: str, size: str, caption: str, label: str) -> str:
    place = re.sub(r"[^A-Za-z0-9]+", "-", label)
    set_ = [rf"\{size}", rf"\setlength{{\tabcolsep}}{{{GAP:g}pt}}"]
    if len(body) <= PAGE:
        return "\n".join(
            [r"\begin{table}", r"\centering", rf"\caption{{{caption}}}", rf"\label{{tab:{place}}}", *set_,
             rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}",
             r"\end{table}", ""]
        )  # fmt: skip
    return "\n".join(
        [r"\begingroup", *set_, rf"\begin{{longtable}}{{{alignment}}}", rf"\caption{{{caption}}} \label{{tab:{place}}} \\",
         r"\toprule", head, r"\midrule", r"\endfirsthead", r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule",
         r"\endlastfoot", *body, r"\end{longtable}", r"\endgroup", ""]
    )  # fmt: skip
