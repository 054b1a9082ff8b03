"""Trackers are told what a cell is, what its record says, and what a sweep's report shows."""

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

import pruneexp
from pruneexp.cell import BESIDES, marked
from pruneexp.jobs.job import Job
from pruneexp.records.record import FIGURES
from pruneexp.reports.frame import OF_ALL, WHOLE
from pruneexp.sweep import expand
from pruneexp.system.tracking import MODE
from pruneexp.tracked import about
from pruneexp.training import wandb_report
from tests.command import SMALL
from tests.data.pictures import folder_of_classes
from tests.wandb_runs import Run, offline_runs, take_offline, told

NOT_TOLD = {"components", "neurons", "asked_density", "seed"}  # of the layers, of the notes, and in the configuration
SWEEP = (
    *SMALL, "logger=wandb", "figure=[accuracy]", "masker=greedy", "seed=0,1", "densities=[1.0,0.1]", "dataset.validation=20",
)  # fmt: skip


@dataclass(frozen=True)
class Swept:
    """What a sweep leaves: W&B's runs of its cells and of its report, and its results."""

    cells: list[Run]
    reports: list[Run]
    results: pd.DataFrame
    folder: Path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Swept:
    pytest.importorskip("wandb")
    folder = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        take_offline(patch, folder)
        words = [*SWEEP, f"data_dir={data}", f"results_dir={folder}/runs"]
        results = pruneexp.run(words)
        pruneexp.run([*words, "mode=report"])  # in place of the run of the same report
        runs = [told(records) for records in offline_runs(folder / "runs" / ".logs")]
        patch.delenv("WANDB_SERVICE", raising=False)
    return Swept(
        [one for one in runs if one.kind != "report"], [one for one in runs if one.kind == "report"], results, folder
    )


def test_wandbs_runs_are_grouped_and_filtered_as_results_are(swept: Swept) -> None:
    runs = pd.DataFrame([{**one.config, **one.summary, "asked": one.config["density"]} for one in swept.cells])
    assert sorted(runs["key"]) == sorted(swept.results["key"])
    for by in (["masker", "asked"], ["model", "scorer"], ["experiment"], ["seed"]):
        theirs = swept.results.rename(columns={"asked_density": "asked"}).assign(experiment="quickstart")
        pd.testing.assert_series_equal(runs.groupby(by)["accuracy"].mean(), theirs.groupby(by)["accuracy"].mean())
    filtered = runs[(runs["recipe"] == "smoke") & (runs["asked"] < 1) & (runs["dataset"] == "digits")]
    assert len(filtered) == 2


def test_wandbs_summary_is_what_results_say(swept: Swept) -> None:
    results = swept.results.set_index("key")
    for run in swept.cells:
        row = results.loc[run.config["key"]]
        named = {name: value for name, value in run.summary.items() if name in row}
        assert named == pytest.approx({name: row[name] for name in named})
        assert (
            named.keys() == {*FIGURES, *WHOLE, *OF_ALL} & {name for name in results if pd.notna(row[name])} - NOT_TOLD
        )
        assert run.summary["train/loss"] == pytest.approx(row["train_loss"])
        assert ("imdb" in run.summary) == (run.kind == "pruned")
        assert run.summary["seconds"] >= run.summary["training_seconds"] > 0
        assert run.code == 0
        assert run.history[0]["train/loss"] > 0
        assert 0 <= run.history[0]["validation/accuracy"] <= 100


def test_wandb_knows_a_cell_by_its_tags_job_type_and_every_option(swept: Swept) -> None:
    kinds = {(one.kind, one.config["masker"], one.config["scorer"]) for one in swept.cells}
    assert kinds == {
        ("dense", "dense", "dense"), ("pruned", "greedy", "magnitude"),
    }  # fmt: skip
    run = next(one for one in swept.cells if one.kind == "pruned" and one.config["masker"] == "greedy")
    assert run.tags == ["quickstart", "digits", "vgg_small", "greedy"]
    assert run.group == "quickstart"
    assert run.name == run.config["key"].rpartition("-")[0]
    options = run.config["options"]
    assert options["recipe"]["train_images"] == 128  # as typed
    assert options["recipe"]["momentum"] == 0.9  # at its default
    assert options["rounds"] == 1
    assert str(swept.folder) not in str(run)


def test_wandb_has_one_run_of_a_report_with_its_table_figure_and_page(swept: Swept) -> None:
    (run,) = swept.reports
    assert (run.group, run.tags, run.code) == ("quickstart", ["quickstart"], 0)
    (name,) = [one for one in run.artifacts if one.startswith("report ")]
    files = {Path(path).suffix: local.read_bytes() for path, local in run.artifacts[name].items()}
    assert files.keys() == {".csv", ".md", ".png"}
    assert b"greedy" in files[".csv"]
    assert files[".md"].startswith(b"**quickstart")
    hidden = (b"python -m", str(swept.folder).encode())
    assert not any(word in content for word in hidden for content in files.values())
    assert str(swept.folder) not in str([run.name, run.config, run.summary, run.history])
    assert all(swept.folder in local.parents for local in run.artifacts[name].values())
    assert any(key.startswith("table") for key in run.summary)
    assert any(key.startswith("figure") for key in run.summary)


