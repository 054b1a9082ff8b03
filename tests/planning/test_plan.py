"""What a plan says: sizes, times of recorded cells and timed ones, in words."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruneexp.data.dataset import FILES
from pruneexp.errors import UserError
from pruneexp.planning import plan
from pruneexp.planning.plan import print_plan
from pruneexp.planning.recorded import Recorded, _some, whole_training
from pruneexp.planning.size import Size, Sizes
from pruneexp.planning.timed import Timed
from pruneexp.records.store import Store
from pruneexp.sweep import Grid, expand, setting_of
from pruneexp.training.device import Device
from tests.reports.made_records import fill, record

CPU = Device("cpu")
DIGITS = ("model=vgg_small", "logger=none", "figure=[]", "trainer.accelerator=cpu", "seed=0,1")


QUICK = {"0.8": "25 min", "0.5": "40 min", "0.2": "1.7 hours"}  # of a cell
SLOW = {"0.8": "1.2 hours", "0.5": "1.5 hours", "0.2": "2.5 hours"}  # the same after 50 minutes


@functools.cache
def grid_in(folder: Path, *words: str) -> Grid:
    return expand([*DIGITS, f"results_dir={folder / 'runs'}", *words])


def told(grid: Grid, capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, str]], str]:
    """The table's rows by column, and the last line."""
    capsys.readouterr()
    print_plan(grid)
    title, header, _, *lines, last = capsys.readouterr().out.splitlines()
    assert title == f"{grid.jobs[0].options.name}, {len(grid.slots)} cells"
    names, *rows = ([part.strip() for part in line.split("|")[1:-1]] for line in (header, *lines))
    return [dict(zip(names, row, strict=True)) for row in rows], last


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """An epoch takes 100 s; of each network that is timed, its parameters and an epoch's images."""
    found: list[tuple[int, int]] = []

    def epoch(network: Any, recipe: Any, device: Any, sizes: Any, images: int, *_: Any) -> float:
        found.append((sum(parameter.numel() for parameter in network.parameters()), images))
        return 100.0

    monkeypatch.setattr("pruneexp.planning.timed.epoch_seconds", epoch)
    return found


def test_times_are_told_in_words_and_one_network_is_timed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    grid = grid_in(tmp_path, "masker=greedy,sparsify", "densities=[1.0,0.1]", "recipe.epochs=54")
    rows, last = told(grid, capsys)
    assert [(row["masker"], row["density"], row["weights"], row["MACs"], row["a cell"]) for row in rows] == [
        ("dense", "1", "60,976", "3.39 M", "1.5 hours"),
        ("greedy", "0.1", "6,098", "339 k", "1.5 hours"),
        ("sparsify", "0.1", "6,098", "339 k", "1.5 hours"),
    ]
    assert last == (
        "0 done, 6 missing; about 9 hours left on this CPU, one cell after another"
        " (from timed training steps, without scores, masks and tests)."
    )
    assert [images for _, images in asked] == [1438]
    assert not list(tmp_path.iterdir())


def test_masks_that_would_never_change_are_told_as_a_run_tells_them(tmp_path: Path) -> None:
    grid = grid_in(tmp_path, "masker=erk", "mask_update=rigl", "mask_update.interval=100000")
    with pytest.raises(UserError, match="the masks would never change in the"):
        print_plan(grid)


def test_without_times_nothing_is_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    rows, last = told(grid_in(tmp_path, "masker=greedy", "plan.time=false"), capsys)
    assert "a cell" not in rows[0]
    assert (last, asked) == ("0 done, 10 missing.", [])


def test_of_removed_neurons_the_smaller_network_is_counted_and_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    grid = grid_in(tmp_path, "masker=structured", "scorer=l2,taylor", "densities=[1.0,0.5]")
    rows, _ = told(grid, capsys)
    whole, half, _ = (int(row["weights"].replace(",", "")) for row in rows)
    assert 0.24 < half / whole < 0.27  # and not a half: a layer has half the rows, and half the columns
    (many, _), (few, _) = asked  # and not again for the other scorer
    assert whole < many < 1.02 * whole  # biases too
    assert half < few < 1.03 * half


