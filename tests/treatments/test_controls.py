"""Controls: inverted scores, shuffled masks and new weights, by themselves and as options of a job's cells."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pruneexp.artifacts import Artifacts
from pruneexp.cell import Cell
from pruneexp.errors import UserError
from pruneexp.jobs.job import Job
from pruneexp.network.initialise import initialise
from pruneexp.network.masks import Masks, load_masks
from pruneexp.network.prunable import prunable
from pruneexp.pruning.method import Scores
from pruneexp.records.store import Store
from pruneexp.reports.frame import frame_of
from pruneexp.seeding import stream
from pruneexp.sweep import expand
from pruneexp.training.train import Trained, Trainee, train_together
from pruneexp.treatments.invert import inverted
from pruneexp.treatments.shuffle import shuffled
from tests.command import SMALL, in_process
from tests.helpers import cells_of
from tests.properties import PROPERTY
from tests.reports.made_records import fill, record

ONE = ("seed=0", "densities=[0.1]", "model=vgg_small", "masker=greedy_global", "scorer=magnitude")
OPTIONS = ("invert", "shuffle", "reinit")
WEIGHT_FREE = ["er", "ramanujan_fit", "uniform", "x_net"]


def flat(some: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.ravel() for value in some.values()])


def drawn(seed: int = 0, dtype: torch.dtype = torch.float64, shift: float = 0.0) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"a": (40, 3, 3, 3), "b": (10,), "c": (30, 40)}
    return {name: torch.randn(*shape, generator=generator, dtype=dtype) + shift for name, shape in shapes.items()}


# inverted


@pytest.mark.parametrize("shift", [0.0, 10.0, -10.0])
def test_inverted_turns_the_order_of_the_whole_network_round_and_keeps_the_range(shift: float) -> None:
    scores = drawn(shift=shift)
    scores["b"] = scores["b"] * 0.1 - 5.0
    before = {name: value.clone() for name, value in scores.items()}
    got = inverted(scores)
    assert all(torch.equal(scores[name], before[name]) for name in scores)
    assert {name: value.shape for name, value in got.items()} == {name: value.shape for name, value in scores.items()}
    assert torch.equal(flat(got).argsort(), flat(scores).argsort().flip(0))
    assert float(flat(got).max()) == pytest.approx(float(flat(scores).max()), rel=1e-12)
    assert float(flat(got).min()) == pytest.approx(float(flat(scores).min()), rel=1e-12)


def test_inverting_twice_changes_nothing_and_zeros_stay_zero() -> None:
    scores = drawn()
    torch.testing.assert_close(flat(inverted(inverted(scores))), flat(scores), rtol=0, atol=1e-14)
    zeros = {name: torch.zeros_like(value) for name, value in scores.items()}
    assert not flat(inverted(zeros)).any()
    assert (flat(inverted({"a": torch.full((3, 2), 7.0)})) == 7.0).all()


@given(values=st.lists(st.integers(-1000, 1000), min_size=2, max_size=30), cut=st.integers(1, 29))
@PROPERTY
def test_inverted_whole_numbers_exactly(values: list[int], cut: int) -> None:
    cut = min(cut, len(values) - 1)
    scores = {"a": torch.tensor(values[:cut]).double(), "b": torch.tensor(values[cut:]).double()}
    assert flat(inverted(scores)).tolist() == [max(values) + min(values) - value for value in values]


def test_inverted_keeps_unequal_scores_unequal_in_float32_too() -> None:
    scores = {name: value.abs() for name, value in drawn(dtype=torch.float32).items()}
    scores["a"] = scores["a"] * 1e-8
    scores["c"] = scores["c"] + 1.0
    assert len(flat(inverted(scores)).unique()) == len(flat(scores).unique())


# shuffled


def some_masks() -> Masks:
    masks = {name: value > 0.5 for name, value in drawn().items()}
    return masks | {"all": torch.ones(4, 5, dtype=torch.bool), "none": torch.zeros(3, 2, dtype=torch.bool)}


def test_shuffled_keeps_every_layers_count_and_shape_and_moves_its_entries() -> None:
    masks = some_masks()
    before = {name: mask.clone() for name, mask in masks.items()}
    got = shuffled(masks, torch.Generator().manual_seed(0))
    assert list(got) == list(masks)
    for name, mask in masks.items():
        assert torch.equal(mask, before[name])
        assert got[name].dtype == torch.bool
        assert got[name].shape == mask.shape
        assert int(got[name].sum()) == int(mask.sum())
    assert not any(torch.equal(got[name], masks[name]) for name in ("a", "c"))
    again, other = (shuffled(masks, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert all(torch.equal(got[name], again[name]) for name in masks)
    assert not torch.equal(got["c"], other["c"])


def test_shuffled_is_uniform_over_positions() -> None:
    mask = torch.zeros(3, 4, dtype=torch.bool)
    mask[0, :3] = True
    generator, draws = torch.Generator().manual_seed(0), 4000
    counts = sum(shuffled({"a": mask}, generator)["a"].double() for _ in range(draws))
    assert isinstance(counts, torch.Tensor)
    assert ((counts - draws / 4).abs() < 5 * (draws * 3 / 16) ** 0.5).all()


def test_layers_of_one_shape_are_shuffled_differently() -> None:
    mask = torch.arange(100).reshape(10, 10) % 3 == 0
    got = shuffled({"a": mask, "b": mask}, torch.Generator().manual_seed(0))
    assert not torch.equal(got["a"], got["b"])


# as options


def only(*arguments: str) -> tuple[Job, Cell]:
    ((job, cell),) = cells_of(expand([*ONE, *arguments])).values()
    return job, cell


def bench(tmp_path: Path, *arguments: str) -> Artifacts:
    job, _ = only(*SMALL, f"data_dir={tmp_path / 'data'}", *arguments)
    return Artifacts(job, Store(str(tmp_path / "runs")))


def start(made: Artifacts) -> nn.Module:
    """The network that training of a pruned cell starts from."""
    return made.start(made.job.cell(0.1, "float32"))


def masks_of(made: Artifacts, density: float = 0.1) -> Masks:
    return made.prune(density).masks


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def counts(masks: Masks) -> list[int]:
    return [int(mask.sum()) for mask in masks.values()]


def test_the_eight_combinations_are_eight_cells_of_one_name_and_one_dense_network() -> None:
    sweep = [f"{option}=false,true" for option in OPTIONS]
    grid = expand([*ONE, "densities=[1.0,0.1]", *sweep])
    cells = [cell for _, cell in cells_of(grid).values()]
    assert len(grid.jobs) == 8
    assert sorted(cell.density for cell in cells) == [0.1] * 8 + [1.0]
    assert len({cell.key.rsplit("-", 1)[0] for cell in cells if cell.density < 1}) == 1
    described = [frozenset(o for o in OPTIONS if cell.description.get(o)) for cell in cells if cell.density < 1]
    assert set(described) == {frozenset(some) for n in range(4) for some in itertools.combinations(OPTIONS, n)}


def test_options_that_are_false_are_no_part_of_a_cell() -> None:
    dense, plain = both("synflow")
    assert [dense, plain] == both("synflow", *(f"{option}=false" for option in OPTIONS))
    assert not set(OPTIONS) & plain.description.keys()
    for option in OPTIONS:
        other_dense, other = both("synflow", f"{option}=true")
        assert other_dense == dense
        assert other.key != plain.key
        assert other.description == plain.description | {option: True}


def both(scorer: str, *arguments: str) -> list[Cell]:
    """The dense and the pruned cell."""
    grid = expand([*ONE, "densities=[1.0,0.1]", f"scorer={scorer}", *arguments])
    return [cell for _, cell in cells_of(grid).values()]


@pytest.mark.parametrize("option", OPTIONS)
def test_todays_words_are_the_same_cell(option: str) -> None:
    before = only(f"{option}=true")[1]
    assert before == only(f"treatment={option}")[1] == only(f"treatment=[{option}]")[1]
    assert before == only(f"treatment=[{option}]", f"{option}=true")[1]
    assert before == only(f"{option}=True")[1]
    both, turned = only("treatment=[shuffle,invert]")[1], only("shuffle=true", "invert=true")[1]
    assert both == turned == only("treatment=[invert,shuffle]")[1]


@pytest.mark.parametrize("option", OPTIONS)
def test_the_last_word_counts_and_none_is_unsaid(option: str) -> None:
    assert only(f"{option}=true", f"{option}=false")[1] == only()[1]
    assert only(f"{option}=false", f"{option}=true")[1] == only(f"treatment={option}")[1]
    with pytest.raises(
        UserError, match=rf"^{option}=false, and treatment= has {option}: type treatment=\[\.\.\.\] without it\.$"
    ):
        only(f"treatment={option}", f"{option}=false")


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_not_true_or_false_is_refused(option: str) -> None:
    with pytest.raises(
        UserError, match=rf"^{option} must be true or false, got 'yes'; it is a choice of treatment= now\.$"
    ):
        only(f"{option}=yes")


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("treatment=none", r"^there is no treatment 'none'\. .*Available: .*invert, .*shuffle.*\.$"),
        ("treatment=[shuffle,shufle]", r"^there is no treatment 'shufle'\. Did you mean 'shuffle'\?"),
        ("treatment=3", r"^treatment must be the name of a file in conf/treatment, got 3\.$"),
        ("treatment=[[shuffle]]", r"^treatment must be names of files in conf/treatment, got "),
        ("~treatment", r"^treatment cannot be taken away: give it another value\.$"),
        ("treatment.shuffle.often=3", r"^treatment\.shuffle must be a component"),
    ],
)
def test_what_is_no_treatment_is_refused(argument: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        only(argument)


def test_an_option_that_no_treatment_has_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"^there is no option 'treatment\.shuffle\.often': treatment\.shuffle as chosen has none\.$"
    ):
        only("treatment=shuffle", "treatment.shuffle.often=3")


@pytest.mark.parametrize("masker", WEIGHT_FREE)
def test_inverting_the_scores_of_a_masker_without_any_is_refused(masker: str) -> None:
    with pytest.raises(UserError, match=rf"^treatment=invert goes by scores, and masker={masker} has none\.$"):
        only(f"masker={masker}", "invert=true")


def test_masks_without_scores_can_be_shuffled_and_given_new_weights() -> None:
    description = only("masker=erk", "shuffle=true", "reinit=true")[1].description
    assert description["shuffle"] is description["reinit"] is True


@pytest.mark.parametrize(
    ("scorer", "rounds"), [("magnitude", 1), ("snip", 1), ("grasp", 1), ("synflow", 3), ("snip", 3)]
)
def test_inverted_scores_keep_as_many_weights_and_others(scorer: str, rounds: int, tmp_path: Path) -> None:
    few = (f"scorer={scorer}", f"rounds={rounds}", *(["scorer.per_class=3"] if scorer == "grasp" else []))
    plain, turned = bench(tmp_path, *few), bench(tmp_path, *few, "invert=true")
    masks, others = masks_of(plain), masks_of(turned)
    assert sum(counts(masks)) == sum(counts(others)) == round(0.1 * flat(masks).numel())
    assert same(state(plain.initial), state(turned.initial))
    if rounds == 1:
        kept = flat(others)
        scores = flat(plain.scores.scores).double()
        assert scores[kept].max() <= scores[~kept].min()
        assert not (flat(masks) & kept).any()


def test_shuffled_masks_keep_the_counts_of_every_layer_and_nothing_else(tmp_path: Path) -> None:
    plain, mixed = bench(tmp_path), bench(tmp_path, "shuffle=true")
    for density in (0.1, 0.5):
        masks, others = masks_of(plain, density), masks_of(mixed, density)
        assert counts(masks) == counts(others)
        assert not same(masks, others)
        want = shuffled(masks, stream(0, "shuffle", str(density)))
        assert same(others, want)
        overlap = float((flat(masks) & flat(others)).sum())
        share = sum(n * n / mask.numel() for n, mask in zip(counts(masks), masks.values(), strict=True))
        assert overlap == pytest.approx(share, abs=5 * share**0.5)
    assert same(state(start(plain)), state(start(mixed)))
    assert all(bool(mask.all()) for mask in masks_of(mixed, 1.0).values())
    again = bench(tmp_path, "shuffle=true")
    assert same(masks_of(again), masks_of(mixed))
    seed = bench(tmp_path, "shuffle=true", "seed=1")
    assert not same(masks_of(seed), masks_of(mixed))


def test_shuffling_comes_after_the_rounds_and_the_repair(tmp_path: Path) -> None:
    for options in (("scorer=synflow", "rounds=3"), ("repair=paths",), ("masker=erk",)):
        plain, mixed = bench(tmp_path, *options), bench(tmp_path, *options, "shuffle=true")
        masks = masks_of(plain, 0.05)
        assert same(masks_of(mixed, 0.05), shuffled(masks, stream(0, "shuffle", "0.05")))


def test_new_weights_leave_the_masks_and_start_elsewhere(tmp_path: Path) -> None:
    plain, anew = bench(tmp_path, "scorer=snip"), bench(tmp_path, "scorer=snip", "reinit=true")
    assert same(masks_of(plain), masks_of(anew))
    assert same(state(plain.initial), state(anew.initial))
    assert same(state(start(plain)), state(plain.initial))
    begin, again = start(anew), start(anew)
    assert same(state(begin), state(again))
    for name, weight in state(begin).items():
        if name not in prunable(begin):
            continue
        before = state(plain.initial)[name]
        assert not torch.equal(weight, before)
        if weight.numel() > 500:
            assert float(weight.std() / before.std()) == pytest.approx(1, rel=0.2)
            both = torch.stack([weight.ravel(), before.ravel()])
            assert abs(float(torch.corrcoef(both)[0, 1])) < 5 / weight.numel() ** 0.5
    other = bench(tmp_path, "scorer=snip", "reinit=true", "seed=1")
    assert not same(state(start(other)), state(begin))
    uniform = start(bench(tmp_path, "reinit=true", "initialisation=kaiming_uniform"))
    fresh = bench(tmp_path).initial
    initialise(fresh, "kaiming_uniform", stream(0, "reinitialisation"))
    assert same(state(uniform), state(fresh))


def test_new_weights_start_batch_normalisation_as_asked_for_where_the_others_are_brought(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^batchnorm_init=uniform starts BatchNorm's weights, and weights=imagenet brings them"
    ):
        bench(tmp_path, "batchnorm_init=uniform", "weights=imagenet")
    bench(tmp_path, "batchnorm_init=uniform", "weights=imagenet", "reinit=true")


def test_batch_normalisation_starts_as_asked_for_and_new_weights_with_it(tmp_path: Path) -> None:
    ones, uniform = bench(tmp_path), bench(tmp_path, "batchnorm_init=uniform", "reinit=true")
    before, after, anew = state(ones.initial), state(uniform.initial), state(start(uniform))
    scales = [name for name in before if name.endswith("bn.weight")]
    assert len(scales) == 4
    for name in scales:
        assert bool((before[name] == 1).all())
        assert 0 < float(after[name].min()) < float(after[name].max()) < 1
        assert not torch.equal(anew[name], after[name])
        assert 0 < float(anew[name].min()) < float(anew[name].max()) < 1
    assert all(torch.equal(after[name], before[name]) for name in before.keys() - set(scales))
    fresh = bench(tmp_path).initial
    initialise(fresh, "kaiming_normal", stream(0, "reinitialisation"), "uniform")
    assert same(anew, state(fresh))


class Spy:
    """Every training's start and masks."""

    def __init__(self) -> None:
        self.starts: list[dict[str, torch.Tensor]] = []
        self.masks: list[Masks] = []

    def __call__(self, trainees: list[Trainee], *means: Any) -> list[Trained]:
        self.starts += [state(one.network) for one in trainees]
        self.masks += [one.masks for one in trainees]
        return train_together(trainees, *means)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[dict[str, Any]]]:
    def command(*arguments: str) -> list[dict[str, Any]]:
        done = in_process(tmp_path, monkeypatch, capsys, *SMALL, *ONE, "recipe.epochs=1", *arguments)
        assert done.code == 0, done.err
        paths = (tmp_path / "results" / "runs").glob("*/record.json")
        return [json.loads(path.read_text()) | {"folder": path.parent} for path in paths]

    return command


