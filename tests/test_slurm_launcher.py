"""``launcher=slurm`` against programs of Slurm's names, and ``launcher=slurm_local``; `test_slurm` has a real Slurm."""

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from submitit.core.utils import cloudpickle_dump

from pruneexp.errors import UserError
from pruneexp.failures import Failure
from pruneexp.launchers.bundle import Bundle
from pruneexp.launchers.slurm import Slurm
from pruneexp.launchers.slurm_local import SlurmLocal
from pruneexp.launchers.slurm_queue import Listed, named
from pruneexp.launchers.slurm_waiting import Waiting
from pruneexp.launchers.slurm_words import Reasons, why_ended
from pruneexp.launchers.submitted import RunBundle, Submitted
from pruneexp.launchers.task import Outcome, Report, Task, Todo
from pruneexp.system.signals import Stopped
from tests.command import LAUNCHED, SMALL, Run, ended, environment, refused, started, with_workers
from tests.quick import Quick, job
from tests.test_launchers import finished, processes, same_results


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``run(overrides...)``: the command in this process, in an empty folder, its jobs in theirs."""
    return with_workers(tmp_path, monkeypatch, capsys)


class FalseSlurm:
    """Programs of Slurm's names on the PATH, which keep what they are called with; sbatch takes jobs and nothing runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "runs"
        folder.mkdir()
        self.results.mkdir()
        self.says("sbatch", f'cp "$1" {folder}/script; echo Submitted batch job $(wc -l < {folder}/called.sbatch)')
        for name in ("squeue", "srun", "scancel", "sinfo", "scontrol", "sacct"):
            self.says(name, "")

    def says(self, name: str, script: str) -> None:
        """Have a program do this."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "$*" >> {self.folder}/called.{name}\n{script}\n')
        path.chmod(0o755)

    def called(self, name: str) -> list[str]:
        """The arguments of each call."""
        path = self.folder / f"called.{name}"
        return path.read_text().splitlines() if path.exists() else []

    def lists(self, *jobs: str) -> None:
        """Have squeue list jobs, as the names of the last submission's."""
        script = (self.folder / "script").read_text()
        name = script.partition("--job-name=")[2].splitlines()[0]
        self.says("squeue", "\n".join(f"echo '{job}|RUNNING|None|{name}'" for job in jobs))

    def ends(self, job: str, outcome: Outcome) -> Path:
        """Have a job leave a result."""
        path = next(self.results.glob(f".submitit/*/{job}_submitted.pkl"))
        cloudpickle_dump(("success", outcome), path.with_name(f"{job}_0_result.pkl"))
        return path

    def runs(self) -> None:
        """Have sbatch run what it takes, a job that is no array."""
        number = f"$(wc -l < {self.folder}/called.sbatch)"
        log = f"> {self.folder}/log 2>&1"
        self.says("sbatch", f'SLURM_JOB_ID={number} bash "$1" {log} & echo Submitted batch job {number}')
        self.says("srun", 'shift 5; exec "$@"')

    def folders(self) -> list[Path]:
        return list(self.results.glob(".submitit/*"))


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FalseSlurm:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SBATCH_PARTITION", raising=False)
    return FalseSlurm(tmp_path / "bin")


def task(mask: str, **config: Any) -> Task:
    return Task({"masker": mask, **config}, "", f"digits vgg_small magnitude {mask} seed 0", (Todo(mask, 0.1, 1),), 2)


TWO = [task("greedy"), task("sparsify")]


def between(monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], Any]) -> None:
    """Have these things happen between the looks at the queue."""
    left = list(steps)
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: left.pop(0)() if left else time.sleep(0.1))
    monkeypatch.setattr("pruneexp.launchers.slurm_waiting.time", clock)


def stop() -> None:
    raise Stopped(signal.SIGINT)


