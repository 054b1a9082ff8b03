"""prune() as people call it: functions, options, patterns, folders of their own, masks that are on, and what is refused."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pruneexp
from pruneexp import UserError
from pruneexp.data.batches import Batches
from pruneexp.layers import Layer, Notes
from pruneexp.maskers.greedy import greedy
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.pruning.method import Scores
from pruneexp.scorers.magnitude import magnitude
from pruneexp.scorers.snip import snip

X, Y = torch.randn(120, 3, 6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(120) % 4


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(128, 20), nn.ReLU(), nn.Linear(20, 4),
        )  # fmt: skip


def kept(masks: Masks) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def same(one: Masks, other: Masks) -> bool:
    return list(one) == list(other) and all(torch.equal(mask, other[name]) for name, mask in one.items())


def squared(model: nn.Module, batches: Batches, generator: torch.Generator, power: int = 2) -> Scores:
    return {name: weight.abs() ** power for name, weight in prunable(model).items()}


def test_a_scorer_and_a_masker_may_be_functions_with_options() -> None:
    def masker(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes, scope: str) -> Masks:
        return greedy(layers, density, generator, notes, scope)  # type: ignore[arg-type]

    want = pruneexp.prune(network(), 0.1, "magnitude", "greedy_global")
    got = pruneexp.prune(
        network(), 0.1, squared, masker, scorer_options={"power": 4}, masker_options={"scope": "global"}
    )
    assert same(got, want)
    assert same(pruneexp.prune(network(), 0.1, magnitude, greedy, masker_options={"scope": "global"}), want)
    thrice = pruneexp.prune(network(), 0.1, squared, "greedy_global", overrides=("rounds=3",))
    assert same(thrice, want)


def test_options_are_those_of_the_command_line() -> None:
    want = pruneexp.prune(network(), 0.1, "snip", data=(X, Y), overrides=("scorer.samples=50", "masker.scope=global"))
    got = pruneexp.prune(
        network(), 0.1, "snip", data=(X, Y), scorer_options={"samples": 50}, masker_options={"scope": "global"}
    )
    assert same(got, want)
    assert not same(got, pruneexp.prune(network(), 0.1, "snip", data=(X, Y), masker_options={"scope": "global"}))
    assert same(
        pruneexp.prune(
            network(), 0.1, snip, data=(X, Y), scorer_options={"samples": 50}, masker_options={"scope": "global"}
        ),
        want,
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"scorer": "snip", "scorer_options": {"sample": 5}}, r"^there is no option 'scorer\.sample'\. Did you mean 'scorer"),
        ({"scorer": "snip", "scorer_options": {"samples": "many"}}, r"^scorer\.samples must be a whole number, at least 1, got 'many'\.$"),
        ({"masker_options": {"scope": "local"}}, r"^masker\.scope must be layerwise or global, got 'local'\.$"),
        ({"scorer": squared, "scorer_options": {"powr": 1}}, r"^there is no option 'scorer\.powr'\. Did you mean 'scorer\.power'"),
        ({"scorer": squared, "scorer_options": {"power": 1.5}}, r"^scorer\.power must be a whole number, got 1\.5\.$"),
        ({"scorer": lambda model: {}}, r"^scorer must be the name of a file in conf/scorer, or a function of \(model, "),
        ({"scorer": nn.Linear}, r"^scorer must be the name of .*, got <class 'torch"),
        ({"scorer": 3}, r"^scorer must be the name of .*, got 3\.$"),
        ({"masker": None}, r"^masker must be .*, or a function of \(layers, density, generator, notes\), got null"),
        ({"scorer": lambda *_: 3}, r"^the scorer must give a dict of scores by weight name, got int\.$"),
        ({"scorer": lambda *_: {"0.weight": 3}}, r"^the scorer gave no score of shape \[8, 3, 3, 3\] for 0\.weight\.$"),
        ({"masker": lambda *_: None}, r"^the masker must give a dict of masks by weight name, got NoneType\.$"),
        ({"masker": lambda *_: {"0.weight": 1}}, r"^the masker gave no bool mask of shape \[8, 3, 3, 3\] for 0\.weight\.$"),
        ({"overrides": ("seed=1",)}, r"^prune can do nothing with 'seed=1' among its overrides: it takes rounds=, "),
        ({"overrides": ("when=trained",)}, "^prune can do nothing with 'when=trained'"),
        ({"overrides": ("densities=[0.2]",)}, "^prune can do nothing with 'densities="),
        ({"overrides": ("scorer=snip",)}, "^prune can do nothing with 'scorer=snip'"),
        ({"overrides": ("exclude=[fc]",)}, "^prune can do nothing with 'exclude="),
        ({"overrides": ("+experiment=laenen_fig3",)}, r"^prune can do nothing with '\+experiment="),
        ({"overrides": None}, r"^overrides must be a list such as .*, got null\.$"),
        ({"overrides": "rounds=3"}, r"^overrides must be a list such as \("),
        ({"overrides": ("treatment=reinit",)}, "^treatment=reinit changes the network that is trained, and prune makes masks"),
        ({"seed": "a"}, r"^seed must be "),
        ({"seed": -1}, r"^seed must be "),
        ({"scorer_options": ["samples"]}, r"^scorer_options must be a dict of options by name, got \['samples'\]\.$"),
        ({"density": "half"}, "^density must be above 0 and at most 1, got 'half'"),
        ({"density": True}, "^density must be above 0 and at most 1, got True"),
        ({"exclude": "8.wieght"}, r"^exclude='8\.wieght' chooses no prunable weight of this model; near are 8\.weight"),
        ({"exclude": "zz"}, r"^exclude='zz' chooses no prunable weight of this model; its weights are 0\.weight, 3\.weight"),
        ({"only": "*.bias"}, r"^only='\*\.bias' chooses no prunable weight"),
        ({"only": 3}, r"^only must be a pattern of names such as 'layer1\.\*', or a list of them, got 3\.$"),
        ({"only": "Linear", "exclude": ["6", "8"]}, r"^only and exclude leave no weight to be pruned\.$"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused_in_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        pruneexp.prune(network(), **({"density": 0.1} | given))


@pytest.mark.parametrize("model", [nn.Linear, network().state_dict(), torch.ones(3), nn.ReLU(), nn.LazyLinear(3), None])
def test_what_is_no_network_with_weights_is_refused_in_a_sentence(model: Any) -> None:
    with pytest.raises(UserError, match=r"torch\.nn\.Module|no prunable layer|call the model once"):
        pruneexp.prune(model, 0.5)


def test_a_masker_cannot_bring_back_what_is_pruned() -> None:
    def everything(layers: Sequence[Layer], density: float, generator: torch.Generator, notes: Notes) -> Masks:
        return {layer.name: torch.ones_like(layer.available) for layer in layers}

    model = network()
    pruneexp.to_torch_prune(model, pruneexp.prune(model, 0.5))
    with pytest.raises(UserError, match=r"^the masker brings back weights of 0\.weight that are pruned already\.$"):
        pruneexp.prune(model, 0.1, masker=everything)
    with pytest.raises(UserError, match=r"^the treatment brings back weights of 0\.weight that are pruned already\.$"):
        pruneexp.prune(model, 0.1, overrides=("treatment=shuffle",))


@pytest.mark.parametrize(
    ("masker", "given", "names"),
    [
        ("sparsify", {"exclude": "0.weight"}, ["3.weight", "6.weight", "8.weight"]),
        ("sparsify_global", {"exclude": ["0", "8"]}, ["3.weight", "6.weight"]),
        ("greedy_global", {"exclude": "Linear"}, ["0.weight", "3.weight"]),
        ("erk", {"only": "Conv*"}, ["0.weight", "3.weight"]),
        ("er", {"only": ["[36].weight", "Linear"], "exclude": "8"}, ["3.weight", "6.weight"]),
        ("greedy", {"only": "Sequential"}, ["0.weight", "3.weight", "6.weight", "8.weight"]),
    ],
)
def test_density_is_of_the_weights_that_the_patterns_choose(
    masker: str, given: dict[str, Any], names: list[str]
) -> None:
    masks = pruneexp.prune(network(), 0.3, masker=masker, **given)
    assert list(masks) == names
    assert kept(masks) == round(0.3 * sum(mask.numel() for mask in masks.values()))


def test_in_rounds_the_weights_that_are_left_out_stay_whole() -> None:
    seen: list[int] = []

    def scorer(model: nn.Module, batches: Batches, generator: torch.Generator) -> Scores:
        seen.append(int(model[0].get_parameter("weight").count_nonzero()))  # type: ignore[index]
        return magnitude(model, batches, generator)

    masks = pruneexp.prune(network(), 0.05, scorer, "greedy_global", overrides=("rounds=4",), exclude="0")
    assert seen == [216] * 4
    assert kept(masks) == round(0.05 * (576 + 2560 + 80))


def test_neurons_of_layers_that_are_left_out_stay() -> None:
    model = network()
    masks = pruneexp.prune(model, 0.5, "l2", "structured", example_input=X, exclude="3")
    assert int(masks["0.weight"].flatten(1).any(1).sum()) == 4
    assert int(masks["3.weight"].flatten(1).any(1).sum()) == 8
    assert int(masks["6.weight"].any(1).sum()) == 10
    assert isinstance(pruneexp.remove(model, masks, (3, 6, 6)), nn.Module)


def test_modules_of_several_weights_are_chosen_by_name_and_class() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16)
    assert list(pruneexp.prune(model, 0.5, only="self_attn")) == [
        "self_attn.q_proj_weight", "self_attn.k_proj_weight", "self_attn.v_proj_weight", "self_attn.out_proj.weight",
    ]  # fmt: skip
    assert list(pruneexp.prune(model, 0.5, exclude="MultiheadAttention")) == ["linear1.weight", "linear2.weight"]
    assert "self_attn.out_proj.weight" in pruneexp.prune(model, 0.5, only="Linear")


def test_embeddings_are_pruned_where_asked_for() -> None:
    model = nn.Sequential(nn.Embedding(30, 6), nn.Flatten(), nn.Linear(24, 4))
    ids, labels = torch.randint(30, (100, 4), generator=torch.Generator().manual_seed(0)), torch.arange(100) % 4
    assert list(pruneexp.prune(model, 0.5)) == ["2.weight"]
    few = ("rounds=2",)
    for scorer in ("magnitude", "snip", "synflow"):
        masks = pruneexp.prune(model, 0.5, scorer, data=(ids, labels), embeddings=True, overrides=few)
        assert {name: mask.shape for name, mask in masks.items()} == {"0.weight": (30, 6), "2.weight": (4, 24)}
        assert kept(masks) == round(0.5 * (180 + 96))
    assert not hasattr(model[0], "weights_are_prunable")
    by_example = pruneexp.prune(model, 0.5, "synflow", example_input=ids, overrides=few)
    assert same(by_example, pruneexp.prune(model, 0.5, "synflow", data=(ids, labels), overrides=few))
    with pytest.raises(UserError, match=r"^ntk_sap draws Gaussian inputs, and this network reads indices"):
        pruneexp.prune(model, 0.5, "ntk_sap", example_input=ids)


@pytest.mark.parametrize("on", [pruneexp.to_torch_prune, pruneexp.keep_masks])
@pytest.mark.parametrize(
    ("scorer", "masker", "rounds"),
    [("magnitude", "greedy_global", 1), ("snip", "sparsify", 1), ("synflow", "greedy_global", 3)],
)
def test_pruning_again_and_again_keeps_the_count_and_what_is_pruned(
    on: Any, scorer: str, masker: str, rounds: int
) -> None:
    model, before, total = network(), None, sum(w.numel() for w in prunable(network()).values())
    for density in (0.5, 0.2, 0.05):
        masks = pruneexp.prune(model, density, scorer, masker, data=(X, Y), overrides=(f"rounds={rounds}",))
        assert kept(masks) == round(density * total)
        assert before is None or not any(bool((masks[name] & ~before[name]).any()) for name in masks)
        on(model, masks)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        for _ in range(2):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(X), Y).backward()
            optimiser.step()
        model(X)
        before = masks
    with pytest.raises(UserError, match=r"^density 0\.5 keeps \d+ weights, but only \d+ are not pruned already\.$"):
        pruneexp.prune(model, 0.5, scorer, masker, data=(X, Y), overrides=("rounds=2",))


@pytest.mark.parametrize("word", ["file://{}", "{}"])
@pytest.mark.parametrize("relative", [False, True])
def test_components_of_ones_own_folder_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, relative: bool
) -> None:
    folder = tmp_path / "mine"
    (folder / "scorer").mkdir(parents=True)
    (folder / "scorer" / "fourth.yaml").write_text(
        "name: fourth\n_target_: tests.test_prune_calls.squared\n_partial_: true\npower: 4\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    where = word.format("mine" if relative else folder)
    got = pruneexp.prune(network(), 0.1, "fourth", "greedy_global", overrides=(f"hydra.searchpath=[{where}]",))
    assert same(got, pruneexp.prune(network(), 0.1, "magnitude", "greedy_global"))


def test_components_of_a_package_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pruning_of_mine"
    (package / "masker").mkdir(parents=True)
    for place in (package, package / "masker"):
        (place / "__init__.py").write_text("", encoding="utf-8")
    (package / "masker" / "best.yaml").write_text(
        "name: best\n_target_: pruneexp.maskers.greedy.greedy\n_partial_: true\nscope: global\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    got = pruneexp.prune(network(), 0.1, masker="best", overrides=("hydra.searchpath=[pkg://pruning_of_mine]",))
    assert same(got, pruneexp.prune(network(), 0.1, masker="greedy_global"))


def test_a_network_that_cannot_be_run_as_scorers_run_it_is_named_in_a_sentence() -> None:
    class Single(nn.Sequential):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(super().forward(input.float()))

    class Detached(nn.Sequential):
        @torch.no_grad()
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(super().forward(input))

    sentence = r"^a copy of the network in float64 cannot be run on inputs of shape \[100, 3, 6, 6\] \(.*\): pass inputs of the shape"
    for model in (Single(*network()), nn.Sequential(nn.Linear(5, 4))):
        with pytest.raises(UserError, match=sentence):
            pruneexp.prune(model, 0.5, "snip", data=(X, Y))
    for scorer in ("snip", "synflow"):
        with pytest.raises(UserError, match=r"^the network's output has no derivative in any weight: its forward runs"):
            pruneexp.prune(Detached(*network()), 0.5, scorer, data=(X, Y))


def test_numbers_of_numpy_are_numbers() -> None:
    assert same(pruneexp.prune(network(), np.float32(0.5), seed=np.int64(1)), pruneexp.prune(network(), 0.5, seed=1))  # type: ignore[arg-type]


def test_a_sentence_is_one_line() -> None:
    with pytest.raises(UserError) as caught:
        pruneexp.prune(nn.Sequential(nn.Linear(5, 4)), 0.5, "snip", data=(X, Y))
    assert re.fullmatch(r"[^\n]+\.", str(caught.value))


class Numbers(nn.Module):
    """With a parameter of whole numbers, the first, and one of complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = nn.Parameter(torch.arange(3), requires_grad=False)
        self.first, self.phase = nn.Linear(6, 8), nn.Parameter(torch.tensor([1.0, 1j] * 4))
        self.last = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last((self.first(x) * self.phase).imag * self.counts[2])


