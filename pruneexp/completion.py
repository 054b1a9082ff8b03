"""What a shell offers for a word of a command line that is half typed: options, groups and their values.

``eval "$(pruneexp -sc install=bash)"`` has bash ask, ``install=zsh`` zsh; installed by ``python -m pruneexp -sc ...`` it is asked for
``python -m pruneexp``. Nothing here imports torch or composes a configuration: an answer takes half a second.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml

from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL
from pruneexp.components.written import written_options
from pruneexp.errors import UserError
from pruneexp.system.arguments import parser
from pruneexp.system.shipped import conf_dir

WORDS = ("-sc", "--shell-completion")
OF_EXPERIMENT = ("experiment", "from")  # options whose values are names of experiments
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in a tenth of the time, where it is there
OTHER_VALUES = {"weights": ("none", "imagenet")}  # beside paths
BASH = """\
_pruneexp() {
    local line=${COMP_LINE:0:COMP_POINT} head= IFS=$'\\n'
    local word=${line##*[[:space:]]} run=("${COMP_WORDS[0]/#\\~/$HOME}")
    if [[ ${run[0]##*/} == python* ]]; then
        [[ ${COMP_WORDS[1]} == -m && ${COMP_WORDS[2]} == pruneexp ]] || return
        run+=(-m pruneexp)
    fi
    compopt -o nospace
    [[ $COMP_WORDBREAKS == *=* ]] && head=${word%"${word##*=}"}
    COMPREPLY=($(COMP_LINE=$line "${run[@]}" -sc query=bash 2>/dev/null))
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
}
complete -o default -F _pruneexp NAMES"""
ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
_pruneexp() {
    local -a run=(${~words[1]}) found
    if [[ ${run[1]:t} == python* ]]; then
        [[ $words[2] == -m && $words[3] == pruneexp ]] || { autoload -Uz _python && _python; return; }
        run+=(-m pruneexp)
    fi
    found=(${(f)"$(COMP_LINE="${(j: :)words[1,CURRENT-1]} ${(Q)PREFIX}" $run -sc query=zsh 2>/dev/null)"})
    if (( $#found )); then compadd -S '' -- $found; else compset -P '*='; _files; fi
}
compdef _pruneexp NAMES"""
SHELLS = {"bash": BASH, "zsh": ZSH}


def answer(words: Sequence[str], program: str) -> str:
    """What ``-sc install=SHELL`` and ``-sc query=SHELL`` print; the latter is asked by the shell, with the line in COMP_LINE.

    Args:
        words: of the command line.
        program: how it was started, ``sys.argv[0]``.

    Raises:
        UserError: it is neither.
    """
    others = [word for word in words if word not in WORDS]
    what, _, shell = others[0].partition("=") if len(others) == 1 else ("", "", "")
    if shell not in SHELLS or what not in ("install", "query") or (what == "query" and "COMP_LINE" not in os.environ):
        raise UserError("-sc must have one of install=bash and install=zsh beside it, and nothing else.")
    if what == "install":
        name = Path(program).name
        names = ["python", "python3", Path(sys.executable).name] if name.endswith(".py") else [name]
        return SHELLS[shell].replace("NAMES", " ".join(dict.fromkeys(names)))
    typed = os.environ["COMP_LINE"].split(" ")
    typed = typed[3:] if typed[1:2] == ["-m"] else typed[1:]
    return "\n".join(candidates([word for word in typed[:-1] if word], typed[-1])) if typed else ""


def candidates(before: Sequence[str], word: str) -> list[str]:
    """What the word may become; none where it is a file's name, which shells know themselves.

    Args:
        before: the words ahead of it.
        word: as far as it is typed.
    """
    dashed = parser()
    folders = [conf_dir(), *_own_folders(before)]
    name, equals, value = word.partition("=")
    if before and before[-1] in ("--cfg", "-c"):
        found: Iterable[str] = ("job", "hydra", "all")
    elif word.startswith("-"):
        found = re.findall(r"(?<![\w-])-{1,2}[a-z][a-z-]*", dashed.format_help())
    elif equals:
        head = word[: len(word) - len(re.split(r"[,\[]", value)[-1])]
        found = (head + one for one in _values(name.lstrip("+"), folders))
    elif "." in word:
        found = [*_options_of(word.partition(".")[0].lstrip("+"), folders), *(f"{one}=" for one in typed_options())]
    else:
        found = ["+experiment=", "from=", *(f"{one}=" for one in (*typed_options(), *CHOICES, *SEVERAL, *OTHERS))]
        found += [f"{group}." for group in (*CHOICES, *OTHERS) if group == word]
    return sorted({one for one in found if one.startswith(word)})


def typed_options() -> dict[str, Any]:
    """The schema's options as they are typed, with their defaults: of a mapping each of its values, as in ``plan.time``."""
    found: dict[str, Any] = {}
    for name, field in FIELDS.items():
        default = field.default
        found |= (
            {f"{name}.{key}": one for key, one in default.items()} if isinstance(default, dict) else {name: default}
        )
    return found


def _own_folders(before: Sequence[str]) -> list[Path]:
    try:
        said, _ = parser().parse_known_args(list(before))
    except UserError:
        return []
    return [Path(said.config_dir)] if said.config_dir else []


def _values(name: str, folders: Sequence[Path]) -> list[str]:
    group = "experiment" if name in OF_EXPERIMENT else "column" if name == "columns" else name
    if group in ("experiment", "column", *CHOICES, *SEVERAL, *OTHERS):
        return [path.stem for folder in folders for path in (folder / group).glob("*.yaml")]
    if isinstance(typed_options().get(name), bool):
        return ["true", "false"]
    within, dot, option = name.partition(".")
    if dot:
        declared = (written_options(target, within).get(option) for target in components_of(within, folders))
        return [value for one in declared if one is not None for value in one.values]
    hint = FIELDS[name].annotation if name in FIELDS else None
    return [str(one) for one in get_args(hint)] if get_origin(hint) is Literal else [*OTHER_VALUES.get(name, ())]


def components_of(group: str, folders: Sequence[Path]) -> dict[str, list[str]]:
    """The functions and classes that a group's files configure, by dotted name, each with the names of these files."""
    found: dict[str, list[str]] = {}
    for name, node in _files(group, folders):
        if isinstance(target := node.get("_target_"), str):
            found.setdefault(target, []).append(name)
    return found


def _options_of(group: str, folders: Sequence[Path]) -> list[str]:
    """Those that a group's files set, and that the signatures of their functions have."""
    found = {str(name) for _, node in _files(group, folders) for name in node if not str(name).startswith("_")}
    declared = (written_options(target, group) for target in components_of(group, folders))
    return [f"{group}.{name}=" for name in found.union(*declared)]


def _files(group: str, folders: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of a group's files: of what one says of the group alone."""
    for folder in folders:
        for path in sorted((folder / group).glob("*.yaml")):
            try:
                content = yaml.load(path.read_text(encoding="utf-8"), LOADER)
            except (OSError, ValueError, yaml.YAMLError):
                continue
            node = content.get(group, content) if isinstance(content, dict) else None
            if isinstance(node, dict):
                yield path.stem, {name: value for name, value in node.items() if name != "defaults"}
