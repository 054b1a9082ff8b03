"""A sweep on a real Slurm: the same results as ``launcher=local``, whatever becomes of its jobs.

``python -m scripts.slurm_here start FOLDER --install`` starts one on a Debian machine.
"""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import SMALL, command, environment
from tests.test_launchers import finished, same_results

SWEEP = (*SMALL, "recipe.epochs=80", "trainer.checkpoint_seconds=0.01", "seed=0", "densities=[1.0,0.1]")
SLURM = (
    "launcher=slurm", "launcher.gpus_per_node=0", "launcher.cpus_per_task=1", "launcher.mem_gb=1", "launcher.poll_seconds=0.5",
    "launcher.lost_seconds=5",
)  # fmt: skip


def idle() -> bool:
    """Whether a Slurm answers here."""
    if shutil.which("sbatch") is None:
        return False
    return subprocess.run(["sinfo", "--noheader"], capture_output=True, check=False, timeout=30).returncode == 0


pytestmark = pytest.mark.skipif(not idle(), reason="needs a Slurm: python -m scripts.slurm_here start FOLDER")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``launcher=local`` leaves."""
    folder = tmp_path_factory.mktemp("local")
    assert command(folder, *SWEEP).code == 0
    return folder


def start(folder: Path, local: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pruneexp", *SWEEP, *SLURM, f"data_dir={local / 'data'}", *more],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_a_cell(folder: Path, sign: str = "checkpoint") -> None:
    """Wait until a cell is under way."""
    end = time.monotonic() + 120
    while not list((folder / "results/runs").glob(f".*.{sign}")):
        assert time.monotonic() < end
        time.sleep(0.02)


def jobs(folder: Path) -> list[str]:
    """The sweep's jobs that have started, by their logs."""
    return sorted(path.name.removesuffix("_0_log.out") for path in folder.glob("results/runs/.submitit/*/*_0_log.out"))


def hurry(job: str) -> None:
    """Start a requeued job now, where Slurm would wait two minutes."""
    end = time.monotonic() + 60
    state = ["squeue", "--noheader", "--array", f"--jobs={job}", "--format=%T"]
    while "PENDING" not in subprocess.run(state, capture_output=True, text=True, check=True).stdout:
        assert time.monotonic() < end
        time.sleep(0.2)
    subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=True)


@pytest.mark.parametrize("interruption", [["scontrol", "requeue"], ["scancel", "--signal=USR2"]])
def test_a_job_interrupted_in_a_cell_goes_on_and_no_other_cell_is_made_again(
    tmp_path: Path, local: Path, interruption: list[str]
) -> None:
    """Killed and requeued, as by the operator or for another's sake; and given notice, as when its time is up."""
    process = start(tmp_path, local)
    in_a_cell(tmp_path)
    interrupted = jobs(tmp_path)
    for job in interrupted:
        subprocess.run([*interruption, job], check=True)
    for job in interrupted:
        hurry(job)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert set(finished(out).values()) == {1}
    assert re.search(r"goes on after epoch \d+ of 80", out)
    same_results(tmp_path, local)


ALONE = (
    "densities=[0.1]",
    "masker=greedy",
    "trainer.checkpoint_seconds=300",
)  # one job, and no checkpoint but a signal's


def test_a_job_out_of_time_goes_on_after_its_last_epoch(tmp_path: Path, local: Path) -> None:
    """Slurm gives the notice, at the latest when half of the minute is over."""
    long = ("recipe.epochs=600", "launcher.timeout_min=1", "launcher.signal_delay_s=20")
    process = start(tmp_path, local, *ALONE, *long)
    in_a_cell(tmp_path, "working")
    while process.poll() is None:
        waiting = subprocess.run(
            ["squeue", "--noheader", "--states=PENDING", "--format=%i"], capture_output=True, text=True
        )
        for job in set(waiting.stdout.split()) & set(jobs(tmp_path)):
            subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=False)
        time.sleep(1)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert re.search(r"goes on after epoch \d+ of 600", out)
    assert not (tmp_path / "results/runs/.submitit").exists()


def test_a_cancelled_job_is_told_leaves_its_state_and_the_same_command_goes_on(tmp_path: Path, local: Path) -> None:
    process = start(tmp_path, local, *ALONE, "recipe.epochs=300")
    in_a_cell(tmp_path, "working")
    time.sleep(5)
    (job,) = jobs(tmp_path)
    subprocess.run(["scancel", job], check=True)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert f"Slurm job {job} was cancelled; the same command goes on from there." in err
    assert list(tmp_path.glob("results/runs/.submitit/*/*_log.err"))
    again = start(tmp_path, local, *ALONE, "recipe.epochs=300")
    out, err = again.communicate(timeout=600)
    assert again.returncode == 0, err
    assert re.search(r"goes on after epoch \d+ of 300", out)


def test_a_cell_that_cannot_be_made_is_told_and_the_others_are_made(tmp_path: Path, local: Path) -> None:
    process = start(tmp_path, local, "masker=bss,greedy", "densities=[0.004]")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert (
        "pruneexp: 1 of 2 cells could not be made: digits vgg_small magnitude bss density 0.004 seed 0: bss cannot keep"
        in err
    )
    assert out.count(": accuracy") == 1


def test_who_waits_may_go_and_the_same_command_joins_the_jobs(tmp_path: Path, local: Path) -> None:
    process = start(tmp_path, local)
    in_a_cell(tmp_path)
    process.terminate()
    first, err = process.communicate(timeout=60)
    assert process.returncode == 143
    number = first.partition("submitted (")[2].partition("_")[0]
    assert f"2 Slurm jobs go on, and the same command joins them; this ends them: scancel '{number}_[0-1]'" in err
    again = start(tmp_path, local)
    second, err = again.communicate(timeout=600)
    assert again.returncode == 0, err
    assert second.startswith(f"Slurm jobs: 2 joined ({number}_[0-1]); their logs are in ")
    assert set(finished(second).values()) == {1}
    same_results(tmp_path, local)


def test_what_the_node_has_not_is_refused(tmp_path: Path, local: Path) -> None:
    process = start(tmp_path, local, "launcher.cpus_per_task=4096")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 2
    assert "launcher.cpus_per_task=4096 is more than any node" in err
