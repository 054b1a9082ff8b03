"""Which weights are prunable, and the multiply-accumulate operations of known networks."""

import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.models.resnet import resnet_cifar
from pruneexp.models.vgg import vgg
from pruneexp.network.cost import multiply_accumulates
from pruneexp.network.plain import plain
from pruneexp.network.prunable import prunable


def test_prunable_are_linear_and_convolution_weights_in_the_models_order() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv1d(2, 2, 1), nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    )
    assert list(prunable(model)) == ["0.weight", "2.weight", "3.0.weight"]
    assert prunable(model)["0.weight"] is model[0].get_parameter("weight")


def test_a_lone_layer_is_a_network_too() -> None:
    assert list(prunable(nn.Linear(3, 2))) == ["weight"]
    assert multiply_accumulates(nn.Linear(3, 2), (3,)) == {"weight": 6}


def test_a_model_without_prunable_layers_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"no prunable layer: pruneexp prunes the weights of Linear, Conv, .* modules\.$"
    ):
        prunable(nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(4, 8, 3, padding=1, bias=False), 16 * 12 * 8 * 4 * 9),
        (nn.Conv2d(4, 8, 3), 14 * 10 * 8 * 4 * 9),
        (nn.Conv2d(4, 8, 3, stride=2, padding=1), 8 * 6 * 8 * 4 * 9),
        (nn.Conv2d(4, 8, (1, 5), stride=(1, 3)), 16 * 3 * 8 * 4 * 5),
        (nn.Conv2d(4, 8, 3, padding=1, groups=2), 16 * 12 * 8 * 2 * 9),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), 16 * 12 * 4 * 9),
        (nn.Conv2d(4, 8, 3, padding=2, dilation=2), 16 * 12 * 8 * 4 * 9),
        (nn.Linear(12, 5), 4 * 16 * 12 * 5),  # applied at every position
        (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), 16 * 12 * 4 * 3 * 9),
    ],
    ids=["same", "valid", "stride", "oblong", "groups", "depthwise", "dilation", "linear", "transposed"],
)
def test_operations_of_one_layer_on_4_channels_of_16_x_12(layer: nn.Module, expected: int) -> None:
    assert multiply_accumulates(nn.Sequential(layer), (4, 16, 12)) == {"0.weight": expected}


def test_a_layer_used_twice_counts_twice() -> None:
    shared = nn.Linear(6, 6)
    assert sum(multiply_accumulates(nn.Sequential(shared, nn.ReLU(), shared), (6,)).values()) == 2 * 36


def test_attention_uses_each_of_its_four_matrices_at_every_position() -> None:
    counts = multiply_accumulates(plain(nn.TransformerEncoderLayer(8, 2, 6, batch_first=True)), (5, 8))
    assert list(counts.values()) == [5 * 64] * 4 + [5 * 48] * 2


def test_a_known_networks_operations_add_up() -> None:
    with torch.device("meta"):
        small = resnet_cifar(10, (3, 32, 32), 20)
        large = vgg(10, (3, 32, 32), 16)
    # He et al.'s ResNet-20: 40,551,040, and two 1x1 convolutions of 131,072 each
    assert sum(multiply_accumulates(small, (3, 32, 32)).values()) == 40_551_040 + 2 * 131_072
    assert sum(multiply_accumulates(large, (3, 32, 32)).values()) == 313_201_664


def test_counting_leaves_the_model_as_it_was() -> None:
    model = resnet_cifar(10, (3, 8, 8), 20).train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    counts = multiply_accumulates(model, (3, 8, 8))
    assert set(counts) == set(prunable(model))
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(module.training and not module._forward_hooks for module in model.modules())
    model.eval()
    multiply_accumulates(model, (3, 8, 8))
    assert not any(module.training for module in model.modules())


def test_counting_removes_its_hooks_when_the_input_does_not_fit() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3)).train()
    with pytest.raises(UserError, match=r"^the network does not run on an input of 5x8x8: .*\.$"):
        multiply_accumulates(model, (5, 8, 8))
    assert model.training
    assert not model[0]._forward_hooks


def test_counting_leaves_a_part_in_eval_mode_there() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    model[1].eval()
    multiply_accumulates(model, (3, 8, 8))
    assert model[0].training
    assert not model[1].training


def test_a_float64_network_is_counted_too() -> None:
    assert multiply_accumulates(nn.Linear(3, 2).double(), (3,)) == {"weight": 6}
