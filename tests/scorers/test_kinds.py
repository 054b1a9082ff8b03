"""Every scorer and masker on small networks of each kind of layer that is prunable."""

import contextlib
import functools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

import pruneexp
from pruneexp.components.component import configured
from pruneexp.errors import UserError
from pruneexp.network.plain import plain
from pruneexp.network.prunable import outputs_first, prunable, prunable_layers
from pruneexp.system.shipped import conf_dir

SCORERS, MASKERS = (sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")) for group in ("scorer", "masker"))


class Attending(nn.Module):
    """Attention over the positions of [n, 6, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = nn.MultiheadAttention(6, 2, batch_first=True), nn.BatchNorm1d(6)
        self.last = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2)
        x = self.attention(x, x, value=x, need_weights=False)[0]
        return self.last(self.norm(x.mean(1)))


class Words(nn.Module):
    """The mean of embedded words, [n, 7] -> {"loss": ..., "logits": [n, 3]}."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm, self.last = nn.Embedding(11, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        return {"loss": None, "logits": self.last(self.norm(self.words(x).mean(1)))}


def convolutional(first: nn.Module, second: nn.Module, norm: nn.Module) -> nn.Module:
    return nn.Sequential(first, norm, nn.ReLU(), second, nn.Flatten(), nn.LazyLinear(3))


KINDS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv1d": (lambda: convolutional(nn.Conv1d(2, 4, 3), nn.Conv1d(4, 6, 2), nn.BatchNorm1d(4)), (2, 6)),
    "conv3d": (lambda: convolutional(nn.Conv3d(2, 4, 2), nn.Conv3d(4, 6, 2), nn.BatchNorm3d(4)), (2, 3, 3, 3)),
    "transposed": (
        lambda: convolutional(nn.ConvTranspose2d(2, 4, 2), nn.ConvTranspose2d(4, 6, 2, groups=2), nn.BatchNorm2d(4)),
        (2, 3, 3),
    ),
    "attention": (Attending, (6, 5)),
    "words": (Words, (7,)),
}


def component(group: str, name: str) -> Any:
    """The function of a file of conf/, with its options."""
    said: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))
    return configured(group, said.get(group, said)).make(**(FEW.get(name, {}) if group == "scorer" else {}))


FEW: dict[str, dict[str, Any]] = {
    "snip": {"samples": 8}, "snip_published": {"samples": 8, "augment": False}, "grasp": {"per_class": 2},
    "grasp_published": {"per_class": 2},
    "prospr": {"samples": 8}, "prospr_published": {"samples": 8}, "taylor": {"samples": 8}, "iter_snip": {"samples": 8},
    "ntk_sap": {"samples": 4}, "eigenvector_centrality": {"tau": 0.0, "of": "activations", "samples": 8},
    "least_central": {"tau": 0.0},
}  # fmt: skip
# what has no meaning for a network is said in a sentence: the channel graph knows few operations, structural graphs need large layers
REFUSED = (
    "ntk_sap draws Gaussian inputs", "the channel graph", "no channel of this network can be removed", "structured", "ramanujan",
    "radix_net", "x_net", "n_m", "bss cannot",
    "leverages need non-negative scores", "bn_scale needs a BatchNorm", "density 0.5 keeps ",
)  # fmt: skip


