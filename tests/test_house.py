"""The shape of the program: what imports what, how long things are, and that nothing is said twice."""

import ast
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import pruneexp

PACKAGE = Path(pruneexp.__file__).resolve().parent
# from the ground up: a room imports only those before it, or those beside it in its own line where one knows the other
ROOMS = [
    "errors", "seeding", "system", "components", "cell", "recipe", "network", "graphs", "data", "models", "topology", "scorers",
    "layers", "allocations", "maskers", "mask_updates", "treatments", "training", "records", "loading", "exporting", "measuring",
    "jobs", "sweep", "pruning", "means", "artifacts", "worklist", "order", "levels", "groups", "outcome", "tracked", "failures", "guard",
    "trials", "running", "launchers", "fits", "preflight", "reports", "planning", "status", "program", "api", "completion", "usage",
    "commandline", "cli", "studies",
]  # fmt: skip
NEVER = [  # what no file of the first may import, though it lies below it
    ("graphs", "training", "they know nothing of how networks are trained"),
    ("network", "graphs", "it is known of any network"),
    ("network", "training", "it is known of any network"),
    ("scorers", "training", "a scorer leaves the network as it found it"),
    ("maskers", "scorers", "a masker sees scores, whoever made them"),
    ("maskers", "training", "masks come before training"),
    ("reports", "training", "reports read records only"),
    ("reports", "measuring", "reports read records only"),
    ("reports", "artifacts", "reports read records only"),
    ("records", "training", "a record is what is left of it"),
    ("training", "maskers", "training is given masks"),
    ("allocations", "maskers", "how many is no matter of which"),
    ("training", "records", "training knows no folder of records"),
]
TRUNK = [
    "api", "artifacts", "cell", "cli", "commandline", "completion", "components", "exporting", "failures", "guard", "jobs", "groups",
    "launchers", "levels", "loading", "means", "measuring", "order", "outcome", "planning", "preflight", "program", "pruning", "recipe",
    "records", "reports", "running", "status", "studies", "sweep", "tracked", "training", "treatments", "trials", "usage", "worklist",
]  # fmt: skip
LONGEST_CLASS, LONGEST_FUNCTION = 150, 60


def files() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__")
        yield name.rstrip("."), path


def room(module: str) -> str:
    return module.partition(".")[0]


def imported(path: Path) -> set[str]:
    """The modules of pruneexp that a file imports, wherever in it, by their names within the package."""
    return within(named(path, ast.walk(ast.parse(path.read_text()))))


def named(path: Path, nodes: Iterable[ast.AST]) -> set[str]:
    """The modules that some of a file's nodes import."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            whole = str(node.module)
            found |= {
                whole if _is_no_module(f"{whole}.{alias.name}") else f"{whole}.{alias.name}" for alias in node.names
            }
    return found


def within(names: Iterable[str]) -> set[str]:
    """Those of pruneexp, by their names within the package."""
    return {name.removeprefix("pruneexp.") for name in names if name.startswith("pruneexp.")}


def _is_no_module(name: str) -> bool:
    place = PACKAGE.parent.joinpath(*name.split("."))
    return not place.with_suffix(".py").exists() and not (place / "__init__.py").exists()


GRAPH = {name: imported(path) for name, path in files() if name not in ("", "__main__")}


def test_every_room_has_its_place() -> None:
    assert {room(name) for name in GRAPH} == set(ROOMS)


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_run_one_way(name: str) -> None:
    own = ROOMS.index(room(name))
    up = sorted(other for other in GRAPH[name] if ROOMS.index(room(other)) > own)
    assert not up, f"{name} imports {', '.join(up)}, which stands above it: {' < '.join(ROOMS)}"


@pytest.mark.parametrize(("above", "below", "why"), NEVER)
def test_what_a_room_never_knows(above: str, below: str, why: str) -> None:
    known = {(name, other) for name in GRAPH if room(name) == above for other in GRAPH[name] if room(other) == below}
    assert not known, why


def test_no_two_files_import_each_other() -> None:
    reach = {name: set(others) & GRAPH.keys() for name, others in GRAPH.items()}
    for middle, name in itertools.product(list(reach), list(reach)):
        if middle in reach[name]:
            reach[name] |= reach[middle]
    circles = sorted(name for name in reach if name in reach[name])
    assert circles == []


def test_lightning_is_imported_where_something_is_trained_and_not_before() -> None:
    """It takes longer to import than all else; a plan, a status, a report and a refusal wait for none of it."""
    at_once = {name: named(path, ast.parse(path.read_text()).body) for name, path in files()}
    reached = [
        "cli",
        "commandline",
        "program",
        "preflight",
        "planning.plan",
        "status",
        "reports.report",
        "launchers.local",
    ]
    for one in reached:  # grows on the way
        reached += sorted(within(at_once.get(one, ())).difference(reached))
    heavy = {"lightning", "torchmetrics", "torchvision", "sklearn", "wandb"}
    waited = {one for one in reached if heavy & {other.partition(".")[0] for other in at_once.get(one, ())}}
    assert waited == set()
    assert "training.step" in reached  # without which nothing would be timed


def definitions(kind: type | tuple[type, ...]) -> Iterator[tuple[str, int]]:
    for name, path in files():
        if room(name) in TRUNK:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, kind):
                    yield f"{name}.{node.name}", node.end_lineno - node.lineno + 1  # type: ignore[attr-defined]


def test_no_class_and_no_function_of_the_trunk_is_longer_than_a_page() -> None:
    classes = {name: lines for name, lines in definitions(ast.ClassDef) if lines > LONGEST_CLASS}
    functions = {name: n for name, n in definitions((ast.FunctionDef, ast.AsyncFunctionDef)) if n > LONGEST_FUNCTION}
    assert (classes, functions) == ({}, {})


def test_the_check_sees_an_import_within_a_function(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "def f():\n    from pruneexp import cell\n    from pruneexp.running import run\n    import pruneexp.cli\n"
    )
    assert imported(path) == {"cell", "running", "cli"}


def test_of_hydra_only_what_is_public_is_imported() -> None:
    found = {
        f"{name}: {alias}"
        for name, path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in [*(one.name for one in node.names), str(getattr(node, "module", ""))]
        if alias.startswith("hydra") and any(part.startswith("_") for part in alias.split("."))
    }
    assert found == set()
