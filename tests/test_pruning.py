"""prune(): the whole way from a network to its masks, from Python."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import pruneexp
from pruneexp import UserError
from pruneexp.components.component import configured
from pruneexp.data.batches import Batches
from pruneexp.layers import Layer, Notes
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.pruning.masking import mask
from pruneexp.pruning.method import Scores
from pruneexp.pruning.scoring import score
from pruneexp.scorers.magnitude import magnitude
from pruneexp.system.shipped import conf_dir
from tests.helpers import target_of

SCORERS, MASKERS = (sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")) for group in ("scorer", "masker"))
SCORERS = [name for name in SCORERS if not name.endswith("_published")]  # other options of scorers that are among these
# maskers that look at no score are tried with one scorer; some keep the number that their construction gives
SCORED = [
    name
    for name in MASKERS
    if configured(
        "masker", OmegaConf.to_container(OmegaConf.load(conf_dir() / "masker" / f"{name}.yaml"))
    ).about.needs_scores
]
OF_NEURONS = ("bn_scale", "eigenvector_centrality", "l2", "least_central", "taylor")  # scorers
# a masker of neurons keeps a share of neurons, one of groups their share: tests/maskers/test_structured.py and test_n_m.py
PAIRS = [(masker, scorer) for masker in SCORED if masker not in ("structured", "n_m") for scorer in SCORERS]
# a hundred deterministic sparsifiers take minutes, and one for each scorer too long
PAIRS = [
    pair
    for pair in PAIRS
    if pair not in [("bss", scorer) for scorer in ("synflow", "iter_snip", "ntk_sap", *OF_NEURONS)]
]
BY_LEVERAGE = ("bss", "greedy_matched", "sparsify", "sparsify_global", "sparsify_tree")
SIGNED = ("grasp",)  # scorers whose scores have both signs
PAIRS += [(masker, "magnitude") for masker in ("uniform", "er", "erk", "random_regular", "x_net")]
SAMPLES = torch.randn(512, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(512) % 5


def network(seed: int = 0, channels: int = 8) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, channels, 3),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(channels * 36, 20),
            nn.ReLU(),
            nn.Linear(20, 5),
        )


def kept(masks: Masks) -> int:
    return sum(int(value.sum()) for value in masks.values())


def total(model: nn.Module) -> int:
    return sum(weight.numel() for weight in prunable(model).values())


# scorers that a person might add: each is a function and a file
def needy(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    images, labels = batches.samples(100)
    assert len(images) == len(labels) == 100
    return magnitude(model, batches, generator)


def shapely(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
    if batches.input_shape != (3, 8, 8):
        raise UserError("this scorer needs the input's shape: pass example_input.")
    return magnitude(model, batches, generator)


@pytest.fixture
def more(tmp_path: Path) -> tuple[str, ...]:
    """Overrides with which scorers of a person's own folder are found."""
    (tmp_path / "scorer").mkdir()
    for name in ("needy", "shapely"):
        text = f"name: {name}\n_target_: tests.test_pruning.{name}\n_partial_: true\n"
        (tmp_path / "scorer" / f"{name}.yaml").write_text(text)
    return (f"hydra.searchpath=[file://{tmp_path}]",)


@pytest.mark.parametrize(("masker", "scorer"), PAIRS)
@pytest.mark.parametrize("density", [0.5, 0.03, 1])
def test_any_scorer_and_masker_by_name_keep_the_share_asked_for(scorer: str, masker: str, density: float) -> None:
    model = network(channels=4)
    if masker == "bss" and density == 0.03 and scorer not in SIGNED:  # fewer weights than vertices
        with pytest.raises(UserError, match="bss cannot keep"):
            pruneexp.prune(model, density, scorer, masker, data=SAMPLES)
        return
    if masker in BY_LEVERAGE and scorer in SIGNED and density < 1:
        with pytest.raises(UserError, match=r"need non-negative scores, .* use masker=greedy or greedy_global\.$"):
            pruneexp.prune(model, density, scorer, masker, data=SAMPLES)
        return
    masks = pruneexp.prune(model, density, scorer, masker, data=SAMPLES)
    assert kept(masks) == round(density * total(model))
    assert {name: value.shape for name, value in masks.items()} == {k: w.shape for k, w in prunable(model).items()}
    assert all(value.dtype == torch.bool and value.device.type == "cpu" for value in masks.values())


