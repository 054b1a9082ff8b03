"""The copies in bfloat16 that a network computes with: the numbers of plain autocast, bit for bit on a CPU."""

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_small
from pruneexp.network.masks import Masks
from pruneexp.network.prunable import prunable
from pruneexp.recipe import Recipe
from pruneexp.seeding import stream
from pruneexp.training.casts import cast_once
from pruneexp.training.device import Device
from pruneexp.training.shadow import Shadow
from pruneexp.training.step import Step

SHAPE, CLASSES, STEPS = (3, 8, 8), 4, 5
RECIPE = Recipe(epochs=1, batch_size=8, lr=0.05, weight_decay=0.01)
BF16 = Device("cpu", "bf16")
Batch = tuple[torch.Tensor, torch.Tensor]


class Plain(nn.Module):
    """A convolution and two linear layers, with biases."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.hidden = nn.Linear(8 * 16, 12)
        self.fc = nn.Linear(12, CLASSES)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return functional.max_pool2d(torch.relu(self.conv(images)), 2).flatten(1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.hidden(self.features(images))))


class OfEachKind(nn.Module):
    """Every kind of module that autocast casts the weights of."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.widen = nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.deep = nn.Conv3d(1, 2, (4, 3, 3))
        self.line, self.long = nn.Conv1d(2, 2, 3), nn.ConvTranspose1d(2, 2, 2)
        self.deeper = nn.ConvTranspose3d(1, 1, 2)
        self.fc = nn.Linear(2 * 99, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.deep(self.widen(self.flat(images)).unsqueeze(1)).squeeze(2)  # [b, 2, 10, 10]
        x = self.long(self.line(x.flatten(2)))
        x = self.deeper(x[:, None, None]).mean(dim=(1, 2))[:, :2, :99]
        return self.fc(x.flatten(1))


class Tied(Plain):
    """Its second and third layer are one weight, used twice, with a bias each."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.again = nn.Linear(8 * 16, 12), nn.Linear(12, 12)
        self.hidden = nn.Linear(12, 12)
        self.again.weight = self.hidden.weight

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.before(self.features(images)))
        return self.fc(torch.relu(self.again(torch.relu(self.hidden(x)))))


class Parametrised(Plain):
    """Weights that are computed, in float32, of others."""

    def __init__(self) -> None:
        super().__init__()
        parametrizations.weight_norm(self.conv)
        parametrizations.weight_norm(self.hidden)


class Unreached(Plain):
    """A layer that no loss reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(8 * 16, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.spare(self.features(images))
        return super().forward(images)


class Standardised(nn.Conv2d):
    """A convolution with each filter's weights standardised, in float32."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        var, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        return self._conv_forward(images, (self.weight - mean) / (var + 1e-5).sqrt(), self.bias)


class WithStandardised(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.conv = Standardised(3, 8, 3, padding=1)


class Scaled(Plain):
    """A convolution with a parameter more, which is looked at in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv.register_parameter("scale", nn.Parameter(torch.rand(8, 1, 1)))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        x = self.conv(images) * self.conv.scale
        return functional.max_pool2d(torch.relu(x), 2).flatten(1)


class Embedding(Plain):
    """A linear layer whose weight is an embedding's too: the quadrants' brightness, looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 16)
        self.table = nn.Embedding(16, 12)
        self.table.weight = self.fc.weight
        self.out = nn.Linear(16, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        words = (images.mean(dim=(1, 2, 3)) > 0).long() + 2 * (images.amax(dim=(1, 2, 3)) > 2).long()
        x = torch.relu(self.hidden(self.features(images))) + self.table(words)
        return self.out(self.fc(x))


class Exact(Plain):
    """Its last layer computes in float32."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.hidden(self.features(images)))
        with torch.autocast("cpu", enabled=False):
            return self.fc(x.float())


class Normed(Plain):
    """A plain layer's weight, its rows of length one, computed in float32 outside of it."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.hidden(self.features(images)))
        return functional.linear(x, functional.normalize(self.fc.weight), self.fc.bias)


class Own(nn.Module):
    """A layer of no known class that computes as a linear one does."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(CLASSES, features) / features**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.matrix)


class WithOwn(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.fc = Own(12)  # type: ignore[assignment]


class AsItsWeight(Plain):
    """It computes one thing in the precision that a weight is in."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        x = super().features(images)
        return torch.softmax(x.to(self.hidden.weight.dtype).mul(1.7), dim=1)


class Float32Gradient(torch.autograd.Function):
    """A linear layer's product whose gradient is computed in float32."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weight = ctx.saved_tensors
        above = gradients[0].float()
        return (above @ weight.float()).to(x.dtype), above.t() @ x.float()


class WithItsOwnGradient(Plain):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = Float32Gradient.apply(self.features(images), self.hidden.weight)
        return self.fc(torch.relu(x + self.hidden.bias))


class AsPreciseAsItsWeight(Plain):
    """It divides by a number that depends on the precision of a weight."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.hidden(self.features(images))).float()
        return self.fc(x / (x.norm(dim=1, keepdim=True) + torch.finfo(self.fc.weight.dtype).eps))


class AnotherInTraining(Plain):
    """It norms a weight where gradients are computed, and batches are large."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.features(images)
        if torch.is_grad_enabled() and len(images) > 2:
            return self.fc(torch.relu(functional.linear(x, functional.normalize(self.hidden.weight), self.hidden.bias)))
        return self.fc(torch.relu(self.hidden(x)))


class Listened(Plain):
    """Somebody changes a weight's gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden.weight.register_hook(lambda gradient: gradient * 0.5)
        self.fc.weight.register_post_accumulate_grad_hook(_halve)


def _halve(weight: torch.Tensor) -> None:
    assert weight.grad is not None
    weight.grad.mul_(0.5)


class ByChance(Plain):
    """A layer that Python's random numbers, or numpy's, leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Linear(12, 12)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.hidden(self.features(images)))
        for chance in (random.random(), np.random.random()):  # noqa: NPY002
            x = x if chance < 0.5 else x * 1.1
        return self.fc(torch.relu(self.again(x)))


class Attentive(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(torch.relu(self.conv(images)), 2).flatten(2)
        return self.attention(x.transpose(1, 2)).flatten(1)


MAKE: dict[str, Callable[[], nn.Module]] = {
    "vgg": lambda: vgg_small(CLASSES, SHAPE),
    "resnet": lambda: resnet_cifar(CLASSES, SHAPE, 20),
    "convolution and linear": Plain,
    "each kind": OfEachKind,
    "tied": Tied,
    "parametrised": Parametrised,
    "unreached": Unreached,
    "standardised": WithStandardised,
    "scaled": Scaled,
    "embedding": Embedding,
    "exact": Exact,
    "normed": Normed,
    "own": WithOwn,
    "as its weight": AsItsWeight,
    "its own gradient": WithItsOwnGradient,
    "as precise as its weight": AsPreciseAsItsWeight,
    "another in training": AnotherInTraining,
    "attentive": Attentive,
    "data parallel": lambda: nn.DataParallel(Plain()),
}


def batches() -> list[Batch]:
    generator = stream(0, "batches")
    return [
        (torch.randn(8, *SHAPE, generator=generator), torch.randint(0, CLASSES, (8,), generator=generator))
        for _ in range(STEPS)
    ]


def made(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MAKE[name]().train()


def masks(network: nn.Module) -> Masks:
    """On every prunable weight that is a parameter, and each once."""
    generator, own = stream(0, "masks"), dict(network.named_parameters())
    return {
        name: torch.rand(weight.shape, generator=generator) < 0.5
        for name, weight in prunable(network).items()
        if name in own
    }


def by_autocast(
    network: nn.Module, masks: Masks, batches: Sequence[Batch], each: Callable[[int], None] = lambda step: None
) -> None:
    """The steps with nothing but autocast; `each` is told the number of the step that follows."""
    own = dict(network.named_parameters())
    sgd = torch.optim.SGD(
        own.values(), RECIPE.lr, momentum=RECIPE.momentum, weight_decay=RECIPE.weight_decay, fused=True
    )

    for (
        parameter
    ) in own.values():  # there from the start, as a step has it: the fused one takes no mixture of old and new
        sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def put_masks_on() -> None:
        with torch.no_grad():
            for name, mask in masks.items():
                own[name].mul_(mask)

    put_masks_on()
    for number, (images, labels) in enumerate(batches):
        each(number)
        sgd.zero_grad()
        with BF16.autocast():
            logits = network(images)
        functional.cross_entropy(logits.float(), labels).backward()
        sgd.step()
        put_masks_on()


def equal(network: nn.Module, other: nn.Module) -> None:
    """Weights, statistics and gradients, where there are any, bit for bit."""
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    for (name, mine), theirs in zip(network.named_parameters(), other.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None), name
        if mine.grad is not None and theirs.grad is not None:
            assert mine.grad.dtype == torch.float32
            assert torch.equal(mine.grad, theirs.grad), name


@pytest.mark.parametrize("pruned", [False, True], ids=["dense", "masked"])
@pytest.mark.parametrize("name", MAKE)
def test_steps_are_those_of_plain_autocast(name: str, pruned: bool) -> None:
    network = made(name)
    other, before = copy.deepcopy(network), copy.deepcopy(network)
    kept = masks(network) if pruned else {}
    step = Step(network, kept, RECIPE, BF16)
    for batch in batches():
        step(*batch)
    by_autocast(other, kept, batches())
    equal(network, other)
    for (weight, now), then in zip(network.named_parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then) == (weight.startswith("spare.") and weight not in kept), weight  # no decay either


@pytest.mark.parametrize("name", ["vgg", "convolution and linear"])
def test_a_part_that_is_frozen_and_thaws(name: str) -> None:
    """The first steps train the classifier alone."""
    network = made(name)
    other, start = copy.deepcopy(network), copy.deepcopy(network)
    thaws = 3
    step = Step(network, {}, RECIPE, BF16)
    for number, batch in enumerate(batches()):
        step.freeze(number < thaws)
        step(*batch)
        if number == thaws - 1:
            changed = {
                weight
                for (weight, now), then in zip(network.named_parameters(), start.parameters(), strict=True)
                if not torch.equal(now, then)
            }
            assert changed == {"fc.weight", "fc.bias"}

    def freeze(number: int) -> None:
        for weight, parameter in other.named_parameters():
            parameter.requires_grad_(weight.startswith("fc.") or number >= thaws)
        for module in other.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train(number >= thaws)

    by_autocast(other, {}, batches(), freeze)
    equal(network, other)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("vgg", {f"layers.{k}.bn.{part}" for k in (0, 2, 4, 6) for part in ("weight", "bias")}),
        ("convolution and linear", set()),
        ("each kind", set()),
        ("tied", {"hidden.weight"}),
        (
            "parametrised",
            {f"{layer}.parametrizations.weight.original{k}" for layer in ("conv", "hidden") for k in (0, 1)}
            | {"conv.bias", "hidden.bias"},
        ),
        ("unreached", {"conv.weight", "conv.bias"}),
        ("standardised", {"conv.weight", "conv.bias"}),
        ("scaled", {"conv.scale"}),
        ("embedding", {"fc.weight"}),
        ("exact", {"fc.weight", "fc.bias"}),
        ("normed", {"fc.weight", "fc.bias"}),
        ("own", {"fc.matrix"}),
        ("its own gradient", {"hidden.weight", "hidden.bias"}),
        ("another in training", {"hidden.weight", "hidden.bias"}),
        (
            "attentive",
            {
                f"attention.self_attn.{part}"
                for part in ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
            }
            | {f"attention.norm{k}.{part}" for k in (1, 2) for part in ("weight", "bias")},
        ),
        ("as its weight", {f"{layer}.{part}" for layer in ("conv", "hidden", "fc") for part in ("weight", "bias")}),
    ],
)
def test_which_weights_have_a_copy(name: str, others: set[str]) -> None:
    network = made(name)
    found = cast_once(network, batches()[0][0], BF16)
    assert set(found) == dict(network.named_parameters()).keys() - others
    assert all(copied.dtype == torch.bfloat16 for copied in Shadow(network, found).copies.values())


def test_weights_that_are_not_float32_have_none() -> None:
    assert cast_once(made("vgg").double(), batches()[0][0].double(), BF16) == []


class Counting(Plain):
    """It counts its passes, keeps a mean, and draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop, self.passes = nn.BatchNorm2d(8), nn.Dropout(), 0

    def features(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return self.drop(functional.max_pool2d(self.norm(self.conv(images)), 2).flatten(1))


def test_finding_out_leaves_the_network_and_random_numbers_as_they_are() -> None:
    network = Counting()
    before, generator = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    assert len(cast_once(network, batches()[0][0], BF16)) == 6
    assert network.passes == 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("make", [Listened, ByChance])
def test_whoever_listens_to_gradients_or_draws_otherwise_finds_what_autocast_gives(
    make: Callable[[], nn.Module],
) -> None:
    networks = []
    for shadowed in (True, False):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = make()
        if shadowed:
            step = Step(network, {}, RECIPE, BF16)
            for batch in batches():
                step(*batch)
        else:
            by_autocast(network, {}, batches())
        networks.append(network)
    equal(*networks)


def test_what_is_compiled_stays_compiled() -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    network = torch.compile(made("convolution and linear"), backend=backend)
    step = Step(network, {}, RECIPE, BF16)  # type: ignore[arg-type]
    for batch in batches():
        step(*batch)
    assert len(graphs) >= 1


class Shut(Plain):
    """It cannot be copied."""

    def __deepcopy__(self, memo: object) -> "Shut":
        raise RuntimeError("no copies of this")


def test_a_network_that_cannot_be_copied_has_none() -> None:
    assert cast_once(Shut(), batches()[0][0], BF16) == []


def test_the_network_keeps_its_own_weights() -> None:
    """Whoever looks at it between two steps sees float32, and a copy of it is a network like any other."""
    network = made("tied")
    own = dict(network.named_parameters())
    step = Step(network, {}, RECIPE, BF16)
    step(*batches()[0])
    assert all(parameter is own[name] for name, parameter in network.named_parameters())
    assert network.get_parameter("hidden.weight") is network.get_parameter("again.weight")
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert {value.dtype for value in copy.deepcopy(network).state_dict().values()} == {torch.float32}
    assert all(torch.equal(copied, own[name].bfloat16()) for name, copied in step.shadow.copies.items())  # type: ignore[union-attr]
