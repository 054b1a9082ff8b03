"""A table as Markdown."""

from pruneexp.reports.shown import Shown


def markdown(table: Shown) -> str:
    """The rows as a Markdown table, the accuracies of the best and of what cannot be told from it in bold."""
    rows = table.rows.copy()
    if "accuracy" in rows:
        pairs = zip(rows["accuracy"], table.best, strict=True)
        rows["accuracy"] = [f"**{text}**" if mark else text for text, mark in pairs]
    rows = rows.map(lambda text: text.replace("|", "\\|"))
    return str(rows.to_markdown(index=False, disable_numparse=True))
