"""How channels join in networks of many kinds, against wirings written by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.errors import UserError
from pruneexp.network.wiring import Wiring, wiring_of


class Of(nn.Module):
    """A network of named layers and a function of them and the input."""

    def __init__(self, forward: Callable[[Any, torch.Tensor], torch.Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.does = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.does(self, x)


def lists(wiring: Wiring) -> dict[str, tuple[list[int], list[int]]]:
    """(sources, targets) by weight, of weights without groups."""
    return {
        name.removesuffix(".weight"): (wiring.sources[name][0].tolist(), wiring.targets[name].tolist())
        for name in wiring.sources
    }


def test_concatenated_maps_keep_their_channels_and_their_order() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        return net.c(torch.cat([net.a(x), x, net.b(x)], dim=1))

    net = Of(forward, a=nn.Conv2d(2, 3, 1), b=nn.Conv2d(2, 1, 1), c=nn.Conv2d(6, 2, 1))
    got = lists(wiring_of(net, (2, 4, 4)))
    assert got == {"a": ([0, 1], [2, 3, 4]), "b": ([0, 1], [5]), "c": ([2, 3, 4, 0, 1, 5], [6, 7])}


def test_pieces_and_shuffled_channels_are_followed() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        kept, worked = net.a(x).chunk(2, dim=1)
        joined = torch.cat([kept, net.b(worked).relu_()], dim=1)
        n, c, h, w = joined.shape
        shuffled = joined.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return net.c(functional.max_pool2d(shuffled, 2))

    net = Of(forward, a=nn.Conv2d(1, 4, 1), b=nn.Conv2d(2, 2, 1), c=nn.Conv2d(4, 1, 1))
    got = lists(wiring_of(net, (1, 4, 4)))
    assert got == {"a": ([0], [1, 2, 3, 4]), "b": ([3, 4], [5, 6]), "c": ([1, 5, 2, 6], [7])}


def test_a_gate_joins_the_channels_that_it_scales_as_a_skip_does() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        made = net.a(x)
        gate = net.up(functional.relu(net.down(functional.adaptive_avg_pool2d(made, 1)))).sigmoid()
        return net.b(made * gate)

    net = Of(forward, a=nn.Conv2d(1, 2, 1), down=nn.Conv2d(2, 1, 1), up=nn.Conv2d(1, 2, 1), b=nn.Conv2d(2, 1, 1))
    wiring = wiring_of(net, (1, 4, 4))
    assert lists(wiring) == {"a": ([0], [1, 2]), "down": ([1, 2], [3]), "up": ([3], [4, 5]), "b": ([4, 5], [6])}
    assert [(a.tolist(), b.tolist()) for a, b in wiring.skips] == [([1, 2], [4, 5])]
    assert wiring.identified().vertices == 5


def test_a_gate_of_one_channel_scales_all_and_joins_none() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        made = net.a(x)
        return net.b(made * net.gate(made).sigmoid())

    net = Of(forward, a=nn.Conv2d(1, 2, 1), gate=nn.Conv2d(2, 1, 1), b=nn.Conv2d(2, 1, 1))
    wiring = wiring_of(net, (1, 4, 4))
    assert lists(wiring) == {"a": ([0], [1, 2]), "gate": ([1, 2], [3]), "b": ([1, 2], [4])}
    assert wiring.skips == []


def test_a_product_of_a_map_with_itself_joins_nothing() -> None:
    net = Of(lambda net, x: net.b(net.a(x) * torch.sigmoid(net.a(x))), a=nn.Linear(2, 2), b=nn.Linear(2, 1))
    swish = Of(lambda net, x: net.b((y := net.a(x)) * torch.sigmoid(y)), a=nn.Linear(2, 2), b=nn.Linear(2, 1))
    for one in (net, swish):
        assert lists(wiring_of(one, (2,))) == {"a": ([0, 1], [2, 3]), "b": ([2, 3], [4])}


def test_attention_joins_queries_with_keys_and_hands_on_values() -> None:
    def by_hand(net: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).unflatten(-1, (2, 1)).transpose(1, 2) for part in (net.q, net.k, net.v))
        return net.out(((q @ k.transpose(-2, -1)).softmax(-1) @ v).transpose(1, 2).flatten(2))

    def as_one(net: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).unflatten(-1, (2, 1)).transpose(1, 2) for part in (net.q, net.k, net.v))
        return net.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def summed(net: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).unflatten(-1, (2, 1)) for part in (net.q, net.k, net.v))
        seen = torch.einsum("b i h d, b j h d -> b h i j", q, k).softmax(-1)
        return net.out(torch.einsum("bhij,bjhd->bihd", seen, v).flatten(2))

    for forward in (by_hand, as_one, summed):
        net = Of(forward, **{name: nn.Linear(2, 2) for name in ("q", "k", "v", "out")})
        got = lists(wiring_of(net, (5, 2)))
        assert got == {"q": ([0, 1], [2, 3]), "k": ([0, 1], [2, 3]), "v": ([0, 1], [4, 5]), "out": ([4, 5], [6, 7])}


def test_a_sum_over_one_index_is_the_product_that_it_says() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nic,nkc->nik", net.a(x), net.b(x))

    net = Of(forward, a=nn.Linear(3, 2), b=nn.Linear(3, 2))
    assert lists(wiring_of(net, (4, 3))) == {"a": ([0, 1, 2], [3, 4]), "b": ([0, 1, 2], [3, 4])}


def test_tokens_beside_a_class_token_are_read_as_the_same_channels() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.token, self.place = (
                nn.Conv2d(1, 3, 2, stride=2),
                nn.Parameter(torch.zeros(1, 1, 3)),
                nn.Parameter(torch.ones(1, 5, 3)),
            )
            self.norm, self.head = nn.LayerNorm(3), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = torch.cat([self.token.expand(len(x), -1, -1), self.embed(x).flatten(2).transpose(1, 2)], dim=1)
            return self.head(self.norm(tokens + self.place)[:, 0] + tokens.mean(1))

    got = lists(wiring_of(Tokens(), (1, 4, 4)))
    assert got == {"embed": ([0], [1, 2, 3]), "head": ([1, 2, 3], [4, 5])}


def test_maps_side_by_side_share_the_channels_that_a_layer_reads() -> None:
    net = Of(
        lambda net, x: net.c(torch.cat([net.a(x), net.b(x)], dim=1)),
        a=nn.Linear(1, 2),
        b=nn.Linear(1, 2),
        c=nn.Linear(2, 1),
    )
    assert lists(wiring_of(net, (3, 1))) == {"a": ([0], [1, 2]), "b": ([0], [1, 2]), "c": ([1, 2], [3])}


def test_a_layer_used_twice_joins_the_same_channels_each_time() -> None:
    net = Of(lambda net, x: net.b(net.a(net.a(x))), a=nn.Linear(2, 2), b=nn.Linear(2, 1))
    assert lists(wiring_of(net, (2,))) == {"a": ([0, 1], [0, 1]), "b": ([0, 1], [2])}


def test_a_layer_that_nothing_leads_through_has_vertices_of_its_own() -> None:
    net = Of(lambda net, x: net.a(x), a=nn.Linear(2, 1), idle=nn.Linear(3, 1))
    assert lists(wiring_of(net, (2,))) == {"a": ([0, 1], [2]), "idle": ([3, 4, 5], [6])}


def test_groups_and_flattening() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 1, groups=2), nn.Flatten(), nn.Linear(8, 1))
    wiring = wiring_of(net, (1, 2, 2))
    assert wiring.sources["1.weight"].tolist() == [[1, 2], [3, 4]]
    assert wiring.sources["3.weight"].tolist() == [[5, 5, 5, 5, 6, 6, 6, 6]]


def test_flattening_by_size() -> None:
    net = Of(lambda net, x: net.b(torch.relu(net.a(x)).view(x.size(0), -1)), a=nn.Conv2d(1, 2, 1), b=nn.Linear(8, 1))
    assert lists(wiring_of(net, (1, 2, 2))) == {"a": ([0], [1, 2]), "b": ([1, 1, 1, 1, 2, 2, 2, 2], [3])}


def test_a_convolution_of_one_image_without_a_batch() -> None:
    net = Of(lambda net, x: net.b(net.a(x[0]))[None], a=nn.Conv2d(2, 3, 1), b=nn.Conv2d(3, 1, 1))
    assert lists(wiring_of(net, (2, 5, 4))) == {"a": ([0, 1], [2, 3, 4]), "b": ([2, 3, 4], [5])}


def test_what_is_made_like_an_activation_is_a_constant_still() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        return net.b(torch.cat([net.a(x), torch.zeros(1, 2).type_as(x)], dim=1))

    got = lists(wiring_of(Of(forward, a=nn.Linear(2, 2), b=nn.Linear(4, 1)), (2,)))
    assert got == {"a": ([0, 1], [2, 3]), "b": ([2, 3, 4, 5], [6])}


def test_what_is_written_in_place_is_what_is_read_afterwards() -> None:
    def forward(net: Any, x: torch.Tensor) -> torch.Tensor:
        made = net.a(x)
        made.add_(net.b(x)).relu_()
        return net.c(made)

    net = Of(forward, a=nn.Linear(1, 2), b=nn.Linear(1, 2), c=nn.Linear(2, 1))
    assert lists(wiring_of(net, (1,))) == {"a": ([0], [1, 2]), "b": ([0], [1, 2]), "c": ([1, 2], [3])}


def test_patches_cut_by_views_are_inputs_of_their_own() -> None:
    net = Of(lambda net, x: net.a(x.unfold(1, 2, 2)), a=nn.Linear(2, 1))
    assert lists(wiring_of(net, (6,))) == {"a": ([0, 1], [2])}


@pytest.mark.parametrize("layer", [nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Conv3d(2, 3, 3), nn.Linear(2, 3)])
def test_without_a_shape_the_first_usual_one_is_taken(layer: nn.Module) -> None:
    assert lists(wiring_of(nn.Sequential(layer, nn.ReLU())))["0"] == ([0, 1], [2, 3, 4])


def test_what_a_flattened_network_needs_is_found_without_a_shape() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 9 * 9, 1))
    assert wiring_of(net).vertices == 4


class Standardised(nn.Linear):
    """As networks without normalisation have them: a pruned weight is none once the mean is taken off."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, (self.weight - self.weight.mean()).reshape_as(self.weight), self.bias)