def test_recorded_cells_of_any_grid_are_believed_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    small = ("masker=greedy,sparsify", "densities=[1.0,0.1]", "recipe.epochs=10")
    device = {"device": CPU.name}

    def made(cell: Any) -> dict[str, Any] | None:
        seconds = {"scoring": 100.0, "masking": 50.0, "measuring": 30.0, "training": 1000.0 + 200 * cell.seed}
        return record(cell, 50.0, seconds=seconds, epochs=5 if cell.seed else 10, **device)

    # another grid's cells: another density, and seeds that this one has not
    fill(grid_in(tmp_path, *small, "masker=greedy", "seed=4,5,6", "densities=[0.3]"), tmp_path / "runs", made)
    rows, last = told(grid_in(tmp_path, *small), capsys)
    seconds = 2 * 1000 + 2 * 200 * 5
    assert whole_training({"seconds": {"training": 2000.0}, "epochs": 5}, 10) == seconds
    assert {row["masker"]: row["a cell"] for row in rows} == {
        "dense": "1.1 hours", "greedy": "1.2 hours", "sparsify": "1.1 hours",
    }  # fmt: skip
    assert "(from recorded cells)" in last
    assert asked == []
    # but not of another recipe, model or device
    for other in ("recipe.epochs=11", "recipe.lr=0.5", "model=resnet20", "trainer.precision=bf16"):
        assert "from timed training steps" in told(grid_in(tmp_path, *small, other), capsys)[1], other
    elsewhere = Recorded(Store(tmp_path / "runs"), grid_in(tmp_path, *small), "another machine")
    assert all(elsewhere.training(slot) is None for slot in grid_in(tmp_path, *small).slots)


def test_a_training_that_may_end_early_takes_what_such_took_and_at_most_all_epochs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    small = ("masker=greedy", "densities=[1.0,0.1]", "recipe.epochs=160", "dataset.validation=100")
    early = ("select=best_validation", "patience=5", "when=trained")
    goes_on = ("rewind=epoch", "rewind_epoch=40")

    def times(*words: str) -> tuple[list[str], str]:
        rows, last = told(grid_in(tmp_path, *small, *words), capsys)
        return [row["a cell"] for row in rows], last

    def fill_with(seconds: float, epochs: int, *words: str) -> None:
        def made(cell: Any) -> dict[str, Any]:
            taken = {
                "scoring": 0.0,
                "masking": 0.0,
                "measuring": 0.0,
                "training": seconds * (1 + 0.5 * (cell.seed == 8)),
            }
            return record(cell, 50.0, seconds=taken, epochs=epochs, device=CPU.name)

        fill(grid_in(tmp_path, *small, *words, "seed=7,8,9"), tmp_path / "runs", made)

    assert times(*early)[0] == ["at most 4.4 hours"] * 2
    assert "; at most about 18 hours left on" in times(*early)[1]
    assert times()[0] == ["4.4 hours"] * 2
    fill_with(36000, 160)  # of those that end after the last epoch the seconds of an epoch are taken
    assert times(*early)[0] == ["at most 10 hours"] * 2
    assert times(*early, *goes_on)[0] == ["at most 10 hours", "at most 7.5 hours"]
    fill_with(3600, 12, *early)
    assert times(*early) == (
        ["1 hour"] * 2,
        "0 done, 4 missing; about 4 hours left on this CPU, one cell after another (from recorded cells).",
    )
    assert times("patience=5")[0] == ["1 hour"] * 2  # whichever epoch is selected
    # of those that ended early, too, where another patience or none is asked for
    assert times(*early, "patience=6")[0] == ["at most 13 hours"] * 2
    assert times()[0] == ["13 hours"] * 2
    assert times(*early, *goes_on)[0] == ["1 hour", "at most 10 hours"]
    assert "; at most about 22 hours left" in times(*early, *goes_on)[1]


def test_a_damaged_record_of_another_grid_is_no_trouble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    fill(grid_in(tmp_path, "masker=greedy", "densities=[0.3]"), tmp_path / "runs", lambda cell: record(cell, 50.0))
    for path in (tmp_path / "runs").glob("*/record.json"):
        path.write_text(path.read_text().replace("50.0", "60.0"))
    assert "0 done, 2 missing" in told(grid_in(tmp_path, "masker=greedy", "densities=[0.1]"), capsys)[1]
    assert len(asked) == 1