def test_the_model_and_the_global_generator_are_left_as_they_were() -> None:
    model = network()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.random.get_rng_state()
    pruneexp.prune(model, 0.1)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert model.training
    assert torch.equal(torch.random.get_rng_state(), random)


def test_the_defaults_are_magnitude_sparsify_and_seed_zero() -> None:
    default = pruneexp.prune(network(), 0.1)
    spelled = pruneexp.prune(network(), 0.1, scorer="magnitude", masker="sparsify", seed=0)
    assert all(torch.equal(default[name], spelled[name]) for name in default)


def test_the_seed_decides_the_draw() -> None:
    first, other = pruneexp.prune(network(), 0.1, seed=1), pruneexp.prune(network(), 0.1, seed=2)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    assert all(torch.equal(first[name], again) for name, again in pruneexp.prune(network(), 0.1, seed=1).items())


def test_the_scorers_draws_do_not_move_the_maskers() -> None:
    model = network()
    scores = {name: weight.detach().abs() for name, weight in prunable(model).items()}

    def wasteful(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        torch.rand(1000, generator=generator)
        return scores

    from pruneexp.maskers.sparsify import sparsify

    want = pruneexp.prune(model, 0.1)
    got = mask(target_of(model), score(model, wasteful, Batches(), 0), sparsify, 0.1, 0, {})
    assert all(torch.equal(got[name], want[name]) for name in want)


def test_one_density_does_not_move_anothers_draw_and_each_draws_anew() -> None:
    model = network()
    alone = pruneexp.prune(model, 0.1)
    pruneexp.prune(model, 0.2)
    assert all(torch.equal(alone[name], again) for name, again in pruneexp.prune(model, 0.1).items())
    # with draws of its own, a smaller mask is no subset of a larger one
    small, large = pruneexp.prune(model, 0.05), pruneexp.prune(model, 0.1)
    assert any(bool((small[name] & ~large[name]).any()) for name in small)


def test_scorer_and_masker_have_a_stream_each_and_every_density_and_seed_its_own() -> None:
    seen: list[int] = []

    def spy(generator: torch.Generator) -> None:
        seen.append(int(torch.randint(2**62, (), generator=generator)))

    def scorer(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        spy(generator)
        return magnitude(model, batches, generator)

    def masker(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        spy(generator)
        return {layer.name: layer.available for layer in layers}

    for seed in (0, 1):
        model = network()
        scores = score(model, scorer, Batches(), seed)
        for density in (0.1, 0.2, 0.01):
            mask(target_of(model), scores, masker, density, seed, {})
    assert len(set(seen)) == 8


def test_applied_masks_leave_the_network_with_the_share_asked_for() -> None:
    model = network()
    pruneexp.apply_masks(model, pruneexp.prune(model, 0.1))
    assert sum(int(weight.count_nonzero()) for weight in prunable(model).values()) == round(0.1 * total(model))


@pytest.mark.parametrize(
    ("scorer", "masker", "sentence"),
    [
        ("magnitde", "greedy", "there is no scorer 'magnitde'. Did you mean 'magnitude'?"),
        ("magnitude", "sparsfy", "there is no masker 'sparsfy'. Did you mean 'sparsify'?"),
        ("magnitude", "greedy-global", "there is no masker 'greedy-global'. Did you mean 'greedy_global'?"),
        ("Random", "greedy", "there is no scorer 'Random'. Did you mean 'random'?"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(scorer: str, masker: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        pruneexp.prune(network(), 0.1, scorer, masker)
    assert str(caught.value).startswith(sentence)


def test_a_name_like_no_other_is_refused_with_all_that_exist() -> None:
    with pytest.raises(UserError, match=r"^there is no masker 'qqq'\. Available: .*greedy, .*sparsify") as caught:
        pruneexp.prune(network(), 0.1, masker="qqq")
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("density", [0, -1, 1.5, float("nan")])
def test_a_density_that_no_network_can_have_is_refused(density: float) -> None:
    with pytest.raises(UserError, match="density must be above 0 and at most 1"):
        pruneexp.prune(network(), density)


def test_a_network_without_prunable_layers_is_refused() -> None:
    with pytest.raises(UserError, match="no prunable layer"):
        pruneexp.prune(nn.Sequential(nn.BatchNorm2d(3)), 0.1)


def test_a_scorer_added_as_one_file_is_found_and_gets_the_data(more: tuple[str, ...]) -> None:
    model = network()
    masks = pruneexp.prune(model, 0.1, scorer="needy", data=SAMPLES, overrides=more)
    assert all(torch.equal(masks[name], same) for name, same in pruneexp.prune(model, 0.1).items())


def test_a_scorer_without_its_data_says_what_to_pass(more: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"needs data: pass data=\(images, labels\)\.$"):
        pruneexp.prune(network(), 0.1, scorer="needy", overrides=more)
    with pytest.raises(UserError, match="needs data"):
        pruneexp.prune(network(), 0.1, scorer="needy", example_input=SAMPLES[0], overrides=more)
    with pytest.raises(UserError, match="needs 100 training samples, and there are only 99"):
        pruneexp.prune(network(), 0.1, scorer="needy", data=(SAMPLES[0][:99], SAMPLES[1][:99]), overrides=more)


def test_the_input_shape_comes_from_the_example_or_the_data(more: tuple[str, ...]) -> None:
    model = network()
    for masks in (
        pruneexp.prune(model, 0.1, scorer="shapely", example_input=torch.zeros(1, 3, 8, 8), overrides=more),
        pruneexp.prune(model, 0.1, scorer="shapely", data=SAMPLES, overrides=more),
    ):
        assert kept(masks) == round(0.1 * total(model))
    with pytest.raises(UserError, match="pass example_input"):
        pruneexp.prune(model, 0.1, scorer="shapely", overrides=more)


def test_a_score_that_is_not_finite_is_refused_with_the_layers_name() -> None:
    model = network()
    with torch.no_grad():
        model[4].get_parameter("weight")[2, 3] = float("nan")
    with pytest.raises(UserError, match=r"the scores of 4\.weight are not finite"):
        pruneexp.prune(model, 0.1)


def test_a_scorer_that_forgets_or_misshapes_a_layer_is_refused() -> None:
    def forgetful(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        return {name: value for name, value in magnitude(model, batches, generator).items() if name != "6.weight"}

    def flat(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        return {name: value.ravel() for name, value in magnitude(model, batches, generator).items()}

    with pytest.raises(UserError, match=r"no score of shape \[5, 20\] for 6\.weight"):
        score(network(), forgetful, Batches(), 0)
    with pytest.raises(UserError, match=r"no score of shape \[8, 3, 3, 3\] for 0\.weight"):
        score(network(), flat, Batches(), 0)


def test_a_masker_that_forgets_a_layer_or_returns_numbers_is_refused() -> None:
    model = network()
    scores = magnitude(model, Batches(), torch.Generator())

    def forgetful(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        return {layer.name: layer.available for layer in layers[1:]}

    def numeric(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        return {layer.name: layer.available.float() for layer in layers}

    for masker in (forgetful, numeric):
        with pytest.raises(UserError, match=r"no bool mask of shape \[8, 3, 3, 3\] for 0\.weight"):
            mask(target_of(model), scores, masker, 0.1, 0, {})


def test_density_one_keeps_everything_without_asking_the_masker() -> None:
    def never(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        raise AssertionError

    model = network()
    scores = magnitude(model, Batches(), torch.Generator())
    assert kept(mask(target_of(model), scores, never, 1.0, 0, {})) == total(model)


def test_networks_of_one_layer_and_in_double_precision_can_be_pruned() -> None:
    masks = pruneexp.prune(nn.Linear(30, 20, dtype=torch.float64), 0.2)
    assert list(masks) == ["weight"]
    assert kept(masks) == 120


def test_a_network_whose_weights_are_all_zero_is_refused() -> None:
    model = nn.Linear(30, 20)
    nn.init.zeros_(model.weight)
    for masker in SCORED:
        with pytest.raises(UserError, match="all scores are zero"):
            pruneexp.prune(model, 0.2, masker=masker)
