"""Configurations of the user's own that are wrong."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scripts.bad_input.lines import Line

MULTIPLYING = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter + 1, letter + 1, b",".join([b"*%c" % letter] * 9)) for letter in b"abcdefgh"
)
OWN = {  # of the file own.yaml: what is wrong with it, its group and what it says
    "a recipe that is no YAML": ("recipe", b"name: [1\n  lr: }"),
    "a recipe with a tab": ("recipe", b"name: own\n\tlr: 1\n"),
    "a recipe that says an option twice": ("recipe", b"name: own\nlr: 1\nlr: 2\n"),
    "a recipe that is a list": ("recipe", b"- 1\n- 2\n"),
    "a recipe that is a number": ("recipe", b"5\n"),
    "a recipe that is text": ("recipe", b"own\n"),
    "an empty recipe": ("recipe", b""),
    "two documents": ("recipe", b"lr: 1\n---\nlr: 2\n"),
    "a recipe in Latin-1": ("recipe", b"name: caf\xe9\n"),
    "a recipe in UTF-16": ("recipe", "name: own\n".encode("utf-16")),
    "a recipe of binary data": ("recipe", bytes(range(256))),
    "a recipe with a tag of Python that calls": ("recipe", b"name: !!python/object/apply:os.system ['touch evil']\n"),
    "a recipe with a tag of Python": ("recipe", b"name: !!python/name:os.system\n"),
    "a recipe with a tag that is unknown": ("recipe", b"name: !mine x\n"),
    "an anchor that is not there": ("recipe", b"name: *nothing\n"),
    "an anchor within itself": ("recipe", b"&a {name: own, inner: *a}\n"),
    "anchors that multiply": ("recipe", MULTIPLYING),
    "lists 3,000 deep": ("recipe", b"name: " + b"[" * 3000 + b"]" * 3000),
    "keys that are numbers": ("recipe", b"1: 2\n"),
    "keys that are null": ("recipe", b"null: 2\n"),
    "keys that are lists": ("recipe", b"? [1]\n: 2\n"),
    "a date for a number": ("recipe", b"_target_: pruneexp.recipe.Recipe\nname: own\nlr: 2020-01-01\n"),
    "bytes for a name": ("recipe", b"_target_: pruneexp.recipe.Recipe\nname: !!binary YQ==\n"),
    "a set for a name": ("recipe", b"_target_: pruneexp.recipe.Recipe\nname: !!set {a}\n"),
    "an option that there is not": ("recipe", b"_target_: pruneexp.recipe.Recipe\nname: own\nlrr: 1\n"),
    "no _target_": ("recipe", b"name: own\nlr: 1\n"),
    "os.system as a recipe": ("recipe", b"_target_: os.system\ncommand: touch evil\n"),
    "os.system as a masker": ("masker", b"_target_: os.system\n_partial_: true\ncommand: touch evil\n"),
    "os.system as a model": ("model", b"_target_: os.system\ncommand: touch evil\n"),
    "subprocess.run as a scorer": ("scorer", b"_target_: subprocess.run\n_partial_: true\nargs: [touch, evil]\n"),
    "builtins.eval as a data set": ("dataset", b"_target_: builtins.eval\nsource: open('evil','w')\n"),
    "builtins.exec as a launcher": ("launcher", b"_target_: builtins.exec\nsource: open('evil','w')\n"),
    "os.system as a trainer": ("trainer", b"_target_: os.system\ncommand: touch evil\n"),
    "os.system as a treatment": ("treatment", b"_target_: os.system\n_partial_: true\ncommand: touch evil\n"),
    "os.system as a measurement": ("measurement", b"_target_: os.system\n_partial_: true\ncommand: touch evil\n"),
    "os.system as a figure": ("figure", b"_target_: os.system\n_partial_: true\ncommand: touch evil\n"),
    "os.system within a masker": (
        "masker",
        b"_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\nscope: {_target_: os.system, command: touch evil}\n",
    ),
    "a model where a recipe should be": ("recipe", b"_target_: pruneexp.models.vgg.vgg\nname: own\n"),
    "a component that there is not": ("masker", b"_target_: pruneexp.maskers.nothing.nothing\n_partial_: true\n"),
    "a _target_ without a module": ("masker", b"_target_: greedy\n_partial_: true\n"),
    "a _target_ that is a module": ("masker", b"_target_: pruneexp.maskers.greedy\n_partial_: true\n"),
    "a _target_ that is private": ("masker", b"_target_: pruneexp.maskers.greedy.__dict__\n_partial_: true\n"),
    "Hydra's words about how to instantiate": (
        "recipe",
        b"_target_: pruneexp.recipe.Recipe\n_args_: [1]\n_recursive_: false\n_convert_: all\n",
    ),
    "defaults that are no list": ("recipe", b"defaults: smoke\n"),
    "defaults that name themselves": ("recipe", b"defaults: [own]\n"),
    "defaults that name what is not there": ("recipe", b"defaults: [nothing]\n"),
    "defaults with a number": ("recipe", b"defaults: [1]\n"),
    "defaults that override what nobody chose": (
        "experiment",
        b"# @package _global_\ndefaults:\n  - override /nothing: x\n",
    ),
    "an experiment without its header": ("experiment", b"seed: 1\n"),
    "a header that is unknown": ("experiment", b"# @package _nowhere_.x\nseed: 1\n"),
    "an experiment that sweeps what is none": (
        "experiment",
        b"# @package _global_\nhydra: {sweeper: {params: {nothing: '1,2'}}}\n",
    ),
    "an experiment whose sweep is a list": ("experiment", b"# @package _global_\nhydra: {sweeper: {params: [1, 2]}}\n"),
    "an experiment whose sweep is a number": ("experiment", b"# @package _global_\nhydra: {sweeper: {params: 5}}\n"),
    "an experiment whose sweep is broken": (
        "experiment",
        b"# @package _global_\nhydra: {sweeper: {params: {seed: 'range(0'}}}\n",
    ),
    "an experiment whose sweep is a mapping": (
        "experiment",
        b"# @package _global_\nhydra: {sweeper: {params: {seed: {a: 1}}}}\n",
    ),
    "an experiment that is Hydra's": ("experiment", b"# @package _global_\nhydra: 5\n"),
    "an experiment with options that there are not": ("experiment", b"# @package _global_\nnothing: 5\n"),
    "an experiment whose name is a path": ("experiment", b"# @package _global_\nname: ../../x\n"),
    "a logger that there is not": ("logger", b"name: own\n"),
    "a launcher that is a number": ("launcher", b"# @package _global_\nlauncher: 5\n"),
    "a launcher that is a recipe": ("launcher", b"_target_: pruneexp.recipe.Recipe\n"),
}
FILES: Mapping[
    str, tuple[Mapping[str, bytes], tuple[str, ...]]
] = {  # what is wrong: all files, and the words that read them
    "os.system as a column": (
        {"column/own.yaml": b"_target_: os.system\n_partial_: true\ncommand: touch evil\n"},
        ("columns=[own]",),
    ),
    "defaults that loop": (
        {"recipe/own.yaml": b"defaults: [other]\n", "recipe/other.yaml": b"defaults: [own]\n"},
        ("recipe=own",),
    ),
    "defaults with an override twice": (
        {
            "experiment/own.yaml": b"# @package _global_\ndefaults:\n  - override /masker: greedy\n  - override /masker: bss\n"
        },
        ("+experiment=own", "mode=nothing"),
    ),
    "an experiment that is empty": ({"experiment/own.yaml": b""}, ("+experiment=own", "mode=nothing")),
    "an experiment with another sweeper": (
        {"experiment/own.yaml": b"# @package _global_\nhydra: {sweeper: {_target_: os.system}}\n"},
        ("+experiment=own", "mode=nothing"),
    ),
    "an experiment with a wrong value": (
        {"experiment/own.yaml": b"# @package _global_\nseed: -1\n"},
        ("+experiment=own", "seed=-1"),
    ),
    "a primary configuration that is empty": ({"own.yaml": b""}, ("-cn", "own")),
    "a primary configuration that is a list": ({"own.yaml": b"[1]\n"}, ("-cn", "own")),
    "a primary configuration without its groups": ({"own.yaml": b"defaults: [options, _self_]\n"}, ("-cn", "own")),
    "a primary configuration that names itself": ({"own.yaml": b"defaults: [own]\n"}, ("-cn", "own")),
    "a folder under the name of a file": ({"recipe/own.yaml/x": b""}, ("recipe=own",)),
}


def lines() -> Iterator[Line]:
    for why, (group, content) in OWN.items():
        word = f"{'+' if group == 'experiment' else ''}{group}=own"
        yield of_files(why, {f"{group}/own.yaml": content}, word)
    for why, (files, words) in FILES.items():
        yield of_files(why, files, *words)


def of_files(why: str, files: Mapping[str, bytes], *words: str) -> Line:
    return Line(("--config-dir={here}/conf", *words), why, before=having(files))


def having(files: Mapping[str, bytes]) -> Callable[[Path], None]:
    """Makes these files in the folder conf/."""

    def make(here: Path) -> None:
        for name, content in files.items():
            path = here / "conf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return make
