"""Words that begin with a dash do what they say, and beside them whatever mode= says."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from pruneexp import __version__
from pruneexp.commandline import CommandLine
from pruneexp.errors import UserError
from pruneexp.jobs.composing import Source
from tests.command import SMALL, Outcome, in_fork, in_process

Command = Callable[..., Outcome]
RECIPE = "name: quick\n_target_: pruneexp.recipe.Recipe\nepochs: 1\nbatch_size: 32\nlr: 0.05\ntrain_images: 64\ntest_images: 32\n"
OWN = ("logger=none", "trainer.threads=1")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``run(words...)``: the command in this process, in a folder that has ``mine/`` alone."""
    mine = tmp_path / "mine"
    (mine / "recipe").mkdir(parents=True)
    (mine / "recipe" / "quick.yaml").write_text(RECIPE)
    (mine / "own.yaml").write_text(
        "defaults:\n  - config\n  - override recipe: quick\n  - _self_\nname: own\ndensities: [0.25]\n"
        "hydra:\n  sweeper:\n    params:\n      masker: greedy\n      seed: 4,5\n"
    )
    return lambda *words: in_process(tmp_path, monkeypatch, capsys, *words)


def untouched(folder: Path) -> bool:
    """Whether nothing was written."""
    return [path.name for path in folder.iterdir()] == ["mine"] and len(list(folder.rglob("*"))) == 4


# what the words mean


@pytest.mark.parametrize("words", [("--config-dir", "D"), ("--config-dir=D",), ("-cd", "D")])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_a_folder_is_no_override(words: tuple[str, ...], where: int) -> None:
    typed = ["seed=0", "masker=greedy"]
    line = CommandLine.of([*typed[:where], *words, *typed[where:]])
    assert line.overrides == ("seed=0", "masker=greedy")
    assert line.source == Source("config", "D")
    assert line.shows == ""


@pytest.mark.parametrize("name", ["own", "own.yaml"])
@pytest.mark.parametrize("word", ["-cn", "--config-name"])
def test_a_name_is_one_with_or_without_its_ending(word: str, name: str) -> None:
    assert CommandLine.of([word, name]).source == Source("own", None)


@pytest.mark.parametrize("word", ["-m", "--multirun"])
def test_multirun_changes_nothing(word: str) -> None:
    plain, with_it = CommandLine.of(["seed=0,1"]), CommandLine.of([word, "seed=0,1"])
    assert (with_it.overrides, with_it.source, with_it.shows) == (plain.overrides, plain.source, plain.shows)
    assert with_it.typed == (word, "seed=0,1")


@pytest.mark.parametrize(
    "words",
    [
        ["--config-path", "D"], ["--conf", "D"], ["--verbose"], ["-x"], ["--cfg", "everything"], ["--cfg"], ["-cd"], ["--experiment=a"],
        ["--seed", "3"], ["--resolved"],
    ],
)  # fmt: skip
def test_words_that_mean_nothing(run: Command, tmp_path: Path, words: list[str]) -> None:
    outcome = run("seed=0", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("pruneexp: ")
    assert outcome.err.endswith(": `python -m pruneexp --help` lists what there is.\n")
    assert outcome.err.count("\n") == 1
    assert words[0].partition("=")[0] in outcome.err
    assert untouched(tmp_path)


# with every mode


@pytest.mark.parametrize("words", [("--config-dir", "mine"), ("-cd", "mine"), ("--config-dir=mine",)])
def test_a_plan_of_a_recipe_of_ones_own_trains_nothing(run: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    outcome = run(*words, "recipe=quick", "seed=0", "mode=plan", *OWN)
    assert outcome.code == 0, outcome.err
    assert "0 done, 9 missing" in outcome.out
    assert untouched(tmp_path)


def test_every_mode_with_a_folder_of_ones_own(run: Command, tmp_path: Path) -> None:
    words = ("-cd", "mine", "recipe=quick", "masker=greedy", "seed=0", "densities=[0.2]", *OWN)
    assert "0 done, 0 being worked on, 0 failed, 1 missing." in run(*words, "mode=status").out
    assert untouched(tmp_path)
    trained = run(*words, "-m")
    assert trained.code == 0, trained.err
    assert trained.out.count("accuracy") >= 1
    (record,) = tmp_path.glob("results/runs/*/record.json")
    assert '"epochs": 1' in record.read_text()
    (table,) = tmp_path.glob("results/runs/reports/tables/quickstart-recipe=quick.csv")
    first = table.read_text()
    told = json.loads(table.with_suffix(".json").read_text())["command"]
    assert told.startswith("python -m pruneexp -cd mine recipe=quick ")
    table.unlink()
    assert run(*words, "mode=report").code == 0
    assert table.read_text() == first
    assert "1 done, 0 being worked on, 0 failed, 0 missing." in run(*words, "mode=status").out
    assert "1 done, 0 missing" in run(*words, "mode=plan").out
    assert run(*words, "mode=check").code == 0
    assert len(list(tmp_path.glob("results/runs/*/record.json"))) == 1


def test_a_configuration_of_ones_own_has_its_sweep(run: Command, tmp_path: Path) -> None:
    planned = run("-cd", "mine", "-cn", "own", "mode=plan", "scorer=magnitude,random", *OWN)
    assert planned.code == 0, planned.err
    assert "0 done, 4 missing" in planned.out
    assert untouched(tmp_path)
    trained = run("--config-dir", "mine", "--config-name", "own.yaml", "seed=4", *OWN)
    assert trained.code == 0, trained.err
    (record,) = tmp_path.glob("results/runs/*/record.json")
    assert '"asked_density": 0.25' in record.read_text()
    assert (tmp_path / "results/runs/reports/tables/own.csv").exists()
    status = run("-cd", "mine", "-cn", "own", "mode=status", *OWN).out
    assert "1 done, 0 being worked on, 0 failed, 1 missing." in status


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-cd", "nowhere"], "--config-dir=nowhere is no folder"),
        (["-cd", "mine/own.yaml"], "--config-dir=mine/own.yaml is no folder"),
        (["-cn", "none"], "there is no configuration 'none'"),
        (["-cd", "mine", "recipe=quik"], "there is no recipe 'quik'. Did you mean 'quick'?"),
        (["recipe=quick"], "there is no recipe 'quick'."),
    ],
)
def test_what_is_not_there_is_one_sentence(run: Command, tmp_path: Path, words: list[str], told: str) -> None:
    for more in ([], ["mode=plan"], ["--cfg", "job"]):
        outcome = run(*words, *more)
        assert (outcome.code, outcome.out) == (2, ""), more
        assert told in outcome.err
        assert outcome.err.count("\n") == 1
    assert untouched(tmp_path)


