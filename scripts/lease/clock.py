"""How long a lease still lasts, and what happened when."""

import contextlib
import time
from pathlib import Path

MARGIN = 15.0  # seconds in which commands end and archives are written, at most a sixth of the lease


class Clock:
    """The one deadline of all stages.

    Args:
        minutes: from now on.
        log: gets each line that is said.
    """

    def __init__(self, minutes: float, log: Path) -> None:
        self.total, self.log = 60 * minutes, log
        self.deadline = time.monotonic() + self.total
        self.margin = min(MARGIN, self.total / 6)

    def left(self) -> float:
        """Seconds in which commands may still run; below 0 when they must have ended."""
        return self.deadline - self.margin - time.monotonic()

    def share(self, most: float) -> float:
        """Seconds of a stage that others follow: so many, and of a short lease a quarter of what is left."""
        return min(most, self.left() / 4)

    def say(self, event: str) -> None:
        """One line for an event, with the seconds until the deadline."""
        line = f"{self.deadline - time.monotonic():6.1f} s left  {event}"
        with self.log.open("a", encoding="utf-8") as log:
            log.write(line + "\n")
        with contextlib.suppress(BrokenPipeError):  # nobody reads it any more
            print(line, flush=True)
