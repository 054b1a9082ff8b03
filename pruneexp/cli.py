"""The command line: ``python -m pruneexp [overrides]``.

The whole grid is composed and checked first, so that a mistake is reported in one sentence before anything has run;
then Hydra launches the jobs (in turn, or with any of its launchers), or one of pruneexp's launchers, and at last the
report is written.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from pruneexp.cell import register
from pruneexp.errors import UserError
from pruneexp.launchers.task import command_of
from pruneexp.system.shipped import conf_dir

if TYPE_CHECKING:
    from pruneexp.records.record import Record
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
    """One job, in whichever process the launcher put it."""
    from pruneexp.run import run

    settings = HydraConfig.get()
    number = 0 if OmegaConf.is_missing(settings.job, "num") else int(settings.job.num)
    command = command_of(list(settings.overrides.task))
    try:
        run(config, command, first=number * len(config.densities))
    except (UserError, OSError) as error:
        # SystemExit ends the sweep at once, where Hydra would go through all other jobs before it says anything
        print(f"pruneexp: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


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
    code = _run(grid) if options.mode == "run" else 0
    from pruneexp.records.store import Store
    from pruneexp.reports.report import write_report

    store = Store(options.results_dir, options.records)
    if code and not any(cell.key in store for slot in grid.slots for cell in slot.cells):
        return code
    missing = write_report(grid, " ".join(["python -m pruneexp", *arguments]))
    return code or (1 if missing and options.mode == "run" else 0)


def _run(grid: "Grid") -> int:
    """Check what every job needs, then hand over to the launcher; the exit code."""
    import torch

    from pruneexp.launchers.task import precision_there, tasks
    from pruneexp.maskers.layer import Layer, kept_count
    from pruneexp.measuring.complete import is_measured
    from pruneexp.network.prunable import prunable
    from pruneexp.records.store import Store
    from pruneexp.training.members import check_members

    first = grid.jobs[0]
    store = Store(first.options.results_dir, first.options.records)
    keys = [slot.job.cell(slot.density, precision_there(slot.job)).key for slot in grid.slots]
    records = [store.read(key) for key in keys]  # each is read: a damaged one is told before any training
    for key, record in zip(keys, records, strict=True):
        if record is not None:
            store.forget(key)
    if all(record is not None and is_measured(record, first.options) for record in records):
        return 0
    launcher = first.component("launcher") if "launcher" in first.setting.components else None
    store.check_writable()
    checked: dict[str, list[Layer]] = {}  # by data set and model
    for weights in {Path(job.options.weights) for job in grid.jobs}:
        cell = weights.parent if weights.name == "weights.safetensors" else weights
        if (cell / "record.json").exists():  # a finished cell's folder: are they the ones it trained?
            Store(cell.parent).file(cell.name, "weights.safetensors")
    for job in {id(job.setting): job for job in grid.jobs}.values():
        components = job.setting.components
        there = "" if launcher is None else components["launcher"].about.name
        elsewhere = there == "slurm" and components["trainer"].options.get("accelerator", "auto") != "cpu"
        trainer = job.component("trainer", **({"accelerator": "cpu"} if elsewhere else {}))  # where no GPU is needed
        if trainer.devices > 1 and there == "gpus":
            raise UserError(
                f"launcher=gpus gives each job one device, and trainer.devices={trainer.devices} asks for more:"
                " use launcher=local."
            )
        names = str([components[group].identity() for group in ("dataset", "model")])
        if names not in checked:
            dataset = job.dataset()
            _same_data(dataset.name, dataset.digest, [record for record in records if record is not None])
            network = job.component("model", num_classes=dataset.classes, input_shape=dataset.input_shape)
            check_members(trainer, network, dataset.input_shape)
            layers = [
                Layer(name, weight, torch.ones_like(weight, dtype=torch.bool))
                for name, weight in prunable(network).items()
            ]
            checked[names] = layers
        for density in job.densities:
            kept_count(checked[names], density)
    with store.claim("0" * 16):
        pass  # the folder can be written
    if launcher is not None:
        code: int = launcher.launch(tasks(grid), first.options.results_dir)
        return code
    sys.argv[1:] = [*grid.arguments, f"sweep_cells={sum(len(job.densities) for job in grid.jobs)}"]
    launch()
    return 0


def _same_data(name: str, digest: str, records: "list[Record]") -> None:
    """Raise UserError where recorded cells of the grid have seen another state of a data set than the one that is here."""
    for record in records:
        data = record["data"]
        if data is not None and data["name"] == name and data["sha256"] != digest:
            raise UserError(
                f"the arrays of {name} are not those that {record['key']} was trained and tested on (sha256 {digest[:16]} and"
                f" {data['sha256'][:16]}): bring those back, or take another results_dir for the new ones."
            )
