"""What Slurm's words mean for who waits: why jobs do not start, and what became of those that left no result."""

import re
from collections.abc import Iterable

from pruneexp.launchers.slurm_queue import Listed, ended, shortened
from pruneexp.launchers.submitted import Submitted

# reasons for which jobs wait as jobs do
ORDINARY = {
    "None", "Priority", "Resources", "BeginTime", "JobArrayTaskLimit", "Dependency", "Licenses", "Cleaning", "Prolog", "",
}  # fmt: skip
NEVER = {  # those for which a job will not start as it is, as patterns of Slurm's words, and what to change
    r"Held|JobHoldMaxRequeue": "release them with `scontrol release`",
    r"DependencyNeverSatisfied": "change launcher.sbatch.dependency",
    r"PartitionTimeLimit|MaxWallDurationPerJob": "lower launcher.timeout_min, or name another launcher.partition",
    r"MaxCpuPer(Job|Node)|MaxCPUsPerNode": "lower launcher.cpus_per_task",
    r"MaxMem\w*Per(Job|Node|Limit)|MaxMemPerLimit": "lower launcher.mem_gb",
    r"MaxGRESPer(Job|Node)": "lower launcher.gpus_per_node",
    r"PartitionConfig|PartitionNodeLimit": (
        "lower launcher.cpus_per_task, launcher.mem_gb or launcher.gpus_per_node, or name another launcher.partition"
    ),
    r"BadConstraints": "change launcher.constraint",
    r"Account(NotAllowed|$)|InvalidAccount": "change launcher.account",
    r"QOSNotAllowed|InvalidQOS": "change launcher.qos",
}
ENDS = {  # what became of a job that left no result, by its state in Slurm
    "CANCELLED": "was cancelled",
    "TIMEOUT": "ran out of its time, which launcher.timeout_min sets",
    "OUT_OF_MEMORY": "had not enough memory: raise launcher.mem_gb",
    "NODE_FAIL": "was lost with its node",
    "BOOT_FAIL": "was lost with its node, which did not start",
    "PREEMPTED": "had to make room for another",
    "DEADLINE": "ran into its deadline",
}

MEANT = ("CANCELLED", "DEADLINE")  # of these, what somebody wanted


class Reasons:
    """Why jobs wait, each reason told once."""

    def __init__(self) -> None:
        self.told: set[str] = set(ORDINARY)

    def tell(self, jobs: Iterable[str], queue: dict[str, Listed]) -> None:
        """Say why those of the jobs wait that do, where it is nothing ordinary."""
        waiting: dict[str, list[str]] = {}
        for number in jobs:
            if number in queue and queue[number].state == "PENDING":
                waiting.setdefault(queue[number].reason, []).append(number)
        for reason, numbers in waiting.items():
            if _word(reason) not in self.told:
                self.told.add(_word(reason))
                advice = next((do for pattern, do in NEVER.items() if re.search(pattern, reason)), "")
                never = f" They will not start as they are: {advice}." if advice else ""
                print(f"Slurm jobs wait ({' '.join(shortened(numbers))}): {reason}.{never}", flush=True)


def _word(reason: str) -> str:
    """A reason without the nodes and the like that follow it."""
    return re.split(r"[,(:]", reason)[0].strip()


def why_ended(job: Submitted) -> tuple[str, bool]:
    """What is known of a job that is no longer in the queue and left no result, and whether somebody wanted it to end."""
    state, code = ended(job.number)
    how = next((how for known, how in ENDS.items() if state.startswith(known)), "")
    if how:
        return f"Slurm job {job.number} {how}; the same command goes on from there.", state.startswith(MEANT)
    how = (
        f"failed with exit code {code}"
        if state == "FAILED"
        else "ended without a result (killed, cancelled, no memory?)"
    )
    return f"Slurm job {job.number} {how}.{job.last_words()}", False
