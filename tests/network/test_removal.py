"""Coupled channels and their removal: by hand on small networks, and against the masked network on random ones."""

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from pruneexp.errors import UserError
from pruneexp.models.resnet import ResNet, resnet_cifar
from pruneexp.network.cost import multiply_accumulates
from pruneexp.network.coupling import Coupled, coupled
from pruneexp.network.masks import Masks, apply_masks
from pruneexp.network.prunable import as_stored, outputs_first, prunable, prunable_layers
from pruneexp.network.removal import neuron_masks, remove
from tests.properties import PROPERTY

SHAPE = (3, 8, 8)


class Block(nn.Module):
    """A shortcut, an addition, a product: h + s * conv(h), s from the means of h, as in squeeze and excitation."""

    def __init__(self, channels: int, depthwise: bool = False, squeeze: int = 0) -> None:
        super().__init__()
        groups = channels if depthwise else 1
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.down = nn.Conv2d(channels, squeeze, 1) if squeeze else None
        self.up = nn.Conv2d(squeeze, channels, 1) if squeeze else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = torch.relu(self.bn(self.conv(x)))
        if self.down is not None and self.up is not None:
            out = out * torch.sigmoid(self.up(torch.relu(self.down(out.mean((2, 3), keepdim=True)))))
        return x + out


def plain() -> nn.Sequential:
    """A convolution with BatchNorm, one with a bias, flattening to 2x2 positions a channel, two linear layers."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 4),
    )  # fmt: skip


def mobile() -> nn.Sequential:
    """As EfficientNet: expansion, a depthwise convolution, squeeze and excitation, a shortcut."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), Block(6, depthwise=True, squeeze=3),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )  # fmt: skip


class Joined(nn.Module):
    """Two convolutions side by side: what reads them has columns of both."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 6, 3, padding=1)
        self.bn, self.reader, self.fc = nn.BatchNorm2d(10), nn.Conv2d(10, 5, 3), nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = torch.relu(self.bn(torch.cat([self.left(x), self.right(x)], dim=1)))
        return self.fc(torch.relu(self.reader(both)).mean((2, 3)))


def resnet() -> ResNet:
    """Shortcuts without weights in the first stage, and with in the two others."""
    return ResNet([2, 1, 1], [4, 6, 8], 4, 3)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": plain,
    "mobile": mobile,
    "joined": Joined,
    "resnet": resnet,
}
every_network = pytest.mark.parametrize("kind", sorted(NETWORKS))


def trained(network: nn.Module, seed: int = 0) -> nn.Module:
    """In float64 and eval mode, every number random: weights, biases, BatchNorm's scales, shifts and statistics."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double().eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(
                    torch.randn(value.shape, generator=generator, dtype=torch.float64) / max(value[0].numel(), 1) ** 0.5
                )
            if name.endswith("running_var"):
                value.abs_().add_(0.1)
    return network


def some_kept(groups: list[Coupled], seed: int, share: float = 0.5) -> list[torch.Tensor]:
    """At least one channel of each group."""
    generator, kept = torch.Generator().manual_seed(seed), []
    for group in groups:
        stays = torch.rand(group.channels, generator=generator) < share
        stays[int(torch.randint(group.channels, (), generator=generator))] = True
        kept.append(stays)
    return kept


def halves(network: nn.Module, seed: int = 0, input_shape: tuple[int, ...] = SHAPE) -> Masks:
    groups = coupled(network, input_shape)
    return neuron_masks(groups, some_kept(groups, seed), prunable(network))


def masked(network: nn.Module, masks: Masks) -> nn.Module:
    network = copy.deepcopy(network)
    apply_masks(network, masks)
    return network


