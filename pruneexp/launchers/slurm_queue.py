"""What Slurm's programs say of jobs and nodes."""

import getpass
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Listed:
    """A job in the queue.

    Attributes:
        state: PENDING, RUNNING, ...
        reason: why it waits, in Slurm's word.
        name: that it was given.
    """

    state: str
    reason: str
    name: str


def listed() -> dict[str, Listed] | None:
    """This user's jobs in the queue by number, an array's one by one; None if squeue fails."""
    said = _said("squeue", "--noheader", "--array", "--format=%i|%T|%r|%j", f"--user={getpass.getuser()}")
    if said is None:
        return None
    lines = [line.split("|", 3) for line in said.splitlines() if line.count("|") >= 3]
    return {number: Listed(*about) for number, *about in lines}


def ended(number: str) -> tuple[str, str]:
    """A job's last state and its exit code, by Slurm's controller, which forgets, or its accounting; empty where neither knows."""
    said = _said("scontrol", "--oneliner", "show", "job", number) or ""
    state, code = (re.search(rf"\b{name}=(\S+)", said) for name in ("JobState", "ExitCode"))
    if state and code:
        return state[1], code[1]
    text = _said("sacct", "--noheader", "--allocations", "--parsable2", "--format=State,ExitCode", f"--jobs={number}")
    state_and_code = (text or "|").split("\n")[0].split("|")
    return state_and_code[0], state_and_code[-1]


@dataclass(frozen=True)
class Node:
    """The most that a node of some partitions has.

    Attributes:
        cpus: of one.
        memory: of one, in MB.
    """

    cpus: int
    memory: int


def largest(partition: str | None) -> Node | None:
    """The most that a node has in a partition, the usual one unless named; None where Slurm does not say.

    Args:
        partition: or several, separated by commas.
    """
    named = [f"--partition={partition}"] if partition else ["--all"]
    rows = [
        line.split("|")
        for line in (_said("sinfo", "--noheader", "--exact", "--format=%P|%c|%m", *named) or "").splitlines()
    ]
    found = [(int(cpus), int(memory)) for name, cpus, memory in rows if partition or name.endswith("*")]
    return Node(*map(max, zip(*found, strict=True))) if found else None


def cancel(numbers: Iterable[str]) -> None:
    """Have Slurm end jobs."""
    _said("scancel", *shortened(numbers))


def shortened(numbers: Iterable[str]) -> list[str]:
    """Jobs as Slurm's programs take them, those of an array together."""
    arrays: dict[str, list[int]] = {}
    for number in numbers:
        array, _, one = number.partition("_")
        arrays.setdefault(array, []).extend([int(one)] if one else [])
    return [f"{array}_[{_ranges(sorted(ones))}]" if ones else array for array, ones in arrays.items()]


def named(numbers: Iterable[str]) -> str:
    """The same for a command line."""
    return shlex.join(shortened(numbers))


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, those in a row by the first and the last."""
    rows: list[list[int]] = []
    for number in numbers:
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return ",".join(str(row[0]) if len(row) == 1 else f"{row[0]}-{row[-1]}" for row in rows)


def _said(*command: str) -> str | None:
    """What a program prints; None if it fails."""
    try:
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=60
        ).stdout
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
