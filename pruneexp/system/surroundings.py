"""Variables of the environment that libraries read when they are imported, and end the process over."""

import os

from pruneexp.errors import UserError

RANKS = ("RANK", "LOCAL_RANK")  # lightning reads them as numbers


def check_surroundings() -> None:
    """Have matplotlib, which opens no window here, heed no MPLBACKEND.

    Raises:
        UserError: a process's rank, which a launcher of other programs sets, is no number.
    """
    os.environ["MPLBACKEND"] = "agg"
    for name in RANKS:
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            raise UserError(f"the environment variable {name} must be a whole number, got {value!r}: unset it.")