def launch(slurm: FalseSlurm, tasks: list[Task], **options: Any) -> Any:
    return Slurm(**{"lost_seconds": 0.3, "unreachable_min": 0.005, "poll_seconds": 0.05, **options}).launch(
        tasks, str(slurm.results)
    )


def left(slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Submit two jobs and do not wait for them."""
    between(monkeypatch, stop)
    with pytest.raises(Stopped):
        launch(slurm, TWO)


def test_who_stops_waiting_leaves_the_jobs_and_is_told_how_to_end_them(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left(slurm, monkeypatch)
    told = capsys.readouterr()
    assert told.out.startswith("Slurm jobs: 2 submitted (1_[0-1]); their logs are in ")
    assert told.err == (
        "pruneexp: 2 Slurm jobs go on, and the same command joins them; this ends them: scancel '1_[0-1]'\n"
    )
    assert slurm.called("scancel") == []


def test_the_same_command_joins_what_is_in_the_queue_and_submits_the_rest(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left(slurm, monkeypatch)
    slurm.lists("1_1")
    capsys.readouterr()
    between(monkeypatch, lambda: slurm.ends("1_1", Outcome()), lambda: slurm.ends("2", Outcome()))
    report = launch(slurm, TWO)
    assert capsys.readouterr().out.startswith("Slurm jobs: 1 joined (1_[1]), 1 submitted (2); their logs are in ")
    assert report.failures == {}
    assert len(slurm.folders()) == 1  # of the first submission the other job left nothing


def test_all_are_joined_and_their_folder_is_deleted(slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    left(slurm, monkeypatch)
    slurm.lists("1_0", "1_1")
    between(monkeypatch, lambda: [slurm.ends(job, Outcome()) for job in ("1_0", "1_1")])
    launch(slurm, TWO)
    assert len(slurm.called("sbatch")) == 1
    assert not (slurm.results / ".submitit").exists()


@pytest.mark.parametrize("other", ["cells", "configuration", "name"])
def test_another_job_is_not_joined(slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    left(slurm, monkeypatch)
    slurm.lists("1_0", "1_1")
    wanted = {"cells": [task("snip")], "configuration": [task("greedy", logger="csv")], "name": TWO[:1]}[other]
    if other == "name":  # the numbers of another cluster
        slurm.says("squeue", "echo '1_0|RUNNING|None|pruneexp-of-another'")
    between(monkeypatch, lambda: slurm.ends("2", Outcome()))
    launch(slurm, wanted)
    assert len(slurm.called("sbatch")) == 2


def test_jobs_are_not_submitted_twice_while_squeue_is_silent(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(slurm, monkeypatch)
    slurm.says("squeue", "exit 1")
    with pytest.raises(UserError, match="squeue does not answer"):
        launch(slurm, TWO)


def test_only_cells_without_a_record_have_failed_and_the_logs_are_kept(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (slurm.results / "greedy").mkdir()
    (slurm.results / "greedy/record.json").touch()
    slurm.says("scontrol", "echo JobState=CANCELLED ExitCode=0:15")
    report = launch(slurm, TWO)
    assert [one.why for one in report.failures.values()] == [
        "Slurm job 1_1 was cancelled; the same command goes on from there."
    ]
    assert len(slurm.folders()) == 1
    assert capsys.readouterr().out.count("that was the last") == 1


def test_where_no_cell_can_be_recorded_the_other_jobs_are_cancelled(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.says("squeue", "echo '1_0|RUNNING|None|x'; echo '1_1|RUNNING|None|x'")
    between(monkeypatch, lambda: slurm.ends("1_0", Outcome(stopped="no room.")))
    report = launch(slurm, TWO)
    assert report.stopped == "no room."
    assert slurm.called("scancel") == ["1_[1]"]
    assert len(slurm.folders()) == 1


def test_a_failed_cell_keeps_the_logs_of_its_job(slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failure("greedy", "digits greedy", "no.")
    between(monkeypatch, lambda: slurm.ends("1", Outcome((failure,))))
    assert launch(slurm, TWO[:1]).failures == {"greedy": failure}
    assert len(slurm.folders()) == 1


@pytest.mark.parametrize("squeue", ["", "exit 1"])
def test_jobs_that_are_lost_are_not_waited_for_for_ever(slurm: FalseSlurm, squeue: str) -> None:
    slurm.says("squeue", squeue)
    told = [one.why for one in launch(slurm, TWO).failures.values()]
    assert len(told) == 2
    expected = "ended without a result" if squeue == "" else "squeue has not answered for 0.005 min"
    assert all(expected in why for why in told)


def in_one_job(slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, state: str, then: Callable[[], Any]) -> Any:
    """Two tasks in one job, which is lost, and what happens then."""
    slurm.says("scontrol", f"echo JobState={state} ExitCode=0:9")
    between(monkeypatch, lambda: time.sleep(0.4), then)
    return launch(slurm, [task(mask, trainer={"members": 2}) for mask in ("greedy", "sparsify")])


def test_what_a_lost_job_was_to_do_is_tried_again_each_by_itself(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = in_one_job(slurm, monkeypatch, "OUT_OF_MEMORY", lambda: slurm.ends("2_0", Outcome()))
    why = "had not enough memory: raise launcher.mem_gb; the same command goes on from there."
    assert {key: one.why for key, one in report.failures.items()} == {"sparsify": f"Slurm job 2_1 {why}"}
    told = capsys.readouterr().out.splitlines()
    assert told[1:3] == [f"Slurm job 1 {why}", "What job 1 was to do is tried again in 2 jobs."]
    assert told[3].startswith("Slurm jobs: 2 submitted (2_[0-1]); their logs are in ")
    assert len(slurm.called("sbatch")) == 2


@pytest.mark.parametrize(("state", "told"), [("CANCELLED", "was cancelled"), ("FAILED", "does not take the jobs")])
def test_what_was_cancelled_or_slurm_does_not_take_is_not_tried_again(
    slurm: FalseSlurm, monkeypatch: pytest.MonkeyPatch, state: str, told: str
) -> None:
    real = Waiting.run

    def run(self: Waiting) -> Report:
        slurm.says("sbatch", "exit 1")
        return real(self)

    monkeypatch.setattr(Waiting, "run", run)
    report = in_one_job(slurm, monkeypatch, state, lambda: None)
    assert report.failures.keys() == {"greedy", "sparsify"}
    assert all(told in one.why and "Slurm job 1 " in one.why for one in report.failures.values())


@pytest.mark.parametrize(
    ("scontrol", "sacct", "told"),
    [
        ("echo JobId=7 JobState=CANCELLED Reason=None ExitCode=0:15", "", "was cancelled; the same command goes on"),
        ("exit 1", "echo 'CANCELLED by 0|0:0'", "was cancelled; the same command goes on from there."),
        (
            "exit 1",
            "echo 'TIMEOUT|0:0'",
            "ran out of its time, which launcher.timeout_min sets; the same command goes on",
        ),
        ("exit 1", "echo 'OUT_OF_MEMORY|0:125'", "had not enough memory: raise launcher.mem_gb; the same command"),
        ("exit 1", "echo 'NODE_FAIL|0:0'", "was lost with its node; the same command"),
        ("exit 1", "echo 'FAILED|3:0'", "failed with exit code 3:0. The end of "),
        ("exit 1", "exit 1", "ended without a result (killed, cancelled, no memory?). The end of "),
        ("echo JobState=COMPLETED ExitCode=0:0", "", "ended without a result (killed, cancelled, no memory?)."),
    ],
)
def test_how_a_job_ended_is_told_in_words(slurm: FalseSlurm, scontrol: str, sacct: str, told: str) -> None:
    slurm.says("scontrol", scontrol)
    slurm.says("sacct", sacct)
    (slurm.results / "7_0_log.err").write_text("no room\n")
    assert why_ended(Submitted("7", slurm.results, Bundle((TWO[0],))))[0].startswith(f"Slurm job 7 {told}")


def test_each_reason_to_wait_is_told_once_and_ordinary_ones_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = {
        "1": "Priority",
        "2": "Resources",
        "3_0": "PartitionConfig",
        "3_1": "PartitionConfig",
        "4": "JobHeldUser",
    }
    queue = {number: Listed("PENDING", reason, "") for number, reason in reasons.items()}
    queue |= {"5": Listed("RUNNING", "None", ""), "6": Listed("PENDING", "ReqNodeNotAvail, UnavailableNodes:a1", "")}
    telling = Reasons()
    for _ in range(2):
        telling.tell(queue, queue)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3
    assert told[0].startswith("Slurm jobs wait (3_[0-1]): PartitionConfig. They will not start as they are: lower ")
    assert "launcher.cpus_per_task" in told[0]
    assert (
        told[1]
        == "Slurm jobs wait (4): JobHeldUser. They will not start as they are: release them with `scontrol release`."
    )
    assert told[2] == "Slurm jobs wait (6): ReqNodeNotAvail, UnavailableNodes:a1."


@pytest.mark.parametrize(
    ("numbers", "told"), [(["7"], "7"), (["7_0", "7_1", "7_2", "7_5"], "'7_[0-2,5]'"), (["7_3", "8"], "'7_[3]' 8")]
)
def test_jobs_on_a_command_line(numbers: list[str], told: str) -> None:
    assert named(numbers) == told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"cpus_per_task": 4}, "launcher.cpus_per_task=4 is more than any node of Slurm's usual partition has, the largest 2 CPUs"),
        ({"cpus_per_task": 99, "partition": "big"}, "any node of partition big has, the largest 64 CPUs"),
        ({"cpus_per_task": 1, "mem_gb": 32}, "launcher.mem_gb=32 is more than any node of Slurm's usual partition has, the largest 16 GB"),
    ],
)  # fmt: skip
def test_what_no_node_has_is_refused(slurm: FalseSlurm, options: dict[str, Any], told: str) -> None:
    slurm.says(
        "sinfo",
        "case $* in *=big) echo 'big|64|512000';; *) echo 'all*|1|16384'; echo 'all*|2|8192'; echo 'big|64|512000';; esac",
    )
    with pytest.raises(UserError) as refused:
        launch(slurm, TWO, **options)
    assert told in str(refused.value)
    assert slurm.called("sbatch") == []
    assert slurm.folders() == []


def test_slurm_that_takes_no_jobs_is_one_sentence(slurm: FalseSlurm) -> None:
    slurm.says("sbatch", "echo invalid partition >&2; exit 1")
    with pytest.raises(UserError, match=r"Slurm does not take the jobs: .*invalid partition"):
        launch(slurm, TWO)
    assert slurm.folders() == []


def test_a_job_brings_what_was_found_out_of_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((None, "offline"), ("disabled", "disabled")):
        monkeypatch.setenv("WANDB_MODE", "offline")
        job = pickle.loads(pickle.dumps(RunBundle()))
        monkeypatch.delenv("WANDB_MODE")
        if there is not None:
            monkeypatch.setenv("WANDB_MODE", there)
        assert job(Mode()) == expected


class Mode:
    """A bundle that only looks at the mode."""

    def run(self) -> str:
        return os.environ["WANDB_MODE"]


def test_what_sbatch_is_given(slurm: FalseSlurm) -> None:
    launch(
        slurm, TWO, partition="long", array_parallelism=1, sbatch={"reservation": "mine"}, setup=["module load cuda"],
    )  # fmt: skip
    script = (slurm.folder / "script").read_text()
    for line in (
        "#SBATCH --requeue", "#SBATCH --array=0-1%1", "#SBATCH --partition=long", "#SBATCH --gpus-per-node=1", "#SBATCH --time=240",
        "#SBATCH --mem=16384MB", "#SBATCH --cpus-per-task=4", "#SBATCH --signal=USR2@120", "#SBATCH --reservation=mine",
        "#SBATCH --job-name=pruneexp-", "module load cuda",
    ):  # fmt: skip
        assert line in script


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["launcher=slurm_local", "launcher.parallel=0"], "launcher.parallel must be a whole number, at least 1"),
        (["launcher=slurm", "launcher.mem_gb=-1"], "launcher.mem_gb must be a finite number, above 0"),
        (["launcher=slurm"], "launcher=slurm needs Slurm's sbatch, which is not on the PATH"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_runs(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    refused(run(*LAUNCHED, *arguments), told, tmp_path)


@pytest.mark.parametrize("launcher", ["slurm", "slurm_local"])
def test_submitit_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch, launcher: str) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    outcome = run(*LAUNCHED, f"launcher={launcher}")
    assert outcome.code == 2
    assert f"launcher={launcher} needs the submitit package: pip install 'pruneexp[slurm]'." in outcome.err


def test_slurm_local(run: Run, tmp_path: Path, local: Path) -> None:
    outcome = run(*LAUNCHED, "launcher=slurm_local", f"data_dir={local / 'data'}")
    assert outcome.code == 0, outcome.err
    assert set(finished(outcome.out).values()) == {1}
    same_results(tmp_path, local)


def test_what_a_killed_process_was_to_do_is_tried_again_each_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But what it had done."""
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    monkeypatch.setattr("pruneexp.launchers.slurm_local.bundles", lambda tasks, _: [Quick(tuple(tasks))])
    (tmp_path / "done").mkdir()
    (tmp_path / "done/record.json").touch()
    report = SlurmLocal().launch([job("done"), job("killer"), job("other")], str(tmp_path))
    assert report.failures.keys() == {"killer"}
    assert report.failures["killer"].why.startswith("job 2 was killed by SIGKILL and left no result.")
    told = capsys.readouterr().out
    assert "job 1 was killed by SIGKILL and left no result." in told
    assert "\nWhat job 1 was to do is tried again in 2 jobs.\n" in told
    assert not list(tmp_path.glob(".submitit/*/4_*"))


def gone(folder: Path) -> bool:
    """Whether no job's process is left there, at once or in a while."""
    end = time.monotonic() + 15
    while processes("submitit.core._submit", folder) and time.monotonic() < end:
        time.sleep(0.1)
    return processes("submitit.core._submit", folder) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_job_on_this_machine_ends_with_who_waits_and_leaves_its_state(
    tmp_path: Path, local: Path, how: signal.Signals
) -> None:
    """Also where who waits is killed outright; Ctrl-C goes to the terminal's whole group of processes."""
    words = [*SMALL, "recipe.epochs=2000", "seed=0", "densities=[0.1]", "masker=greedy", "launcher=slurm_local"]
    words += ["trainer.checkpoint_seconds=3"]
    folder, texts = tmp_path / "folder", tmp_path / "texts"
    folder.mkdir()
    texts.mkdir()
    process = started(folder, texts, *words, f"data_dir={local / 'data'}")
    end = time.monotonic() + 120
    while not (left := list(folder.glob("results/runs/.*.checkpoint"))):
        assert time.monotonic() < end
        time.sleep(0.05)
    left[0].unlink()  # what is left then is of the end
    time.sleep(2)  # an epoch takes a small part of it, on a busy machine too, and the next checkpoint comes later
    os.killpg(process, how)
    assert ended(process, texts, limit=30).code == (-how if how == signal.SIGKILL else 128 + how)
    assert gone(folder)
    assert len(list(folder.glob("results/runs/.*.checkpoint"))) == 1
    assert (folder / "results/runs/.submitit").exists() == (how == signal.SIGKILL)