# what is shown instead of working


@pytest.mark.parametrize("mode", ["run", "plan", "status", "report", "check"])
@pytest.mark.parametrize("which", ["job", "hydra", "all"])
def test_a_configuration_is_shown_whatever_the_mode(run: Command, tmp_path: Path, which: str, mode: str) -> None:
    outcome = run("--cfg", which, "-cd", "mine", "recipe=quick", "seed=3,4", "masker=bss,greedy", f"mode={mode}")
    assert outcome.code == 0, outcome.err
    shown = OmegaConf.create(outcome.out)
    assert ("hydra" in shown) == (which != "job")
    assert ("seed" in shown) == (which != "hydra")
    if which != "hydra":
        assert (shown.seed, shown.masker.name, shown.recipe.name, shown.mode) == (3, "bss", "quick", mode)
        assert "${results_dir}" in outcome.out
    else:
        assert list(shown) == ["hydra"]
        assert shown.hydra.job.name == "pruneexp"
    assert untouched(tmp_path)


def test_a_configuration_is_shown_resolved_and_in_part(run: Command, tmp_path: Path) -> None:
    whole = run("--cfg", "job", "--resolve", "results_dir=there", "seed=0")
    assert OmegaConf.create(whole.out).report_dir == "there/reports"
    part = run("-c", "job", "--package", "recipe", "recipe=smoke", "recipe.lr=0.5,0.25", "seed=0")
    assert part.code == 0, part.err
    recipe = OmegaConf.create(part.out)
    assert (recipe.name, recipe.lr) == ("smoke", 0.5)
    assert "dataset" not in recipe
    inner = run("-c", "job", "-p", "dataset.source", "seed=0")
    assert OmegaConf.to_container(OmegaConf.create(inner.out)) == {
        "_target_": "pruneexp.data.digits.digits",
        "_partial_": True,
    }
    assert untouched(tmp_path)


@pytest.mark.parametrize("package", ["nothing", "recipe.lr", "hydra"])
def test_a_part_that_is_none(run: Command, package: str) -> None:
    outcome = run("--cfg", "job", "-p", package, "seed=0")
    assert outcome.code == 2
    assert f"--package={package} is no node of the configuration" in outcome.err


def test_of_several_experiments_the_firsts_configuration_is_shown(run: Command, tmp_path: Path) -> None:
    outcome = run("--cfg", "job", "+experiment=vgg16_c100_sweep,topology_controls")
    assert OmegaConf.create(outcome.out).name == "vgg16_c100_sweep"
    assert untouched(tmp_path)


@pytest.mark.parametrize("more", [[], ["seed=0", "mode=plan"], ["-cd", "mine"], ["-m", "masker=greedy"]])
def test_help_names_options_groups_and_words(run: Command, tmp_path: Path, more: list[str]) -> None:
    for word in ("--help", "-h"):
        outcome = run(word, *more)
        assert outcome.code == 0, outcome.err
        for part in (
            "+experiment=",
            "masker=",
            "densities=[1.0,0.2,0.1,0.05,0.02]",
            "--config-dir",
            "-cn",
            "--cfg",
            "--version",
        ):
            assert part in outcome.out
        assert (" quick," in outcome.out) == ("-cd" in more)
    assert untouched(tmp_path)


def test_the_version(run: Command, tmp_path: Path) -> None:
    outcome = run("--version", "seed=0")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"pruneexp {__version__}\n", "")
    assert untouched(tmp_path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--info", "searchpath", *SMALL, "seed=0", "mode=run"], "Config search path"),
        (["-sc", "install=bash"], "complete -o default"),
    ],
)
def test_what_is_hydras_own_runs_nothing(tmp_path: Path, words: list[str], told: str) -> None:
    outcome = in_fork(tmp_path, *words)  # in this process Hydra would set up its logs for the tests that follow
    assert outcome.code == 0, outcome.err
    assert told in outcome.out
    assert "accuracy" not in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_a_command_line_has_no_words_of_which_nothing_is_known() -> None:
    with pytest.raises(UserError, match="unrecognized arguments: --what"):
        CommandLine.of(["seed=0", "--what"])