@pytest.mark.parametrize("scorer", ["snip", "taylor"])
def test_parameters_that_are_no_real_numbers_stay_what_they_are(scorer: str) -> None:
    """The first layer's outputs 0, 2, 4 and 6 become real numbers, and only what is imaginary counts."""
    x = torch.randn(120, 6, generator=torch.Generator().manual_seed(0))
    masks = pruneexp.prune(
        Numbers(), 0.4, scorer, "greedy_global", data=(x, Y), scorer_options={"samples": 90}, overrides=("rounds=1",)
    )
    assert kept(masks) == round(0.4 * 80)
    assert not masks["first.weight"][::2].any()


def test_an_allocation_says_how_many_weights_each_layer_keeps() -> None:
    network = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    erk = pruneexp.prune(network, 0.2, masker="erk")
    masks = pruneexp.prune(network, 0.2, "magnitude", "greedy", allocation="erk")
    assert [int(mask.sum()) for mask in masks.values()] == [int(mask.sum()) for mask in erk.values()]
    assert any(not torch.equal(masks[name], erk[name]) for name in masks)
    for masker in ("random", "random_regular", "sparsify"):
        like = pruneexp.prune(network, 0.2, masker=masker, allocation="like", overrides=["allocation.rounds=2"])
        globally = pruneexp.prune(network, 0.2, "magnitude", "greedy_global")
        assert {name: int(mask.sum()) for name, mask in like.items()} == {n: int(m.sum()) for n, m in globally.items()}