def images(count: int = 5, input_shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(count, *input_shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def places(some: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, list[list[int]]]:
    return {name: [rows.tolist(), channels.tolist()] for name, (rows, channels) in some.items()}


# groups


def test_a_plain_network_has_a_group_for_each_layer_but_the_last_and_flattening_gives_a_channel_four_columns() -> None:
    first, second, third = sorted(coupled(plain(), SHAPE), key=lambda group: group.channels)
    assert (first.channels, second.channels, third.channels) == (4, 5, 6)
    assert places(first.outputs) == {"0.weight": [list(range(4))] * 2}
    assert places(first.inputs) == {"4.weight": [list(range(4))] * 2}
    assert places(second.outputs) == {"4.weight": [list(range(5))] * 2}
    assert places(second.inputs) == {"8.weight": [list(range(20)), [channel for channel in range(5) for _ in range(4)]]}
    assert places(third.outputs) == {"8.weight": [list(range(6))] * 2}
    assert places(third.inputs) == {"10.weight": [list(range(6))] * 2}


def test_the_residual_stream_of_each_stage_of_resnet20_is_one_group_of_several_layers() -> None:
    groups = coupled(resnet_cifar(10, (3, 16, 16), 20), (3, 16, 16))
    streams = [group for group in groups if len(group.outputs) > 1]
    inner = [group for group in groups if len(group.outputs) == 1]
    assert sorted(group.channels for group in streams) == [16, 32, 64]
    assert sorted(group.channels for group in inner) == [16] * 3 + [32] * 3 + [64] * 3
    by_size = {group.channels: group for group in streams}
    assert set(by_size[16].outputs) == {"conv.weight", *(f"blocks.{k}.conv2.weight" for k in (0, 1, 2))}
    assert set(by_size[16].inputs) == {f"blocks.{k}.conv1.weight" for k in (0, 1, 2, 3)} | {
        "blocks.3.shortcut.0.weight"
    }
    assert set(by_size[32].outputs) == {"blocks.3.shortcut.0.weight", *(f"blocks.{k}.conv2.weight" for k in (3, 4, 5))}
    assert set(by_size[64].inputs) == {"blocks.7.conv1.weight", "blocks.8.conv1.weight", "fc.weight"}
    for group in inner:
        (output,), (reader,) = group.outputs, group.inputs
        assert output.removesuffix("conv1.weight") == reader.removesuffix("conv2.weight")


def test_a_depthwise_convolution_goes_with_what_it_filters_and_its_squeeze_is_a_group_of_its_own() -> None:
    squeeze, stream = sorted(coupled(mobile(), SHAPE), key=lambda group: group.channels)
    assert set(squeeze.outputs) == {"2.down.weight"}
    assert set(squeeze.inputs) == {"2.up.weight"}
    assert set(stream.outputs) == {"0.weight", "2.conv.weight", "2.up.weight"}
    assert set(stream.inputs) == {"2.down.weight", "5.weight"}
    assert (squeeze.channels, stream.channels) == (3, 6)


@pytest.mark.parametrize(
    ("kind", "images"),
    [("plain", ["0"]), ("mobile", ["0", "2.conv"]), ("joined", ["left", "right"]), ("resnet", ["conv"])],
)
def test_the_groups_hold_every_row_but_the_classes_and_every_column_but_the_images_once(
    kind: str, images: list[str]
) -> None:
    """Of a depthwise convolution the only column is no channel."""
    network = NETWORKS[kind]()
    last = list(prunable(network))[-1]
    rows = {name: torch.zeros(weight.shape[0]) for name, weight in prunable(network).items()}
    columns = {name: torch.zeros(weight.shape[1]) for name, weight in prunable(network).items()}
    for group in coupled(network, SHAPE):
        for counted, some in ((rows, group.outputs), (columns, group.inputs)):
            for name, (index, channels) in some.items():
                counted[name][index] += 1
                assert channels.unique().tolist() == list(range(group.channels))
    assert all((count == (name != last)).all() for name, count in rows.items())
    assert all((count == (name.removesuffix(".weight") not in images)).all() for name, count in columns.items())


# removal


@every_network
@pytest.mark.parametrize("seed", range(2))
def test_the_smaller_network_gives_the_masked_ones_outputs_with_batchnorm_biases_and_shortcuts(
    kind: str, seed: int
) -> None:
    network = trained(NETWORKS[kind](), seed)
    masks = halves(network, seed)
    smaller = remove(network, masks, SHAPE)
    want = masked(network, masks)(images())
    assert want.std() > 1e-3
    torch.testing.assert_close(smaller(images()), want, rtol=1e-9, atol=1e-12)
    kept = {name: int(mask.sum()) for name, mask in masks.items()}
    assert {name: weight.numel() for name, weight in prunable(smaller).items()} == kept


def test_parameters_and_shapes_by_hand() -> None:
    network = trained(plain())
    groups = sorted(coupled(network, SHAPE), key=lambda group: group.channels)
    kept = [torch.tensor([True, False, True, True]), torch.tensor([False, True, False, False, True]), torch.ones(6) > 0]
    smaller = remove(network, neuron_masks(groups, kept, prunable(network)), SHAPE)
    assert [tuple(weight.shape) for weight in prunable(smaller).values()] == [
        (3, 3, 3, 3),
        (2, 3, 3, 3),
        (6, 8),
        (4, 6),
    ]
    # BatchNorm's scale and shift, the second convolution's bias, and the linear layers'
    assert sum(p.numel() for p in smaller.parameters()) == 81 + 6 + (54 + 2) + (48 + 6) + (24 + 4)
    assert smaller[1].get_buffer("running_mean").shape == (3,)  # type: ignore[index]
    assert torch.equal(prunable(smaller)["4.weight"], prunable(network)["4.weight"][[1, 4]][:, [0, 2, 3]])
    assert torch.equal(prunable(smaller)["8.weight"], prunable(network)["8.weight"][:, [*range(4, 8), *range(16, 20)]])


@every_network
def test_the_macs_of_the_smaller_network_are_those_of_the_dense_one_times_each_layers_density(kind: str) -> None:
    network = NETWORKS[kind]()
    masks = halves(network)
    dense = multiply_accumulates(network, SHAPE)
    assert multiply_accumulates(remove(network, masks, SHAPE), SHAPE) == {
        name: round(macs * int(masks[name].sum()) / masks[name].numel()) for name, macs in dense.items()
    }


@every_network
def test_the_model_is_left_as_it_was_and_the_smaller_one_has_its_modes(kind: str) -> None:
    network = NETWORKS[kind]()
    network.train()
    frozen = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    frozen.eval()
    first, *_ = network.parameters()
    first.grad = torch.full_like(first, 3.0)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    random = torch.random.get_rng_state()
    smaller = remove(network, halves(network), SHAPE)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert [m.training for m in network.modules()] == [m is not frozen for m in network.modules()]
    assert [m.training for m in smaller.modules()] == [m.training for m in network.modules()]
    assert torch.equal(first.grad, torch.full_like(first, 3.0))
    assert all(parameter.grad is None for parameter in list(network.parameters())[1:])
    assert all(parameter.requires_grad for parameter in smaller.parameters())
    assert not any(
        module._forward_hooks or module._forward_pre_hooks for module in [*network.modules(), *smaller.modules()]
    )
    assert torch.equal(torch.random.get_rng_state(), random)


def test_masks_that_keep_everything_give_a_copy_and_layers_without_a_mask_keep_everything() -> None:
    network = trained(plain())
    for masks in ({}, {name: torch.ones(weight.shape) > 0 for name, weight in prunable(network).items()}):
        same = remove(network, masks, SHAPE)
        assert same is not network
        assert torch.equal(same(images()), network(images()))
    rows = halves(network)
    partly = {name: rows[name] for name in ("0.weight", "4.weight", "8.weight", "10.weight")}
    assert torch.equal(remove(network, partly, SHAPE)(images()), remove(network, rows, SHAPE)(images()))


def test_the_smaller_network_learns_on() -> None:
    network = remove(resnet(), halves(resnet()), SHAPE).train()
    network(images().float()).sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.shape == parameter.shape for parameter in network.parameters()
    )


@st.composite
def random_networks(draw: st.DrawFn) -> nn.Sequential:
    """Convolutions, shortcuts, pooling, with and without BatchNorm, flattened or averaged, one or two linear layers."""
    layers: list[nn.Module] = []
    channels, side = 3, 8
    for _ in range(draw(st.integers(1, 3))):
        width = draw(st.integers(1, 6))
        size = draw(st.sampled_from([1, 3]))
        layers.append(nn.Conv2d(channels, width, size, padding=1, bias=draw(st.booleans())))
        side += 3 - size
        channels = width
        if draw(st.booleans()):
            layers.append(nn.BatchNorm2d(channels))
        layers.append(draw(st.sampled_from([nn.ReLU, nn.SiLU, nn.Tanh]))())
        if draw(st.booleans()):
            layers.append(Block(channels, draw(st.booleans()), draw(st.integers(0, 2))))
        if draw(st.booleans()):
            layers.append(nn.MaxPool2d(2) if draw(st.booleans()) else nn.AvgPool2d(2))
            side //= 2
    if draw(st.booleans()):
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        side = 1
    else:
        layers.append(nn.Flatten())
    features = channels * side * side
    if draw(st.booleans()):
        hidden = draw(st.integers(1, 6))
        layers += [nn.Linear(features, hidden), nn.ReLU()]
        features = hidden
    return nn.Sequential(*layers, nn.Linear(features, 3))


@settings(PROPERTY, max_examples=10)
@given(network=random_networks(), seed=st.integers(0, 1000), share=st.floats(0.0, 1.0))
def test_any_small_network_without_some_channels_gives_the_outputs_with_them_masked(
    network: nn.Sequential, seed: int, share: float
) -> None:
    trained(network, seed)
    groups = coupled(network, SHAPE)
    masks = neuron_masks(groups, some_kept(groups, seed, share), prunable(network))
    smaller = remove(network, masks, SHAPE)
    torch.testing.assert_close(smaller(images(3)), masked(network, masks)(images(3)), rtol=1e-8, atol=1e-10)
    assert {name: weight.numel() for name, weight in prunable(smaller).items()} == {
        name: int(mask.sum()) for name, mask in masks.items()
    }


# what is refused


def test_masks_that_are_not_of_neurons_are_refused() -> None:
    network = plain()
    masks = halves(network)
    whole = {name: torch.ones_like(mask) for name, mask in masks.items()}
    single = whole["4.weight"].clone()
    single[1, 2, 0, 0] = False
    rows = whole["4.weight"].clone()
    rows[1] = False
    classes = whole["10.weight"].clone()
    classes[0] = False
    columns = whole["4.weight"].clone()
    columns[:, 1] = False
    for name, mask in (("4", single), ("4", rows), ("10", classes), ("4", columns)):
        with pytest.raises(UserError, match=r"^the mask of \d+\.weight is not one of whole neurons, [^.]*\.$"):
            remove(network, whole | {f"{name}.weight": mask}, SHAPE)


def test_a_channel_that_only_one_of_two_coupled_layers_prunes_is_refused() -> None:
    network = resnet()
    masks = halves(network)
    masks["blocks.0.conv2.weight"] = torch.ones_like(masks["blocks.0.conv2.weight"])
    with pytest.raises(UserError, match=r"the mask of blocks\.0\.conv2\.weight is not one of whole neurons"):
        remove(network, masks, SHAPE)


def test_masks_that_leave_no_neuron_or_are_of_another_network_are_refused() -> None:
    network = plain()
    groups = coupled(network, SHAPE)
    kept = [torch.ones(group.channels) > 0 for group in groups]
    kept[0][:] = False
    with pytest.raises(UserError, match=r"^the masks leave no neuron of \d\.weight\.$"):
        remove(network, neuron_masks(groups, kept, prunable(network)), SHAPE)
    with pytest.raises(UserError, match="there is no prunable weight 'other'"):
        remove(network, {"other": torch.ones(3, 3) > 0}, SHAPE)


class Forward(nn.Module):
    """A network of convolutions a, b and a linear layer, joined in a way of its own."""

    def __init__(
        self, join: Callable[["Forward", torch.Tensor], torch.Tensor], readers: int = 8, **options: int
    ) -> None:
        super().__init__()
        self.join = join
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(readers, 8, 3, padding=1, **options)  # type: ignore[arg-type]
        self.fc = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.join(self, x).mean((2, 3)))


class OwnWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)
        self.weight = nn.Parameter(torch.randn(8, 8, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(functional.conv2d(self.a(x), self.weight).mean((2, 3)))


class ChannelsLast(nn.Module):
    """Flattened with the channels innermost, where channel k's columns are k, k + 8, ..."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(512, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.a(x)).permute(0, 2, 3, 1).flatten(1))


def without_gradients(network: Forward, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        x = network.a(x)
    return network.b(x)


def halves_multiplied(network: Forward, x: torch.Tensor) -> torch.Tensor:
    first, second = network.a(x).chunk(2, 1)
    return network.b(first * second)


class OwnParameters(nn.Module):
    """A scale for each channel, shifts shared by two of its uses, PReLU, InstanceNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)
        self.scale, self.shift = nn.Parameter(torch.randn(8, 1, 1)), nn.Parameter(torch.randn(1, 8))
        self.prelu, self.norm = nn.PReLU(8), nn.InstanceNorm2d(8, affine=True, track_running_stats=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.prelu(self.a(x) * self.scale)) + self.shift[0, :, None, None]
        return self.fc(x.mean((2, 3)) - self.shift)


class Transposed(nn.Module):
    """Transposed convolutions, one of them depthwise with two filters a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.up = nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.depthwise, self.fc = nn.ConvTranspose2d(6, 12, 3, groups=6), nn.Linear(12, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.depthwise(torch.relu(self.up(torch.relu(self.a(x))))).mean((2, 3)))


class PaddedShortcut(nn.Module):
    """The shortcut without weights of He et al. (2016): zeros for the channels that are new, which have to stay."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.a(x))
        return self.fc((self.b(x) + functional.pad(x, (0, 0, 0, 0, 2, 2))).mean((2, 3)))


class Shared(nn.Module):
    """One convolution used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.b(torch.relu(self.b(torch.relu(self.a(x))))).mean((2, 3)))


class SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.gate, self.fc = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 1, 3, padding=1), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        return self.fc((x * torch.sigmoid(self.gate(x)) + self.gate(x)).mean((2, 3)))


class FlattenedBySize(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc = nn.Conv2d(3, 8, 7), nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(self.a(x)).view(x.size(0), -1))


class BesideItsLayer(nn.Module):
    """One product, of a layer's weight, to which a bias of the network's own is added."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc, self.bias = nn.Linear(192, 8, bias=False), nn.Linear(8, 4), nn.Parameter(torch.randn(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.relu(torch.addmm(self.bias, x.flatten(1), self.a.weight.t())))


class SeveralOutputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.first, self.second = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.a(x).mean((2, 3))
        return {"first": self.first(x), "second": self.second(x)}


class OneDimension(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv1d(3, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.Conv1d(6, 5, 3), nn.AdaptiveAvgPool1d(2), nn.Flatten(),
            nn.Linear(10, 4),
        )  # fmt: skip


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(1)


WORKING: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "no gradients": (lambda: Forward(without_gradients), {"a.weight", "b.weight"}),
    "unused": (lambda: Forward(lambda n, x: n.a(x)), {"a.weight"}),
    "channels innermost": (ChannelsLast, {"a.weight"}),
    "halves multiplied": (lambda: Forward(halves_multiplied, readers=4), {"b.weight"}),
    "added": (lambda: Forward(lambda n, x: n.a(x) + n.b(x), readers=3), {"a.weight", "b.weight"}),
    "its own parameters": (OwnParameters, {"a.weight"}),
    "transposed": (Transposed, {"a.weight", "up.weight", "depthwise.weight"}),
    "padded shortcut": (PaddedShortcut, {"a.weight", "b.weight"}),
    "flattened by size": (FlattenedBySize, {"a.weight"}),
    "a bias beside its layer": (BesideItsLayer, {"a.weight"}),
    "a gate of one channel": (SpatialGate, {"a.weight"}),
    "shared": (Shared, {"a.weight", "b.weight"}),
    "several outputs": (SeveralOutputs, {"a.weight"}),
    "one dimension": (OneDimension, {"0.weight", "3.weight"}),
}


@pytest.mark.parametrize("kind", sorted(WORKING))
def test_channels_go_from_networks_that_join_in_ways_of_their_own(kind: str) -> None:
    make, outputs = WORKING[kind]
    network = trained(make())
    shape = (3, 20) if kind == "one dimension" else SHAPE
    groups = coupled(network, shape)
    assert {name for group in groups for name in group.outputs} == outputs
    weights = {
        name: outputs_first(module, prunable(network)[name]) for name, module in prunable_layers(network).items()
    }
    turned = neuron_masks(groups, some_kept(groups, 1), weights)
    masks = {name: as_stored(module, turned[name]) for name, module in prunable_layers(network).items()}
    smaller = remove(network, masks, shape)
    got, want = (one(images(3, shape)) for one in (smaller, masked(network, masks)))
    for one, other in zip(*(x.values() if isinstance(x, dict) else [x] for x in (got, want)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)
    assert {name: weight.numel() for name, weight in prunable(smaller).items()} == {
        name: int(mask.sum()) for name, mask in masks.items()
    }
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in network.parameters())


class Token(nn.Module):
    """A parameter beside the positions, as wide as there are channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc, self.token = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.cat([self.token, self.a(x).flatten(2).transpose(1, 2)], dim=1).mean(1))


class Looked(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(192, 8), nn.Embedding(5, 3), nn.Flatten(), nn.Linear(24, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self[4](self[3](self[2](x.flatten(1)[:, :8].long())))


STAYING: dict[str, Callable[[], nn.Module]] = {
    "grouped": lambda: Forward(lambda n, x: n.b(n.a(x)), groups=4),
    "own weight": OwnWeight,
    "looked up": Looked,
    "nothing to remove": lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 4)),
    "given out": lambda: nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten()),
    "shuffled": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.PixelShuffle(2), nn.Flatten(), nn.Linear(288, 4)),
    "counted": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ChannelShuffle(2), nn.Flatten(), nn.Linear(288, 4)),
    "normalised over channels": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 8), nn.Flatten(), nn.LayerNorm(8), nn.Linear(8, 4)
    ),
    "softmax over channels": lambda: nn.Sequential(nn.Conv2d(3, 8, 8), nn.Softmax(1), nn.Flatten(), nn.Linear(8, 4)),
    "beside a parameter": Token,
    "mean over channels": lambda: nn.Sequential(nn.Conv2d(3, 8, 8), nn.Flatten(2), Mean(), nn.Linear(1, 4)),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(STAYING))
def test_channels_that_something_compares_counts_or_gives_out_are_not_offered(kind: str) -> None:
    with pytest.raises(UserError, match=r"^no channel of this network can be removed: [^\n]*\.$"):
        coupled(STAYING[kind](), SHAPE)


def test_a_network_that_does_not_run_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match=r"^the network does not run on an input of 3x8x8: .*\.$"):
        coupled(Forward(lambda n, x: n.b(x)), SHAPE)


def test_a_removal_that_would_change_the_outputs_is_refused_and_not_left_for_the_accuracy_to_show() -> None:
    network = trained(Forward(lambda n, x: n.b(n.a(x).reshape(-1, 8, 8, 8))))
    with pytest.raises(UserError, match=r"it ties them in a way that was not traced[^.]*\.$"):
        remove(network, halves(network), SHAPE)
