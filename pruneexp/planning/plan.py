"""What a grid would do: its cells, how many are done, their size and an estimate of the time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pruneexp.cell import GROUPS
from pruneexp.fits import check_updates
from pruneexp.planning.recorded import Recorded
from pruneexp.planning.size import Sizes
from pruneexp.planning.timed import Timed
from pruneexp.records.store import Store
from pruneexp.reports.grouping import rows_of
from pruneexp.sweep import Grid, Slot
from pruneexp.system.console import console, visible
from pruneexp.system.durations import in_words
from pruneexp.system.tables import print_table
from pruneexp.training.device import Device

SETTINGS = (*GROUPS, "options", "density")  # as `rows_of` names a row
COLUMNS = (*SETTINGS, "seeds", "done", "weights", "MACs", "a cell")
NEEDED, ORDER = ("masker", "density", "seeds", "done", "a cell"), ("weights", "scorer", "MACs", "model", "dataset")
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass
class Row:
    """Cells of one setting, their seeds aside.

    Attributes:
        names: what is said of them.
        slots: the cells.
        done: how many of them are recorded.
        left: weights and multiply-accumulates of one, None where it cannot be made.
        seconds: that one takes, and None where nobody knows.
        recorded: whether its training's time is that of recorded cells.
        most: whether that is the time of all epochs, though the training may end earlier.
    """

    names: tuple[str, ...]
    slots: list[Slot]
    done: int
    left: tuple[int, int | None] | None
    seconds: float | None = None
    recorded: bool = False
    most: bool = False

    @property
    def missing(self) -> int:
        return len(self.slots) - self.done

    def text(self) -> list[str]:
        weights, macs = self.left or (None, None)
        size = ["" if weights is None else f"{weights:,}", "" if macs is None else _metric(macs)]
        time = "" if self.seconds is None else f"{'at most ' * self.most}{in_words(self.seconds)}"
        return [*map(visible, self.names), str(len(self.slots)), str(self.done), *size, time]


def print_plan(grid: Grid) -> None:
    """Print the grid and run none of it.

    Cells of one setting are one row. The time of a missing cell is the median training time of recorded ones, of this grid or another,
    with the same data set, model and recipe on the same device; where there is none, that of a few training steps on random
    images, timed now unless ``plan.time=false``. What scoring, masking and measuring take is added where cells that are
    pruned alike are recorded. A cell that goes on from an epoch takes its share of the training, one of several levels so much for each,
    though another may have left some. One that may end early by its patience
    takes what such cells took that are recorded; where there are none, at most the time of all epochs. Dense networks that missing
    cells start from are made too where they are not there: they are counted beside the grid, whose cells they are not.
    """
    for job in {id(job.setting): job for job in grid.jobs}.values():
        check_updates(job)
    options, out = grid.jobs[0].options, console()
    device: Device = grid.jobs[0].setting.make("trainer")
    device.prepare()
    store = Store(options.results_dir, options.records)
    with out.status(f"counting {options.name}", refresh_per_second=4) as status:  # seen on a terminal alone
        sizes = Sizes()
        rows = [_row(names, slots, store, sizes) for names, slots in rows_of(grid).items()]
        dense = [_row((), [slot], store, sizes) for slot in _dense_besides(grid, store)]
        if options.plan["time"]:
            _estimate([*rows, *dense], sizes, Recorded(store, grid, device.name), device, status.update)
    out.print(f"{options.name}, {len(grid.slots)} cells")
    texts = [row.text() for row in rows]
    columns = {name: list(column) for name, column in zip(COLUMNS, zip(*texts, strict=True), strict=True)}
    shown = {name: column for name, column in columns.items() if any(column)}
    left_out = print_table(shown, NEEDED, ORDER, SETTINGS)
    if left_out:
        out.print(f"No room for {', '.join(left_out)}.")
    out.print(_summary(rows, dense, device, options.plan["time"]))


def _row(names: tuple[str, ...], slots: list[Slot], store: Store, sizes: Sizes) -> Row:
    done = sum(any(cell.key in store for cell in slot.cells) for slot in slots)
    return Row(names, slots, done, sizes.of(slots[0]).left(slots[0].job.setting, slots[0].density))


def _dense_besides(grid: Grid, store: Store) -> list[Slot]:
    """The dense networks, each once, that missing cells of the grid start from, and that neither lie there nor are missing cells
    themselves: a record from elsewhere has no network."""
    missing = [slot for slot in grid.slots if not any(cell.key in store for cell in slot.cells)]
    counted, found = {slot.cells[0].key for slot in missing}, dict[str, Slot]()
    for slot in missing:
        job = slot.job
        if slot.density < 1 and job.needs_dense:
            dense = Slot(job, 1.0, [job.cell(1.0, precision) for precision in job.precisions()])
            if not any(cell.key in counted or store.has_folder(cell.key) for cell in dense.cells):
                found.setdefault(dense.cells[0].key, dense)
    return list(found.values())


def _estimate(
    rows: Sequence[Row], sizes: Sizes, recorded: Recorded, device: Device, tell: Callable[[str], None]
) -> None:
    """Find out what cells take: of rows without a recorded time those that miss some are timed."""
    trainings = [recorded.training(row.slots[0]) for row in rows]
    wanted = [
        known is None and row.missing > 0 and row.left is not None for row, known in zip(rows, trainings, strict=True)
    ]
    timed = Timed([row.slots[0] for row, asked in zip(rows, wanted, strict=True) if asked], device, tell)
    for row, training, asked in zip(rows, trainings, wanted, strict=True):
        slot = row.slots[0]
        row.recorded = training is not None
        seconds = timed.training(slot, sizes.of(slot)) if asked else training
        if seconds is not None:
            epochs, early = slot.job.setting.make("recipe").epochs, recorded.ended_early(slot)
            row.most = early is None and slot.job.options.patience > 0
            share = seconds * (1 - slot.job.first_epoch(slot.density) / epochs)
            levels = slot.job.options.levels if slot.density < 1 else 1
            row.seconds = levels * ((share if early is None else early) + recorded.others(slot))


def _summary(rows: Sequence[Row], dense: Sequence[Row], device: Device, asked: bool) -> str:
    """How many cells are done and missing, how long the latter and the dense networks besides take, and how that is known; of cells that
    cannot be made there is no time."""
    counts = f"{sum(row.done for row in rows)} done, {sum(row.missing for row in rows)} missing"
    if hopeless := sum(row.missing for row in rows if row.left is None):
        counts += f", {hopeless} of which cannot be made, since no neuron of the network can be removed"
    if dense:
        counts += f", and {len(dense)} dense network{'s' * (len(dense) > 1)} that others start from"
    timed = [row for row in (*rows, *dense) if row.missing and row.seconds is not None]
    if not timed or not asked:
        return f"{counts}."
    left = sum(row.missing * row.seconds for row in timed if row.seconds is not None)
    where = "this CPU" if device.where.type == "cpu" else device.name
    ways = {row.recorded for row in timed}
    how = " and ".join(
        [
            *["recorded cells"] * (True in ways),
            *["timed training steps, without scores, masks and tests"] * (False in ways),
        ]
    )
    return (
        f"{counts}; {_left(left, any(row.most for row in timed))} left on {where}, one cell after another (from {how})."
    )


def _left(seconds: float, most: bool) -> str:
    return "less than a minute" if seconds < 60 else f"{'at most ' * most}about {in_words(seconds)}"


def _metric(number: float) -> str:
    """In three digits and a metric prefix: ``40.8 M``."""
    long, prefix = next(((long, prefix) for long, prefix in PREFIXES if number >= long), (1.0, ""))
    return f"{number / long:.3g} {prefix}".rstrip()
