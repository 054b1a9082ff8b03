"""``from=[A,B]``: what a report is made of besides one experiment."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import QuotedString

from pruneexp.errors import UserError
from pruneexp.jobs.composing import Source, hydra
from pruneexp.jobs.overrides import Parser


def taken_from(arguments: Sequence[str], source: Source) -> tuple[list[str], list[str]]:
    """What ``from=[A,B]`` names, and the other overrides.

    Raises:
        UserError: it is no list of names.
    """
    own = [word for word in arguments if word.startswith("from=")]
    rest = [word for word in arguments if word not in own]
    if not own:
        return [], rest
    with hydra(source) as loader:
        (override,) = Parser(loader).parse(own[-1:])
    value: Any = None if override.is_sweep_override() else override.value()
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, (str, QuotedString)) for name in names):
        raise UserError(
            f"from= must be a list of experiments, folders of cells or files of records, such as from=[A,B], got {own[-1]}."
        )
    if any(word.lstrip("+").startswith("experiment=") for word in rest):
        raise UserError("from= names the experiments of a report: leave +experiment= out.")
    return [name.text if isinstance(name, QuotedString) else name for name in names], rest
