"""What the machine is, and how long a training step takes there: the first and the third stage of a lease."""

import json
import time

from pruneexp.system import files
from scripts.lease.commands import started, watch
from scripts.lease.lease import Lease
from scripts.lease.rows import News

MACHINE, STEPS = 30.0, 90.0  # seconds at most
WAYS = ("eager", "1", "2", "4", "8")  # launched operation by operation; so many networks in one graph
BATCHES = (128, 256)
TIMED = 3  # seconds that one way is measured


def machine(lease: Lease) -> None:
    """Versions, device, driver; how long imports take; one structured removal on the device."""
    lease.machine.unlink(missing_ok=True)
    command = ["-m", "scripts.lease.machine", str(lease.machine)]
    with started(command, lease.output, environment=lease.environment) as process:
        code = watch(process, lease.clock.share(MACHINE))
    files.remove_leftovers(lease.machine)
    found = json.loads(lease.machine.read_text(encoding="utf-8")) if lease.machine.exists() else {}
    told = ", ".join(f"{name} {found.get(name, 'unknown')}" for name in ("python", "torch", "device", "removal"))
    lease.clock.say(f"machine: {told}{lease.ended(code)}")


def steps(lease: Lease, program: str = "scripts.bench_step") -> None:
    """Milliseconds of a training step of ResNet-20, launched and replayed, of one network and of several at once.

    Batches of 256 follow where those of 128 leave time.

    Args:
        lease: the lease.
        program: module that prints a row of JSON for each way as soon as it is measured.
    """
    until = time.monotonic() + lease.clock.share(STEPS)
    lease.steps.unlink(missing_ok=True)
    news = News(lease.steps)

    def look() -> bool:
        for row in news():
            lease.clock.say(f"steps: {' '.join(f'{name} {value}' for name, value in row.items())}")
        return False

    for batch in BATCHES:
        if (left := until - time.monotonic()) <= 0:
            break
        command = ["-m", program, "--batch", str(batch), "--ways", *WAYS, "--seconds", str(TIMED)]
        with started(command, lease.output, lease.steps, lease.environment) as process:
            code = watch(process, left, look)
        look()
        lease.clock.say(f"steps: batch {batch} ended{lease.ended(code)}")
