"""Bad command lines of all kinds: each must be refused in one sentence, with exit code 2 and nothing written, or mean something.

    python -m scripts.bad_input [--only KIND ...] [--processes 1] [--out FILE]

Lines run side by side in so many processes. Each is what ``python -m pruneexp`` does with its words, in a process that is forked from one
that has imported everything and started nothing: in an empty folder, with nothing on its standard input, at most ten seconds of a processor
(thirty where it is right to be taken) and six gigabytes. Afterwards its exit code, what it said, the files in its folder and the processes
in its session are looked at (`scripts.bad_input.running`). Prints those in full that are no sentence; exit code 1 where one of them is a
fault. Of all kinds it writes results/benchmarks/bad_input.md: how many lines of each kind ended how, and why those that are taken are
right.
"""

import argparse
import functools
import importlib
import multiprocessing
import pkgutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import scripts.bad_input
from pruneexp.records.provenance import git_commit
from pruneexp.reports.markdown import made_by
from pruneexp.system import files
from scripts.bad_input.lines import Line
from scripts.bad_input.running import EXPLAINED, KINDS, Verdict, verdict
from scripts.corruptions_of.commands import warm
from scripts.wrong_values import cell

OUT = Path(__file__).resolve().parents[2] / "results" / "benchmarks" / "bad_input.md"


@functools.cache
def kinds() -> dict[str, list[Line]]:
    """The lines by their kind: the name of the module, within this package, that makes them."""
    names = [one.name for one in pkgutil.walk_packages(scripts.bad_input.__path__, "scripts.bad_input.")]
    modules = {
        name.removeprefix("scripts.bad_input."): importlib.import_module(name)
        for name in names
        if not name.endswith("__main__")
    }
    return {name: list(module.lines()) for name, module in modules.items() if hasattr(module, "lines")}


def judged(of: tuple[str, int], data: Path) -> Verdict:
    """What becomes of a kind's line of this number."""
    kind, number = of
    return verdict(kinds()[kind][number], data)


def typed(line: Line) -> str:
    """Its words, long ones shortened."""
    return " ".join(word if len(word) < 200 else f"{word[:100]}... ({len(word)} letters)" for word in line.words)


def told(kind: str, line: Line, found: Verdict) -> str:
    """A line that is no sentence, in full."""
    meaning = f" (right: {line.accepted})" if line.accepted else ""
    return (
        f"{kind} {found.kind}: {ascii(typed(line))[1:-1]} [{line.why}]{meaning}\n    {ascii(found.said)[1:-1][:1500]}"
    )


def table(found: list[tuple[str, Line, Verdict]]) -> list[str]:
    """How many lines of each kind ended how, as Markdown."""
    count = Counter((kind, one.kind) for kind, _, one in found)
    rows = [*dict.fromkeys(kind for kind, *_ in found)]
    lines = [f"| kind | lines | {' | '.join(KINDS)} |", "|" + "---|" * (len(KINDS) + 2)]
    for row in rows:
        ends = [count[row, end] for end in KINDS]
        lines.append(f"| {row} | {sum(ends)} | {' | '.join(map(str, ends))} |")
    ends = [sum(count[row, end] for row in rows) for end in KINDS]
    return [*lines, f"| all | {sum(ends)} | {' | '.join(map(str, ends))} |"]


def page(found: list[tuple[str, Line, Verdict]]) -> str:
    """All of it as Markdown."""
    faults = [f"- {kind}, {one.kind}: `{cell(typed(line))}`" for kind, line, one in found if one.fault(line)]
    lines = [made_by(f"python -m scripts.bad_input; commit {git_commit()}"), "Bad command lines, and how they end:", ""]
    lines += [*table(found), "", f"{len(faults)} of them should end otherwise{':' if faults else '.'}", "", *faults]
    lines += [
        "",
        "Those that are taken, or refused when there are results, and why:",
        "",
        "| words | it ended | why |",
        "|---|---|---|",
    ]
    for _, line, one in found:
        if one.kind in EXPLAINED and line.accepted:
            env = "".join(
                f"{name}={value} " for name, value in line.env.items() if name not in ("HOME", "PYTHONPATH", "PATH")
            )
            lines.append(f"| {cell(env + typed(line))} ({cell(line.why)}) | {one.kind} | {cell(line.accepted)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="KIND", help="of these kinds alone; no page is written")
    parser.add_argument(
        "--processes", type=int, default=1, help="lines at a time (default 1): several take more of a processor each"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="where the page of all kinds goes")
    arguments = parser.parse_args()
    every = kinds()
    if unknown := set(arguments.only or ()) - every.keys():
        parser.error(f"there is no kind {', '.join(sorted(unknown))}: {', '.join(every)}")
    warm()
    begin, found = time.monotonic(), list[tuple[str, Line, Verdict]]()
    tried = [(kind, number) for kind in arguments.only or every for number in range(len(every[kind]))]
    pool = ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("fork"))  # what is imported is there
    with tempfile.TemporaryDirectory() as name, pool:
        data = Path(name)
        if (done := verdict(Line((), "nothing"), data)).kind != "accepted":
            raise SystemExit(f"the smallest sweep itself ends so: {done}")
        for (kind, number), one in zip(tried, pool.map(functools.partial(judged, data=data), tried), strict=True):
            found.append((kind, line := every[kind][number], one))
            if one.kind != "sentence":
                print(told(kind, line, one), flush=True)
    faults = sum(one.fault(line) for _, line, one in found)
    print(*table(found), f"{faults} faults, {time.monotonic() - begin:.0f} s", sep="\n")
    if not arguments.only:
        files.write(arguments.out, page(found))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
