"""What a command line says with words that begin with a dash, beside its overrides; and what some of them print."""

import contextlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pruneexp import __version__
from pruneexp.cell import register
from pruneexp.errors import UserError, first_line
from pruneexp.jobs.composing import Source
from pruneexp.jobs.words import today
from pruneexp.system.arguments import parser
from pruneexp.system.console import terminal_width
from pruneexp.usage import usage

OF_HYDRA = ("--info", "-i", "--hydra-help")  # its own affairs: nothing is run


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
        said = parser().parse_intermixed_args(list(words))
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
        return usage(self.source, terminal_width()) if self.shows == "help" else self._configuration()

    def _configuration(self) -> str:
        from pruneexp.sweep import first_config  # and torch with it, which help does without

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


def hand_over() -> None:
    """Let Hydra itself answer the words that are its own affairs; it has nothing to run."""
    import hydra as whole

    from pruneexp.sweep import first_words
    from pruneexp.system.shipped import conf_dir

    register()
    options = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    own = [word for word in sys.argv[1:] if word not in options]
    said, _ = parser().parse_known_args(own)
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
