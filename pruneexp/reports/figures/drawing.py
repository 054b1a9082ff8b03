"""What all figures share: the house's style, a canvas of panels, the files. Nobody's backend or style is changed."""

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from pruneexp.system import files

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito
GREY = "#666666"  # of what is no method
MARKERS = "osD^vPX"
PANEL = (4.6, 3.4)  # inches
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "pruneexp",
    "pdf.fonttype": 42,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}
METADATA: dict[str, tuple[str, dict[str, None]]] = {  # of each kind of file: where the command stands, what is left out
    "png": ("Description", {"Software": None}),
    "svg": ("Description", {"Date": None}),
    "pdf": ("Subject", {"CreationDate": None, "Creator": None, "Producer": None}),
}

# around a function that draws: what it makes and saves is in the house's style
styled = matplotlib.rc_context(STYLE)


def panels(rows: int, columns: int, size: tuple[float, float] = PANEL, **options: Any) -> tuple[Figure, Any]:
    """A figure of `rows` x `columns` axes [rows][columns], each with its part of `size` inches."""
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


@styled
def save(figure: Figure, stem: Path, command: str) -> list[Path]:
    """Write `stem`.png, `stem`.svg and `stem`.pdf with the command in them; the same figure is the same bytes."""
    paths = []
    for kind, (field, without) in METADATA.items():
        content = io.BytesIO()
        figure.savefig(content, dpi=200, metadata={field: command, **without}, format=kind)
        figure.set_layout_engine(None)  # where everything stands is found once, and is the same in all three
        paths.append(stem.with_name(f"{stem.name}.{kind}"))
        files.write(paths[-1], content.getvalue())
    return paths
