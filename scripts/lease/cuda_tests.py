"""The tests that need a GPU, one after another, whatever one of them does: the second stage of a lease."""

import time

from scripts.lease.commands import started, watch
from scripts.lease.lease import Lease
from scripts.lease.rows import News, add

TESTS, EACH = 90.0, 20.0  # seconds at most, of all and of one
FILE = "tests/training/test_cuda.py"


class Outcomes:
    """The outcomes of a lease's tests as they come.

    Args:
        lease: whose file of tests is begun anew.
        each: seconds that one test may take.
    """

    def __init__(self, lease: Lease, each: float) -> None:
        lease.tests.unlink(missing_ok=True)
        self.lease, self.each, self.news = lease, each, News(lease.tests)
        self.running, self.since = "", 0.0

    def overdue(self) -> bool:
        """Say what is new; whether the test that is running has had its time."""
        for row in self.news():
            self.running, self.since = row["test"] if row["outcome"] == "started" else "", time.monotonic()
            if not self.running:
                self.lease.clock.say(f"tests: {row['test']} {row['outcome']}")
        return bool(self.running) and time.monotonic() - self.since > self.each

    def close(self, code: int | None) -> bool:
        """Give the test that was running when the process ended its outcome; whether there was one.

        Args:
            code: the exit code; None where the process did not end by itself.
        """
        self.overdue()
        if not (test := self.running):
            return False
        seconds = round(time.monotonic() - self.since, 2)
        outcome, why = ("hung", f"no end after {seconds} s") if code is None else ("died", f"exit code {code}")
        add(self.lease.tests, {"test": test, "outcome": outcome, "seconds": seconds, "why": why})
        self.overdue()
        return True


def cuda_tests(lease: Lease, file: str = FILE, each: float = EACH) -> None:
    """Run a file's tests; where one hangs or ends the process, another process takes those that are left.

    Args:
        lease: the lease.
        file: of tests.
        each: seconds that one may take.
    """
    until = time.monotonic() + lease.clock.share(TESTS)
    outcomes = Outcomes(lease, each)
    command = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "scripts.lease.outcomes", file]
    environment = {**lease.environment, "LEASE_OUTCOMES": str(lease.tests)}
    while (left := until - time.monotonic()) > 0:
        with started(command, lease.output, environment=environment) as process:
            code = watch(process, left, outcomes.overdue)
        if not outcomes.close(code):
            lease.clock.say(f"tests: ended{lease.ended(code, sound=(0, 1, 5))}")  # all passed, some did not, none left
            break
