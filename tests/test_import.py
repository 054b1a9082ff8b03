"""What importing pruneexp costs, and what it offers."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pruneexp

ROOT = Path(pruneexp.__file__).resolve().parent.parent


HEAVY = {"torch", "torchvision", "lightning", "numpy", "scipy", "pandas", "hydra", "wandb", "matplotlib"}


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        f"import sys, pruneexp; print(sorted({HEAVY} & set(sys.modules)))\n"
        "pruneexp.graphs.lambda2([[1.0]]); print('lightning' in sys.modules)"
    )
    assert python(code).splitlines() == ["[]", "False"]


@pytest.mark.parametrize("words", [["mode=plan", "plan.time=false"], ["mode=status"]])
def test_what_trains_and_draws_nothing_imports_neither(tmp_path: Path, words: list[str]) -> None:
    """Every command checks the options of its figures, and draws none but in a report. No network is traced either, for which torch
    imports its compiler."""
    typed = ["pruneexp", "masker=greedy", "seed=0", f"results_dir={tmp_path}", *words]
    code = (
        f"import contextlib, sys; sys.argv = {typed}\nfrom pruneexp.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):\n    main()\n"
        "assert 'pruneexp.reports.figures.accuracy' in sys.modules\n"
        "heavy = {'lightning', 'torchvision', 'pandas', 'matplotlib', 'wandb', 'sympy', 'torch._dynamo'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert python(code) == "[]"


def test_a_worker_process_can_import_the_experiment_first() -> None:
    """Beside a CPU torch torchvision has to be prepared before lightning is imported."""
    assert python("import pruneexp.running; print('imported')") == "imported"


def test_torchvision_is_importable_beside_a_cpu_torch() -> None:
    """And what imports it, such as timm."""
    assert python("import pruneexp, torchvision.ops, timm; print('imported')") == "imported"
    asked = "from pruneexp.system.torchvision_compat import prepare; prepare(); prepare()"
    assert python(f"{asked}; import torchvision.ops; print('imported')") == "imported"


@pytest.mark.parametrize("name", pruneexp.__all__)
def test_every_public_name_is_there(name: str) -> None:
    value = getattr(pruneexp, name)
    assert callable(value) or value.__name__ == f"pruneexp.{name}"


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'prun'"):
        pruneexp.prun  # noqa: B018


def test_every_package_is_shipped() -> None:
    """Whoever installs the wheel has all of it: a folder that pyproject.toml leaves out would be missing there only."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "pruneexp").rglob("*.py")}
    there = {".".join(folder.parts) for folder in folders}
    assert "pruneexp.studies.topology" in there
    assert there | {"pruneexp.conf", "pruneexp.published"} == set(packages)
    assert len(packages) == len(set(packages))
    assert all((ROOT / folder / "__init__.py").is_file() for folder in folders)


def test_every_file_of_data_is_shipped() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [path for path in (ROOT / "pruneexp").rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    found = [path for path in files if path.suffix != ".py"]
    assert [path.name for path in found] == ["digits.csv.gz"]
    for path in found:
        package = ".".join(path.parent.relative_to(ROOT).parts)
        assert any(path.match(pattern) for pattern in tools["package-data"][package])
