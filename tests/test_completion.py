"""What shells offer for a word that is half typed: options, groups, their values; quickly, and for nothing else than our command."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import Field

from pruneexp import cli
from pruneexp.cell import CHOICES, FIELDS, OTHERS, SEVERAL
from pruneexp.completion import SHELLS, answer, candidates, components_of
from pruneexp.components.component import locate
from pruneexp.components.options import options_of
from pruneexp.components.written import typed, written_options
from pruneexp.errors import UserError
from pruneexp.system.shipped import conf_dir
from tests.command import ROOT, environment

# as a shell starts it; it leaves the names of all modules that it has imported
PROGRAM = """\
#!{python}
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path("modules").write_text(" ".join(sys.modules), encoding="utf-8"))
from pruneexp.cli import main
main()
"""
TAB = """
COMP_LINE='pruneexp seed=0 masker=sparsify,greedy_m' COMP_WORDS=(pruneexp seed = 0 masker = sparsify,greedy_m) COMP_CWORD=6
COMP_POINT=${#COMP_LINE}
_pruneexp
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_every_option_and_group_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    found = candidates([], "")
    names = {one.partition(".")[0] + "=" if "." in one else one for one in found}
    assert {f"{name}=" for name in (*FIELDS, *CHOICES, *SEVERAL, *OTHERS)} | {"+experiment=", "from="} == names
    monkeypatch.setitem(FIELDS, "nested", Field({"part": True, "other": 1}))  # which has values of its own
    assert candidates([], "nes") == candidates([], "nested.") == ["nested.other=", "nested.part="]
    assert candidates([], "nested.part=") == ["nested.part=false", "nested.part=true"]
    assert candidates(["seed=0"], "mod") == ["mode=", "model="]
    assert candidates([], "model") == ["model.", "model="]
    assert candidates([], "+") == ["+experiment="]


@pytest.mark.parametrize("group", [*CHOICES, *SEVERAL, *OTHERS, "experiment"])
def test_a_groups_values_are_its_files(group: str) -> None:
    plus = "+" if group == "experiment" else ""
    files = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
    assert candidates([], f"{plus}{group}=") == [f"{plus}{group}={name}" for name in files]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("mode=", [f"mode={one}" for one in sorted(get_args(FIELDS["mode"].annotation))]),
        ("rewind=init,n", ["rewind=init,none"]),
        ("masker=sparsify,greedy_m", ["masker=sparsify,greedy_matched"]),
        ("treatment=[repair,sh", ["treatment=[repair,shuffle"]),
        ("columns=[n,acc", ["columns=[n,accuracy"]),
        ("from=[vgg16_c", ["from=[vgg16_c100_sweep"]),
        ("weights=im", ["weights=imagenet"]),
        ("recipe.mom", ["recipe.momentum="]),  # which no file sets
        ("model.drop", ["model.dropout="]),
        ("scorer.samp", ["scorer.samples="]),
        ("dataset.r", ["dataset.root="]),  # which has no default
        ("model.arch", ["model.architecture="]),
        ("dataset.data", []),  # no option, nor are the next ones
        ("scorer.batches", []),
        ("scorer.rounds", []),
        ("recipe.optimiser=", ["recipe.optimiser=adam", "recipe.optimiser=adamw", "recipe.optimiser=sgd"]),
        ("recipe.schedule=co", ["recipe.schedule=cosine"]),
        ("recipe.flip=", ["recipe.flip=false", "recipe.flip=true"]),
        ("masker.allocation=er", ["masker.allocation=er", "masker.allocation=er_published", "masker.allocation=erk"]),
        ("recipe.lr=", []),
        ("recipe.nothing=", []),
        ("dataset.root=", []),
        ("trainer.mem", ["trainer.members="]),
        ("--cf", ["--cfg"]),
        ("--config", ["--config-dir", "--config-name"]),
        ("data_dir=da", []),  # a path, which shells complete themselves
        ("nothing=", []),
        ("nothing.at", []),
        ("seed=", []),
    ],
)
def test_a_words_end(word: str, found: list[str]) -> None:
    assert candidates(["seed=0,1"], word) == found


@pytest.mark.parametrize("group", [*CHOICES, *OTHERS])
def test_what_is_read_of_a_component_is_what_it_declares(group: str) -> None:
    for target in components_of(group, [conf_dir()]):
        declared = options_of(locate(group, target), group)
        read = written_options(target, group)
        assert {name: one.default for name, one in read.items()} == {
            name: None if one.required else typed(one.default) for name, one in declared.items()
        }
        for name, one in read.items():
            values = [
                value for part in (declared[name].hint, *get_args(declared[name].hint)) for value in in_words(part)
            ]
            assert list(one.values) == values, f"{target} {name}"


def in_words(hint: Any) -> list[str]:
    """The values that an annotation names."""
    if get_origin(hint) is Literal:
        return [typed(value) for value in get_args(hint)]
    return ["true", "false"] if hint is bool else []


@pytest.mark.parametrize("words", [("-cd", "{}"), ("--config-dir={}", "seed=0")])
def test_files_of_ones_own_folder_are_offered_too(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "quick.yaml").write_text("epochs: 1\nmine: 2\n", encoding="utf-8")
    before = [word.format(tmp_path) for word in words]
    assert candidates(before, "recipe=qui") == ["recipe=quick"]
    assert candidates(before, "recipe.min") == ["recipe.mine="]
    assert candidates([*before, "--cfg"], "j") == ["job"]
    assert candidates(["-cd"], "recipe=qui") == []  # which has no folder yet


@pytest.mark.parametrize(
    ("line", "found"),
    [("pruneexp mode=pl", "mode=plan"), ("/a/python -m pruneexp mode=pl", "mode=plan"), ("pruneexp  mode=plan  maske", "masker=")],
)  # fmt: skip
def test_a_shell_asks_by_the_line(monkeypatch: pytest.MonkeyPatch, line: str, found: str) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert answer(["-sc", "query=zsh"], "pruneexp") == found


def test_it_is_installed_for_the_command_that_was_typed() -> None:
    assert {
        shell: answer(["install=" + shell, "-sc"], "/bin/pruneexp").split()[-1] for shell in SHELLS
    } == dict.fromkeys(SHELLS, "pruneexp")
    assert " python python3 " in answer(["-sc", "install=bash"], "/there/pruneexp/__main__.py") + " "


@pytest.mark.parametrize(
    "words",
    [["-sc"], ["-sc", "install=tcsh"], ["-sc", "query=bash"], ["-sc", "install=bash", "seed=0"], ["-sc=install"]],
)
def test_anything_else_is_one_sentence(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.delenv("COMP_LINE", raising=False)
    with pytest.raises(
        UserError, match=r"^-sc must have one of install=bash and install=zsh beside it, and nothing else\.$"
    ):
        answer(words, "pruneexp")


def test_bash_completes_a_word_without_torch(tmp_path: Path) -> None:
    program = tmp_path / "pruneexp"
    program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", answer(["-sc", "install=bash"], "pruneexp") + TAB],
        cwd=tmp_path,
        env=environment() | {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "sparsify,greedy_matched\n", done.stderr
    imported = (tmp_path / "modules").read_text(encoding="utf-8").split()
    assert "pruneexp.completion" in imported
    assert {"torch", "pandas", "lightning", "torchvision", "sklearn", "scipy"}.isdisjoint(imported)


def test_the_installed_command_is_the_programs_main() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert scripts == {"pruneexp": "pruneexp.cli:main"}
    assert callable(cli.main)
