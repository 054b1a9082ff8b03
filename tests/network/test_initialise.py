"""Initial weights: their distribution, and the stream they come from."""

import copy
import math

import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.initialise import initialise
from pruneexp.network.plain import plain
from pruneexp.network.prunable import outputs_first, places
from pruneexp.seeding import stream

SCHEMES = ["kaiming_normal", "kaiming_uniform"]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 300)
    )


def initialised(scheme: str, seed: int = 0) -> nn.Sequential:
    model = network()
    initialise(model, scheme, stream(seed, "initialisation"))
    return model


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("layer", "fan_in"), [(0, 32 * 9), (5, 64)])
def test_weights_have_mean_zero_and_variance_two_over_fan_in(scheme: str, layer: int, fan_in: int) -> None:
    weight = initialised(scheme)[layer].get_parameter("weight").detach().double()
    n, variance = weight.numel(), 2 / fan_in
    assert n > 18_000
    # six standard errors; the fourth moment is 3 for the normal and 9/5 for the uniform distribution
    kurtosis = 3.0 if scheme == "kaiming_normal" else 1.8
    assert abs(weight.mean().item()) < 6 * math.sqrt(variance / n)
    assert abs(weight.var().item() / variance - 1) < 6 * math.sqrt((kurtosis - 1) / n)
    assert (weight**4).mean().item() / variance**2 == pytest.approx(kurtosis, rel=0.15)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("layer", "alike"),
    [
        (nn.ConvTranspose2d(5, 7, 1), [nn.Linear(5, 7)]),
        (nn.ConvTranspose1d(6, 8, 1, groups=2), [nn.Conv1d(6, 8, 1, groups=2)]),
        (nn.Conv3d(4, 3, 1), [nn.Linear(4, 3)]),
        (nn.MultiheadAttention(8, 2), [nn.Linear(8, 8)] * 4),
    ],
)
def test_every_kind_of_layer_is_filled_as_the_linear_ones_that_it_is(
    scheme: str, layer: nn.Module, alike: list[nn.Module]
) -> None:
    both = plain(layer), nn.Sequential(*(copy.deepcopy(one) for one in alike))
    for model in both:
        for parameter in model.parameters():
            nn.init.constant_(parameter, 5.0)
        initialise(model, scheme, stream(0, "initialisation"))
    one, other = ([outputs_first(p.module, p.weight) for p in places(model).values()] for model in both)
    assert all(torch.equal(a.flatten(1), b.flatten(1)) for a, b in zip(one, other, strict=True))
    assert not any(bool(bias.any()) for name, bias in both[0].named_parameters() if name.endswith("bias"))


def test_uniform_weights_stay_within_their_bound() -> None:
    bound = math.sqrt(6 / (32 * 9))
    weight = initialised("kaiming_uniform")[0].get_parameter("weight")
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound


@pytest.mark.parametrize("scheme", SCHEMES)
def test_biases_are_zero_and_batch_normalisation_is_the_identity(scheme: str) -> None:
    model = network()
    for parameter in model.parameters():
        nn.init.constant_(parameter, 5.0)
    model[1].get_buffer("running_mean").fill_(3.0)
    initialise(model, scheme, stream(0, "initialisation"))
    assert not model[0].get_parameter("bias").any()
    assert not model[5].get_parameter("bias").any()
    assert (model[1].get_parameter("weight") == 1).all()
    assert not model[1].get_parameter("bias").any()
    assert not model[1].get_buffer("running_mean").any()
    assert (model[1].get_buffer("running_var") == 1).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_the_stream_decides(scheme: str) -> None:
    torch.manual_seed(1)
    first = initialised(scheme)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    second = network()
    built = torch.random.get_rng_state()
    assert not torch.equal(built, state)  # building draws from the global generator ...
    initialise(second, scheme, stream(0, "initialisation"))
    assert torch.equal(torch.random.get_rng_state(), built)  # ... initialising does not
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = initialised(scheme, seed=1)
    assert not torch.equal(first[0].get_parameter("weight"), other[0].get_parameter("weight"))


def test_an_unknown_scheme_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UserError, match="kaiming_normal, kaiming_uniform, got 'xavier'"):
        initialise(network(), "xavier", stream(0, "initialisation"))


def with_scales(seed: int = 0) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(20_000), nn.Conv2d(2, 5, 3), nn.BatchNorm2d(7, affine=False))
    initialise(model, "kaiming_normal", stream(seed, "initialisation"), "uniform")
    return model


def test_uniform_batch_normalisation_is_between_zero_and_one_and_moves_nothing_else() -> None:
    model = with_scales()
    scale = model[1].get_parameter("weight").detach().double()
    assert 0 <= scale.min() < 0.001
    assert 0.999 < scale.max() < 1
    assert abs(float(scale.mean()) - 1 / 2) < 6 * math.sqrt(1 / 12 / len(scale))
    assert float((scale - 1 / 2).square().mean()) == pytest.approx(1 / 12, rel=0.03)
    ones = with_scales()
    initialise(ones, "kaiming_normal", stream(0, "initialisation"))
    assert (ones[1].get_parameter("weight") == 1).all()
    others = dict(ones.state_dict())
    assert all(torch.equal(value, others[name]) for name, value in model.state_dict().items() if name != "1.weight")
    assert torch.equal(scale, with_scales()[1].get_parameter("weight").double())
    assert not torch.equal(scale, with_scales(seed=1)[1].get_parameter("weight").double())


def test_an_unknown_start_of_batch_normalisation_is_refused() -> None:
    with pytest.raises(UserError, match=r"^batchnorm_init must be ones or uniform, got 'zeros'\.$"):
        initialise(network(), "kaiming_normal", stream(0, "initialisation"), "zeros")
