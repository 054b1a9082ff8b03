"""Launchers that are not there, are asked for what they cannot give, or are told what a shell or sbatch would take for orders."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.bad_input.lines import Line

HUGE = "1" + "0" * 30
NUMBERS = ("-1", "0.5", HUGE, "x", "[1]", "{a: 1}", "''", "nan", "inf", "true")
OPTIONS = {  # of each launcher: those that are numbers
    "slurm": (
        "timeout_min", "max_num_timeout", "signal_delay_s", "cpus_per_task", "mem_gb", "gpus_per_node", "array_parallelism", "lost_seconds",
        "unreachable_min", "poll_seconds",
    ),
    "slurm_local": ("parallel", "gpus_per_node", "timeout_min"),
    "gpus": ("devices",),
}  # fmt: skip
SHELL = {  # what a word for sbatch says besides
    "two lines": "'a\nb'", "an order in a second line": "'x\n touch evil'", "a carriage return": "'x\r#SBATCH --uid=0'",
    "a null character": "'x\x00y'", "an escape": "'\x1b[2J'", "nothing": "''", "a list": "[a]", "a mapping": "{a: 1}",
    "2,000 letters": "x" * 2000,
}  # fmt: skip
SBATCH = {  # of launcher.sbatch
    "an order in a second line of a value": "{comment: 'x\n touch evil'}", "an order in a second line of a name": "{'x\n touch evil': 1}",
    "a name with a blank": "{'comment x': 1}", "a name that ends the option": "{'x=y --uid': 0}", "an empty name": "{'': 1}",
    "a name with a #": "{'a#b': 1}", "a list": "[a]", "text": "text", "a list for a value": "{comment: [1]}",
    "a mapping for a value": "{comment: {a: 1}}", "a number for a name": "{1: 2}", "a number beyond all": "{comment: 1e400}",
    "null bytes": "{comment: 'a\x00b'}", "dashes in front of a name": "{--comment: x}",
    "the array, which is not for users": "{array: 0-5}", "where the log goes, which is not for users": "{output: /dev/null}",
    "what sbatch would run": "{wrap: touch evil}", "the job's name, by which it is found again": "{job-name: x}",
    "the same with _": "{job_name: x}", "the notice of the time's end": "{signal: 9@1}", "another folder": "{chdir: /}",
    "that it waits": "{wait: true}",
}  # fmt: skip
ELSEWHERE = {  # words about launching that mean nothing here
    ("launcher=nothing",): "a launcher that there is not",
    ("launcher=joblib",): "a launcher of Hydra's",
    ("launcher=submitit_local",): "a launcher of Hydra's",
    ("launcher=Local",): "a launcher in capitals",
    ("launcher=",): "no launcher",
    ("launcher=null",): "no launcher",
    ("launcher=[local]",): "a list of launchers",
    ("launcher=local,local",): "the same launcher twice",
    ("~launcher",): "no launcher",
    ("launcher.name=gpus",): "a launcher by its label",
    ("launcher.devices=2",): "an option of another launcher",
    ("launcher.workers=4",): "an option that no launcher has",
    ("launcher=local", "launcher.parallel=2"): "an option of another launcher",
    ("launcher=gpus", "launcher.gpus_per_node=2"): "an option of another launcher",
    ("launcher._target_=os.system",): "a launcher that is none",
    ("launcher._target_=pruneexp.launchers.gpus.Worker",): "a launcher that is none",
    ("launcher._target_=pruneexp.recipe.Recipe",): "a recipe for a launcher",
    ("launcher._partial_=true",): "a launcher that is made later",
    ("hydra/launcher=joblib",): "Hydra's launcher",
    ("hydra/launcher=basic",): "Hydra's launcher",
    ("hydra/launcher=submitit_slurm",): "Hydra's launcher",
    ("hydra/launcher=nothing",): "Hydra's launcher, which there is not",
    ("hydra.launcher.n_jobs=4",): "Hydra's launcher",
    ("++hydra.launcher.n_jobs=4",): "Hydra's launcher",
    ("hydra/sweeper=basic",): "Hydra's sweeper",
    ("hydra/sweeper=optuna",): "Hydra's sweeper",
    ("hydra.sweeper.max_batch_size=0",): "Hydra's sweeper",
    ("hydra.sweeper.max_batch_size=-1",): "Hydra's sweeper",
    ("hydra.sweeper.params=null",): "Hydra's sweeper without a sweep",
    ("hydra.sweeper.params=5",): "a number for a sweep",
    ("hydra.sweeper.params=[1]",): "a list for a sweep",
    ("hydra.sweeper.params.seed=-1", "~seed"): "a sweep of what cannot be taken away",
    ("hydra.sweeper.params.nothing=1",): "a sweep of what there is not",
    ("+hydra.sweeper.params.nothing='1,2'",): "a sweep of what there is not",
    ("++hydra.sweeper.params={nothing: '1,2'}",): "a sweep of what there is not",
    ("hydra.searchpath=5",): "a number for folders",
    ("hydra.searchpath=[5]",): "a number for a folder",
    ("hydra.searchpath=[nowhere]",): "a folder without file://",
    ("hydra.searchpath=[pkg://nothing]",): "a package that there is not",
    ("hydra.searchpath=[http://127.0.0.1:9]",): "an address for a folder",
    ("hydra.searchpath=[file://nowhere]",): "a folder that there is not",
    ("hydra.searchpath=a,b",): "two searches",
    ("~hydra.searchpath",): "no search",
    ("hydra.mode=RUN",): "Hydra's mode",
    ("hydra.mode=MULTIRUN",): "Hydra's mode",
    ("hydra.mode=nothing",): "Hydra's mode",
    ("hydra.run.dir=/proc/nothing",): "Hydra's folder",
    ("hydra.run.dir={here}/x",): "Hydra's folder",
    ("hydra.sweep.dir=/dev/null",): "Hydra's folder",
    ("hydra.sweep.subdir=..",): "Hydra's folder",
    ("hydra.job.chdir=true",): "Hydra's working folder",
    ("hydra.job.name=x",): "Hydra's job",
    ("hydra.job.env_set.LD_PRELOAD=x",): "Hydra's environment",
    ("hydra.output_subdir=x",): "Hydra's folder",
    ("hydra.verbose=true",): "Hydra's log",
    ("hydra/job_logging=none",): "Hydra's log",
    ("hydra/hydra_logging=nothing",): "Hydra's log",
    ("hydra.callbacks.x._target_=os.system",): "Hydra's callbacks",
    ("+hydra.callbacks.x={_target_: os.system}",): "Hydra's callbacks",
    ("hydra=5",): "Hydra's node",
    ("hydra={}",): "Hydra's node",
    ("~hydra",): "Hydra's node",
    ("hydra.=5",): "Hydra's node",
    ("+hydra/x=y",): "Hydra's node",
    ("trainer.devices=10000",): "10,000 processes",
    ("trainer.devices=1025",): "more processes than are allowed",
    ("trainer.devices=1024",): "1,024 processes",
    ("trainer.devices=65",): "more processes than images in a batch",
    ("trainer.devices=0",): "no process",
    ("trainer.devices=auto",): "a number that is to be guessed",
    ("trainer.devices=2", "trainer.members=2"): "several devices and several networks",
    ("launcher=gpus", "launcher.devices=1025"): "more workers than are allowed",
    ("launcher=gpus", "launcher.devices=0"): "no worker",
    ("launcher=gpus",): "a GPU, and there is none",
    ("launcher=gpus", "trainer.accelerator=cuda", "launcher.devices=2"): "GPUs, and there are none",
    ("launcher=gpus", "launcher.devices=2", "trainer.devices=2"): "workers that are several",
    ("launcher=slurm_local", "trainer.accelerator=cuda"): "a GPU, and there is none",
    ("launcher=slurm_local", "launcher.parallel=0"): "no job at a time",
    ("launcher=slurm_local", "launcher.parallel=1025"): "more jobs at a time than are allowed",
    ("launcher=slurm",): "Slurm, and there is none",
    ("launcher=slurm", "trainer.accelerator=cuda"): "Slurm, and there is none",
}  # fmt: skip
MEANS: dict[tuple[str, ...], str] = {  # of these, what is right to be taken, and why
    ("launcher.name=gpus",): "a label, which tells nothing but a reader",
    ("hydra.sweeper.params=null",): "the sweep of config.yaml left out: its first values",
    ("hydra={}",): "nothing is changed by it",
}
CUDA = (
    "abc",
    "0,abc",
    "-1",
    "99",
    ",",
    "0,0",
    "GPU-nothing",
    "x" * 5000,
    "0;touch evil",
    "MIG-",
)  # of CUDA_VISIBLE_DEVICES


def lines() -> Iterator[Line]:
    """Options of launchers; what sbatch would take for orders; launchers that are not there; GPUs that are not there."""
    for launcher, options in OPTIONS.items():
        for option in options:
            for number in NUMBERS:
                if number != "0.5" or option not in FRACTIONS:
                    yield slurm((f"launcher={launcher}", f"launcher.{option}={number}"), f"{option} of {launcher}")
    for option in ("partition", "account", "qos", "constraint"):
        for why, value in SHELL.items():
            yield slurm(("launcher=slurm", f"launcher.{option}={value}"), f"{option} is {why}")
    for why, value in SBATCH.items():
        yield slurm(("launcher=slurm", f"launcher.sbatch={value}"), f"sbatch is told {why}")
    for why, value in {
        "a number": "5",
        "text": "text",
        "numbers": "[5]",
        "a mapping": "{a: 1}",
        "null bytes": "['a\x00b']",
    }.items():
        yield slurm(("launcher=slurm", f"launcher.setup={value}"), f"lines of a shell: {why}")
    for words, why in ELSEWHERE.items():
        yield Line(words, why, accepted=MEANS.get(words, ""))
    for named in CUDA:
        yield Line(("launcher=gpus",), "CUDA_VISIBLE_DEVICES names no GPU", env={"CUDA_VISIBLE_DEVICES": named})
        yield Line(
            ("trainer.accelerator=cuda",), "CUDA_VISIBLE_DEVICES names no GPU", env={"CUDA_VISIBLE_DEVICES": named}
        )


FRACTIONS = ("mem_gb", "lost_seconds", "unreachable_min", "poll_seconds")


def slurm(words: tuple[str, ...], why: str) -> Line:
    """A line where programs of Slurm's names are on the PATH, which take every job and run none: it hangs where it is not refused."""
    return Line(
        words,
        why,
        env={"PATH": f"{{here}}/bin:{os.environ.get('PATH', os.defpath)}"},
        before=programs,
    )


def programs(here: Path) -> None:
    """Programs of Slurm's names."""
    (here / "bin").mkdir()
    says: Mapping[str, str] = {"sbatch": "echo Submitted batch job 1"}
    for name in ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol", "sacct"):
        path = here / "bin" / name
        path.write_text(f"#!/bin/sh\n{says.get(name, 'exit 0')}\n", encoding="utf-8")
        path.chmod(0o755)
