"""The command line as its user sees it: what is printed, what is written, and one sentence for every mistake."""

import io
import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.command import SMALL, STEM, TABLES, Outcome, command, ended, files, in_fork, in_process, started

Command = Callable[..., Outcome]
# sparsify and greedy: 2 dense + 2 x 2 pruned cells
SWEEP = (*SMALL, "figure=accuracy", "seed=0,1", "densities=[1.0,0.1]")
ENDINGS = ("tables csv", "tables md", "tables tex", "tables json", "records jsonl", "figures png", "figures svg")
REPORT = [f"results/runs/reports/{kind}/{STEM}.{ending}" for kind, ending in map(str.split, ENDINGS)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """``run(overrides...)``: the command in this process, in an empty folder."""
    return lambda *arguments: in_process(tmp_path, monkeypatch, capsys, *arguments)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A small sweep, run once in a process of its own."""
    folder = tmp_path_factory.mktemp("swept")
    return folder, command(folder, *SWEEP)


@pytest.fixture(scope="module")
def data(swept: tuple[Path, Outcome]) -> Path:
    """A data_dir that has the digits."""
    return swept[0] / "data"


def cells(folder: Path) -> list[Path]:
    return sorted(path.parent for path in (folder / "results" / "runs").glob("*/record.json"))


def stamps(folder: Path) -> dict[str, int]:
    """When each file of each cell was written."""
    return {str(path): path.stat().st_mtime_ns for cell in cells(folder) for path in (cell, *cell.iterdir())}


def sentence(outcome: Outcome) -> str:
    """The one line that a mistake is reported by."""
    assert outcome.code not in (0, None)
    assert "Traceback" not in outcome.err + outcome.out
    assert outcome.err.count("\n") == 1, outcome.err
    assert outcome.err.startswith("pruneexp: ")
    return outcome.err


# what a sweep leaves


def test_a_sweep_ends_well_and_leaves_every_file(swept: tuple[Path, Outcome]) -> None:
    folder, outcome = swept
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert len(cells(folder)) == 6
    for cell in cells(folder):
        assert {path.name for path in cell.iterdir()} == {
            "record.json", "masks.safetensors", "weights.safetensors", "history.csv",
        }  # fmt: skip
    assert all((folder / path).stat().st_size > 0 for path in REPORT)
    assert [path for path in files(folder) if "partial" in path] == []


def test_it_prints_each_cell_the_table_and_the_paths(swept: tuple[Path, Outcome]) -> None:
    out = swept[1].out
    assert out.count("accuracy") >= 6
    assert "digits vgg_small magnitude sparsify density 0.1 seed 1" in out
    told = [line for line in out.splitlines() if line.startswith("results/")]
    assert told[: len(REPORT)] == REPORT
    assert {Path(line).name.rpartition(".")[0] for line in told} == {STEM}
    for method in ("dense", "sparsify", "greedy"):
        assert f"| {method}" in out


def test_records_say_what_was_asked_and_what_came_out(swept: tuple[Path, Outcome]) -> None:
    records = [json.loads((cell / "record.json").read_text()) for cell in cells(swept[0])]
    assert sorted((record["names"]["masker"], record["asked_density"], record["seed"]) for record in records) == [
        *((masker, density, seed) for masker, density in (("dense", 1.0), ("greedy", 0.1), ("sparsify", 0.1)) for seed in (0, 1))
    ]  # fmt: skip
    for record in records:
        assert (
            record["kept"]
            == round(record["asked_density"] * record["prunable"])
            == sum(layer["kept"] for layer in record["layers"])
        )
        assert record["density"] == record["kept"] / record["prunable"]
        assert not record["diverged"]
        assert {"scoring", "masking", "training"} <= set(record["seconds"])
        assert record["peak_memory_bytes"] > 0
        assert record["versions"]["torch"]
        assert record["command"].startswith("python -m pruneexp ")
        assert f"seed={record['seed']}" in record["command"]
        assert str(swept[0]) not in json.dumps(record)


def test_the_masks_on_disk_are_the_recorded_ones(swept: tuple[Path, Outcome]) -> None:
    from pruneexp.network.masks import load_masks

    for cell in cells(swept[0]):
        record = json.loads((cell / "record.json").read_text())
        masks = load_masks(cell / "masks.safetensors")
        assert {name: int(mask.sum()) for name, mask in masks.items()} == {
            layer["name"]: layer["kept"] for layer in record["layers"]
        }


@pytest.fixture
def copied(swept: tuple[Path, Outcome], tmp_path: Path) -> Path:
    """A copy of what the sweep left, its times of writing included."""
    shutil.copytree(swept[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_run_again_nothing_is_trained_and_the_report_is_the_same(copied: Path) -> None:
    before = stamps(copied)
    report = {path: (copied / path).read_bytes() for path in REPORT}
    again = in_fork(copied, *SWEEP)
    assert again.code == 0, again.err
    assert stamps(copied) == before
    assert "cell 1 of" not in again.out
    assert {path: (copied / path).read_bytes() for path in REPORT} == report


def test_mode_report_rebuilds_identical_files(run: Command, copied: Path) -> None:
    before = stamps(copied)
    kept = {path: (copied / path).read_bytes() for path in REPORT}
    for path in REPORT:
        (copied / path).unlink()
    assert run(*SWEEP, "mode=report").code == 0
    assert stamps(copied) == before
    for path in REPORT:
        rebuilt = (copied / path).read_bytes()
        if path.endswith(".png"):  # the command is under a checksum
            with Image.open(copied / path) as image, Image.open(io.BytesIO(kept[path])) as first:
                assert image.tobytes() == first.tobytes()
        else:
            assert rebuilt.replace(b" mode=report", b"") == kept[path]


def test_only_the_missing_cell_is_made(run: Command, copied: Path) -> None:
    removed = cells(copied)[-1]
    masks = (removed / "masks.safetensors").read_bytes()
    history = (removed / "history.csv").read_text()
    shutil.rmtree(removed)
    before = stamps(copied)
    outcome = run(*SWEEP)
    assert outcome.code == 0, outcome.err
    assert sum(line.startswith("cell ") for line in outcome.out.splitlines()) == 1
    assert before.items() <= stamps(copied).items()
    assert cells(copied)[-1] == removed
    assert (removed / "masks.safetensors").read_bytes() == masks
    assert (removed / "history.csv").read_text() == history


def test_a_new_density_reuses_what_is_there(run: Command, tmp_path: Path, data: Path) -> None:
    base = (*SMALL, f"data_dir={data}", "seed=0", "masker=greedy")
    assert run(*base, "densities=[0.1]").code == 0
    first = stamps(tmp_path)
    outcome = run(*base, "densities=[0.2,0.1]")
    assert outcome.code == 0, outcome.err
    assert "density 0.1 seed" not in outcome.out
    assert first.items() <= stamps(tmp_path).items()
    assert len(cells(tmp_path)) == 2


def test_a_changed_field_is_a_new_cell(run: Command, tmp_path: Path, data: Path) -> None:
    base = (*SMALL, f"data_dir={data}", "seed=0", "masker=greedy", "densities=[0.1]")
    for changes in ((), ("recipe.lr=0.01",), ("recipe.batch_size=32",), ("initialisation=kaiming_uniform",)):
        assert run(*base, *changes).code == 0
    assert len(cells(tmp_path)) == 4
    # logger, threads and names of folders define nothing
    assert run(*base, "trainer.threads=2", "name=other", "report_dir=elsewhere").code == 0
    assert len(cells(tmp_path)) == 4
    assert (tmp_path / "elsewhere" / "tables" / f"{STEM.replace('quickstart', 'other')}.csv").exists()


def test_two_processes_on_one_sweep_share_the_cells(tmp_path_factory: pytest.TempPathFactory, data: Path) -> None:
    arguments = [*SMALL, f"data_dir={data}", "seed=0,1", "densities=[1.0,0.1,0.05]"]
    folder, first, second = (tmp_path_factory.mktemp(name) for name in ("shared", "first", "second"))
    both = [(started(folder, texts, *arguments), texts) for texts in (first, second)]
    done = [ended(*one) for one in both]
    assert [one.code for one in done] == [0, 0], done
    assert len(cells(folder)) == 2 + 2 * 2 * 2
    trained = [
        line.split(":")[0].split("  ")[1] for one in done for line in one.out.splitlines() if line.startswith("cell ")
    ]
    assert len(trained) == len(set(trained)) == 10
    assert [path for path in files(folder) if "partial" in path] == []


def test_mode_plan_prints_the_grid_and_writes_nothing(run: Command, tmp_path: Path) -> None:
    outcome = run(*SWEEP, "mode=plan")
    assert outcome.code == 0, outcome.err
    assert "0 done, 6 missing" in outcome.out
    for part in ("sparsify", "greedy", "dense", "60,976", "6,098", "left on this CPU"):
        assert part in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_mode_plan_counts_what_is_done(run: Command, tmp_path: Path, data: Path) -> None:
    base = (*SMALL, f"data_dir={data}", "masker=greedy", "densities=[0.1,0.05]")
    assert run(*base, "seed=0").code == 0
    before = files(tmp_path)
    outcome = run(*base, "seed=0,1,2", "mode=plan")
    assert "2 done, 4 missing" in outcome.out
    assert "from recorded cells" in outcome.out
    assert files(tmp_path) == before


def test_a_diverging_cell_is_recorded_and_the_sweep_goes_on(run: Command, tmp_path: Path, data: Path) -> None:
    outcome = run(
        *SMALL, f"data_dir={data}", "seed=0", "masker=greedy", "densities=[1.0,0.1]", "recipe.lr=1e9,0.05",
        "recipe.batch_size=4",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("diverged, ") == 2
    records = [json.loads((cell / "record.json").read_text()) for cell in cells(tmp_path)]
    assert len(records) == 4
    for record in records:
        assert record["diverged"] == (record["config"]["recipe"]["lr"] > 1)
        assert (record["loss"] is None) == record["diverged"]
    (table,) = tmp_path.glob(f"{TABLES}/*.csv")
    assert "smoke[" in table.read_text()
    assert "lr=1000000000.0" in table.read_text()
    shown = table.with_suffix(".md").read_text()
    assert shown.count("1 (1 diverged)") == 2
    assert "2 of 4 cells diverged" in shown


def test_layers_without_an_imdb_still_make_a_report(run: Command, data: Path) -> None:
    outcome = run(*SMALL, f"data_dir={data}", "seed=0", "masker=greedy", "densities=[0.005]")
    assert outcome.code == 0, outcome.err


# mistakes, each one sentence, with nothing written


MISTAKES = {
    "density 0": (("densities=[0]",), "above 0 and at most 1"),
    "density 1.5": (("densities=[0.1,1.5]",), "above 0 and at most 1"),
    "density nan": (("densities=[nan]",), "above 0 and at most 1"),
    "negative density": (("densities=[-0.1]",), "above 0 and at most 1"),
    "density that is text": (("densities=[small]",), "above 0 and at most 1"),
    "densities not a list": (("densities=0.1",), "must be a list"),
    "no densities": (("densities=[]",), "must be a list"),
    "a density twice": (("densities=[0.1,0.1]",), "twice"),
    "unknown masker": (("masker=sparsfy",), "there is no masker 'sparsfy'. Did you mean 'sparsify'?"),
    "unknown model": (("model=vgg_smal",), "there is no model 'vgg_smal'. Did you mean 'vgg_small'?"),
    "unknown dataset": (("dataset=cifar1000",), "Did you mean 'cifar100'?"),
    "unknown scorer": (("scorer=magnitud",), "Did you mean 'magnitude'?"),
    "unknown recipe": (("recipe=smok",), "there is no recipe 'smok'. Did you mean 'smoke'?"),
    "unknown logger": (("logger=wand",), "Did you mean 'wandb'?"),
    "one unknown masker of several": (("masker=greedy,sparsfy",), "Did you mean 'sparsify'?"),
    "nothing near": (("masker=xyz",), ", er, er_published, erk, greedy,"),
    "unknown option": (("densites=[0.1]",), "there is no option 'densites'. Did you mean 'densities'?"),
    "unknown option of a group": (("masker=sparsify", "masker.samplin=paper"), "Did you mean 'masker.sampling'?"),
    "misspelt experiment": (("+experiment=vgg16_c10_sweep",), "Did you mean 'vgg16_c100_sweep'?"),
    "not an override": (("digits",), "digits"),
    "a bracket missing": (("densities=[0.1",), "[0.1"),
    "unknown mode": (("mode=trian",), "mode must be run, plan, status, report, check or export, got 'trian'"),
    "negative seed": (("seed=-1",), "seed must be a whole number"),
    "fractional seed": (("seed=0,1.5",), "seed must be a whole number"),
    "no epochs": (("recipe.epochs=0",), "recipe.epochs must be a whole number, at least 1"),
    "no batch": (("recipe.batch_size=0",), "recipe.batch_size must be a whole number, at least 1"),
    "no learning rate": (("recipe.lr=0",), "recipe.lr must be a finite number, above 0"),
    "learning rate nan": (("recipe.lr=nan",), "recipe.lr must be a finite number, above 0"),
    "negative shift": (("recipe.shift=-1",), "recipe.shift must be a whole number, at least 0"),
    "unknown accelerator": (("trainer.accelerator=tpu",), "trainer.accelerator must be"),
    "an option the recipe does not take": (("+recipe.warmup=5",), "there is no option 'recipe.warmup'"),
}


@pytest.mark.parametrize(("arguments", "part"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    run: Command, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    assert part in sentence(run("recipe=smoke", "logger=none", *arguments))
    assert files(tmp_path) in ([], ["results/runs"])


UNCAUGHT = {
    "missing densities": (("densities=???",), "densities"),
    "one missing density": (("densities=[0.1,???]",), "densit"),
    "missing seed": (("seed=???",), "seed"),
    "results_dir null": (("results_dir=null",), "results_dir"),
    "data_dir null": (("data_dir=null",), "data_dir"),
    "fractional epochs": (("recipe.epochs=1.5",), "recipe.epochs"),
    "epochs that are text": (("recipe.epochs=many",), "recipe.epochs"),
    "fractional batch": (("recipe.batch_size=2.5",), "recipe.batch_size"),
    "fractional threads": (("trainer.threads=1.5",), "trainer.threads"),
    "threads that are text": (("trainer.threads=two",), "trainer.threads"),
    "fractional validation split": (("+dataset.validation=1.5",), "dataset.validation"),
    "classes that are text": (("dataset.classes=ten",), "dataset.classes"),
    "one mean for three channels": (("dataset.mean=[0.3]",), "dataset.mean"),
    "experiment without plus": (("experiment=vgg16_c100_sweep",), "+experiment=vgg16_c100_sweep"),
    "misspelt option of another masker": (("masker=greedy", "masker.scop=global"), "'masker.scope'"),
    "an option with a default, without plus": (
        ("recipe.weight_decay=-1",),
        "recipe.weight_decay must be a finite number, at least 0",
    ),
    "too small a density for the network": (("densities=[1.0,0.00001]",), "density"),
    "unknown scope": (("masker=greedy", "masker.scope=local"), "scope"),
    "a name that is a path": (("name=a/b",), "name"),
}


@pytest.mark.parametrize(("arguments", "part"), UNCAUGHT.values(), ids=UNCAUGHT)
def test_a_further_mistake_is_one_sentence_before_anything_runs(
    run: Command, tmp_path: Path, data: Path, arguments: tuple[str, ...], part: str
) -> None:
    quick = () if arguments[0].startswith(("data_dir", "results_dir")) else (f"data_dir={data}",)
    base = (*SMALL, "masker=greedy", "seed=0", "densities=[1.0,0.1]", *quick)
    named = {argument.split("=")[0] for argument in arguments}
    try:
        outcome = run(*(argument for argument in base if argument.split("=")[0] not in named), *arguments)
    except Exception as error:
        pytest.fail(f"not caught: {error!r}")
    assert part in sentence(outcome)
    assert outcome.out == ""
    assert cells(tmp_path) == []


def test_an_unknown_initialisation(run: Command, tmp_path: Path, data: Path) -> None:
    told = sentence(run(*SMALL, "initialisation=zeros", f"data_dir={data}", "seed=0"))
    assert "initialisation must be kaiming_normal or kaiming_uniform, got 'zeros'" in told
    assert cells(tmp_path) == []


def test_the_smoke_recipe_runs_on_the_default_experiment(run: Command, data: Path) -> None:
    outcome = run("recipe=smoke", f"data_dir={data}", "logger=none", "masker=greedy", "seed=0", "densities=[0.1]")
    assert outcome.code == 0, outcome.err


def test_a_recipes_option_can_be_given_whether_its_file_has_it_or_not(run: Command, data: Path) -> None:
    outcome = run(
        f"data_dir={data}", "recipe=digits", "recipe.epochs=1", "recipe.train_images=64", "recipe.test_images=32", "logger=none",
        "masker=greedy", "seed=0", "densities=[0.1]",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err


def test_a_corrupted_data_file_is_named_and_nothing_is_trained(run: Command, tmp_path: Path, data: Path) -> None:
    for path in data.glob("digits/*.npy"):
        (tmp_path / "data" / "digits").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "digits" / path.name).write_bytes(path.read_bytes()[: -100 * ("images" in path.name)])
    told = sentence(run(*SWEEP))
    assert "data/digits/" in told
    assert "damaged" in told
    assert cells(tmp_path) == []


def test_data_of_another_shape_is_named(run: Command, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "digits"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        np.save(folder / f"{split}_images.npy", np.zeros((5, 8, 8), dtype=np.uint8))
        np.save(folder / f"{split}_labels.npy", np.zeros(5, dtype=np.int64))
    assert "uint8 [N, 3, 32, 32]" in sentence(run(*SWEEP))


def test_a_data_dir_that_cannot_be_written(run: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "data_dir=PATH" in sentence(run(*SWEEP, "data_dir=file/data"))
    assert files(tmp_path) in (["file"], ["file", "results/runs"])


def test_a_results_dir_that_cannot_be_written(run: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert "results_dir=PATH" in sentence(run(*SWEEP, "results_dir=file/runs"))
    assert files(tmp_path) == ["file"]


def test_a_report_of_nothing(run: Command, tmp_path: Path) -> None:
    assert "none of the 27 cells is recorded" in sentence(run(*SWEEP, "mode=report"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["run", "report"])
def test_a_record_truncated_by_hand_is_named_with_the_way_out(
    run: Command, tmp_path: Path, data: Path, mode: str
) -> None:
    base = (*SMALL, f"data_dir={data}", "seed=0", "masker=greedy", "densities=[0.1]")
    assert run(*base).code == 0
    (cell,) = cells(tmp_path)
    whole = (cell / "record.json").read_text()
    (cell / "record.json").write_text(whole[: len(whole) // 2])
    told = sentence(run(*base, f"mode={mode}"))
    assert f"results/runs/{cell.name}/record.json is damaged" in told
    assert "delete the folder" in told
    for path in cell.iterdir():
        path.unlink()
    cell.rmdir()
    assert run(*base).code == 0


def test_a_truncated_record_is_told_before_the_missing_cells_are_trained(
    run: Command, tmp_path: Path, data: Path
) -> None:
    base = (*SMALL, f"data_dir={data}", "seed=0", "masker=greedy")
    assert run(*base, "densities=[0.1]").code == 0
    (cells(tmp_path)[0] / "record.json").write_text('{"key"')
    outcome = run(*base, "densities=[0.1,0.05]")
    assert "is damaged" in sentence(outcome)
    assert len(cells(tmp_path)) == 1


# in processes of their own: nothing but the sentence on the terminal


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    outcome = command(tmp_path, "densities=[0.1,nan]")
    assert "above 0 and at most 1" in sentence(outcome)
    assert (outcome.code, outcome.out) == (2, "")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_recording_is_one_sentence_and_leaves_nothing(tmp_path: Path, data: Path) -> None:
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    words = (*SMALL, f"data_dir={data}", "seed=0", "masker=greedy", "densities=[0.1]")
    outcome = in_fork(tmp_path, *words, before=full)
    told = sentence(outcome)
    assert "could not be written" in told
    assert "ulimit -f" in told
    assert cells(tmp_path) == []
    assert [path for path in files(tmp_path) if ".hydra" not in path] == []


# what the checks before any training see


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (
            ["masker=sparsify", "masker.guarantee=tree", "masker.scope=global"],
            "guarantee=tree goes with scope=layerwise",
        ),
        (["masker=greedy", "densities=[0.5],[0.0000001]"], "density"),
    ],
)
def test_what_cannot_be_is_told_before_a_cell_is_made(
    run: Command, tmp_path: Path, data: Path, arguments: list[str], part: str
) -> None:
    outcome = run(*SMALL, f"data_dir={data}", "seed=0", "densities=[1.0,0.1]", *arguments)
    assert part in sentence(outcome)
    assert "accuracy" not in outcome.out
    assert files(tmp_path) == []


def test_a_dense_network_of_other_data_is_not_pruned(run: Command, tmp_path: Path, data: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(data, mine)
    base = (*SMALL, f"data_dir={mine}", "seed=0", "masker=greedy", "when=trained")
    assert run(*base, "densities=[1.0]").code == 0
    labels = np.load(mine / "digits" / "train_labels.npy")
    np.save(mine / "digits" / "train_labels.npy", labels[::-1])
    (mine / "digits" / "sha256").unlink()
    assert "was trained on another state of digits" in sentence(run(*base, "densities=[0.1]"))


def test_two_methods_of_one_label_are_two_rows(run: Command, tmp_path: Path, data: Path) -> None:
    outcome = run(*SMALL, f"data_dir={data}", "seed=0", "densities=[0.1]", "masker=greedy,sparsify", "masker.name=mine")
    assert outcome.code == 0, outcome.err
    rows = pd.read_csv(next(tmp_path.glob(f"{TABLES}/*.csv")))
    assert len(rows) == rows["masker"].nunique() == 2
    assert rows["masker"].str.startswith("mine").all()


def test_check_names_what_is_left_of_a_cell(run: Command, copied: Path) -> None:
    assert run("mode=check").code == 0
    cell = next(path for path in cells(copied) if "-dense-" in path.name)
    for name in ("record.json", "masks.safetensors", "history.csv"):
        (cell / name).unlink()
    outcome = run("mode=check")
    assert outcome.code == 1
    assert cell.name in outcome.out
    assert "record.json is missing" in outcome.out