class Scaled(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, torch.tanh(self.weight * 0.5), self.bias)


def test_a_weight_that_is_scaled_keeps_its_zeros_and_its_place() -> None:
    assert lists(wiring_of(nn.Sequential(Scaled(2, 2), nn.Linear(2, 1)), (2,))) == {
        "0": ([0, 1], [2, 3]),
        "1": ([2, 3], [4]),
    }


def write_into_a_view(net: Any, x: torch.Tensor) -> torch.Tensor:
    made = net.a(x)
    made[:, :2].add_(net.b(x))
    return net.c(made)


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mixing = nn.Linear(3, 3), nn.ModuleDict({"tokens": nn.Linear(5, 5)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mixing["tokens"](self.embed(x).transpose(1, 2))


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (Mixer(), (5, 3), r"^the channel graph has no meaning for linear in mixing.tokens: it mixes positions"),
        (nn.Sequential(nn.Linear(3, 2), nn.LSTM(2, 2)), (4, 3), r"^the channel graph has no meaning for lstm in 1\.$"),
        (
            Of(lambda net, x: net.a(x) @ torch.ones(2, 3), a=nn.Linear(3, 2)),
            (3,),
            "no meaning for matmul: it multiplies by a constant, which is no prunable weight",
        ),
        (
            Of(lambda net, x: functional.linear(x, net.a(x)), a=nn.Linear(3, 3)),
            (3,),
            "its weight is computed from activations",
        ),
        (
            Of(lambda net, x: functional.linear(x, net.a.weight, net.b(x)[0]), a=nn.Linear(3, 3), b=nn.Linear(3, 3)),
            (3,),
            "its bias is computed from activations",
        ),
        (
            Of(lambda net, x: net.a(x) if x.sum() > 0 else -net.a(x), a=nn.Linear(3, 3)),
            (3,),
            "^torch.export cannot follow this network: ",
        ),
        (
            nn.Sequential(Standardised(3, 3)),
            (3,),
            r"for linear in 0: its weight is computed from 0\.weight and does not keep its zeros\.$",
        ),
        (
            Of(write_into_a_view, a=nn.Linear(3, 4), b=nn.Linear(3, 2), c=nn.Linear(4, 1)),
            (3,),
            "for add_: it writes into what is used under another name too",
        ),
        (
            Of(lambda net, x: functional.layer_norm(net.a(x), (3,), net.b(x)[0]), a=nn.Linear(3, 3), b=nn.Linear(3, 3)),
            (3,),
            "for layer_norm: it takes an activation where a constant belongs",
        ),
        (
            Of(lambda net, x: torch.addmm(net.b(x), x, net.a.weight.t()), a=nn.Linear(3, 3), b=nn.Linear(3, 3)),
            (3,),
            "for addmm: it adds activations too",
        ),
        (nn.Linear(3, 2), (4,), "^the network does not run on an input of 4: "),
    ],
)
def test_what_has_no_meaning_is_refused_by_its_name(net: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        wiring_of(net, shape)


def test_no_usual_shape_that_fits_is_said() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(70 * 70, 1))
    with pytest.raises(UserError, match="runs on no input of a usual shape"):
        wiring_of(net)


def test_a_network_is_left_in_its_mode_and_silent(capfd: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).train()
    with torch.no_grad():
        wiring_of(net, (3,))
    assert net.training
    assert net[1].training
    assert int(net[1].get_buffer("num_batches_tracked")) == 0
    assert capfd.readouterr() == ("", "")


def test_a_gated_linear_unit_is_a_gate() -> None:
    net = Of(lambda net, x: net.b(functional.glu(net.a(x), dim=-1)), a=nn.Linear(2, 4), b=nn.Linear(2, 1))
    assert lists(wiring_of(net, (2,))) == {"a": ([0, 1], [2, 3, 2, 3]), "b": ([2, 3], [4])}


def test_an_activation_by_hand_passes() -> None:
    def leaky(net: Any, x: torch.Tensor) -> torch.Tensor:
        y = net.a(x)
        return net.b(torch.where((y > 0) & ~torch.isnan(y), y, 0.1 * y))

    net = Of(leaky, a=nn.Linear(2, 2), b=nn.Linear(2, 1))
    assert lists(wiring_of(net, (2,))) == {"a": ([0, 1], [2, 3]), "b": ([2, 3], [4])}
