"""A table as Markdown, and what stands around it: whatever a text holds, it is text."""

import re

import pandas as pd

from pruneexp.reports.shown import Shown
from pruneexp.system.console import visible

SPECIAL = re.compile(r"([\\\\|`])")
HTML = {"&": "&amp;", "<": "&lt;"}


def markdown(table: Shown) -> str:
    """The rows as a Markdown table, the accuracies of the best and of what cannot be told from it in bold."""
    rows = table.rows.map(escaped)
    if "accuracy" in rows:
        pairs = zip(rows["accuracy"], table.best, strict=True)
        rows["accuracy"] = [f"**{text}**" if mark else text for text, mark in pairs]
    rows.columns = rows.columns.map(escaped)
    return str(rows.to_markdown(index=False, disable_numparse=True))


def grid_of(table: pd.DataFrame) -> str:
    """A table of numbers and names, four digits of each number."""
    texts = table.map(lambda value: escaped(value) if isinstance(value, str) else value)
    return str(texts.to_markdown(index=False, floatfmt=".4g"))


def escaped(text: str) -> str:
    """A text that no reader of Markdown takes for a cell's end, code, a link or HTML."""
    return prose(SPECIAL.sub(r"\\\1", visible(text))).replace("](", "]\\(")


def prose(text: str) -> str:
    """A sentence, in which no HTML begins."""
    return re.sub(r"&(?=#?\w+;)|<(?=[\w/!?])", lambda found: HTML[found[0]], visible(text))


def made_by(command: str) -> str:
    """The comment at a page's begin. Where the command itself would end it, two quotes stand in between, which a shell reads as nothing:
    a word with > in it is quoted."""
    told = re.sub(r"--(?=!?>)", "--''", command)
    return f"<!-- made by: {told} -->\n"
