"""results/benchmarks/training.{json,md}: the ways, and the growth of a sweep, each with the command that measured it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from pruneexp.system import files

WAYS = """Images a second: median [least, most] of the repeats, over every epoch but the first; members' images all count. `cell_s`
is the start-up and the recipe's epochs over the whole data set at that speed, for one cell. Memory: on CUDA the most allocated, on a CPU
what the process's largest resident set grew by. `floor_s`: arithmetic and memory traffic of a cell on an H200 at batch 256.
"""
GROWTH = """Digits through the command line in one process, start-up and report included in `cell_s`; five cells are one job.
"""


def write(folder: Path, part: str, made: str, rows: list[dict[str, Any]]) -> None:
    """Put `rows` in place of the part ("ways" or "growth") that the files hold so far, and print its table."""
    path = folder / "training.json"
    parts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    parts[part] = {"made": made, "rows": rows}
    folder.mkdir(parents=True, exist_ok=True)
    files.write(path, json.dumps(parts, indent=1) + "\n")
    tables = {"ways": _ways, "growth": _growth}
    text = [f"<!-- {parts[name]['made']} -->\n{tables[name](parts[name]['rows'])}" for name in tables if name in parts]
    files.write(folder / "training.md", "\n".join(text))
    print(tables[part](rows))


def _ways(rows: list[dict[str, Any]]) -> str:
    table = pd.DataFrame([{k: v for k, v in row.items() if k not in ("repeats", "bound")} for row in rows])
    if "least" in table:
        interval = [f"[{a:.0f}, {b:.0f}]" for a, b in zip(table.pop("least"), table.pop("most"), strict=True)]
        table.insert(list(table).index("images_per_s") + 1, "interval", interval)
    text = f"{_markdown(table)}\n\n{WAYS}"
    bounds = [{"network": row["network"], "batch": row["batch"], **row["bound"]} for row in rows if "bound" in row]
    if bounds:
        text += f"\nA step of ours, alone:\n\n{_markdown(pd.DataFrame(bounds))}\n"
    return text


def _growth(rows: list[dict[str, Any]]) -> str:
    return f"{_markdown(pd.DataFrame(rows))}\n\n{GROWTH}"


def _markdown(table: pd.DataFrame) -> str:
    return table.dropna(axis=1, how="all").to_markdown(index=False, floatfmt=".4g", missingval="")