@functools.cache
def network(kind: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = KINDS[kind][0]()
        model(inputs(kind))  # lazy layers have their weights then
    return model


def inputs(kind: str, number: int = 64) -> torch.Tensor:
    generator, shape = torch.Generator().manual_seed(1), (number, *KINDS[kind][1])
    return torch.randint(11, shape, generator=generator) if kind == "words" else torch.randn(shape, generator=generator)


def prune(kind: str, scorer: str, masker: str) -> dict[str, torch.Tensor] | None:
    """The masks; None where they are refused for a known reason."""
    data = inputs(kind), torch.arange(64) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a layer that nothing is said of
        try:
            return pruneexp.prune(
                network(kind), 0.5, component("scorer", scorer), component("masker", masker), data=data, embeddings=True
            )
        except UserError as error:
            if not str(error).startswith(REFUSED):
                raise
            return None


def total(masks: dict[str, torch.Tensor]) -> int:
    return sum(mask.numel() for mask in masks.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scorer", SCORERS)
def test_every_scorer_scores_every_kind_of_layer(kind: str, scorer: str) -> None:
    if (masks := prune(kind, scorer, "greedy")) is None:
        assert scorer in ("phew", "ntk_sap", "bn_scale")
        return
    weights = prunable(plain(network(kind)), embeddings=True)
    assert {name: mask.shape for name, mask in masks.items()} == {name: w.shape for name, w in weights.items()}
    assert sum(int(mask.sum()) for mask in masks.values()) == round(0.5 * total(masks))


OF_ANY = ("sparsify", "sparsify_tree", "greedy", "greedy_global", "greedy_matched", "uniform", "er", "erk")
OWN_NUMBER = ("er_published", "n_m", "radix_net", "ramanujan", "structured")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("masker", MASKERS)
def test_every_masker_masks_every_kind_of_layer(kind: str, masker: str) -> None:
    masks = prune(kind, "magnitude", masker)
    assert masks is not None or masker not in OF_ANY
    if masks is not None and masker not in OWN_NUMBER:
        assert sum(int(mask.sum()) for mask in masks.values()) == round(0.5 * total(masks))


def test_the_masker_and_scorers_of_neurons_see_a_row_for_each_output() -> None:
    model, shapes = network("transposed"), {}

    def masker(layers: Any, density: float, generator: Any, notes: Any) -> dict[str, torch.Tensor]:
        shapes.update({layer.name: tuple(layer.score.shape) for layer in layers})
        return {layer.name: layer.score > 0 for layer in layers}

    pruneexp.prune(model, 0.5, "l2", masker)
    assert shapes == {"0.weight": (4, 2, 2, 2), "3.weight": (6, 2, 2, 2), "5.weight": (3, 150)}
    layers = prunable_layers(model)
    got: dict[str, torch.Tensor] = {}

    def keep(some: Any, *_: Any) -> dict[str, torch.Tensor]:
        got.update({layer.name: layer.score for layer in some})
        return {layer.name: layer.available for layer in some}

    pruneexp.prune(model, 0.5, "l2", keep)
    for name, weight in prunable(model).items():
        rows = outputs_first(layers[name], weight.detach()).flatten(1)
        assert torch.allclose(got[name].flatten(1), rows.norm(dim=1, keepdim=True).expand_as(rows))


def test_a_transposed_convolution_is_scored_as_the_convolution_that_it_is() -> None:
    """A 1x1 ConvTranspose is the Conv with its weight turned: scores and masks are each other's, turned."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plainly = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3))
    other = nn.Sequential(nn.ConvTranspose2d(3, 5, 1), *list(plainly)[1:])
    with torch.no_grad():
        other[0].get_parameter("weight").copy_(plainly[0].get_parameter("weight").transpose(0, 1))
        other[0].get_parameter("bias").copy_(plainly[0].get_parameter("bias"))
    data = torch.randn(64, 3, 2, 2, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
    scorers = ("grasp", "prospr", "taylor", "l2", "eigenvector_centrality", "synflow", "bn_scale")
    for scorer, masker in (*((scorer, "greedy_global") for scorer in scorers), ("snip", "greedy"), ("snip", "erk")):
        one, two = (
            pruneexp.prune(model, 0.4, component("scorer", scorer), component("masker", masker), data=data)
            for model in (plainly, other)
        )
        assert torch.equal(one["0.weight"], two["0.weight"].transpose(0, 1)), (scorer, masker)
        assert torch.equal(one["4.weight"], two["4.weight"])


@pytest.mark.parametrize("scorer", [name for name in SCORERS if not name.startswith(("magnitude", "random", "l2"))])
def test_layers_that_the_output_does_not_reach_are_scored_zero_and_named(scorer: str) -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.idle = nn.Conv2d(3, 6, 2), nn.BatchNorm2d(6), nn.Linear(4, 6)
            self.last = nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.norm(self.first(x))).mean((2, 3)))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Partly()
    data = torch.randn(64, 3, 3, 3, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
    if scorer in ("phew", "least_central"):  # the channel graph refuses it by name; weights alone do not tell
        return
    with pytest.warns(
        UserWarning, match=r"^the scores of idle\.weight are all zero: the network's output does not reach them"
    ):
        pruneexp.prune(model, 0.5, component("scorer", scorer), "greedy_global", data=data)


@pytest.mark.parametrize("scorer", ["grasp", "synflow", "prospr", "magnitude"])
@pytest.mark.parametrize("state", ["no_grad", "inference", "autocast", "float64", "meta", "frozen", "bfloat16"])
def test_whatever_state_torch_and_the_parameters_are_in_the_masks_are_the_same(scorer: str, state: str) -> None:
    def model() -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            made = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).bfloat16()
            return made if state == "bfloat16" else made.float()

    data = torch.randn(64, 6, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
    call = functools.partial(
        pruneexp.prune, density=0.4, scorer=component("scorer", scorer), masker="greedy_global", data=data
    )
    want, network, within = call(model().float()), model(), contextlib.ExitStack()
    if state == "frozen":
        network.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    within.callback(torch.set_default_dtype, torch.get_default_dtype())
    within.callback(torch.set_default_device, None)
    with within:
        match state:
            case "float64":
                torch.set_default_dtype(torch.float64)
            case "meta":
                torch.set_default_device("meta")
            case "no_grad":
                within.enter_context(torch.no_grad())
            case "inference":
                within.enter_context(torch.inference_mode())
            case "autocast":
                within.enter_context(torch.autocast("cpu", dtype=torch.bfloat16))
        got = call(network)
    assert all(torch.equal(got[name], mask) for name, mask in want.items())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(parameter.requires_grad != (state == "frozen") for parameter in network.parameters())
