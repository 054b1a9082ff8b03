"""Jobs shared out among processes: each once, in its order, beside others of its kind only."""

import math
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruneexp.errors import UserError
from pruneexp.launchers.bundle import Bundle, at_once, bundles
from pruneexp.launchers.task import Task, Todo
from pruneexp.means import kind
from pruneexp.records.store import Store
from pruneexp.sweep import expand
from tests.properties import PROPERTY


@st.composite
def sweeps(draw: st.DrawFn) -> list[Task]:
    """Jobs of up to four kinds, of up to five cells each; trainer.members is part of the kind."""
    kinds = draw(st.lists(st.sampled_from([1, 2, 30, "auto"]), min_size=1, max_size=4))
    jobs = draw(st.lists(st.tuples(st.integers(0, len(kinds) - 1), st.integers(1, 5)), max_size=14))
    made = []
    for number, (which, cells) in enumerate(jobs):
        config = {"model": {"name": f"m{which}"}, "trainer": {"members": kinds[which]}, "seed": number}
        todo = tuple(Todo(f"{number}-{cell}", 1 / (1 + cell), cell) for cell in range(cells))
        made.append(Task(config, f"command {number}", f"job {number} seed 0", todo, sum(cells for _, cells in jobs)))
    return made


def cells(tasks: Sequence[Task]) -> int:
    return sum(len(task.todo) for task in tasks)


def of_kind(found: Sequence[Bundle], wanted: str) -> list[Bundle]:
    return [bundle for bundle in found if kind(bundle.tasks[0].config) == wanted]


@PROPERTY
@given(sweeps(), st.one_of(st.none(), st.integers(1, 6)))
def test_every_job_is_in_one_bundle_of_its_kind(tasks: list[Task], workers: int | None) -> None:
    found = bundles(tasks, workers)
    places = {id(task): place for place, task in enumerate(tasks)}
    inside = [[places[id(task)] for task in bundle.tasks] for bundle in found]
    assert sorted(place for some in inside for place in some) == list(range(len(tasks)))
    assert all(some == sorted(some) for some in inside)
    assert [some[0] for some in inside] == sorted(some[0] for some in inside)  # the first jobs begin first
    fair = math.inf if workers is None else math.ceil(cells(tasks) / workers)
    for bundle in found:
        assert len({kind(task.config) for task in bundle.tasks}) == 1
        assert len(bundle.tasks) == 1 or bundle.tasks[0].members != 1
        assert len(bundle.tasks) == 1 or cells(bundle.tasks[:-1]) < fair  # it was not full before the last
        assert bundle.todo == [one for task in bundle.tasks for one in task.todo]
        if workers is None:
            assert len(bundle.tasks) == 1 or cells(bundle.tasks[:-1]) < at_once(bundle.tasks[0])
    for wanted in {kind(task.config) for task in tasks if task.members != 1}:
        *full, _ = of_kind(found, wanted)
        assert all(cells(bundle.tasks) >= min(fair, at_once(bundle.tasks[0])) for bundle in full)
        assert [task for bundle in of_kind(found, wanted) for task in bundle.tasks] == [
            task for task in tasks if kind(task.config) == wanted
        ]


@PROPERTY
@given(st.integers(1, 5), st.sampled_from([2, 3, 8]), st.lists(st.floats(1, 2), min_size=1, max_size=120))
def test_no_worker_is_left_with_much(workers: int, members: int, lengths: list[float]) -> None:
    """Jobs of which some take twice as long as others: when nothing is left, each worker has what it trains at once and no more."""
    config = {"trainer": {"members": members}}
    made = bundles(
        [Task(config, "", str(k), (Todo(str(k), 1.0, k),), len(lengths)) for k in range(len(lengths))], workers
    )
    busy = [0.0] * workers
    for bundle in made:
        first = busy.index(min(busy))
        busy[first] += sum(lengths[one.number] for one in bundle.todo)
    assert max(busy) - min(busy) <= 2 * 2 * members


@PROPERTY
@given(sweeps())
def test_one_worker_has_as_many_bundles_as_there_are_kinds(tasks: list[Task]) -> None:
    found = bundles(tasks)
    alone = [task for task in tasks if task.members == 1]
    assert len(found) == len(alone) + len({kind(task.config) for task in tasks if task.members != 1})


class Records:
    """Two cells have a record; one of them has been timed, that of the other cannot be believed, and that of the third is not there."""

    @staticmethod
    def has_folder(key: str) -> bool:
        return key != "none"

    @staticmethod
    def read(key: str) -> dict[str, object] | None:
        if key == "damaged":
            raise UserError("damaged")
        found: dict[str, dict[str, object] | None] = {"none": None, "plain": {}, "timed": {"latency": {"dense": 1.0}}}
        return found[key]


@pytest.mark.parametrize(
    ("measurement", "lacking"),
    [("[]", {"none"}), ("latency", {"none", "plain", "damaged"})],
)
def test_a_recorded_cell_that_is_not_measured_yet_lacks_something(measurement: str, lacking: set[str]) -> None:
    """So that a measurement which kills every worker is told as a failure, and a job of such cells is tried again."""
    config = expand(["seed=0", "masker=greedy", f"measurement={measurement}"]).jobs[0].config
    todo = tuple(Todo(key, 0.5, 1) for key in ("none", "plain", "timed", "damaged"))
    bundle, store = Bundle((Task(config, "", "a seed 0", todo, 4),)), cast(Store, Records())
    assert bundle.lacking(store) == lacking
    assert {one.key for one in bundle.failed("killed").among(bundle.lacking(store)).failures} == lacking