def test_a_function_that_masks_takes_an_allocation_by_its_counts() -> None:
    network = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))

    def first(layers: Any, density: float, generator: Any, notes: Any, counts: Any = None) -> Any:
        return {
            layer.name: (torch.arange(layer.size) < int(count)).view(layer.score.shape)
            for layer, count in zip(layers, counts, strict=True)
        }

    masks = pruneexp.prune(network, 0.2, masker=first, allocation="uniform")
    assert [int(mask.sum()) for mask in masks.values()] == [120, 30]

    def without(layers: Any, density: float, generator: Any, notes: Any) -> Any:
        return {}

    with pytest.raises(
        UserError, match=r"^allocation=uniform says how many weights each layer keeps, and masker takes no counts"
    ):
        pruneexp.prune(network, 0.2, masker=without, allocation="uniform")

    def moved(layers: Any, density: float, generator: Any, notes: Any, counts: Any = None) -> Any:
        return first(layers, density, generator, notes, [119, 31])

    with pytest.raises(UserError, match=r"^the masker keeps 119 weights of 0.weight, where the allocation has 120"):
        pruneexp.prune(network, 0.2, masker=moved, allocation="uniform")
    with pytest.raises(UserError, match=r"^allocation must be the name of a file in conf/allocation, got 3"):
        pruneexp.prune(network, 0.2, allocation=3)  # type: ignore[arg-type]
