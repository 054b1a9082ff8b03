"""results/benchmarks/README.md: every benchmark's table with the command, the machine and the commit that made it.

What is told of goals, before and after, stands in goals.md, by hand; scripts.results_page writes the page beside its own.
"""

import re
from pathlib import Path

TITLES = {
    "topology": "Metrics of the multipartite graph",
    "masks": "Masks by effective resistances",
    "bss": "Deterministic sparsifiers",
    "scorers": "Scorers",
    "centrality": "Similarity graphs and centrality",
    "start": "What a command costs before it does its work",
    "sweep": "Large sweeps",
    "plans": "Plans of every experiment",
    "training": "Training",
    "busy": "Cells beside busy processes",
    "soak": "2,000 cells in one process",
    "h100": "An H100: steps and side by side",
    "gpu_lease": "An H100: a lease",
}
MADE = re.compile(r"<!-- (made by.*?) -->\n", re.DOTALL)


def page(folder: Path) -> str:
    """The page as Markdown.

    Args:
        folder: with goals.md and the benchmarks' own pages; one that was not made yet is left out.

    Raises:
        ValueError: a page that does not begin with what made it.
    """
    lines = ["<!-- made by: python -m scripts.results_page -->", "# Benchmarks", ""]
    pages = {name: folder / f"{name}.md" for name in ("goals", *TITLES)}
    found = {name: path.read_text(encoding="utf-8") for name, path in pages.items() if path.exists()}
    lines += [f"- [{TITLES[name]}](#{name})" for name in found if name in TITLES]
    for name, text in found.items():
        made = MADE.match(text)
        if made is None:
            raise ValueError(f"{name}.md does not say first what made it")
        title = f'## <a id="{name}"></a>{TITLES[name]}' if name in TITLES else "## Goals"
        lines += ["", title, "", text[made.end() :].strip(), "", f"*{made[1][0].upper()}{made[1][1:]}.*"]
    return "\n".join([*lines, ""])
