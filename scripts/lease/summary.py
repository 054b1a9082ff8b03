"""What came of a lease, on one page of Markdown."""

import json
import shlex
from collections import defaultdict

from pruneexp.system import files
from scripts.lease.archives import CHECKPOINTS, RECORDS
from scripts.lease.lease import Lease, method, outcome
from scripts.lease.rows import rows

UNPACKED = "results/lease"
PLACES = f"results_dir={UNPACKED} report_dir=results logger=none"
SHOWN = ("device", "driver", "python", "torch", "lightning", "hydra-core", "omegaconf", "commit", "removal")


def write(lease: Lease) -> None:
    """Replace the summary by one of what there is by now."""
    parts = [
        f"# A GPU for {lease.clock.total / 60:g} minutes",
        _machine(lease),
        _tests(lease),
        _steps(lease),
        _cells(lease),
        _next(lease),
    ]
    files.write(lease.summary, "\n\n".join(part for part in parts if part) + "\n")


def _machine(lease: Lease) -> str:
    found = json.loads(lease.machine.read_text(encoding="utf-8")) if lease.machine.exists() else {}
    return "\n".join(f"- {name}: {found[name]}" for name in SHOWN if name in found)


def _tests(lease: Lease) -> str:
    outcomes = {row["test"]: row["outcome"] for row in rows(lease.tests)}
    counts = {kind: list(outcomes.values()).count(kind) for kind in dict.fromkeys(outcomes.values())}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    bad = [f"- {test}: {outcome}" for test, outcome in outcomes.items() if outcome not in ("passed", "skipped")]
    return "\n".join([f"**Tests**: {told}.", *bad]) if outcomes else ""


def _steps(lease: Lease) -> str:
    found = rows(lease.steps)
    columns = list(dict.fromkeys(name for row in found for name in row))
    body = [[str(row.get(name, "")) for name in columns] for row in found]
    return f"**Training steps of ResNet-20**\n\n{_table(columns, body)}" if found else ""


def _cells(lease: Lease) -> str:
    if not lease.begun:
        return ""
    accuracies = defaultdict(list)
    for key in sorted(lease.archives.cells - lease.before):
        record = lease.record(key)
        accuracies[method(record)].append(outcome(record))
    count, unfinished = sum(map(len, accuracies.values())), len(lease.archives.trainings)
    pace = f", {3600 * count / lease.seconds:.1f} an hour" if lease.seconds else ""
    told = f"**Cells**: {count} finished in {lease.seconds:.0f} s{pace}; {unfinished} more have left a checkpoint."
    body = [[row, ", ".join(seeds)] for row, seeds in accuracies.items()]
    return f"{told}\n\n{_table(['cells', 'accuracy, %'], body)}" if body else told


def _next(lease: Lease) -> str:
    if not lease.archives.records.exists():
        return ""
    reports = [f"python -m pruneexp {shlex.join(sweep)} mode=report {PLACES}" for sweep in lease.begun]
    lines = [f"mkdir -p {UNPACKED} && tar xzf {RECORDS} -C {UNPACKED}", *reports]
    return (
        f"The next lease goes on from `--resume {RECORDS} {CHECKPOINTS}`. Reports, together with what `results/records` already has:\n\n"
        + "\n".join(f"    {line}" for line in lines)
    )


def _table(columns: list[str], body: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
