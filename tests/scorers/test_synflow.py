"""SynFlow against explicit sums over paths, and the flow's conservation."""

import itertools

import pytest
import torch
from torch import nn

from pruneexp import UserError, prune
from pruneexp.data.batches import Batches
from pruneexp.models.resnet import BasicBlock, ResNet
from pruneexp.models.vgg import VGG
from pruneexp.network.initialise import initialise
from pruneexp.network.prunable import prunable
from pruneexp.pruning.method import Scores
from pruneexp.scorers.synflow import synflow
from pruneexp.seeding import stream


def flow(model: nn.Module, *shape: int, **options: str) -> Scores:
    return synflow(model, Batches(input_shape=shape), torch.Generator(), **options)  # type: ignore[arg-type]


def made(model: nn.Module) -> nn.Module:
    initialise(model, "kaiming_normal", stream(0, "test"))
    return model


def test_a_score_is_the_sum_over_the_paths_through_the_weight() -> None:
    sizes = [3, 4, 2, 3]
    layers = [made(nn.Linear(a, b, bias=False)) for a, b in itertools.pairwise(sizes)]
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    weights = [weight.tolist() for weight in prunable(model).values()]
    want = [torch.zeros(weight.shape, dtype=torch.float64) for weight in prunable(model).values()]
    for path in itertools.product(*map(range, sizes)):
        product = 1.0
        for weight, (a, b) in zip(weights, itertools.pairwise(path), strict=True):
            product *= abs(weight[b][a])
        for total, (a, b) in zip(want, itertools.pairwise(path), strict=True):
            total[b, a] += product
    got = flow(model, 3)
    for total, score in zip(want, got.values(), strict=True):
        assert score.dtype == torch.float64
        torch.testing.assert_close(score, total, rtol=1e-12, atol=0)


def test_a_bias_is_one_more_input_of_its_size() -> None:
    first, last = nn.Linear(2, 2), nn.Linear(2, 1)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 0.25]]))
        first.bias.copy_(torch.tensor([-3.0, 1.0]))
        last.weight.copy_(torch.tensor([[-2.0, 4.0]]))
        last.bias.fill_(7.0)
    got = flow(nn.Sequential(first, nn.ReLU(), last), 2)
    assert got["0.weight"].tolist() == [[2.0, 4.0], [2.0, 1.0]]
    assert got["2.weight"].tolist() == [[12.0, 7.0]]


def test_on_a_chain_every_layer_carries_the_whole_flow() -> None:
    model = made(VGG([4, "M", 6, 5], 3, 2))
    sums = [float(score.sum()) for score in flow(model, 2, 8, 8).values()]
    assert len(sums) == 4
    assert sums[0] > 0
    assert sums == pytest.approx([sums[0]] * 4, rel=1e-12)


def test_in_a_residual_network_every_cut_carries_the_whole_flow() -> None:
    model = made(ResNet([2, 1], [3, 4], 3, 2))
    sums = {name: float(score.sum()) for name, score in flow(model, 2, 8, 8).items()}
    whole = sums["conv.weight"]
    assert sums["fc.weight"] == pytest.approx(whole, rel=1e-12)
    for block in range(3):
        assert sums[f"blocks.{block}.conv1.weight"] == pytest.approx(sums[f"blocks.{block}.conv2.weight"], rel=1e-12)
    cut = sums["blocks.2.conv2.weight"] + sums["blocks.2.shortcut.0.weight"]
    assert cut == pytest.approx(whole, rel=1e-12)
    for block in range(2):  # beside an identity skip goes what the block does not carry
        around = made(ResNet([2, 1], [3, 4], 3, 2))
        part = around.blocks[block]  # type: ignore[index]
        assert isinstance(part, BasicBlock)
        nn.init.zeros_(part.conv2.weight)
        rest = float(flow(around, 2, 8, 8)["fc.weight"].sum())
        assert 0 < rest < whole
        assert sums[f"blocks.{block}.conv2.weight"] + rest == pytest.approx(whole, rel=1e-12)


def test_the_signs_of_the_weights_do_not_matter() -> None:
    model, other = made(VGG([4, 5], 3, 2)), made(VGG([4, 5], 3, 2))
    with torch.no_grad():
        for weight in prunable(other).values():
            weight.abs_()
    first, second = flow(model, 2, 4, 4), flow(other, 2, 4, 4)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_eval_uses_the_initial_statistics_and_train_the_inputs() -> None:
    model = made(VGG([3, 4], 2, 1))
    initial = flow(model, 1, 4, 4)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.fill_(4.0)  # type: ignore[union-attr]
                module.running_mean.fill_(0.5)  # type: ignore[union-attr]
    trained = flow(model, 1, 4, 4)
    assert all(torch.equal(trained[name], score) for name, score in initial.items())
    assert all(bool((m.running_var == 4).all()) for m in model.modules() if isinstance(m, nn.BatchNorm2d))  # type: ignore[union-attr]
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(-0.5)
    for name, score in flow(model, 1, 4, 4).items():  # two BatchNorms, each halving the flow
        torch.testing.assert_close(score, initial[name] / 4, rtol=1e-12, atol=0)
    batch = flow(model, 1, 4, 4, batchnorm="train")
    assert not torch.allclose(batch["fc.weight"], trained["fc.weight"])


def test_deep_networks_do_not_overflow() -> None:
    layers: list[nn.Module] = []
    for _ in range(12):
        layer = nn.Linear(10, 10, bias=False)
        nn.init.constant_(layer.weight, 1e4)
        layers.append(layer)
    sums = [float(score.sum()) for score in flow(nn.Sequential(*layers), 10).values()]
    assert sums == pytest.approx([10.0 * (10 * 1e4) ** 12] * 12, rel=1e-9)  # beyond float32


def test_the_input_shape_must_be_known() -> None:
    model = made(nn.Linear(5, 4))
    with pytest.raises(UserError, match=r"synflow needs the input's shape: pass example_input\.$"):
        synflow(model, Batches(), torch.Generator())
    with pytest.raises(UserError, match="pass example_input"):
        prune(model, 0.5, scorer="synflow")


def test_an_unknown_batchnorm_mode_is_refused() -> None:
    with pytest.raises(UserError, match="train or eval, got 'both'"):
        flow(made(nn.Linear(5, 4)), 5, batchnorm="both")
