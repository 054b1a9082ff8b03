"""A command line's words with dashes."""

import argparse
from typing import NoReturn

from pruneexp.errors import UserError


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one sentence, as everything does."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError with argparse's message."""
        raise UserError(f"{message}: `{self.prog} --help` lists what there is.")