def test_a_report_of_what_wandb_never_saw_is_not_logged(tmp_path: Path, swept: Swept, offline: None) -> None:
    words = [*SWEEP, "mode=report", f"results_dir={swept.folder}/runs", f"report_dir={tmp_path}/reports"]
    pruneexp.run([*words, "logger=none"])
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    log = swept.folder / "runs" / ".logs"
    with contextlib.ExitStack() as back:
        log.rename(aside := log.with_name("aside"))
        back.callback(aside.rename, log)
        pruneexp.run(words)
        assert not log.exists()


def test_a_report_that_cannot_be_logged_is_a_sentence(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wandb_report, "abandon", lambda: None)
    (page := tmp_path / "a.md").write_text("<!-- made by: me -->\nthe page\n", encoding="utf-8")
    for content in (b"no picture", None):
        if content is not None:
            (tmp_path / "a.png").write_bytes(content)
        else:
            monkeypatch.setattr(wandb_report, "WandbRun", lambda *_: 1 / 0)
        wandb_report.log_report("p", tmp_path / "logs", "group", "a", [page, tmp_path / "a.png"])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("logger=wandb: the report could not be logged (cannot identify image file")
    assert second == "logger=wandb: the report could not be logged (division by zero)."
    assert wandb_report.STAGING not in os.environ
    monkeypatch.setenv(MODE, "disabled")
    wandb_report.log_report("p", tmp_path / "logs", "group", "a", [page])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "words", [("masker=structured", "scorer=l2", "densities=[0.5]"), ("treatment=shuffle", "densities=[0.5]")]
)
def test_options_of_what_is_chosen_are_nested_under_it(words: tuple[str, ...]) -> None:
    job = expand([*SMALL, "seed=3", *words]).jobs[0]
    pruned, dense = (about(job, job.cell(density, "float32")) for density in (0.5, 1.0))
    assert dict(pruned.config["options"]["treatment"]) == (
        {"shuffle": {"name": "shuffle"}} if "treatment=shuffle" in words else {}
    )
    assert pruned.config["options"]["masker"]["name"] == pruned.config["masker"] == pruned.tags[-1]
    assert dense.config["options"].keys() == pruned.config["options"].keys() - {
        "scorer", "masker", "treatment", "rounds", "round_masker", "round_counts", "when", "levels", "rewind", "rewind_epoch", "biases",
        "only", "exclude", *BESIDES,
    }  # fmt: skip
    assert not pruned.config["options"].keys() & {*marked("command"), "name", "seed", "densities"}
    assert (pruned.kind, dense.kind, dense.config["seed"]) == ("pruned", "dense", 3)


def test_of_ones_own_data_the_content_is_told_and_not_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of_classes(tmp_path / "somewhere" / "birds", {"hawk": 2, "owl": 2})
    monkeypatch.chdir(tmp_path)
    job = expand([*SMALL, "seed=0", "dataset=folder", "dataset.root=somewhere/birds"]).jobs[0]
    cell = job.cell(0.1, "float32")
    told = about(job, cell)
    assert told.config["options"]["dataset"]["root"] == cell.description["dataset"]["content"]["root"]
    assert "somewhere" not in str(told)


def told_of(density: float, *words: str) -> str:
    job = expand([*SMALL, "seed=0", "densities=[1.0,0.5]", *words]).jobs[0]
    return str(about(job, job.cell(density, "float32")).config["options"])


def test_one_cell_is_told_alike_whichever_job_makes_it() -> None:
    trained = (
        "masker=greedy",
        "when=trained",
        "rewind=none",
        "biases=frozen",
        "only=[Conv2d]",
        "exclude=[fc]",
        "rounds=3",
    )
    assert told_of(1.0, *trained) == told_of(1.0, "masker=structured") != told_of(1.0, "initialisation=kaiming_uniform")
    assert told_of(0.5, "masker=erk", "rounds=3") == told_of(0.5, "masker=erk", "round_masker=greedy", "scorer=snip")
    assert told_of(0.5, "masker=greedy", "rounds=3") != told_of(0.5, "masker=greedy")


def test_no_tag_is_longer_than_wandb_takes() -> None:
    job = expand([*SMALL, "seed=0"]).jobs[0]
    cell = job.cell(0.1, "float32")
    told = about(job, replace(cell, names=cell.names | {"model": f"timm[architecture={'a' * 60}]"}))
    assert max(map(len, told.tags)) == 64
    assert told.config["model"] == f"timm[architecture={'a' * 60}]"


def test_no_place_of_this_machine_is_told(tmp_path: Path) -> None:
    grid = expand([*SMALL, "seed=0", "masker=greedy", f"data_dir={tmp_path}/data", f"results_dir={tmp_path}/runs"])
    job = Job.of({**grid.jobs[0].config, "title": str(tmp_path)})
    assert str(tmp_path) not in str(about(job, job.cell(0.1, "float32")))
