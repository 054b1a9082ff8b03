"""docs/dependencies.md and pyproject.toml say the same of the releases that are kept out."""

import re
import tomllib

from tests.command import ROOT

PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OURS = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
EXTRAS = [one for some in PROJECT["project"]["optional-dependencies"].values() for one in some]
BOUNDS = re.findall(r"^\| `([\w-]+)((?:>=|!=)[\d.]+)` \|", PAGE, re.MULTILINE)


def bounds(requirement: str) -> tuple[str, set[str]]:
    name, said = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()  # type: ignore[union-attr]
    return name, set(filter(None, said.split(",")))


def test_every_bound_of_the_page_is_in_force() -> None:
    in_force = {(name, bound) for name, some in map(bounds, [*OURS, *EXTRAS]) for bound in some}
    assert len(BOUNDS) >= 8
    assert set(BOUNDS) <= in_force


def test_every_exclusion_and_every_package_is_on_the_page() -> None:
    told = {name for name, _ in BOUNDS}
    for name, some in map(bounds, OURS):
        assert name in told or re.search(rf"\b{re.escape(name)}\b", PAGE), name
        assert {(name, bound) for bound in some if bound.startswith("!=")} <= set(BOUNDS)
    assert ("lightning", "!=2.6.2") in BOUNDS
    assert ("lightning", "!=2.6.3") in BOUNDS
