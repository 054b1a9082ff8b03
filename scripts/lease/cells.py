"""Full-recipe cells of published tables, rows of three seeds one after another: the last stage of a lease."""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lease import summary
from scripts.lease.commands import started, watch
from scripts.lease.lease import Lease
from scripts.lease.rows import rows

TABLE8 = "+experiment=topology_tables8_9 dataset=cifar10 model=resnet20"  # Cunegatti et al.
METHODS = "masker=erk,er_published,greedy_global,uniform scorer=snip_published,grasp_published,synflow"
AT_INIT = f"{METHODS} seed=0,1,2"  # random maskers look at no scores
PROSPR = "masker=greedy_global scorer=prospr_published seed=0,1,2"
FIGURE2 = "+experiment=laenen_fig2_resnet20"  # Laenen (2023)
DENSITIES = "[1.0,0.02],[0.1],[0.01],[0.05],[0.005],[0.2],[0.5]"
# the first option that sweeps is the outermost loop, seeds the innermost; a sweep's cells can be trained at once, so there are few sweeps
SWEEPS = (
    f"{TABLE8} densities=[1.0,0.02] {AT_INIT}",
    f"{TABLE8} densities=[0.02] {PROSPR}",
    f"{TABLE8} densities=[0.1] {AT_INIT}",
    f"{TABLE8} densities=[0.1] {PROSPR}",
    f"{FIGURE2} densities={DENSITIES} scorer=magnitude,snip,synflow masker=sparsify,greedy seed=0,1,2",
)
ALWAYS = ("trainer.checkpoint_seconds=45", "logger=none", "figure=[]")
STEPS, BATCH = 160 * 391, 128  # of a cell in all of these sweeps
OVERHEAD = 1.2  # a cell's time over that of its steps: scores, data, tests


def members(measured: Sequence[Mapping[str, Any]], left: float) -> int | str:
    """How many cells to train at once so that most are finished in so many seconds, and if none can be, most steps are made.

    Args:
        measured: rows of `scripts.bench_step`.
        left: seconds.

    Returns:
        "auto" where nothing was measured.
    """

    def finished(row: Mapping[str, Any]) -> tuple[int, float]:
        rounds = int(left / (OVERHEAD * STEPS * row["ms"] / 1000))
        return rounds * int(row["members"]), row["members"] / row["ms"]

    timed = [row for row in measured if row["batch"] == BATCH and row["way"] != "eager" and "ms" in row]
    return int(max(timed, key=finished)["members"]) if timed else "auto"


def command(lease: Lease, sweep: list[str]) -> list[str]:
    """What follows ``python``; the sweep's own words count where they say otherwise."""
    ours = shlex.join(sweep) in map(shlex.join, map(shlex.split, SWEEPS))
    number = members(rows(lease.steps), lease.clock.left()) if ours else "auto"
    records = ",".join(map(_quoted, lease.records))
    places = [
        f"data_dir={_quoted(lease.data_dir)}",
        f"results_dir={_quoted(lease.archives.folder)}",
        f"records=[{records}]",
    ]
    return ["-m", "pruneexp", *places, *ALWAYS, f"trainer.members={number}", *sweep]


def _quoted(path: Path) -> str:
    """As Hydra reads it, whatever characters are in it."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def cells(lease: Lease) -> None:
    """Run the sweeps until their time is over; what is finished, and where the rest goes on, is packed as it comes."""
    begin = time.monotonic()

    def look() -> bool:
        lease.seconds = time.monotonic() - begin
        if lease.follow():
            summary.write(lease)
        return False

    for sweep in lease.sweeps:
        if (left := lease.clock.left()) <= 0:
            break
        lease.begun.append(sweep)
        lease.clock.say(f"cells: {' '.join(sweep)}")
        with started(
            command(lease, sweep), lease.output, environment=lease.environment, grace=lease.clock.margin / 2
        ) as process:
            code = watch(process, left, look)  # it leaves its checkpoints when the block ends it
        look()
        lease.clock.say(f"cells: ended{lease.ended(code)}")