def test_few_cells_that_are_alike_are_found_among_many_that_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pruneexp.planning.recorded.SOME", 2)
    assert [len(_some(["key"] * count)) for count in (0, 1, 2, 3, 4, 5)] == [0, 1, 2, 2, 2, 2]

    def made(cell: Any) -> dict[str, Any]:
        slow = 3000.0 * (cell.names["scorer"] == "taylor")
        seconds = {"scoring": slow, "masking": 0.0, "measuring": 0.0, "training": 1200.0 / cell.density}
        notes = {"neurons": 4, "kept_neurons": 2} if cell.density < 1 else {}
        return record(cell, 50.0, seconds=seconds, device=CPU.name, notes=notes)

    words = ("masker=structured", "scorer=l2,bn_scale,taylor", "densities=[1.0,0.8,0.5,0.2]")
    fill(grid_in(tmp_path, *words, "seed=7,8"), tmp_path / "runs", made)
    rows, last = told(grid_in(tmp_path, *words), capsys)
    times = {(row["scorer"], row["density"]): row["a cell"] for row in rows}
    assert times == {
        ("dense", "1"): "20 min",
        **{(scorer, density): time for scorer in ("l2", "bn_scale") for density, time in QUICK.items()},
        **{("taylor", density): time for density, time in SLOW.items()},
    }
    assert "(from recorded cells)" in last
    assert asked == []


def test_recorded_cells_without_neurons_are_those_of_their_density_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]]
) -> None:
    words = ("masker=structured", "scorer=l2", "densities=[1.0,0.5,0.25]")

    def made(cell: Any) -> dict[str, Any] | None:
        notes = {"neurons": 4, "kept_neurons": 2} if cell.density < 1 else {}
        return record(cell, 50.0, epochs=0, device=CPU.name, notes=notes) if cell.density in (1, 0.5) else None

    fill(grid_in(tmp_path, *words, "seed=7"), tmp_path / "runs", made)
    rows, last = told(grid_in(tmp_path, *words), capsys)
    assert [row["a cell"] for row in rows[:2]] == ["29 s", "29 s"]
    assert len(asked) == 1
    assert "(from recorded cells and timed training steps, without scores, masks and tests)" in last


def test_networks_that_differ_in_their_classes_share_what_is_found_of_them() -> None:
    words = ("model=resnet20", "masker=structured", "scorer=l2")
    ten, hundred = (setting_of(f"dataset=cifar{classes}", *words) for classes in (10, 100))
    first = Size(ten)
    shared, alone = Size(hundred, first), Size(hundred)
    assert shared.same is first
    for density in (1.0, 0.5, 0.1):
        assert shared.left(hundred, density) == alone.left(hundred, density) != first.left(ten, density)
    assert "trace" not in vars(shared.structure)
    assert Size(setting_of("dataset=cifar10", "model=resnet32"), first).same is not first


@pytest.mark.parametrize(
    ("densities", "last"),
    [
        ("[1.0,0.5,0.2]", "0 done, 6 missing, 4 of which cannot be made, since {}; about 1 hour left on this CPU"),
        ("[0.5]", "0 done, 2 missing, 2 of which cannot be made, since {}."),
    ],
)
def test_cells_that_cannot_be_made_have_no_time(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    asked: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    densities: str,
    last: str,
) -> None:
    def fixed(_: Any) -> None:
        raise UserError("no channel of this network can be removed.")

    monkeypatch.setattr("pruneexp.network.structure.coupled_in", fixed)
    grid = grid_in(tmp_path, "masker=structured", "scorer=l2", "recipe.epochs=18", f"densities={densities}")
    rows, said = told(grid, capsys)
    assert said.startswith(last.format("no neuron of the network can be removed"))
    assert [row["density"] for row in rows if row.get("a cell") or row.get("weights")] == ["1"] * ("1.0" in densities)
    assert len(asked) == ("1.0" in densities)


def test_weights_that_are_not_pruned_stay() -> None:
    words = ("dataset=digits", "model=vgg_small")
    whole = Size(setting_of(*words))
    weights, macs = whole.left(setting_of(*words), 1.0) or (0, 0)
    assert macs is not None
    layers = whole.structure.macs
    assert layers is not None
    some = setting_of(*words, "masker=greedy", "only=[Linear]")
    linear = sum(count for name, count in whole.weights.items() if layers[name] == count)  # used once
    assert whole.left(some, 0.5) == (weights - linear + round(0.5 * linear), macs - linear + round(0.5 * linear))


