"""A component from outside pruneexp is another one when its code is."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pruneexp.components import foreign
from pruneexp.components.component import configured
from pruneexp.errors import UserError
from pruneexp.scorers.magnitude import magnitude

Write = Callable[..., Any]
SCORER = "def mine(model, batches, generator, share: float = 0.5):\n    return {share}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """``write({file: text})``: the user's modules by their files; returns `mine` of the first, freshly imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names: set[str] = set()

    def make(files: dict[str, str]) -> Any:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            names.add(name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
        forget()
        return importlib.import_module(next(iter(files)).removesuffix(".py").replace("/", ".")).mine

    def forget() -> None:
        for name in names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        foreign._origin.cache_clear()

    yield make
    forget()


def of(target: Any) -> str:
    return foreign.fingerprint(target, target.__module__)


def test_ours_have_a_name_and_a_version_instead() -> None:
    assert foreign.is_ours(magnitude)
    found = configured(
        "scorer", {"name": "x", "_target_": "pruneexp.scorers.magnitude.magnitude", "_partial_": True}
    ).identity()
    assert found == {"name": "magnitude", "version": 1}


def test_the_same_code_is_the_same_wherever_it_lies_and_changed_code_is_not(write: Write) -> None:
    first = of(write({"here.py": SCORER}))
    assert first == of(write({"here.py": SCORER}))
    assert first == of(write({"elsewhere.py": SCORER}))
    assert first != of(write({"here.py": SCORER.replace("{share}", "{1 / share}")}))
    assert first.startswith("sha256:")


@pytest.mark.parametrize(
    ("statement", "helper"),
    [
        ("import helping", "helping.py"),
        ("from helping import value", "helping.py"),
        ("from mypackage.deep import value", "mypackage/deep.py"),
        ("import mypackage.deep as d", "mypackage/deep.py"),
        ("def later():\n    import helping\n", "helping.py"),
    ],
)
def test_what_it_imports_of_the_users_counts_too(write: Write, statement: str, helper: str) -> None:
    files = {"here.py": f"{statement}\n{SCORER}"} | ({"mypackage/__init__.py": ""} if "mypackage" in helper else {})
    first = of(write(files | {helper: "value = 1\n"}))
    assert of(write(files | {helper: "value = 1\n"})) == first
    assert of(write(files | {helper: "value = 2\n"})) != first


def test_relative_imports_and_imports_of_imports_count(write: Write) -> None:
    files = {
        "pack/mine.py": f"from . import second\n{SCORER}",
        "pack/__init__.py": "",
        "pack/second.py": "from .third import x\n",
    }
    first = of(write(files | {"pack/third.py": "x = 1\n"}))
    assert of(write(files | {"pack/third.py": "x = 2\n"})) != first


WRAPPED = """
import functools
from pruneexp.scorers.snip import snip
@functools.wraps(snip)
def mine(model, batches, generator, samples=100, batchnorm="train"):
    return {name: SIGN * score for name, score in snip(model, batches, generator, samples, batchnorm).items()}
"""
FACTORY = """
from making import make
mine = make(POWER)
"""
MAKING = """
def make(power):
    def score(model, batches, generator):
        return {}
    return score
"""
PARTIAL = """
import functools
from pruneexp.scorers.snip import snip
mine = functools.partial(snip, samples=POWER)
"""


@pytest.mark.parametrize(("text", "name"), [(WRAPPED, "SIGN"), (FACTORY, "POWER"), (PARTIAL, "POWER")])
def test_what_is_made_of_another_function_is_the_users_own(write: Write, text: str, name: str) -> None:
    def identity(value: int) -> Any:
        write({"here.py": text.replace(name, str(value)), "making.py": MAKING})
        return configured("scorer", {"name": "x", "_target_": "here.mine", "_partial_": True}).identity()

    assert identity(1) == identity(1) != identity(3)
    assert "code" in identity(1)


def test_a_decorator_of_the_users_counts(write: Write) -> None:
    deco = "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def g(*a, **k): return FACTOR\n    return g\n"
    text = f"from deco import twice\n@twice\n{SCORER}"
    first = of(write({"here.py": text, "deco.py": deco.replace("FACTOR", "1")}))
    assert of(write({"here.py": text, "deco.py": deco.replace("FACTOR", "2")})) != first


def test_the_package_that_it_lies_in_and_those_of_its_imports_count(write: Write) -> None:
    files = {
        "pack/mine.py": f"import other.deep\n{SCORER}",
        "other/__init__.py": "x = 1\n",
        "other/deep.py": "",
        "pack/__init__.py": "",
    }
    first = of(write(files))
    assert of(write(files)) == first
    assert of(write(files | {"other/__init__.py": "x = 2\n"})) != first
    assert of(write(files | {"pack/__init__.py": "x = 2\n"})) != first


def test_one_stated_version_in_two_modules_is_two_components(write: Write) -> None:
    write({"here.py": SCORER, "there.py": SCORER})
    nodes = [
        {"name": "x", "_target_": f"{module}.mine", "_partial_": True, "version": 1} for module in ("here", "there")
    ]
    assert configured("scorer", nodes[0]).identity() != configured("scorer", nodes[1]).identity()


def test_a_re_exported_one_of_ours_is_ours(write: Write) -> None:
    write({"here.py": "from pruneexp.scorers.magnitude import magnitude as mine\n"})
    found = configured("scorer", {"name": "x", "_target_": "here.mine", "_partial_": True}).identity()
    assert found == {"name": "magnitude", "version": 1}


def test_annotations_for_a_type_checker_alone_do_no_harm(write: Write) -> None:
    text = "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from torch import Tensor\n"
    write(
        {"here.py": text + "def mine(model, batches, generator, share: float = 0.5) -> dict[str, Tensor]: return {}\n"}
    )
    node = {"name": "x", "_target_": "here.mine", "_partial_": True}
    assert configured("scorer", node | {"share": 1}).options == {"share": 1.0}
    with pytest.raises(UserError, match="must be a finite number"):
        configured("scorer", node | {"share": "x"})


def test_a_number_without_an_annotation_is_one_value_however_written(write: Write) -> None:
    write({"here.py": "def mine(model, batches, generator, power=2): return {}\n"})

    def identity(power: Any) -> Any:
        return configured(
            "scorer", {"name": "x", "_target_": "here.mine", "_partial_": True, "power": power}
        ).identity()

    assert identity(1) == identity(1.0) != identity(1.5)
    assert identity(2) == identity(2.0)
    assert "options" not in identity(2.0)


def test_what_python_and_pip_installed_does_not_count(write: Write) -> None:
    plain = foreign._with_imports(
        Path(str(sys.modules[write({"here.py": SCORER}).__module__].__file__)).resolve(), "here"
    )
    text = f"import json, torch, numpy as np\nfrom pruneexp.network.prunable import prunable\n{SCORER}"
    found = write({"here.py": text})
    more = foreign._with_imports(Path(str(sys.modules[found.__module__].__file__)).resolve(), "here")
    assert more == plain


def test_an_installed_one_is_known_by_its_distributions_version() -> None:
    import torchvision

    node = {"name": "r", "_target_": "torchvision.models.resnet.resnet18"}
    assert configured("model", node).identity()["code"] == f"torchvision {torchvision.__version__.partition('+')[0]}"


def test_one_without_a_file_needs_a_stated_version() -> None:
    namespace: dict[str, Any] = {"__name__": "nowhere"}
    exec("def mine(model, batches, generator): return {}", namespace)
    with pytest.raises(UserError, match=r"no file defines nowhere.mine.*`version: 1`"):
        foreign.fingerprint(namespace["mine"], "nowhere")


def test_a_stated_version_stands_for_the_code(write: Write) -> None:
    write({"here.py": SCORER})
    node = {"name": "mine", "_target_": "here.mine", "_partial_": True, "version": 3}
    first = configured("scorer", node).identity()
    write({"here.py": SCORER.replace("{share}", "{1 / share}")})
    assert configured("scorer", node).identity() == first
    assert configured("scorer", node | {"version": 4}).identity() != first
    with pytest.raises(UserError, match=r"scorer\.version must be a whole number, at least 1, got 0\."):
        configured("scorer", node | {"version": 0})


def test_options_of_the_users_are_checked_too(write: Write) -> None:
    write({"here.py": SCORER})
    node = {"name": "mine", "_target_": "here.mine", "_partial_": True}
    assert configured("scorer", node | {"share": 1}).options == {"share": 1.0}
    with pytest.raises(UserError, match=r"scorer\.share must be a finite number, got 'much'\."):
        configured("scorer", node | {"share": "much"})
    with pytest.raises(UserError, match=r"there is no option 'scorer\.shore'\. Did you mean 'scorer\.share'"):
        configured("scorer", node | {"shore": 1})


def test_packages_of_the_environment_below_are_installed_ones(tmp_path: Path) -> None:
    """Of an environment made with --system-site-packages, and of a user's own folder."""
    below = tmp_path / "lib" / "site-packages"
    found = foreign.folders_of_installed([str(below), str(tmp_path / "dist-packages"), str(tmp_path)])
    assert {below.resolve(), (tmp_path / "dist-packages").resolve()} <= set(found)
    assert tmp_path.resolve() not in found


def test_what_lies_among_them_and_came_with_no_distribution_is_known_by_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "site-packages"
    files = {
        "by_hand/__init__.py": SCORER, "brought/__init__.py": SCORER, "brought-1.dist-info/top_level.txt": "brought",
        "brought-1.dist-info/METADATA": "Name: brought\nVersion: 1\n",
    }  # fmt: skip
    for name, text in files.items():
        (below / name).parent.mkdir(parents=True, exist_ok=True)
        (below / name).write_text(text)
    monkeypatch.syspath_prepend(str(below))
    monkeypatch.setattr(foreign, "INSTALLED", foreign.folders_of_installed([str(below)]))
    for cached in (foreign._distributions, foreign._origin):
        cached.cache_clear()

    def found(name: str) -> str:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return of(importlib.import_module(name).mine)

    try:
        before = found("by_hand")
        assert before.startswith("sha256:")
        (below / "by_hand" / "__init__.py").write_text(f"{SCORER}# another\n")
        assert found("by_hand") != before
        assert found("brought") == "brought 1"
    finally:
        for name in ("by_hand", "brought"):
            sys.modules.pop(name, None)
        for cached in (foreign._distributions, foreign._origin):
            cached.cache_clear()
