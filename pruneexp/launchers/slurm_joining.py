"""Which jobs make which cells, kept beside their logs: the same command joins those that are still in the queue.

``<results_dir>/.submitit/<folder>/jobs.json`` names the jobs of one submission, the name that Slurm knows them by - numbers come again
on another cluster, or one that starts anew, the name does not - and of each the cells that it makes and the digests of what it does.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pruneexp.cell import digest
from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.slurm_queue import Listed
from pruneexp.launchers.submitted import Submitted, ended_well, home, remove
from pruneexp.launchers.task import Task
from pruneexp.system import files

JOBS = "jobs.json"
ASIDE = (
    "densities",
    "launcher",
    "figure",
    "report_dir",
    "mode",
)  # of a configuration; the cells' keys say which densities


def name_of(folder: Path) -> str:
    """The name of a folder's jobs."""
    return f"pruneexp-{folder.name.rpartition('-')[2]}"


def note(folder: Path, jobs: Sequence[Submitted]) -> None:
    """Keep what the folder's jobs make."""
    about = {
        job.number: {
            "cells": [one.key for one in job.bundle.todo],
            "does": [_digest(task) for task in job.bundle.tasks],
        }
        for job in jobs
    }
    files.write(folder / JOBS, json.dumps({"name": name_of(folder), "jobs": about}, indent=1) + "\n")


def noted(results: str) -> dict[Path, dict[str, Any]]:
    """What is kept of earlier submissions, by their folders."""
    found = {}
    for path in sorted(home(results).glob(f"*/{JOBS}")):
        with contextlib.suppress(OSError, ValueError):  # someone else has just deleted it
            found[path.parent] = json.loads(files.read(path))
    return found


def join(
    tasks: Sequence[Task], submissions: Mapping[Path, Mapping[str, Any]], queue: Mapping[str, Listed]
) -> tuple[list[Submitted], list[Task]]:
    """The jobs in the queue that do some of the tasks, each with its tasks; and the other tasks."""
    there = [
        (folder, number, about)
        for folder, kept in submissions.items()
        for number, about in kept["jobs"].items()
        if number in queue and queue[number].name == kept["name"]
    ]
    joined: dict[tuple[str, Path], list[Task]] = {}
    rest = []
    for task in tasks:
        cells, does = {one.key for one in task.todo}, _digest(task)
        same = [job for job in there if does in job[2]["does"] and cells <= set(job[2]["cells"])]
        if same:
            folder, number, _ = same[0]
            joined.setdefault((number, folder), []).append(task)
        else:
            rest.append(task)
    return [Submitted(*job, Bundle(tuple(some))) for job, some in joined.items()], rest


def tidy(results: str) -> None:
    """Delete the folders all of whose jobs have ended well."""
    for folder, kept in noted(results).items():
        jobs = [Submitted(number, folder, Bundle(())) for number in kept["jobs"]]
        if all(ended_well(job.paths.result_pickle) for job in jobs):
            remove(folder)


def _digest(task: Task) -> str:
    """Of what a job does with its cells, whichever they are."""
    return digest({name: value for name, value in task.config.items() if name not in ASIDE})
