"""What a command line says with words that begin with a dash, beside its overrides; and what some of them print."""

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pruneexp import __version__
from pruneexp.cell import FIELDS, GROUPS, OTHERS, SEVERAL, register
from pruneexp.errors import UserError, first_line
from pruneexp.jobs.composing import Source, hydra
from pruneexp.jobs.words import today
from pruneexp.sweep import first_config, first_words
from pruneexp.system.arguments import Parser

OF_HYDRA = ("--info", "-i", "--hydra-help", "--shell-completion", "-sc")  # its own affairs: nothing is run


@dataclass(frozen=True)
class CommandLine:
    """A command line.

    Attributes:
        typed: all of its words.
        overrides: its words without dashes.
        source: where configurations come from.
        shows: ``help``, ``version``, ``job``, ``hydra`` or ``all`` (the configuration); empty: it works.
        resolve: whether the shown configuration's interpolations are resolved.
        package: the node of the configuration that is shown; empty: all of it.
    """

    typed: tuple[str, ...]
    overrides: tuple[str, ...]
    source: Source
    shows: str = ""
    resolve: bool = False
    package: str = ""

    @staticmethod
    def of(words: Sequence[str]) -> "CommandLine":
        """The command line that these words are.

        Raises:
            UserError: a word with dashes that means nothing here.
        """
        said = _parser().parse_intermixed_args(list(words))
        shows = "help" if said.help else "version" if said.version else said.cfg or ""
        source = Source(said.config_name.removesuffix(".yaml"), said.config_dir)
        return CommandLine(tuple(words), tuple(said.overrides), source, shows, said.resolve, said.package)

    def text(self) -> str:
        """What is shown instead of working.

        Raises:
            UserError: what the overrides ask for does not exist.
        """
        if self.shows == "version":
            return f"pruneexp {__version__}"
        return _help(self.source) if self.shows == "help" else self._configuration()

    def _configuration(self) -> str:
        config = first_config(self.overrides, self.source)
        if self.shows == "hydra":
            config = OmegaConf.create({"hydra": config.hydra})
        elif self.shows == "job":
            config = OmegaConf.masked_copy(config, [name for name in config if name != "hydra"])
        if self.package:
            try:
                config = OmegaConf.select(config, self.package, default=None)
            except OmegaConfBaseException:
                config = None
            if not isinstance(config, DictConfig):
                raise UserError(f"--package={self.package} is no node of the configuration: name one such as recipe.")
        return OmegaConf.to_yaml(config, resolve=self.resolve).rstrip()


def _parser() -> Parser:
    parser = Parser(prog="python -m pruneexp", add_help=False, allow_abbrev=False, usage=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help="options; commas make a sweep")
    add = parser.add_argument
    add("--config-dir", "-cd", metavar="DIR", help="a folder of your own with recipe/, model/, experiment/ and so on")
    add(
        "--config-name",
        "-cn",
        metavar="NAME",
        default=Source().name,
        help="a configuration of your own in place of config.yaml",
    )
    add("--cfg", "-c", choices=("job", "hydra", "all"), help="print the first job's configuration")
    add("--resolve", action="store_true", help="with --cfg: interpolations resolved")
    add("--package", "-p", metavar="NODE", default="", help="with --cfg: one node of it")
    add("--multirun", "-m", action="store_true", help="changes nothing: commas make a sweep anyway")
    add("--version", action="store_true", help="pruneexp's")
    add("--help", "-h", action="store_true", help="this text")
    return parser


def _help(source: Source) -> str:
    """The options of the schema, the files of each group, and the words with dashes."""
    lines = [
        "python -m pruneexp [+experiment=NAME] [NAME=VALUE ...]",
        "",
        "Trains the cells that have no record yet, then writes table and figures; mode= says otherwise.",
        "",
        "Groups, each value a file of conf/<group>:",
    ]
    with hydra(source) as loader:
        for group in ("experiment", *GROUPS, *SEVERAL, *OTHERS):
            files = ", ".join(loader.get_group_options(group))
            lines.append(f"  {'+' if group == 'experiment' else ''}{group}={files}")
    lines += ["", "Options, their defaults and meanings:"]
    for name, field in FIELDS.items():
        lines.append(f"  {name}={_default(field.default)}  {field.description}")
    lines += ["", "Options of a group's file are typed as in recipe.lr=0.1; --cfg job shows those of a command.", ""]
    return "\n".join(lines) + _parser().format_help().strip()


def _default(value: Any) -> str:
    return str(value).replace(" ", "") if isinstance(value, list) else str(value)


def hand_over() -> None:
    """Let Hydra itself answer the words that are its own affairs; it has nothing to run."""
    import hydra as whole

    from pruneexp.system.shipped import conf_dir

    register()
    options = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    if "install=" not in " ".join(options):  # of shell completion
        own = [word for word in sys.argv[1:] if word not in options]
        said, _ = _parser().parse_known_args(own)
        options = today(first_words(options, Source(said.config_name, said.config_dir)))
        sys.argv[1:] = [*options, *own]  # behind a flag whose value may be left out they would be that
    nothing = whole.main(version_base="1.3", config_path=str(conf_dir()), config_name=Source().name)
    said_of_it = io.StringIO()
    try:
        with contextlib.redirect_stderr(said_of_it):
            nothing(lambda config: None)()
    except SystemExit as ended:
        if ended.code:
            last = said_of_it.getvalue().strip().splitlines()[-1:]
            raise UserError(
                f"Hydra cannot answer this: {' '.join(last)}: `python -m pruneexp --hydra-help` lists what it can."
            ) from ended
    except Exception as error:
        raise UserError(f"Hydra cannot answer this: {first_line(error)}.") from error
    print(said_of_it.getvalue(), file=sys.stderr, end="")
