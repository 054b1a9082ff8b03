"""The unfolding of a layer, and its components."""

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pruneexp.graphs import biadjacency, components
from tests.graphs.oracles import Array, bipartite
from tests.properties import PROPERTY


def test_a_linear_weight_has_inputs_left_and_outputs_right() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    matrix = biadjacency(weight)
    assert matrix.shape == (3, 2)
    assert matrix[2, 1] == weight[1, 2]


def test_a_convolution_has_one_left_vertex_for_each_input_channel_and_kernel_position() -> None:
    weight = torch.rand(4, 3, 2, 5)
    matrix = biadjacency(weight)
    assert matrix.shape == (3 * 2 * 5, 4)
    for out, channel, row, column in [(0, 0, 0, 0), (3, 2, 1, 4), (1, 0, 1, 3)]:
        assert matrix[channel * 10 + row * 5 + column, out] == weight[out, channel, row, column]


def test_unfolding_is_a_view_for_contiguous_weights() -> None:
    weight = torch.rand(4, 3, 2, 2)
    assert biadjacency(weight).data_ptr() == weight.data_ptr()


@PROPERTY
@given(
    st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.0, 0.0, 1.0]), fill=st.nothing())
    )
)
def test_components_are_those_of_networkx_without_the_isolated_vertices(weights: Array) -> None:
    number, left, right = components(sp.csr_array(weights))
    label = np.concatenate([left, right])
    parts = list(nx.connected_components(bipartite(weights)))
    want = {frozenset(part) for part in parts if len(part) > 1}
    got = {frozenset(np.flatnonzero(label == k).tolist()) for k in range(number)}
    assert got == want
    assert set(np.flatnonzero(label == -1).tolist()) == {vertex for part in parts if len(part) == 1 for vertex in part}


def test_components_keep_the_order_of_their_first_vertex() -> None:
    number, left, right = components(sp.csr_array(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])))
    assert number == 2
    assert left.tolist() == [0, 1, 0]
    assert right.tolist() == pytest.approx([1, 0, -1])
