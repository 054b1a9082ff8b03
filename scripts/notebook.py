"""Run a notebook without Jupyter, and keep in it what its cells show.

    python -m scripts.notebook [docs/first_steps.ipynb]

The cells run one after another in this process, in an empty folder that is deleted afterwards, and share their names, as in Jupyter: what
they print and what their last expression is become their outputs.
"""

import argparse
import ast
import base64
import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from pruneexp.system import files

FIRST_STEPS = Path(__file__).resolve().parents[1] / "docs" / "first_steps.ipynb"


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook (JSON of format 4) with the outputs of its code cells, run in the working folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell = {**cell, "execution_count": count, "outputs": _outputs("".join(cell["source"]), names, count)}
        cells.append(cell)
    return {**notebook, "cells": cells}


def _outputs(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """What a cell prints, and shows at its end."""
    body = ast.parse(source).body
    last = ast.Expression(body.pop().value) if body and isinstance(body[-1], ast.Expr) else None  # type: ignore[attr-defined]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        value = None if last is None else eval(compile(last, "cell", "eval"), names)
    found: list[dict[str, Any]] = []
    if text := said.getvalue():
        lines = [line.rstrip(" ") for line in text.splitlines(keepends=True)]
        found.append({"name": "stdout", "output_type": "stream", "text": lines})
    if value is not None:
        found.append({"data": _shown(value), "execution_count": count, "metadata": {}, "output_type": "execute_result"})
    return found


def _shown(value: Any) -> dict[str, Any]:
    """A value as Jupyter shows it: a picture, else a table, with its text."""
    text = {"text/plain": repr(value).splitlines(keepends=True)}
    if (picture := getattr(value, "_repr_png_", None)) is not None:
        return {"image/png": base64.b64encode(picture()).decode(), "text/plain": [f"<{type(value).__name__}>"]}
    table = getattr(value, "_repr_html_", None)
    return text if table is None else {"text/html": table().splitlines(keepends=True), **text}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", type=Path, nargs="?", default=FIRST_STEPS)
    path = parser.parse_args().notebook.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        done = run(json.loads(path.read_text(encoding="utf-8")))
    files.write(path, json.dumps(done, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
