"""Scores of neurons against other ways to compute them: networkx, explicit activations, finite differences, by hand."""

import networkx as nx
import pytest
import torch
from torch import nn
from torch.nn import functional

from pruneexp.data.batches import Batches
from pruneexp.errors import UserError
from pruneexp.network.prunable import prunable
from pruneexp.scorers.bn_scale import bn_scale
from pruneexp.scorers.eigenvector_centrality import eigenvector_centrality
from pruneexp.scorers.l2 import l2
from pruneexp.scorers.taylor import taylor

NONE = torch.Generator()


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, bias=False), nn.Tanh(),
            nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(32, 7), nn.Linear(7, 4),
        )  # fmt: skip


def batches(count: int = 40) -> Batches:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, 4, 4, generator=generator)
    return Batches(images, torch.randint(4, (count,), generator=generator), (3, 4, 4))


def by_networkx(rows: torch.Tensor, tau: float) -> torch.Tensor:
    """Of each row [n, ...], with plain loops."""
    flat = rows.detach().double().flatten(1)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(flat)))
    for i in range(len(flat)):
        for j in range(i):
            similarity = float(functional.cosine_similarity(flat[i], flat[j], dim=0))
            if similarity > tau:
                graph.add_edge(i, j, weight=similarity)
    want = torch.zeros(len(flat), dtype=torch.float64)
    for component in nx.connected_components(graph):
        if len(component) == 2:
            want[sorted(component)] = 0.5**0.5
        elif len(component) > 2:
            found = nx.eigenvector_centrality_numpy(graph.subgraph(component), weight="weight")
            for k, value in found.items():
                want[k] = value
    return want


def per_neuron(score: torch.Tensor) -> torch.Tensor:
    """The one score that all of a neuron's weights have."""
    flat = score.flatten(1)
    assert torch.equal(flat, flat[:, :1].expand_as(flat))
    return flat[:, 0]


@pytest.mark.parametrize("tau", [0.0, 0.1, 0.2])
def test_centrality_is_networkxs_of_the_graph_of_similar_filters(tau: float) -> None:
    model = network()
    got = eigenvector_centrality(model, Batches(), NONE, tau=tau)
    for name, weight in prunable(model).items():
        torch.testing.assert_close(per_neuron(got[name]), by_networkx(weight, tau), atol=1e-5, rtol=0)


def test_centrality_of_activations_is_networkxs_of_outputs_over_images_and_positions() -> None:
    model, data = network(), batches()
    got = eigenvector_centrality(model, data, NONE, tau=0.05, of="activations", samples=33)
    outputs: dict[str, torch.Tensor] = {}
    model.eval()
    x = data.images[:33]  # type: ignore[index]
    with torch.no_grad():
        for k, module in enumerate(model):
            x = module(x)
            outputs[f"{k}.weight"] = torch.stack([x[:, channel].ravel() for channel in range(x.shape[1])])
    for name in prunable(model):
        torch.testing.assert_close(per_neuron(got[name]), by_networkx(outputs[name], 0.05), atol=1e-5, rtol=0)


def test_activations_of_token_sequences_and_of_double_precision_are_taken_too() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.first(x.flatten(2)[:, :, :4]))).mean(1)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Tokens().double()
    data = batches()
    got = eigenvector_centrality(model, data, NONE, tau=0.0, of="activations", samples=20)
    assert data.images is not None
    with torch.no_grad():
        rows = model.first(data.images[:20].double().flatten(2)[:, :, :4]).flatten(0, 1).T
    torch.testing.assert_close(per_neuron(got["first.weight"]), by_networkx(rows, 0.0), atol=1e-5, rtol=0)


def test_the_least_central_come_in_the_reverse_order() -> None:
    model = network()
    most, least = (eigenvector_centrality(model, Batches(), NONE, tau=0.0, least=flag) for flag in (False, True))
    for name in prunable(model):
        first, second = per_neuron(most[name]), per_neuron(least[name])
        assert torch.equal(second, first.max() - first)
        assert float(second.min()) == 0
        assert torch.equal(first.argsort(), second.argsort().flip(0))


