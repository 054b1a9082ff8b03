"""The command line: ``python -m pruneexp [overrides]``.

The whole grid is composed and checked first, so that a mistake is reported in one sentence before anything has run;
then a launcher runs the jobs, and at last the report is written.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pruneexp.cell import register
from pruneexp.errors import UserError
from pruneexp.system.shipped import conf_dir

if TYPE_CHECKING:
    from pruneexp.records.store import Store
    from pruneexp.sweep import Grid

SPINS = "1000"


def spin_less() -> None:
    """Have OpenMP's waiting threads give way to others soon, unless the user has chosen; before torch is first imported.

    GNU OpenMP's threads spin while they wait. Beside one other busy process they keep each other from the processor: a small
    network trains ten to twenty times slower. https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS  # worker processes inherit it


register()


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def launch(config: DictConfig) -> None:
    """One job, where Hydra's own flags are given."""
    from pruneexp.launchers.task import Report, Task, command_of

    command = command_of(list(HydraConfig.get().overrides.task))
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    report = Report()
    report.add(Task(plain, command, 0, 0, "the job").run())
    if report.code:
        sys.exit(report.code)


def main() -> None:
    """Plan, run or report what the command line asks for; exit code 2 for a user's mistake, 1 if cells are missing."""
    spin_less()
    arguments = sys.argv[1:]
    if any(argument.startswith("-") and argument not in ("-m", "--multirun") for argument in arguments):
        launch()  # Hydra's own flags: --help, --cfg, --info ...
        return
    try:
        sys.exit(_main(arguments))
    except UserError as error:
        print(f"pruneexp: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("pruneexp: interrupted; finished cells are kept, the same command goes on from there.", file=sys.stderr)
        sys.exit(130)


def _main(arguments: list[str]) -> int:
    from pruneexp.records.store import Store
    from pruneexp.sweep import expand

    grid = expand(arguments)
    options = grid.jobs[0].options
    if options.mode == "plan":
        from pruneexp.planning import print_plan

        print_plan(grid)
        return 0
    if options.mode == "check":
        from pruneexp.records.check import check

        return check(options.results_dir, options.records)
    store = Store(options.results_dir, options.records)
    code = _run(grid, store) if options.mode == "run" else 0
    if code and grid.jobs[0].setting.components["launcher"].about.name == "local":
        return code  # it has stopped at the first failure
    if code and not any(cell.key in store for slot in grid.slots for cell in slot.cells):
        return code
    from pruneexp.reports.report import write_report

    missing = write_report(grid, " ".join(["python -m pruneexp", *arguments]))
    return code or (1 if missing and options.mode == "run" else 0)


def _run(grid: "Grid", store: "Store") -> int:
    """Check what every job needs, then hand over to the launcher; the exit code."""
    from pruneexp.launchers.task import tasks
    from pruneexp.preflight import check_sweep

    if not check_sweep(grid, store):
        return 0
    launcher = grid.jobs[0].setting.make("launcher")
    code: int = launcher.launch(tasks(grid), grid.jobs[0].options.results_dir)
    return code