def test_a_run_with_each_option_leaves_a_record_of_its_own(
    run: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy()
    monkeypatch.setattr("pruneexp.trials.train_together", spy)
    run("densities=[1.0,0.1]", "reinit=true")  # first, so that the dense network is this job's
    run("shuffle=true")
    run("invert=true")
    records = run()
    assert len(spy.starts) == len(records) == 5
    dense, anew, mixed, turned, plain = range(5)
    # the dense network has the initial weights, whatever the job that trains it does to the others
    assert spy.masks[dense] == {}
    assert all(same(spy.starts[k], spy.starts[dense]) for k in (mixed, turned, plain))
    assert not same(spy.starts[anew], spy.starts[dense])
    assert same(spy.masks[anew], spy.masks[plain])
    assert counts(spy.masks[mixed]) == counts(spy.masks[plain])
    assert not same(spy.masks[mixed], spy.masks[plain])
    assert not (flat(spy.masks[turned]) & flat(spy.masks[plain])).any()
    by_options = {
        tuple(o for o in OPTIONS if made["description"].get(o)): made
        for made in records
        if made["kept"] != made["prunable"]
    }
    assert set(by_options) == {(), ("reinit",), ("shuffle",), ("invert",)}
    assert len({made["kept"] for made in by_options.values()}) == 1
    for options, number in (((), plain), (("reinit",), anew), (("shuffle",), mixed), (("invert",), turned)):
        assert same(load_masks(by_options[options]["folder"] / "masks.safetensors"), spy.masks[number])


def test_new_weights_after_training_are_new_and_the_masks_those_of_the_trained_ones(
    run: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy()
    monkeypatch.setattr("pruneexp.trials.train_together", spy)
    records = run("when=trained", "reinit=true")
    dense, anew = spy.starts
    (folder,) = (made["folder"] for made in records if made["asked_density"] == 1)
    trained = safetensors.torch.load_file(folder / "weights.safetensors")
    kept = flat(spy.masks[1])
    sizes = torch.cat([trained[name].abs().ravel() for name in spy.masks[1]])
    assert sizes[kept].min() >= sizes[~kept].max()
    for name in spy.masks[1]:
        assert not torch.equal(anew[name], trained[name])
        assert not torch.equal(anew[name], dense[name])
    # statistics and BatchNorm as at initialisation
    others = [name for name in dense if name not in spy.masks[1]]
    assert all(torch.equal(anew[name], dense[name]) for name in others)


def test_a_report_names_the_options_that_vary_and_joins_the_dense_network(tmp_path: Path) -> None:
    grid = expand(
        [f"results_dir={tmp_path / 'runs'}", *ONE, "densities=[1.0,0.1]", "shuffle=false,true", "invert=false,true"]
    )
    fill(grid, tmp_path / "runs", lambda cell: record(cell, 50))
    cells = frame_of(grid)
    assert sorted(zip(cells["masker"], cells["options"], strict=True)) == sorted(
        [("dense", ""), ("greedy_global", "")]  # without what is at its default
        + [("greedy_global", options) for options in ("invert", "shuffle", "invert, shuffle")]
    )
    assert cells["drop"].notna().tolist() == [masker != "dense" for masker in cells["masker"]]


@pytest.mark.parametrize("control", ["shuffle", "reinit", "invert"])
def test_a_control_alone_is_never_taken_for_the_method(tmp_path: Path, control: str) -> None:
    grid = expand(
        [f"results_dir={tmp_path / 'runs'}", "+experiment=topology_controls", "seed=0", "densities=[0.1]"]
        + [f"{name}={str(name == control).lower()}" for name in ("shuffle", "reinit", "invert")]
    )
    fill(grid, tmp_path / "runs", lambda cell: record(cell, 50))
    cells = frame_of(grid)
    assert cells[["masker", "options"]].to_numpy().tolist() == [["greedy_global", control]]
