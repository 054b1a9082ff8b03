"""A command line's words with dashes."""

import argparse
from typing import NoReturn

from pruneexp.errors import UserError


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one sentence, as everything does."""

    def error(self, message: str) -> NoReturn:
        """Raise UserError with argparse's message."""
        raise UserError(f"{message}: `{self.prog} --help` lists what there is.")


def parser(width: int | None = None) -> Parser:
    """The words with dashes of ``python -m pruneexp``; `width` is that of its help, in characters."""

    def formatter(prog: str) -> argparse.HelpFormatter:
        return argparse.HelpFormatter(prog, max_help_position=28, width=width)

    made = Parser(
        prog="python -m pruneexp",
        add_help=False,
        allow_abbrev=False,
        usage=argparse.SUPPRESS,
        formatter_class=formatter,
    )
    made.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help=argparse.SUPPRESS)
    add = made.add_argument_group("Words with dashes").add_argument
    add("--config-dir", "-cd", metavar="DIR", help="a folder of your own with recipe/, model/, experiment/ and so on")
    add(
        "--config-name",
        "-cn",
        metavar="NAME",
        default="config",
        help="a configuration of your own in place of config.yaml",
    )
    add("--cfg", "-c", choices=("job", "hydra", "all"), help="print the first job's configuration")
    add("--resolve", action="store_true", help="with --cfg: interpolations resolved")
    add("--package", "-p", metavar="NODE", default="", help="with --cfg: one node of it")
    add("--multirun", "-m", action="store_true", help="changes nothing: commas make a sweep anyway")
    add("--shell-completion", "-sc", action="store_true", help="install=bash or install=zsh: what the shell evaluates")
    add("--version", action="store_true", help="pruneexp's")
    add("--help", "-h", action="store_true", help="this text")
    return made
