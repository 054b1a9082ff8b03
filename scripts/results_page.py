"""results/README.md from the tables: for each target of results/targets.yaml a picture, its table, the command, what it says.

    python -m scripts.results_page [--again] [--check]

The table in the README is put there too, the figures that README and docs claim (`scripts.claims`), and the benchmarks' page
(`scripts.benchmarks_page`). --again makes every report that comes from records anew before, and last the count of what stands
reproduced, which any of them may change (alone: make fidelity). --check writes nothing and says whether the pages are what
the tables make of them. n, recipe, precision and how much of a grid is there come from the .json beside each table.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from pruneexp.studies import fidelity
from pruneexp.system import files
from scripts import benchmarks_page, claims
from scripts.references import Sources

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
# with claims, and tables in between; the numbers of dependencies.md are releases, which have a test of their own
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {ROOT / "docs" / "dependencies.md"})]


def page(targets: list[dict[str, Any]], folder: Path) -> str:
    """The page as Markdown."""
    sources = Sources(folder)
    lines = [
        "<!-- made by: python -m scripts.results_page -->",
        "# Results",
        "",
        "Every table is made from records (`records/`, or a study's own computation) by the command that stands with it, and the .json"
        " beside it says which versions, devices and data they come from. The papers' numbers are in [published/](published), times and"
        " memory in [benchmarks/](benchmarks/README.md).",
        "",
    ]
    lines += [f"- [{target['title']}](#{_anchor(target['title'])})" for target in targets]
    for target in targets:
        lines += ["", f"## {target['title']}", ""]
        if "figure" in target:
            lines += [f"![{target['title']}](figures/{target['figure']}.png)", ""]
        says = sources.said(target["says"], target.get("source", target.get("table", "")))
        lines += [" ".join(says.split()), ""]
        made = [f"`make {target['make']}`"] if "make" in target else []
        lines += ["; ".join([*made, *_origin(target, folder)])]
    return "\n".join([*lines, ""])


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _origin(target: dict[str, Any], folder: Path) -> list[str]:
    """Where a target's numbers come from, in words."""
    if "page" in target:
        return [f"[figures]({target['page']})"]
    if "table" not in target:
        return []
    name = target["table"]
    about = json.loads((folder / "tables" / f"{name}.json").read_text(encoding="utf-8"))
    told = [f"[table](tables/{name}.md)"]
    if "cells" in about:
        n = pd.read_csv(folder / "tables" / f"{name}.csv")["n"]
        seeds = " to ".join(map(str, sorted({n.min(), n.max()})))
        told[0] += f" of {about['cells']} of {about['cells_asked_for']} cells, n = {seeds}"
        precisions, coarse = ", ".join(about["precisions"]), about.get("test_precisions", {}).get("bf16", 0)
        precisions += f" ({coarse} cells tested in bf16)" if coarse else ""
        told += [f"recipe {', '.join(about['recipes'])}, {precisions}, {', '.join(about['devices'])}"]
    return [*told, f"made by `{about['command']}`"]


def with_table(text: str, folder: Path) -> str:
    """The text with the table that a comment in it names."""

    def between(found: re.Match[str]) -> str:
        lines = (folder / "tables" / f"{found[1]}.md").read_text(encoding="utf-8").splitlines()
        rows = [line for line in lines if line.startswith("|")]
        return "\n".join([f"<!-- table: {found[1]} -->", *rows, "<!-- end -->"])

    return re.sub(r"<!-- table: (\S+) -->.*?<!-- end -->", between, text, flags=re.DOTALL)


def make_again(targets: list[dict[str, Any]]) -> None:
    """Run the commands of the reports that come from records."""
    for target in targets:
        if (words := target.get("words")) is not None:
            records = [] if "from=" in words else [f"records=['results/records/{target['table']}.jsonl']"]
            command = [*shlex.split(words), "mode=report", "report_dir=results", *records]
            subprocess.run(
                [sys.executable, "-m", "pruneexp", *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
    fidelity.main(["--report-dir", str(RESULTS)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="make the reports anew before")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where the page is another")
    options = parser.parse_args()
    targets: Any = OmegaConf.to_container(OmegaConf.load(RESULTS / "targets.yaml"))
    if options.again:
        make_again(targets)
    benchmarks = RESULTS / "benchmarks"
    texts = {RESULTS / "README.md": page(targets, RESULTS), benchmarks / "README.md": benchmarks_page.page(benchmarks)}
    for path in PAGES:
        texts[path] = claims.filled(with_table(path.read_text(encoding="utf-8"), RESULTS), Sources(RESULTS))
    if options.check:
        other = [
            str(path) for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text
        ]
        sys.exit(f"{', '.join(other)}: not what the tables make of it" if other else 0)
    for path, text in texts.items():
        files.write(path, text)
        print(path)


if __name__ == "__main__":
    main()
