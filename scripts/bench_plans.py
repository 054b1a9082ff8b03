"""What ``mode=plan`` says of every experiment, and how long it takes to say it.

    python -m scripts.bench_plans [--repeats 2] [--data-dir FOLDER] [EXPERIMENT ...]

Each plan is a process of its own, in an empty folder: nothing is recorded there, and all is timed. Where there are repeats, the last
column is the largest estimate of the time that is left over the smallest. With `--data-dir`, which has CIFAR-10, three cells are planned
and then trained, on one thread. Prints the tables and, of all experiments, writes results/benchmarks/plans.md.
"""

import argparse
import json
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pruneexp.records.provenance import git_commit
from pruneexp.system import files
from pruneexp.system.durations import MONTH, YEAR
from pruneexp.system.shipped import conf_dir
from scripts.bench_sweep import OUT, ROOT

LEFT = re.compile(r"(\d+) done, (\d+) missing(?:, [^;]*)?; (.*) left on ")
SECONDS = {"s": 1.0, "min": 60.0, "hour": 3600.0, "day": 86400.0, "month": MONTH, "year": YEAR}
ONE = ["mode=plan", "seed=0", "trainer.accelerator=cpu", "trainer.threads=1", "logger=none", "figure=[]"]
SHORT = ["dataset=cifar10", "model=resnet20", "recipe=topology_cifar", "recipe.epochs=2", "recipe.train_images=5000"]
CELLS = {
    "VGG-small, digits": ["masker=greedy", "densities=[0.1]"],
    "ResNet-20, 5,000 images of CIFAR-10": [*SHORT, "masker=greedy", "densities=[0.1]"],
    "the same with half of its neurons": [*SHORT, "masker=structured", "scorer=l2", "densities=[0.5]"],
}


def planned(name: str, folder: Path) -> tuple[int, str, float, float]:
    """An experiment's number of cells, the time that its plan says is left, and the seconds that the command took, and of a processor.

    Raises:
        SystemExit: it did not end well.
    """
    start, before = time.perf_counter(), _of_children()
    text = command(folder, f"+experiment={name}", "mode=plan")
    took, found = time.perf_counter() - start, LEFT.search(text)
    if found is None:
        sys.exit(f"{name}: this plan says no time\n{text}")
    return int(found[2]), found[3], took, _of_children() - before


def command(folder: Path, *words: str) -> str:
    """What a command in `folder` prints.

    Raises:
        SystemExit: it did not end well.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    whole, variables = [sys.executable, "-m", "pruneexp", *words], {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(whole, cwd=folder, env=variables, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{' '.join(whole)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def compared(words: list[str], data_dir: Path) -> tuple[str, float]:
    """The time of a cell that its plan tells, and the seconds that its training then took."""
    with tempfile.TemporaryDirectory() as name:
        folder, words = Path(name), [*ONE, *words, f"data_dir={data_dir.resolve()}"]
        row = command(folder, *words).splitlines()[-2]
        command(folder, *words, "mode=run")
        (path,) = folder.glob("results/runs/*/record.json")
        return row.split("|")[-2].strip(), json.loads(path.read_text(encoding="utf-8"))["seconds"]["training"]


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(told: str) -> float:
    """The seconds of ``about 14 months``, and of less than a minute 60."""
    found = re.fullmatch(r"about ([\d,.]+) ([a-z]+?)s?", told)
    return float(found[1].replace(",", "")) * SECONDS[found[2]] if found and found[2] in SECONDS else 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--data-dir", type=Path)
    every = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
    parser.add_argument("experiments", nargs="*", default=every, metavar="EXPERIMENT")
    arguments = parser.parse_args()
    words = [f"--repeats={arguments.repeats}", *["--data-dir=data"] * bool(arguments.data_dir)]  # wherever it lies here
    words += [] if arguments.experiments == every else arguments.experiments
    made = f"made by: python -m scripts.bench_plans {shlex.join(words)}; commit {git_commit()};"
    lines = [f"<!-- {made} {platform.machine()}, {os.cpu_count()} cores -->"]
    lines += [
        "What the plan of each experiment says where nothing is recorded, and the most seconds that the command takes:",
        "",
    ]
    lines += [
        "| experiment | cells | left | seconds | processor seconds | largest / smallest estimate |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for name in arguments.experiments:
        with tempfile.TemporaryDirectory() as folder:
            plans = [planned(name, Path(folder)) for _ in range(arguments.repeats)]
        estimates = [seconds(told) for _, told, *_ in plans]
        spread = f"{max(estimates) / min(estimates):.2f}" if len(plans) > 1 else ""
        took, used = (max(one[place] for one in plans) for place in (2, 3))
        lines.append(f"| {name} | {plans[0][0]} | {plans[0][1]} | {took:.0f} | {used:.0f} | {spread} |")
        print(lines[-1], flush=True)
    if arguments.data_dir:
        lines += ["", "A cell that is planned and then trained, on one thread:", ""]
        lines += ["| cell | planned | seconds of its training |", "|---|---|---|"]
        for name, words in CELLS.items():
            told, measured = compared(words, arguments.data_dir)
            lines.append(f"| {name} | {told} | {measured:.1f} |")
            print(lines[-1], flush=True)
    if arguments.experiments == every:
        OUT.mkdir(parents=True, exist_ok=True)
        files.write(OUT / "plans.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