def test_frozen_epochs_count_as_the_forward_pass(asked: list[tuple[int, int]], tmp_path: Path) -> None:
    def seconds(*words: str) -> float:
        slot = grid_in(tmp_path, "masker=greedy", "densities=[0.1]", *words).slots[0]
        return Timed([slot], CPU, lambda _: None).training(slot, Sizes().of(slot))

    assert seconds("recipe.epochs=10") == pytest.approx(1000)
    assert seconds("recipe.epochs=10", "recipe.frozen_epochs=3") == pytest.approx(800)
    assert seconds("recipe.epochs=10", "recipe.frozen_epochs=10") == pytest.approx(1000)  # which were timed themselves
    assert seconds("recipe.epochs=10", "recipe.train_images=719") == pytest.approx(1000)
    assert [images for _, images in asked] == [1438, 1438, 1438, 719]


@pytest.mark.parametrize(
    ("words", "counts", "networks"),
    [
        ("densities=[0.1]", "4 missing, and 2 dense networks that others start from", 6),
        ("densities=[0.1] seed=0", "2 missing, and 1 dense network that others start from", 3),
        ("densities=[1.0,0.1]", "6 missing", 6),  # which has them already
        ("densities=[0.1] when=init", "4 missing", 4),
        ("densities=[0.1] masker=erk", "2 missing", 2),  # nothing looks at the trained network
        ("densities=[0.1] masker=erk rewind=none", "2 missing, and 2 dense networks that others start from", 4),
    ],
)
def test_dense_networks_that_cells_start_from_are_counted_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[Any], words: str, counts: str, networks: int
) -> None:
    grid = grid_in(
        tmp_path, "when=trained", "masker=greedy", "scorer=magnitude,snip", "recipe.epochs=60", *words.split()
    )
    _, last = told(grid, capsys)
    hours = f"{networks * 60 * 100 / 3600:.2g}".removesuffix(".0")
    assert last.startswith(f"0 done, {counts}; about {hours} hours left on this CPU")


def test_a_dense_network_that_lies_there_is_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[Any]
) -> None:
    words = ("when=trained", "masker=greedy", "plan.time=false")
    fill(grid_in(tmp_path, *words, "seed=0", "densities=[1.0]"), tmp_path / "runs", lambda cell: record(cell, 50.0))
    last = told(grid_in(tmp_path, *words, "densities=[0.1]"), capsys)[1]
    assert last == "0 done, 2 missing, and 1 dense network that others start from."


@pytest.mark.parametrize(
    ("words", "images"),
    [
        ("dataset.validation=438 select=best_validation", 1000),  # which are not trained on
        ("recipe.mixup=0.2 recipe.warmup_epochs=3", 1438),
        ("model=timm model.architecture=test_resnet", 1438),
        ("dataset=arrays dataset.root={mine} dataset.validation=5", 15),
        ("dataset=arrays dataset.root={mine} recipe.train_images=10", 10),
    ],
)
def test_what_is_trained_is_what_is_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[tuple[int, int]], words: str, images: int
) -> None:
    if "timm" in words:
        pytest.importorskip("timm")
    (mine := tmp_path / "mine").mkdir()
    for name in FILES:
        array = np.zeros((20, 3, 32, 32), dtype=np.uint8) if "images" in name else np.arange(20) % 2
        np.save(mine / f"{name}.npy", array)
    typed = [word.format(mine=mine) for word in words.split()]
    data = [f"data_dir={tmp_path}/data"] * ("arrays" in words)
    grid = grid_in(tmp_path, "masker=greedy", "densities=[1.0,0.1]", "recipe.epochs=10", *data, *typed)
    assert grid.jobs[0].setting.sizes.input_shape == (3, 32, 32)  # which has the arrays made, and told
    rows, last = told(grid, capsys)
    ((parameters, counted),) = asked  # one network for both densities
    assert counted == images
    assert parameters >= int(rows[0]["weights"].replace(",", "")) > int(rows[1]["weights"].replace(",", "")) > 0
    assert [row["a cell"] for row in rows] == ["17 min", "17 min"]
    assert last.startswith("0 done, 4 missing; about ")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1234, "1.23 k"), (4.1e7, "41 M"), (1.81e9, "1.81 G"), (2e12, "2 T")]
)
def test_operations_are_told_with_a_prefix(number: float, text: str) -> None:
    metric: Callable[[float], str] = plan._metric
    assert metric(number) == text
