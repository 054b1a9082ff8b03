"""What a process is started with: its words, and variables that libraries read when they are imported, and end it over."""

import logging
import os
import re
import sys
from collections.abc import Iterable

from pruneexp.errors import UserError, shortened
from pruneexp.system.console import quoted

RANKS = ("RANK", "LOCAL_RANK")  # lightning reads them as numbers


def check_surroundings() -> None:
    """Have matplotlib, which opens no window here, heed no MPLBACKEND, and say nothing where its folder in HOME cannot be written.

    Raises:
        UserError: a process's rank, which a launcher of other programs sets, is no number.
    """
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    for name in RANKS:
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            raise UserError(f"the environment variable {name} must be a whole number, got {value!r}: unset it.")


def check_words(words: Iterable[str]) -> None:
    """Have words be text: bytes for which the encoding that Python has chosen by the locale has no letter stand in them as surrogates.

    Raises:
        UserError: one is none.
    """
    for word in words:
        if re.search("[\ud800-\udfff]", word):
            encoding = sys.getfilesystemencoding()
            way_out = "rename what is called so" if encoding == "utf-8" else "set PYTHONUTF8=1 or LC_ALL=C.UTF-8"
            raise UserError(
                f"{shortened(quoted(word))} has letters that are none in this locale ({encoding}): {way_out}."
            )