def test_isolated_neurons_and_neurons_without_weights_have_no_centrality() -> None:
    model = nn.Sequential(nn.Linear(3, 5))
    with torch.no_grad():
        model.get_parameter("0.weight").copy_(
            torch.tensor([[1.0, 0, 0], [1, 0.1, 0], [0, 0, 1], [0, 0, 0], [-1, 0, 0]])
        )
    got = per_neuron(eigenvector_centrality(model, Batches(), NONE, tau=0.5)["0.weight"])
    assert got.tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tau": 1.0}, r"^eigenvector_centrality's tau must be at least 0 and below 1, got 1\.0\.$"),
        ({"tau": -0.01}, r"^eigenvector_centrality's tau must be at least 0 and below 1, got -0\.01\.$"),
        ({"tau": float("nan")}, "tau must be at least 0 and below 1, got nan"),
        ({"of": "gradients"}, r"^eigenvector_centrality's of must be weights or activations, got 'gradients'\.$"),
        ({"samples": 0}, r"eigenvector_centrality's samples must be a whole number, at least 1, got 0"),
        ({"samples": 41, "of": "activations"}, r"needs 41 training samples, and there are only 40"),
        ({"least": 1}, r"eigenvector_centrality's least must be true or false, got 1"),
    ],
)
def test_options_that_centrality_cannot_have_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        eigenvector_centrality(network(), batches(), NONE, **options)  # type: ignore[arg-type]


def test_l2_is_the_length_of_the_filter() -> None:
    model = network()
    for name, score in l2(model, Batches(), NONE).items():
        want = [float(torch.sqrt((row.detach().double() ** 2).sum())) for row in prunable(model)[name]]
        assert per_neuron(score).tolist() == pytest.approx(want, rel=1e-6)


def test_taylor_is_the_square_of_the_losss_slope_along_the_neurons_weights() -> None:
    model, data = network(), batches()
    got = taylor(model, data, NONE, samples=16)
    double = network().double().eval()
    double.load_state_dict(model.state_dict())
    assert data.images is not None
    assert data.labels is not None

    def loss() -> float:
        with torch.no_grad():
            return float(functional.cross_entropy(double(data.images[:16].double()), data.labels[:16]))  # type: ignore[index]

    step = 1e-5
    for name, weight in prunable(double).items():
        for k in range(len(weight)):
            row = weight.data[k].clone()
            weight.data[k] = row * (1 + step)
            above = loss()
            weight.data[k] = row * (1 - step)
            below = loss()
            weight.data[k] = row
            slope = (above - below) / (2 * step)
            assert float(per_neuron(got[name])[k]) == pytest.approx(slope**2, rel=1e-4, abs=1e-13)


def test_bn_scale_is_the_size_of_the_scale_that_follows_and_one_where_none_follows_directly() -> None:
    model = network()
    scales = torch.tensor([-2.0, 0.5, 0.0, 1.0, 3.0, -0.25])
    with torch.no_grad():
        model.get_parameter("1.weight").copy_(scales)
        model.get_parameter("5.weight").fill_(9.0)  # behind a tanh: not the convolution's own
    got = bn_scale(model, batches(), NONE)
    assert per_neuron(got["0.weight"]).tolist() == scales.abs().tolist()
    assert all((got[name] == 1).all() for name in ("3.weight", "7.weight", "8.weight"))


def test_bn_scale_asks_for_the_inputs_shape_and_refuses_networks_without_scales() -> None:
    with pytest.raises(UserError, match=r"^bn_scale needs the input's shape: pass example_input\.$"):
        bn_scale(network(), Batches(), NONE)
    plain = nn.Sequential(nn.Conv2d(3, 4, 4), nn.BatchNorm2d(4, affine=False), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(UserError, match=r"^bn_scale needs a BatchNorm after a layer, [^.]*: use l2 or taylor\.$"):
        bn_scale(plain, batches(), NONE)
