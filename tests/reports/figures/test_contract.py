"""What every figure in conf/figure promises; a new one is held to it as soon as its file exists."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from pruneexp.reports.report import write_report
from pruneexp.sweep import Grid, expand
from pruneexp.system.shipped import conf_dir
from tests.reports.made_records import fill, record

NAMES = sorted(path.stem for path in (conf_dir() / "figure").glob("*.yaml"))
every_figure = pytest.mark.parametrize("name", NAMES)
SWEEPS: dict[str, tuple[str, ...]] = {
    "two methods, three seeds": ("seed=0,1,2", "masker=sparsify,greedy"),
    "one cell": ("seed=0", "masker=greedy", "densities=[0.1]"),
    "two networks and scorers": ("seed=0,1", "masker=greedy", "model=vgg_small,vgg11", "scorer=magnitude,snip"),
}


def grid(folder: Path, *arguments: str) -> Grid:
    return expand([f"results_dir={folder}", *arguments])


@every_figure
@pytest.mark.parametrize("sweep", SWEEPS)
def test_it_draws_files_that_name_the_command_and_nothing_else(tmp_path: Path, name: str, sweep: str) -> None:
    chosen = grid(tmp_path, *SWEEPS[sweep], f"figure={name}")
    fill(chosen, tmp_path, lambda cell: record(cell, 50 + cell.seed + cell.density))
    write_report(chosen, "python -m pruneexp made by hand")
    drawn = sorted((tmp_path / "reports" / "figures").iterdir())
    assert drawn
    assert {path.suffix for path in drawn} == {".png", ".svg"}
    assert all(b"python -m pruneexp made by hand" in path.read_bytes() for path in drawn if path.suffix == ".svg")
    before = {path: path.read_bytes() for path in drawn}
    write_report(chosen, "python -m pruneexp made by hand")
    assert before == {path: path.read_bytes() for path in drawn}


@every_figure
def test_nobodys_style_is_changed(tmp_path: Path, name: str) -> None:
    before = str(matplotlib.rcParams)
    chosen = grid(tmp_path, "seed=0", "masker=greedy", f"figure={name}")
    fill(chosen, tmp_path, lambda cell: record(cell, 50))
    write_report(chosen, "a command")
    assert str(matplotlib.rcParams) == before


def test_no_figure_and_all_of_them(tmp_path: Path) -> None:
    for names in ([], NAMES):
        folder = tmp_path / str(len(names))
        chosen = grid(folder, "seed=0", "masker=greedy", f"figure=[{','.join(names)}]")
        fill(chosen, folder, lambda cell: record(cell, 50))
        write_report(chosen, "a command")
        assert any((folder / "reports" / "figures").iterdir()) == bool(names)


def test_importing_reports_leaves_the_backend_alone() -> None:
    code = (
        "import matplotlib; matplotlib.use('svg'); import pruneexp.reports.report, pruneexp.studies.report;"
        " import sys; assert matplotlib.get_backend() == 'svg'; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
