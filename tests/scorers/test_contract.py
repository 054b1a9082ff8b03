"""What every scorer in conf/scorer promises; a new one is held to it as soon as its file exists."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pruneexp.components.options import options_of
from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg_small
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.pruning.method import Scorer, Scores
from pruneexp.pruning.scoring import score
from pruneexp.seeding import stream
from pruneexp.sweep import named
from pruneexp.system.shipped import conf_dir

SHAPE = (3, 16, 16)
NAMES = sorted(path.stem for path in (conf_dir() / "scorer").glob("*.yaml"))
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "vgg": lambda: vgg_small(4, SHAPE),
    "resnet": lambda: resnet_cifar(4, SHAPE, 20),
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 20), nn.ReLU(), nn.Linear(20, 4)),
}
every_scorer = pytest.mark.parametrize("name", NAMES)
every_network = pytest.mark.parametrize("kind", sorted(NETWORKS))
BY_BATCHNORM = {"bn_scale"}  # refuses a network without
# (scorer, network) to whom the classifier's neurons are all the same: no BatchNorm follows it, or its four are two pairs
LEVEL = {("bn_scale", "vgg"), ("bn_scale", "resnet"), ("least_central", "vgg")}
LEVEL |= {("eigenvector_centrality", "linear"), ("least_central", "linear")}


def network(kind: str) -> nn.Module:
    """Initialised, with BatchNorm scales of their own."""
    model, generator = NETWORKS[kind](), stream(0, "initialisation")
    initialise(model, "kaiming_normal", generator)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.1, generator=generator)
    return model


def refused(name: str, kind: str) -> bool:
    return name in BY_BATCHNORM and kind == "linear"


def batches() -> Batches:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(128, *SHAPE, generator=generator)
    labels = torch.randint(4, (128,), generator=generator)
    return Batches(
        images, labels, SHAPE, lambda rows, draws: images[rows].roll(int(torch.randint(9, (), generator=draws)), 3)
    )


def small(name: str) -> Scorer:
    """The scorer of a file, with few samples where it takes some, and a threshold at which the four neurons of a layer are
    joined."""
    scorer = named("scorer", name).make()
    few, options = {"samples": 8, "per_class": 3, "tau": 0.0}, options_of(scorer.func, "scorer")
    return functools.partial(scorer, **{option: value for option, value in few.items() if option in options})


def scores(name: str, model: nn.Module, seed: int = 0) -> Scores:
    return small(name)(model, batches(), torch.Generator().manual_seed(seed))


@every_scorer
@every_network
def test_gives_each_prunable_weight_a_finite_score_of_its_shape(name: str, kind: str) -> None:
    model = network(kind)
    if refused(name, kind):
        with pytest.raises(
            UserError, match=r"^bn_scale needs a BatchNorm after a layer, and this network has none: use l2"
        ):
            scores(name, model)
        return
    got = scores(name, model)
    assert {key: value.shape for key, value in got.items()} == {k: w.shape for k, w in prunable(model).items()}
    for key, value in got.items():
        assert torch.isfinite(value).all()
        assert value.is_floating_point()
        assert not value.requires_grad
        assert (value.std() > 0) != (key in ("fc.weight", "3.weight") and (name, kind) in LEVEL)


@every_scorer
@every_network
@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_model_exactly_as_it_was(name: str, kind: str, training: bool) -> None:
    model = network(kind).train(training)
    list(model.modules())[1].train(not training)  # a part in the other mode stays there
    first, *_, last = model.parameters()
    first.grad = torch.full_like(first, 7.0)
    last.requires_grad_(False)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    identities = [id(parameter) for parameter in model.parameters()]
    modes = [module.training for module in model.modules()]
    grads_on = [parameter.requires_grad for parameter in model.parameters()]
    if refused(name, kind):
        with pytest.raises(UserError, match="needs a BatchNorm"):
            scores(name, model)
    else:
        scores(name, model)
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert [id(parameter) for parameter in model.parameters()] == identities
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == grads_on
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert first.grad is not None
    assert torch.equal(first.grad, torch.full_like(first, 7.0))
    assert all(parameter.grad is None for parameter in model.parameters() if parameter is not first)
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())


@every_scorer
@every_network
def test_the_same_generator_gives_the_same_scores_and_the_global_one_is_not_used(name: str, kind: str) -> None:
    if refused(name, kind):
        kind = "vgg"
    model = network(kind)
    state = torch.random.get_rng_state()
    first = scores(name, model)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1234)
    again = scores(name, model)
    assert all(torch.equal(first[key], again[key]) for key in first)


@every_scorer
def test_scores_do_not_share_memory_with_the_weights(name: str) -> None:
    model = network("vgg")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for value in scores(name, model).values():
        value.fill_(-1.0)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@every_scorer
def test_scores_pass_the_checks_of_pruning(name: str) -> None:
    model = network("vgg" if name in BY_BATCHNORM else "linear")
    assert list(score(model, small(name), batches(), 0)) == list(prunable(model))


def test_magnitude_is_the_absolute_weight() -> None:
    model = network("vgg")
    got = scores("magnitude", model)
    assert all(torch.equal(got[name], weight.abs()) for name, weight in prunable(model).items())


def test_random_scores_are_uniform_and_follow_their_generator_and_not_the_weights() -> None:
    model = network("vgg")
    got = torch.cat([value.ravel() for value in scores("random", model).values()])
    n = len(got)
    assert n > 50_000
    assert got.min() > 0
    assert got.max() <= 1
    # mean and variance of U(0, 1), six standard errors
    assert abs(got.mean().item() - 1 / 2) < 6 * (1 / 12 / n) ** 0.5
    assert abs(got.var().item() - 1 / 12) < 6 * (1 / 180 / n) ** 0.5
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    same = torch.cat([value.ravel() for value in scores("random", model).values()])
    other = torch.cat([value.ravel() for value in scores("random", model, seed=1).values()])
    assert torch.equal(got, same)
    assert not torch.equal(got, other)


def test_there_are_scorers_to_walk_over() -> None:
    assert {"magnitude", "random"} <= set(NAMES)
