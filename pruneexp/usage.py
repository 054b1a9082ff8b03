"""What ``--help`` says: three examples, the files of each group and their options, the options of the schema, words with dashes."""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL, Options, hint
from pruneexp.completion import components_of, typed_options
from pruneexp.components.values import allowed
from pruneexp.components.written import FLAGS, Written, written_options
from pruneexp.jobs.composing import Source, hydra
from pruneexp.system.arguments import parser
from pruneexp.system.shipped import conf_dir

EXAMPLES = {
    "seed=0,1,2 masker=sparsify,greedy densities=[1.0,0.1]": "two methods on handwritten digits, three seeds each, and the dense"
    " networks: nine cells, no download",
    "+experiment=vgg16_c100_sweep mode=plan": "what an experiment would take; trains nothing",
    "dataset=cifar10 model=resnet20 scorer=snip masker=greedy densities=[0.05] seed=0 recipe=laenen_cifar_short recipe.epochs=2":
    "one cell of your own choice",
}  # fmt: skip
SHORT = 40  # characters of a default that stands beside its option, where lines have an end
GROUP_MEANINGS = {
    "experiment": "a grid that makes a paper's table or figure, or one of ours",
    "dataset": "the images",
    "model": "the network",
    "scorer": "how important each weight is",
    "masker": "which weights stay",
    "allocation": "how many weights each layer keeps",
    "mask_update": "how the masks change while a network trains",
    "recipe": "how networks are trained: optimiser, schedule, epochs, augmentation",
    "treatment": "what is done to scores or masks after that; several as [A,B]",
    "measurement": "what records say besides; several as [A,B]",
    "figure": "what a report draws; several as [A,B]",
    "trainer": "the device, its precision, how many networks and devices at once",
    "launcher": "where jobs run",
    "logger": "where curves go",
}


def usage(source: Source, width: int | None) -> str:
    """The text.

    Args:
        source: where configurations come from.
        width: of its lines, in characters; None: each option, its meaning and its values have a line each, however long.
    """
    return "\n".join(_lines(source, width))


def _lines(source: Source, width: int | None) -> Iterator[str]:
    yield "python -m pruneexp [+experiment=NAME] [NAME=VALUE ...]"
    yield "pruneexp [+experiment=NAME] [NAME=VALUE ...]"
    yield ""
    yield from _wrapped(
        "Trains the cells that have no record yet, then writes table and figures; mode= says otherwise. Commas make a sweep: a cell for"
        " each combination of values.", 0, width,
    )  # fmt: skip
    yield from ("", "Examples:")
    for words, meaning in EXAMPLES.items():
        yield from _wrapped(f"python -m pruneexp {words}", 2, width, end=" \\")
        yield from _wrapped(meaning, 6, width)
    yield from ("", "Groups, each value a file of conf/<group>:")
    with hydra(source) as loader:
        for group in ("experiment", *CHOICES, *SEVERAL, *OTHERS):
            plus = "+" if group == "experiment" else ""
            yield from _wrapped(f"{plus}{group}=  {GROUP_MEANINGS[group]}", 2, width)
            yield from _wrapped(", ".join(loader.get_group_options(group)), 6, width)
    yield from ("", "Options of groups, typed as in recipe.lr=0.1:")
    yield from _wrapped(
        "Each with its default and, in brackets, its other values; one without a default is in the file, or must be given. The file may say"
        " otherwise than the default: --cfg job shows what files and command line say.", 2, width,
    )  # fmt: skip
    folders = [conf_dir(), *([Path(source.folder)] if source.folder else [])]
    for group in (*CHOICES, *OTHERS):
        found = components_of(group, folders)
        for target, names in found.items():
            if told := [_option(group, name, one) for name, one in written_options(target, group).items()]:
                yield from _wrapped(f"{group}={', '.join(names) if len(found) > 1 else ''}", 2, width)
                yield from _wrapped(", ".join(told), 6, width)
    yield from ("", "Options, their defaults, meanings and values:")
    for name, field in FIELDS.items():
        for typed, value in typed_options().items():
            if typed.partition(".")[0] == name:
                default = _typed(value)
                short = width is None or len(default) <= SHORT
                yield f"  {typed}={default if short else ''}"
                yield from [] if short else _wrapped(f"default: {default.replace(',', ', ')}", 6, width)
        yield from _wrapped(field.description or "", 6, width)
        yield from _wrapped(f"values: {allowed(hint(Options, name))}", 6, width)
    yield ""
    yield parser(width or 140).format_help().strip()


def _option(group: str, name: str, written: Written) -> str:
    """``recipe.optimiser=sgd [adam adamw]``."""
    default = written.default or ""
    others = [value for value in written.values if value != default and written.values != FLAGS]
    return f"{group}.{name}={default}" + (f" [{' '.join(others)}]" if others else "")


def _wrapped(text: str, indent: int, width: int | None, end: str = "") -> Iterable[str]:
    """The text in lines, all but the last with this end."""
    if width is None:
        return [" " * indent + text]
    blank = " " * indent
    lines = textwrap.wrap(
        text,
        max(width - len(end), 20),
        initial_indent=blank,
        subsequent_indent=blank + "  " * bool(end),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*(line + end for line in lines[:-1]), *lines[-1:]]


def _typed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)
