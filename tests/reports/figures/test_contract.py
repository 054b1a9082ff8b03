"""What every figure in conf/figure promises; a new one is held to it as soon as its file exists."""

import functools
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

from pruneexp.components.options import CONTRACT
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir
from tests.reports.figures import made_frames
from tests.reports.figures.made_frames import cells, layers, table, titles

COMMAND = "python -m pruneexp made by hand"
NAMES = sorted(path.stem for path in (conf_dir() / "figure").glob("*.yaml"))
every_figure = pytest.mark.parametrize("name", NAMES)
NETWORKS = [("cifar10", "vgg11"), ("cifar100", "vgg11")]
METHODS = [("snip", "greedy", ""), ("magnitude", "greedy", ""), ("none", "random", "shuffle")]
GRIDS: dict[str, pd.DataFrame] = {
    "two methods, three seeds": cells(densities=[0.2, 0.05]),
    "one cell": cells(methods=made_frames.TWO[:1], densities=[0.1], seeds=1),
    "two networks and scorers": cells(NETWORKS, METHODS, densities=[0.2, 0.05], seeds=2),
    "dense networks alone": cells(NETWORKS, []),
    "without an accuracy": cells(accuracy=lambda density, seed: np.nan),
    "all weights pruned": cells(densities=[0.1, 0.01]).assign(
        density=lambda rows: rows["density"].where(rows["density"] > 0.05, 0)
    ),
}


def draw(name: str, folder: Path, made: pd.DataFrame, options: Sequence[str] = ()) -> list[Path]:
    """Call a figure as a report does, with those of the arguments that it asks for."""
    figure = expand(["seed=0", "masker=greedy", f"figure={name}", *options]).jobs[0].setting.figures[name]
    offered: dict[str, Any] = {
        "table": table(made, greedy=80.0),
        "cells": made,
        "layers": layers(made),
        "titles": titles,
        "stem": folder / "grid-recipe",
        "title": "A title",
        "command": COMMAND,
    }
    assert set(offered) == set(CONTRACT["figure"])
    paths: list[Path] = figure.call(**offered)
    return paths


@dataclass(frozen=True)
class Drawn:
    """What drawing a figure left.

    Attributes:
        paths: what it says it has written.
        contents: all files of the folder, by their paths.
        styles: matplotlib's settings before and after.
    """

    paths: list[Path]
    contents: dict[Path, bytes]
    styles: tuple[str, str]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Drawn]:
    """``drawn(figure, grid)``: drawn once, whatever warns being an error."""

    @functools.cache
    def of(name: str, grid: str) -> Drawn:
        folder, before = tmp_path_factory.mktemp("drawn"), str(matplotlib.rcParams)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            paths = draw(name, folder, GRIDS[grid])
        return Drawn(paths, {path: path.read_bytes() for path in folder.iterdir()}, (before, str(matplotlib.rcParams)))

    return of


@every_figure
@pytest.mark.parametrize("grid", GRIDS)
def test_it_draws_files_that_name_the_command_and_nothing_else(
    drawn: Callable[[str, str], Drawn], name: str, grid: str
) -> None:
    made = drawn(name, grid)
    assert made.paths
    assert sorted(made.paths) == sorted(made.contents)
    assert {path.suffix for path in made.paths} == {".png", ".svg", ".pdf"}
    assert all(path.name.startswith("grid-recipe") for path in made.paths)
    assert all(COMMAND.encode() in content for content in made.contents.values())


@every_figure
def test_the_same_grid_gives_the_same_bytes(drawn: Callable[[str, str], Drawn], tmp_path: Path, name: str) -> None:
    before = {path.name: content for path, content in drawn(name, "two methods, three seeds").contents.items()}
    draw(name, tmp_path, GRIDS["two methods, three seeds"])
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not any(b"CreationDate" in content or b"dc:date" in content for content in before.values())


@every_figure
def test_nobodys_style_is_changed(drawn: Callable[[str, str], Drawn], name: str) -> None:
    before, after = drawn(name, "one cell").styles
    assert after == before


@every_figure
def test_its_order_and_labels_are_options(tmp_path: Path, name: str) -> None:
    options = [f"figure.{name}.order=[sparsify]", f"figure.{name}.labels={{sparsify: ours}}", f"figure.{name}.width=5"]
    paths = draw(name, tmp_path, GRIDS["two methods, three seeds"], options)
    assert any("ours" in path.read_text() for path in paths if path.suffix == ".svg")


def test_importing_reports_leaves_the_backend_alone() -> None:
    code = (
        "import matplotlib; matplotlib.use('svg'); import pruneexp.reports.report, pruneexp.studies.report;"
        " import sys; assert matplotlib.get_backend() == 'svg'; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
