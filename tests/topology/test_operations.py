"""Whatever a network does with its channels: the graph's paths are what its outputs depend on.

The output of a network of layers alone with positive weights has, by each input, the derivative that is the sum over all paths of
the products of their weights. With activations, gates and attention a derivative is nonzero just where there is a path.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn
from torch.nn import functional

from pruneexp.network.masks import Masks
from pruneexp.network.plain import plain
from pruneexp.network.prunable import prunable
from pruneexp.topology import measure
from pruneexp.topology.adjacency import Adjacency, placed
from pruneexp.topology.edges import directed, listed
from pruneexp.topology.encoding import Graph
from pruneexp.topology.tracing import encode
from pruneexp.topology.two_hops import two_hops, two_hops_by_edges
from tests.topology.networks import random_masks, same

Forward = Callable[[Any, torch.Tensor], Any]
IMAGE = (2, 4, 4)


class Written(nn.Module):
    """Modules by name and any forward pass."""

    def __init__(self, forward: Forward, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.how = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self.how(self, x)


def attention(m: Any, x: torch.Tensor, scores: Callable[[torch.Tensor], torch.Tensor] = lambda s: s) -> torch.Tensor:
    """Two heads of tokens [n, t, 4] by one linear layer for queries, keys and values, spelled out."""
    n, t, d = x.shape
    q, k, v = m.qkv(x).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4).unbind(0)
    weights = scores(q @ k.transpose(-2, -1) * 0.7).softmax(-1)
    mixed: torch.Tensor = m.project((weights @ v).transpose(1, 2).reshape(n, t, d))
    return mixed


def channels_attend(m: Any, x: torch.Tensor) -> torch.Tensor:
    n, t, d = x.shape
    q, k, v = m.qkv(x).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 4, 1).unbind(0)
    q, k = functional.normalize(q, dim=-1), functional.normalize(k, dim=-1)
    mixed = ((q @ k.transpose(-2, -1)).softmax(-1) @ v).permute(0, 3, 1, 2).reshape(n, t, d)
    return m.project(mixed)


def linear_attention(m: Any, x: torch.Tensor) -> torch.Tensor:
    n, t, d = x.shape
    q, k, v = m.qkv(x).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4).unbind(0)
    mixed = q.sigmoid() @ (k.softmax(-2).transpose(-2, -1) @ v)
    return m.project(mixed.transpose(1, 2).reshape(n, t, d))


def windows(x: torch.Tensor) -> torch.Tensor:
    """[n, 4, 4, c] -> [4 n, 4, c]: shifted windows of 2x2."""
    n, _, _, c = x.shape
    return x.roll((-1, -1), (1, 2)).view(n, 2, 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)


def unwindowed(x: torch.Tensor) -> torch.Tensor:
    c = x.shape[-1]
    return x.view(-1, 2, 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, 4, c).roll((1, 1), (1, 2))


def shuffled(x: torch.Tensor, groups: int) -> torch.Tensor:
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def tokens(m: Any, x: torch.Tensor) -> torch.Tensor:
    """[n, 2, 4, 4] -> [n, 4, 4], 2x2 patches."""
    patches: torch.Tensor = m.a(x).flatten(2).transpose(1, 2)
    return patches


def with_class(m: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([m.c.weight[:1].expand(len(x), -1, -1), tokens(m, x)], 1)


def dense_block(m: Any, x: torch.Tensor) -> torch.Tensor:
    x = torch.cat([x, m.a(x)], 1)
    x = torch.cat([x, m.b(x)], 1)
    return m.d(x)


def summand_again(first: bool) -> Forward:
    def forward(m: Any, x: torch.Tensor) -> Any:
        y, z = m.a(x), m.b(x)
        return m.d(y + z) + m.c(y if first else z)

    return forward


def patch() -> nn.Module:
    return nn.Conv2d(2, 4, 2, stride=2)


def attending(forward: Forward, **more: nn.Module) -> nn.Module:
    return Written(forward, a=patch(), qkv=nn.Linear(4, 12), project=nn.Linear(4, 4), f=nn.Linear(4, 2), **more)


C, L = nn.Conv2d, nn.Linear
# networks without activations, all of whose weights are positive: derivatives are sums over paths
LINEAR: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "concatenation": (
        lambda: Written(lambda m, x: m.d(torch.cat([m.a(x), m.b(x)], 1)), a=same(2), b=same(2, 3), d=same(5, 2)),
        IMAGE,
    ),
    "channels twice": (
        lambda: Written(lambda m, x: m.d(torch.cat([y := m.a(x), y], 1)), a=same(2), d=same(4, 2)),
        IMAGE,
    ),
    "dense block": (lambda: Written(dense_block, a=same(2), b=same(4, 2), d=same(6, 2)), IMAGE),
    "split": (
        lambda: Written(lambda m, x: m.d(m.b(m.a(x).chunk(2, 1)[1])), a=same(2, 4), b=same(2), d=C(2, 1, 4)),
        IMAGE,
    ),
    "shuffle": (
        lambda: Written(lambda m, x: m.b(shuffled(m.a(x), 2)), a=C(2, 4, 3, groups=2), b=C(4, 4, 2, groups=2)),
        IMAGE,
    ),
    "torch's shuffle": (lambda: nn.Sequential(same(2, 4), nn.ChannelShuffle(2), C(4, 2, 3, groups=2)), IMAGE),
    "pixel shuffle": (lambda: nn.Sequential(same(2, 4), nn.PixelShuffle(2), C(1, 2, 3, stride=2)), IMAGE),
    "mixed positions": (
        lambda: Written(
            lambda m, x: m.d(m.f(m.a(x).flatten(2)).unflatten(2, (3, 2))), a=same(2), f=L(16, 6), d=C(2, 2, 2)
        ),
        IMAGE,
    ),
    "pixel unshuffle": (lambda: nn.Sequential(same(2), nn.PixelUnshuffle(2), C(8, 2, 2)), IMAGE),
    "transposed": (
        lambda: nn.Sequential(same(2), nn.ConvTranspose2d(2, 3, 3, 2, 1, output_padding=1), C(3, 1, 2)),
        IMAGE,
    ),
    "transposed in groups": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 4, (2, 3), (2, 1), groups=2, dilation=2), C(4, 2, 3)),
        IMAGE,
    ),
    "one dimension": (lambda: nn.Sequential(nn.Conv1d(2, 3, 3, padding=1), nn.Conv1d(3, 2, 2, stride=2)), (2, 6)),
    "transposed in one": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.ConvTranspose1d(3, 2, 2, stride=2), nn.Flatten(), L(16, 2)),
        (2, 6),
    ),
    "three dimensions": (
        lambda: nn.Sequential(
            nn.Conv3d(1, 2, 3, padding=1), nn.Conv3d(2, 2, (2, 1, 2), stride=2), nn.Flatten(), L(8, 2)
        ),
        (1, 4, 4, 3),
    ),
    "circular padding": (
        lambda: nn.Sequential(C(2, 2, 3, padding=1, padding_mode="circular"), nn.Flatten(), L(32, 2)),
        IMAGE,
    ),
    "reflected padding": (
        lambda: nn.Sequential(nn.ReflectionPad2d(2), C(2, 2, 3, stride=2), nn.Flatten(), L(18, 2)),
        IMAGE,
    ),
    "padding in words": (lambda: nn.Sequential(C(2, 2, 3, padding="same"), C(2, 2, 2, padding="valid")), IMAGE),
    "nearest neighbours": (lambda: nn.Sequential(same(2), nn.Upsample(scale_factor=2), C(2, 2, 3, stride=2)), IMAGE),
    "skip from half the channels": (
        lambda: Written(lambda m, x: m.d(m.a(x) + functional.pad(x, (0, 0, 0, 0, 1, 1))), a=same(2, 4), d=same(4, 2)),
        IMAGE,
    ),
    "first summand used again": (
        lambda: Written(summand_again(True), a=same(2), b=same(2), c=C(2, 2, 1), d=same(2)),
        IMAGE,
    ),
    "second summand used again": (
        lambda: Written(summand_again(False), a=same(2), b=same(2), c=C(2, 2, 1), d=same(2)),
        IMAGE,
    ),
    "sum of three": (
        lambda: Written(lambda m, x: m.d(m.a(x) + m.b(x) + m.c(x)), a=same(2), b=same(2), c=C(2, 2, 1), d=same(2)),
        IMAGE,
    ),
    "sum with its own turned channels": (
        lambda: Written(lambda m, x: m.d((y := m.a(x)) + y.flip(1)), a=same(2), d=same(2)),
        IMAGE,
    ),
    "broadcast sum": (
        lambda: Written(lambda m, x: m.d(m.a(x) + m.b(x).sum((2, 3), keepdim=True)), a=same(2), b=same(2), d=same(2)),
        IMAGE,
    ),
    "sum of concatenations": (
        lambda: Written(
            lambda m, x: m.d(torch.cat([m.a(x), x], 1) + torch.cat([x, m.b(x)], 1)), a=same(2), b=same(2), d=same(4, 2)
        ),
        IMAGE,
    ),
    "sum over rows": (lambda: Written(lambda m, x: m.d(m.a(x).sum(2).flatten(1)), a=same(2), d=L(8, 3)), IMAGE),
    "sum of nothing": (
        lambda: Written(lambda m, x: m.d((y := m.a(x)) + y[:, :0].sum(1, keepdim=True)), a=same(2), d=same(2)),
        IMAGE,
    ),
    "sum of branches": (
        lambda: Written(lambda m, x: m.d(torch.stack([m.a(x), m.b(x)], 1).sum(1)), a=same(2), b=same(2), d=same(2)),
        IMAGE,
    ),
    "sum of its own halves": (
        lambda: Written(lambda m, x: m.d(m.a(x).unflatten(1, (2, 2)).sum(1)), a=same(2, 4), d=same(2)),
        IMAGE,
    ),
    "transposition": (
        lambda: Written(lambda m, x: m.d(m.a(x).transpose(2, 3)), a=C(2, 2, (1, 2)), d=C(2, 2, (2, 1))),
        IMAGE,
    ),
    "other sides": (
        lambda: Written(lambda m, x: m.d(m.a(x).reshape(-1, 2, 2, 8)), a=same(2), d=C(2, 2, (1, 3))),
        IMAGE,
    ),
    "one column": (
        lambda: Written(lambda m, x: m.d(m.a(x).flatten(1).view(-1, 2, 16, 1)), a=same(2), d=C(2, 2, (3, 1))),
        IMAGE,
    ),
    "more channels": (lambda: Written(lambda m, x: m.d(m.a(x).reshape(-1, 8, 2, 2)), a=same(2), d=C(8, 2, 1)), IMAGE),
    "linear layers on a map": (
        lambda: Written(
            lambda m, x: m.d(m.f(m.a(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)), a=same(2), f=L(2, 3), d=same(3, 2)
        ),
        IMAGE,
    ),
    "tokens": (
        lambda: Written(lambda m, x: m.f(tokens(m, x) + m.b(tokens(m, x))).mT, a=patch(), b=L(4, 4), f=L(4, 2)),
        IMAGE,
    ),
    "class token": (
        lambda: Written(lambda m, x: m.f(with_class(m, x).flatten(1)), a=patch(), c=nn.Embedding(1, 4), f=L(20, 2)),
        IMAGE,
    ),
    "shifted windows": (
        lambda: Written(
            lambda m, x: m.d((y := m.a(x).permute(0, 2, 3, 1)) + unwindowed(m.f(windows(y)))).permute(0, 3, 1, 2),
            a=same(2, 4),
            f=L(4, 4),
            d=L(4, 2),
        ),
        IMAGE,
    ),
    "windows in the batch": (
        lambda: Written(
            lambda m, x: m.f(m.b(windows(m.a(x).permute(0, 2, 3, 1)).mT.reshape(4, 4, 2, 2)).reshape(len(x), -1)),
            a=same(2, 4),
            b=C(4, 2, 2),
            f=L(8, 3),
        ),
        IMAGE,
    ),
    "a layer's weight by hand": (lambda: Written(lambda m, x: m.f(x) @ m.g.weight.T, f=L(4, 3), g=L(3, 2)), (4,)),
    "a layer by itself": (lambda: L(3, 2), (3,)),
}
# with activations, gates, pools and attention: derivatives are nonzero where there are paths
CURVED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "squeeze and excite": (
        lambda: Written(
            lambda m, x: m.d((y := m.a(x)) * torch.sigmoid(m.c(nn.functional.silu(m.b(y.mean((2, 3), keepdim=True)))))),
            a=same(2, 4),
            b=C(4, 2, 1),
            c=C(2, 4, 1),
            d=same(4, 2),
        ),
        IMAGE,
    ),
    "gated skip": (
        lambda: Written(lambda m, x: m.d(x + m.a(x) * torch.sigmoid(m.c(x))), a=same(2), c=same(2), d=same(2)),
        IMAGE,
    ),
    "selective kernels": (
        lambda: Written(
            lambda m, x: m.d(
                (y := torch.stack([m.a(x), m.b(x)], 1))
                .mul(m.c(y.sum(1).mean((2, 3), keepdim=True)).view(-1, 2, 2, 1, 1).softmax(1))
                .sum(1)
            ),
            a=same(2),
            b=same(2),
            c=C(2, 4, 1),
            d=same(2),
        ),
        IMAGE,
    ),
    "sum at one token": (
        lambda: Written(
            lambda m, x: m.f(((y := tokens(m, x)) + torch.cat([m.b(y[:, :1]), y[:, 1:]], 1)).flatten(1)),
            a=patch(),
            b=L(4, 4),
            f=L(16, 2),
        ),
        IMAGE,
    ),
    "gate of positions": (
        lambda: Written(lambda m, x: m.d(m.a(x) * torch.tanh(m.c(x))), a=same(2), c=same(2, 1), d=same(2)),
        IMAGE,
    ),
    "between two": (
        lambda: Written(lambda m, x: m.d(torch.lerp(m.a(x), m.c(x), 0.3)), a=same(2), c=same(2), d=same(2)),
        IMAGE,
    ),
    "outer product": (
        lambda: Written(
            lambda m, x: m.d(m.a(x).mean((2, 3), keepdim=True) * m.c(x)), a=same(2), c=same(2, 1), d=same(2)
        ),
        IMAGE,
    ),
    "an activation written out": (
        lambda: Written(lambda m, x: m.d((y := m.a(x)) * torch.sigmoid(y)), a=same(2), d=same(2)),
        IMAGE,
    ),
    "mean over rows": (
        lambda: Written(lambda m, x: m.d(torch.tanh(m.a(x)).mean(2)), a=same(2), d=nn.Conv1d(2, 2, 3)),
        IMAGE,
    ),
    "bilinear": (lambda: nn.Sequential(same(2), nn.Upsample((3, 5), mode="bilinear"), nn.Tanh(), C(2, 2, 3)), IMAGE),
    "pool beside its input": (
        lambda: Written(lambda m, x: m.d((y := m.a(x)) + functional.avg_pool2d(y, 3, 1, 1)), a=same(2), d=same(2)),
        IMAGE,
    ),
    "attention": (lambda: attending(lambda m, x: m.f(attention(m, tokens(m, x)).mean(1))), IMAGE),
    "attention with a class token": (
        lambda: attending(lambda m, x: m.f(attention(m, (y := with_class(m, x)) + y)[:, 0]), c=nn.Embedding(1, 4)),
        IMAGE,
    ),
    "attention in windows": (
        lambda: Written(
            lambda m, x: m.f(
                (
                    (y := m.a(x).permute(0, 2, 3, 1))
                    + unwindowed(attention(m, windows(y), lambda s: s + s.new_ones(4, 4)))
                ).flatten(1)
            ),
            a=same(2, 4),
            qkv=L(4, 12),
            project=L(4, 4),
            f=L(64, 2),
        ),
        IMAGE,
    ),
    "attention of channels": (lambda: attending(lambda m, x: m.f(channels_attend(m, tokens(m, x)))), IMAGE),
    "linear attention": (lambda: attending(lambda m, x: m.f(linear_attention(m, tokens(m, x)))), IMAGE),
    "heads that share keys": (
        lambda: Written(
            lambda m, x: m.f(
                functional.scaled_dot_product_attention(
                    (y := tokens(m, x)).view(-1, 4, 2, 2).transpose(1, 2),
                    m.k(y)[:, None],
                    m.v(y)[:, None],
                    enable_gqa=True,
                )
                .transpose(1, 2)
                .flatten(1)
            ),
            a=patch(),
            k=L(4, 2),
            v=L(4, 2),
            f=L(16, 2),
        ),
        IMAGE,
    ),
    "torch's attention": (
        lambda: Written(
            lambda m, x: m.f(m.t(tokens(m, x), tokens(m, x), tokens(m, x), need_weights=False)[0]),
            a=patch(),
            t=nn.MultiheadAttention(4, 2, batch_first=True),
            f=L(4, 2),
        ),
        IMAGE,
    ),
    "torch's encoder": (
        lambda: Written(
            lambda m, x: m.f(m.t(tokens(m, x))[:, 1]),
            a=patch(),
            f=L(4, 2),
            t=nn.TransformerEncoderLayer(4, 2, 6, activation="gelu", batch_first=True, norm_first=True),
        ),
        IMAGE,
    ),
}


def built(name: str, seed: int = 0) -> tuple[nn.Module, tuple[int, ...], Masks]:
    maker, shape = {**LINEAR, **CURVED}[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = plain(maker().double().eval())
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if name in LINEAR:
                parameter.abs_().add_(0.1)
            elif "norm" not in parameter_name:
                parameter.mul_(1.5)
    return model, shape, random_masks(model, 0.6, seed)


def derivatives(model: nn.Module, shape: tuple[int, ...], masks: Masks) -> np.ndarray:
    """[outputs, inputs] at a random input, the masks applied."""
    weights = prunable(model)
    with torch.no_grad():
        for key, mask in masks.items():
            weights[key].mul_(mask)
    x = torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.functional.jacobian(lambda x: model(x).flatten(), x)
    return np.asarray(found.flatten(1).numpy())


def along_paths(graph: Graph) -> np.ndarray:
    """[outputs, inputs]: the sums over paths of the products of weights."""
    source, target, weight = listed(graph)
    matrix = np.zeros((graph.nodes, graph.nodes))
    np.add.at(matrix, (target, source), weight)
    first = int(graph.offsets[1])
    step = whole = np.eye(graph.nodes, first)
    while step.any():
        step = matrix @ step
        whole = whole + step
    return np.asarray(whole[graph.last])


@pytest.mark.parametrize("name", LINEAR)
def test_paths_are_the_derivatives_of_a_linear_network(name: str) -> None:
    model, shape, masks = built(name)
    graph = encode(model, shape, masks)
    np.testing.assert_allclose(along_paths(graph), derivatives(model, shape, masks), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CURVED)
def test_there_are_paths_where_there_are_derivatives(name: str) -> None:
    model, shape, masks = built(name)
    reached = along_paths(encode(model, shape, masks)) > 0
    assert reached.any()
    assert np.array_equal(reached, np.abs(derivatives(model, shape, masks)) > 1e-13)


@pytest.mark.parametrize("name", [*LINEAR, *CURVED])
def test_the_metrics_without_edges_are_those_along_edges(name: str) -> None:
    model, shape, masks = built(name, 1)
    graph = encode(model, shape, masks)
    forward = directed(graph)
    assert graph.edges == len(forward.neighbours) == len(listed(graph)[0])
    assert two_hops(graph) == two_hops_by_edges(forward)
    x = np.random.default_rng(0).standard_normal(graph.nodes)
    source, target, weight = listed(graph)
    matrix = sp.csr_array((weight, (source, target)), shape=(graph.nodes, graph.nodes))
    for device in ("cpu", "cpu:0"):  # by strips, and by dense products as on a GPU
        got = Adjacency(placed(graph), graph.nodes, device)(x)
        np.testing.assert_allclose(got, matrix @ x + matrix.T @ x, rtol=0, atol=1e-11)


def test_several_outputs_are_no_sinks() -> None:
    model = Written(lambda m, x: {"a": m.b(y := m.a(x)), "b": (m.c(y),)}, a=same(2), b=same(2), c=C(2, 3, 1))
    graph = encode(model, IMAGE)
    assert graph.outputs == (2, 3)
    assert len(graph.last) == 2 * 16 + 3 * 16
    assert measure(model, None, IMAGE, metrics=["sink"])["sink"] == 0


def test_a_layer_that_is_not_used_has_no_edges() -> None:
    model = Written(lambda m, x: m.b(m.a(x)), a=same(2), b=same(2), c=C(2, 3, 1))
    assert [link.name for link in encode(model, IMAGE).links] == ["a.weight", "b.weight"]


def test_statistics_over_channels_only_scale() -> None:
    model = Written(
        lambda m, x: m.b((y := m.a(x)) * y.std(1, keepdim=True) / y.norm(dim=1, keepdim=True)), a=same(2), b=same(2)
    )
    assert [link.name for link in encode(model, IMAGE).links] == ["a.weight", "b.weight"]


def test_what_is_looked_up_leads_to_its_channels() -> None:
    model = Written(lambda m, x: m.f(m.e(x).sum(1)), e=nn.Embedding(5, 3), f=L(3, 2))
    source, target, weight = listed(encode(model, (4,)))
    looked_up = {(t, 4 + 4 * c + t) for t in range(4) for c in range(3)}
    assert set(zip(source[:12].tolist(), target[:12].tolist(), strict=True)) == looked_up
    assert (weight[:12] == 1).all()


@pytest.mark.parametrize("context", [torch.no_grad, lambda: torch.autocast("cpu", enabled=False)])
def test_a_context_changes_nothing(context: Callable[[], Any]) -> None:
    def within(m: Any, x: torch.Tensor) -> torch.Tensor:
        with context():
            y, z = (m.a(x) * 2).chunk(2, 1)
        return m.d(torch.cat([z, y], 1)) + 1

    graphs = []
    for how in (within, lambda m, x: m.d(m.a(x).roll(2, 1))):
        torch.manual_seed(0)
        graphs.append(encode(Written(how, a=same(2, 4), d=same(4, 2)), IMAGE))
    got, want = (listed(graph) for graph in graphs)
    assert all(np.array_equal(one, other) for one, other in zip(got, want, strict=True))


def test_a_map_stays_a_map_through_tokens_and_becomes_a_row_beside_a_class_token() -> None:
    model, shape, _ = built("attention")
    assert encode(model, shape).shapes == [(2, 4, 4), (4, 2, 2), (12, 2, 2), (4, 2, 2), (4, 2, 2), (2, 1, 1)]
    model, shape, _ = built("attention with a class token")
    assert encode(model, shape).shapes == [(2, 16, 1), (4, 4, 1), (12, 5, 1), (4, 5, 1), (4, 5, 1), (2, 1, 1)]
