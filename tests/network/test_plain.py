"""Whatever network people bring, as a plain one: the same outputs, the same ties, and the model untouched."""

import copy
import warnings

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

import pruneexp
from pruneexp import topology
from pruneexp.errors import UserError
from pruneexp.network.masks import apply_masks
from pruneexp.network.plain import modules_by_name, plain
from pruneexp.network.prunable import as_stored, freeze_biases, outputs_first, places, prunable
from tests.network.brought import (
    LAYERS,
    WRAPPINGS,
    Shared,
    at,
    compiled,
    encoder,
    parametrized,
    perceptron,
    torch_pruned,
)

COUNTS = {
    "perceptron": 50, "convolutions": 4 * 3 * 4 + 4 * 3 * 4 + 4 * 3 * 3, "encoder": 4 * 64 + 2 * 48, "shared": 36 + 42,
    "parametrized": 30 + 20 + 16 + 12, "hooked": 30 + 20, "torch_pruned": 50,
}  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(sorted(LAYERS)),
    st.sampled_from(["bare", "parallel", "averaged", "within"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_a_plain_copy_computes_the_same_of_parameters_and_leaves_the_model_as_it_was(
    kind: str, wrapping: str, training: bool, double: bool, seed: int
) -> None:
    assume(wrapping != "averaged" or kind not in ("hooked", "torch_pruned"))  # torch's AveragedModel cannot copy these
    torch.manual_seed(seed)
    make, draw = LAYERS[kind]
    inner, x = make(), draw()
    if double:
        inner, x = inner.double(), x.double() if x.is_floating_point() else x
    inner(x).square().sum().backward()
    first = next(inner.parameters()).requires_grad_(False)
    model = WRAPPINGS[wrapping](inner).train(training)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {name: copy.copy(one.grad) for name, one in model.named_parameters()}
    kept = [(type(module), module.training, len(module._forward_pre_hooks)) for module in model.modules()]

    network = plain(model)

    assert sum(weight.numel() for weight in prunable(network).values()) == COUNTS[kind]
    assert all(isinstance(weight, nn.Parameter) and weight.is_leaf for weight in prunable(network).values())
    assert not set(map(id, network.parameters())) & set(map(id, model.parameters()))
    assert {weight.dtype for weight in network.parameters()} == {torch.float64 if double else torch.float32}
    assert all(module.training is training for module in network.modules())
    assert list(dict(network.named_modules())) == list(modules_by_name(model))
    assert [(type(m), m.training, len(m._forward_pre_hooks)) for m in model.modules()] == kept
    assert not first.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all((one.grad is None) == (gradients[name] is None) for name, one in model.named_parameters())
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(x), model.eval()(x))


def test_names_are_the_plain_networks_whatever_wraps_it() -> None:
    names = list(prunable(perceptron()))
    for wrap in WRAPPINGS.values():
        found = list(pruneexp.prune(wrap(perceptron()), 0.5))
        assert [name.removeprefix("1.") for name in found] == names or found == names
    part = nn.Sequential(compiled(nn.Linear(3, 3)), nn.DataParallel(nn.Linear(3, 2)))
    assert list(prunable(plain(part))) == ["0.weight", "1.weight"]


def test_a_wrapped_network_is_measured_as_the_plain_one() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    for mode in ("correct", "published"):
        expected = topology.measure(model, None, (3, 8, 8), mode=mode, metrics=["n1"])
        for wrapping in ("parallel", "compiled"):
            wrapped = WRAPPINGS[wrapping](model)
            assert topology.measure(wrapped, None, (3, 8, 8), mode=mode, metrics=["n1"]) == expected


def test_of_a_wrapped_network_neurons_are_removed_and_layers_measured_too() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    x, wrapped = torch.randn(2, 3, 8, 8), compiled(model)
    masks = pruneexp.prune(wrapped, 0.5, "l2", "structured", example_input=x)
    smaller = pruneexp.remove(wrapped, masks, (3, 8, 8))
    apply_masks(model, masks)
    torch.testing.assert_close(smaller(x), model(x))
    assert str(topology.ramanujan_metrics(wrapped)) == str(topology.ramanujan_metrics(model))  # NaN too
    transposed, linear = nn.ConvTranspose1d(4, 6, 1), nn.Linear(4, 6)
    linear.weight.data = transposed.weight.data[:, :, 0].T
    measured = [topology.ramanujan_metrics(one)["weight"] for one in (transposed, linear)]
    assert measured[0] == pytest.approx(measured[1], nan_ok=True)


def test_a_shared_weight_is_one_weight_under_its_first_name_and_stays_shared() -> None:
    model = Shared()
    assert list(prunable(model)) == ["a.weight", "embed.weight"]  # a classifier's too
    assert list(prunable(model, embeddings=True)) == ["embed.weight", "a.weight"]
    network = plain(model)
    assert at(network, "b.weight") is at(network, "a.weight")
    assert at(network, "head.weight") is at(network, "embed.weight")
    mask = torch.rand(6, 6) < 0.5
    for layer in (model.a, model.b):
        torch_prune.custom_from_mask(layer, "weight", mask)
    network = plain(model)
    assert at(network, "b.weight") is at(network, "a.weight")
    torch_prune.custom_from_mask(model.b, "weight", torch.rand(6, 6) < 0.5)
    network = plain(model)
    assert list(prunable(network)) == ["a.weight", "b.weight", "embed.weight"]
    assert torch.equal(at(network, "b.weight"), model.b.weight)


def test_what_is_computed_from_buffers_is_nobody_elses() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    for layer in model:
        del layer.weight
        layer.register_buffer("weight", torch.ones(3, 3))
        parametrizations.weight_norm(layer)
    network = plain(model)
    assert list(prunable(network)) == ["0.weight", "1.weight"]


def test_two_attentions_with_one_matrix_share_three() -> None:
    model = nn.ModuleList(nn.MultiheadAttention(4, 2) for _ in range(2))
    model[1].in_proj_weight = model[0].in_proj_weight
    network = plain(model)
    q = [f"0.{which}_proj_weight" for which in "qkv"]
    assert list(prunable(network)) == [*q, "0.out_proj.weight", "1.out_proj.weight"]
    assert network.get_parameter("1.q_proj_weight") is network.get_parameter("0.q_proj_weight")


def test_attention_of_other_sizes_has_the_same_names() -> None:
    assert list(prunable(nn.MultiheadAttention(4, 2, kdim=3))) == list(prunable(plain(nn.MultiheadAttention(4, 2))))


def test_a_padded_batch_goes_through_a_plain_encoder_in_eval_mode_with_gradients() -> None:
    torch.manual_seed(0)
    model, x = encoder().eval(), torch.randn(2, 4, 8)
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nested tensors
        want = model(x, src_key_padding_mask=padding)
    torch.testing.assert_close(plain(model)(x, src_key_padding_mask=padding)[~padding], want[~padding])


def test_a_copy_of_a_parametrized_model_keeps_its_weights_when_the_other_is_made_plain() -> None:
    model = parametrized()
    other = copy.deepcopy(model)
    plain(model)
    assert torch.equal(at(model, "0.weight"), at(other, "0.weight"))
    assert torch.equal(at(model, "3.bias"), at(other, "3.bias"))


def test_what_a_weight_is_computed_from_may_be_pruned_itself() -> None:
    layer = parametrizations.weight_norm(nn.Linear(6, 5))
    torch_prune.random_unstructured(layer.parametrizations.weight, "original1", 0.5)
    assert torch.equal(prunable(plain(layer))["weight"], layer.weight)


def test_the_weights_are_what_is_computed_now() -> None:
    model, x = torch_pruned(), torch.randn(4, 6)
    optimiser = torch.optim.SGD(model.parameters(), 0.5)
    model(x).square().sum().backward()
    optimiser.step()  # the attribute is still that of the last forward pass
    weight = prunable(plain(model))["0.weight"]
    assert not torch.equal(weight, at(model, "0.weight"))
    assert torch.equal(weight, at(model, "0.weight_orig") * at(model, "0.weight_mask"))


def test_buffers_and_inference_tensors_become_parameters() -> None:
    layer = nn.Linear(3, 2)
    weight = layer.weight.detach()
    del layer.weight
    layer.register_buffer("weight", weight)
    assert not prunable(plain(layer))["weight"].requires_grad
    with torch.inference_mode():
        model = nn.Linear(3, 2)
        assert not prunable(plain(model))["weight"].is_inference()
    pruneexp.apply_masks(model, {"weight": torch.zeros(2, 3)})
    assert not model.weight.any()


class Own(nn.Linear):
    """Its weight is neither a parameter nor a buffer."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        del self.weight
        self.weight = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (nn.Linear, r"must be a torch\.nn\.Module.*Linear"),
        ({"weight": 1}, r"must be a torch\.nn\.Module"),
        (nn.Sequential(nn.LazyLinear(3)), r"0\.weight is a LazyLinear's .* call the model once"),
        (nn.Sequential(nn.Linear(3, 2, device="meta")), r"0\.weight is on the meta device"),
        (nn.Linear(3, 2, dtype=torch.complex64), r"weight is torch\.complex64, .* real floating-point numbers"),
        (Own(), r"weight is no parameter: pruneexp knows"),
    ],
)
def test_what_cannot_be_made_plain_is_refused_in_a_sentence(model: nn.Module, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        pruneexp.prune(model, 0.5)


def test_a_model_that_cannot_be_copied_is_refused_in_a_sentence() -> None:
    model = perceptron()
    model.stream = (one for one in "abc")  # type: ignore[assignment]
    with pytest.raises(UserError, match=r"cannot be copied, as copy\.deepcopy would \(cannot pickle 'generator'"):
        plain(model)


def test_outputs_come_first_in_every_kind_of_layer() -> None:
    for layer in (nn.ConvTranspose2d(4, 6, 3, groups=2), nn.ConvTranspose1d(4, 6, 3), nn.ConvTranspose3d(2, 2, 1)):
        weight, groups = layer.weight.detach(), layer.groups
        turned = outputs_first(layer, weight)
        assert turned.shape == (layer.out_channels, layer.in_channels // groups, *layer.kernel_size)
        for out in range(layer.out_channels):
            group, within = divmod(out, layer.out_channels // groups)
            inputs = slice(group * layer.in_channels // groups, (group + 1) * layer.in_channels // groups)
            assert torch.equal(turned[out], weight[inputs, within])
        back = as_stored(layer, turned)
        assert torch.equal(back, weight)
    embedding = nn.Embedding(5, 3)
    assert torch.equal(outputs_first(embedding, embedding.weight), embedding.weight.T)
    linear = nn.Linear(5, 3)
    assert outputs_first(linear, linear.weight) is linear.weight


def test_biases_of_every_kind_of_layer_are_frozen() -> None:
    model = nn.ModuleList([plain(encoder()), nn.ConvTranspose2d(2, 2, 1), nn.Conv1d(2, 2, 1, bias=False)])
    freeze_biases(model)
    trained = {name for name, one in model.named_parameters() if one.requires_grad and name.endswith("bias")}
    assert trained == {"0.layers.0.norm1.bias", "0.layers.0.norm2.bias"}
    assert not model.get_parameter("0.layers.0.self_attn.in_proj_bias").requires_grad


def test_places_are_where_the_weights_are() -> None:
    model = encoder()
    place = places(model)["layers.0.self_attn.k_proj_weight"]
    assert place.attribute == "k_proj_weight"
    assert torch.equal(place.weight, model.get_parameter("layers.0.self_attn.in_proj_weight")[8:16])
