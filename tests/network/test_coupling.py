"""Groups of coupled channels against torch-pruning's, which finds them by another way: from autograd's graph."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pruneexp.network.coupling import Coupled, coupled
from pruneexp.network.prunable import prunable_layers
from tests.network.test_removal import NETWORKS, SHAPE

Channel = frozenset[tuple[str, str, int]]  # (makes or reads, weight, row or column)


def torchvision_network(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import torchvision

        network: nn.Module = torchvision.models.get_model(name, weights=None)
        return network

    return make


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{name: (make, SHAPE) for name, make in NETWORKS.items()},
    "squeezenet1_1": (torchvision_network("squeezenet1_1"), (3, 32, 32)),
    "mobilenet_v3_small": (torchvision_network("mobilenet_v3_small"), (3, 32, 32)),
}


def ours(group: Coupled) -> frozenset[Channel]:
    channels: list[set[tuple[str, str, int]]] = [set() for _ in range(group.channels)]
    for role, some in (("makes", group.outputs), ("reads", group.inputs)):
        for name, (places, numbers) in some.items():
            for place, number in zip(places.tolist(), numbers.tolist(), strict=True):
                channels[number].add((role, name, place))
    return frozenset(frozenset(channel) for channel in channels)


def theirs(network: nn.Module, shape: tuple[int, ...]) -> set[frozenset[Channel]]:
    """The groups of every layer but the last, whose outputs are the network's."""
    import torch_pruning

    names = {module: name for name, module in prunable_layers(network).items()}
    found = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = torch_pruning.DependencyGraph().build_dependency(network.eval(), torch.zeros(1, *shape))
        for root in graph.get_all_groups(ignored_layers=[list(names)[-1]], root_module_types=[nn.Linear, nn.Conv2d]):
            channels: list[set[tuple[str, str, int]]] = [set() for _ in root[0].idxs]
            for item in root.items:
                if item.dep.target.module in names:
                    role = "makes" if graph.is_out_channel_pruning_fn(item.dep.handler) else "reads"
                    for place, number in zip(item.idxs, item.root_idxs, strict=True):
                        channels[number].add((role, names[item.dep.target.module], place))
            found.add(frozenset(frozenset(channel) for channel in channels))
    return found


@pytest.mark.parametrize("kind", sorted(CASES))
def test_the_groups_are_those_that_torch_pruning_finds(kind: str) -> None:
    make, shape = CASES[kind]
    network = make()
    groups = [ours(group) for group in coupled(network, shape)]
    assert len(groups) == len(set(groups))
    assert set(groups) == theirs(network, shape)
