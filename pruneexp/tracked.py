"""What trackers, W&B and TensorBoard, are told of a cell: what it is, when it begins, and what its record says, when it ends."""

from collections.abc import Mapping
from typing import Any

from pruneexp.cell import BESIDES, PLACES, Cell, marked
from pruneexp.jobs.identity import IN_ROUNDS
from pruneexp.jobs.job import Job
from pruneexp.records.record import FIGURES, Record
from pruneexp.system.places import told
from pruneexp.training.about import About

OF_THE_COMMAND = (*PLACES, *marked("command"), "name", "figure", "launcher", "seed", "densities")
LONGEST_TAG = 64  # letters that W&B takes
OF_PRUNING = (
    "scorer",
    "masker",
    *BESIDES,
    "treatment",
    *(name for name in marked("identity") if name not in marked("dense")),
)


def about(job: Job, cell: Cell) -> About:
    """What a cell is: its names, numbers and every option, but for what belongs to one command or says where things lie.

    Names, density and seed stand by themselves, to group runs by; options are nested under ``options`` as in a configuration. Of a
    dense cell there are none of pruning, of one whose masker needs no scores none of a scorer and of rounds: other jobs, where they
    differ, have the same cell.
    """
    without_scores = () if job.setting.needs_scores else ("scorer", *IN_ROUNDS)
    left_out = OF_PRUNING if cell.density == 1 else without_scores
    options = {name: value for name, value in job.setting.resolved.items() if name not in (*OF_THE_COMMAND, *left_out)}
    options["weights"] = cell.description.get("weights", "none")
    experiment = job.options.name
    config = {
        "experiment": experiment,
        **cell.names,
        "density": cell.density,
        "seed": cell.seed,
        "precision": cell.precision,
        "key": cell.key,
        "options": told(_plain(options)),
    }
    named = [
        experiment,
        *(cell.names[group] for group in ("dataset", "model", "masker", *BESIDES) if group in cell.names),
    ]
    tags = dict.fromkeys(name[:LONGEST_TAG] for name in named)
    name = f"{cell.short}-d{cell.density:g}-s{cell.seed}"
    return About(cell.key, name, experiment, "dense" if cell.density == 1 else "pruned", tuple(tags), config)


def conclusion(record: Record, row: Mapping[str, float]) -> dict[str, Any]:
    """What a cell's record says in numbers, under the names that `pruneexp.load_results` has for them; what it lacks is left out.

    Args:
        record: the cell's.
        row: of the epoch whose weights it leaves, for the curves' names too, under which a tracker would keep the last row.
    """
    found = dict(row) | {name: record[name] for name in (*FIGURES, "diverged") if record.get(name) is not None}
    seconds = record["seconds"]
    found["pruning_seconds"] = seconds["scoring"] + seconds["masking"]
    return found | {"training_seconds": seconds["training"], "seconds": sum(seconds.values())}


def _plain(value: Any) -> Any:
    """Numbers, truth, text and nothing, in mappings and lists; of anything else, as of a default in somebody's own code, the text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
