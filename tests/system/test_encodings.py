"""Files and other programs' words are UTF-8 whatever the locale; words that are none in it are refused with the way out."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pruneexp.errors import UserError
from pruneexp.system.surroundings import check_words
from tests.command import ROOT

PROGRAMS = {"run", "Popen", "check_output", "check_call", "call"}
OPENED_BY_OTHERS = {"gzip", "tarfile", "Image"}  # which open bytes


def left_to_the_locale(text: str) -> Iterator[str]:
    """The calls in a program's text that read or write text in whatever encoding the locale has."""
    for call in ast.walk(ast.parse(text)):
        if not isinstance(call, ast.Call) or {"encoding", "fileobj"} & (given := {word.arg for word in call.keywords}):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        match name:
            case "read_text" | "write_text":
                found = True
            case "open" | "fdopen" | "NamedTemporaryFile" | "TemporaryFile":
                modes = [*call.args[: 2 if owner in ("", "io", "os") else 1], *(word.value for word in call.keywords)]
                if name.endswith("TemporaryFile"):  # bytes, unless another mode is given
                    found = bool(modes) and not _bytes(modes)
                else:  # os.open gives a descriptor; without a mode a ZIP archive's member is bytes
                    found = (name, owner) != ("open", "os") and owner not in OPENED_BY_OTHERS and not _bytes(modes)
                    found = found and not (owner in ("member", "file") and name == "open")
            case _:
                found = owner == "subprocess" and name in PROGRAMS and bool({"text", "universal_newlines"} & given)
        if found:
            yield ast.unparse(call)


def _bytes(modes: list[ast.expr]) -> bool:
    """Whether a mode is among them that opens bytes."""
    return any(
        isinstance(one, ast.Constant)
        and isinstance(one.value, str)
        and "b" in one.value
        and set(one.value) <= set("rwaxbt+")
        for one in modes
    )


def test_no_text_is_left_to_the_locale() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {call}"
        for folder in ("pruneexp", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        for call in left_to_the_locale(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("path.read_text()", True),
        ("path.read_text(encoding='utf-8')", False),
        ("(folder / 'a').write_text(text, errors='replace')", True),
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("open(path, 'rb')", False),
        ("path.open('ab')", False),
        ("path.open()", True),
        ("os.open(path, os.O_RDONLY)", False),
        ("os.fdopen(handle, 'w')", True),
        ("os.fdopen(handle, 'wb')", False),
        ("tempfile.TemporaryFile()", False),
        ("tempfile.NamedTemporaryFile('w')", True),
        ("subprocess.run(words, text=True)", True),
        ("subprocess.run(words, encoding='utf-8')", False),
        ("subprocess.run(words, capture_output=True)", False),
    ],
)
def test_the_walk_tells_them_apart(text: str, left: bool) -> None:
    assert bool(list(left_to_the_locale(text))) == left


@pytest.mark.parametrize("word", ["seed=0", "results_dir=ü", "title=a → b", "--config-dir=ü"])
def test_text_is_text(word: str) -> None:
    check_words([word])


def test_bytes_of_no_encoding_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UserError, match=r"^\$'a=\\xfc' has letters that are none in this locale \(utf-8\): rename what"
    ):
        check_words(["seed=0", os.fsdecode(b"a=\xfc")])


@pytest.mark.parametrize("word", ["results_dir=ü", "title=\"ü\"", "--config-dir=ü", "+experiment=ü", "ü"])  # fmt: skip
def test_a_locale_without_the_letters_is_told_with_the_way_out(word: str) -> None:
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pruneexp", word], capture_output=True, env=environment, check=False, encoding="utf-8"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("pruneexp: $'")
    assert done.stderr.endswith(
        "has letters that are none in this locale (ascii): set PYTHONUTF8=1 or LC_ALL=C.UTF-8.\n"
    )
    assert done.stderr.count("\n") == 1
