"""What cannot be measured is refused in one sentence, and what is measured stays as it was."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from pruneexp.errors import UserError
from pruneexp.network.masks import Masks
from pruneexp.topology import lanczos, spectra
from pruneexp.topology.measure import METRICS, Mode, measure
from pruneexp.topology.tracing import encode
from tests.topology.brute_force import Residual
from tests.topology.networks import chain, random_masks, same

Forward = Callable[[Any, torch.Tensor], Any]
IMAGE = (2, 4, 4)


class Written(nn.Module):
    """Two 3x3 convolutions `a` and `b` of two channels, a 1x1 one `c`, a linear layer `f` of 32 units, and any forward pass."""

    def __init__(self, forward: Forward, **more: nn.Module) -> None:
        super().__init__()
        self.a, self.b, self.c, self.f = same(2), same(2), nn.Conv2d(2, 2, 1), nn.Linear(32, 3)
        for name, module in more.items():
            self.add_module(name, module)
        self.how = forward

    def forward(self, x: torch.Tensor) -> Any:
        return self.how(self, x)


def only(model: nn.Module, *used: str) -> nn.Module:
    """Without the layers that its forward pass leaves out."""
    for name in set("abcf") - set(used):
        delattr(model, name)
    return model


def net() -> nn.Module:
    torch.manual_seed(0)
    return chain(same(2), nn.BatchNorm2d(2), nn.ReLU(), same(2, 3), nn.Flatten(), nn.Linear(48, 3))


def refusal(call: Callable[[], object]) -> str:
    """The message, a single line that ends with a full stop."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert 20 < len(message) < 400
    return message


def test_a_mask_of_another_shape() -> None:
    masks = {"3.weight": torch.ones(3, 2, 3)}
    message = refusal(lambda: measure(net(), masks, IMAGE))
    assert message == "the mask of 3.weight has shape [3, 2, 3], its weight [3, 2, 3, 3]."


@pytest.mark.parametrize("name", ["4.weight", "0", "1.weight", "0.bias", "module.0.weight"])
def test_a_mask_of_a_layer_that_is_not_there(name: str) -> None:
    message = refusal(lambda: measure(net(), {name: torch.ones(2)}, IMAGE))
    assert name in message
    assert "0.weight, 3.weight, 5.weight" in message


@pytest.mark.parametrize("shape", [(2, 5, 5), (3, 4, 4), (2, 4), (2,), (2, 0, 0), (2, -1, 4), ()])
@pytest.mark.parametrize("mode", ["correct", "published"])
def test_an_input_that_the_network_cannot_take(shape: tuple[int, ...], mode: Mode) -> None:
    message = refusal(lambda: measure(net(), None, shape, mode))
    runs = all(isinstance(side, int) and side > 0 for side in shape)
    wrong = f"does not run on an input of {'x'.join(map(str, shape))}" if runs else "input_shape must be"
    assert wrong in message


def test_the_refusal_of_an_input_says_why_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    message = refusal(lambda: measure(net(), None, (2, 5, 5)))
    assert "cannot be multiplied" in message
    assert "ShapeProp" not in message
    assert capfd.readouterr() == ("", "")


def test_a_number_as_input_shape() -> None:
    refusal(lambda: measure(net(), None, 4, metrics=["sink"]))  # type: ignore[arg-type]


MEANINGLESS: dict[str, tuple[str, nn.Module]] = {
    "statistics over channels": (
        "conv2d in d: it reads statistics over channels",
        only(Written(lambda m, x: m.d(m.a(x).mean(1, keepdim=True)), d=nn.Conv2d(1, 2, 3)), "a"),
    ),
    "weights of attention": (
        "linear in d: it reads statistics over channels",
        only(Written(lambda m, x: m.d(m.a(x) @ m.b(x)), d=nn.Linear(4, 2)), "a", "b"),
    ),
    "positions by each other": (
        "matmul: it mixes channels by activations",
        only(Written(lambda m, x: m.b((m.a(x) @ m.a(x).transpose(2, 3)) @ m.a(x).transpose(1, 2).flatten(1).view(1, 2, 4, 4))), "a", "b"),
    ),
    "a weight in parts": ("reads c.weight in parts", only(Written(lambda m, x: nn.functional.conv2d(m.a(x), m.c.weight[:1])), "a", "c")),
    "a kernel of activations": ("computed from activations", only(Written(lambda m, x: nn.functional.conv2d(x, m.a(x))), "a")),
    "a parameter that is no layer's": (
        "no prunable weight", only(Written(lambda m, x: m.a(x) @ m.n.weight.diag(), n=nn.BatchNorm1d(4)), "a")
    ),
    "a transform": ("fft", only(Written(lambda m, x: m.b(torch.fft.fft2(m.a(x)).real)), "a", "b")),
    "a matrix by itself": (
        "matmul: it mixes channels", only(Written(lambda m, x: m.b((y := m.a(x)) @ (y @ y) @ m.a(x[..., :1]))), "a", "b")
    ),
    "vectors": ("it mixes channels", only(Written(lambda m, x: m.f((m.a(x).flatten() @ m.b(x).flatten()).expand(1, 32))), "a", "b", "f")),
    "a choice by activations": (
        "gather: it chooses by activations", only(Written(lambda m, x: m.b(m.a(x).gather(1, m.a(x).long().clamp(0, 1)))), "a", "b")
    ),
    "a sort": ("sort", only(Written(lambda m, x: m.b(m.a(x).sort(1)[0])), "a", "b")),
    "only numbers of the whole map": ("holds none", only(Written(lambda m, x: m.a(x).mean()), "a")),
    "positions that differ by channel": (
        "at different positions",
        Written(lambda m, x: m.e(m.a(x).flatten(1)[:, :20] * m.b(x).flatten(1)[:, 12:]), e=nn.Linear(20, 2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MEANINGLESS)
@pytest.mark.parametrize("mode", ["correct", "published"])
def test_an_operation_without_a_meaning(what: str, mode: Mode) -> None:
    words, model = MEANINGLESS[what]
    message = refusal(lambda: measure(model, None, IMAGE, mode))
    assert words in message


def test_a_layer_over_too_many_positions() -> None:
    model = only(Written(lambda m, x: m.d(m.e(x).flatten(2)), e=nn.Conv2d(2, 256, 1), d=nn.Linear(16, 512)))
    assert "linear in d: it mixes positions" in refusal(lambda: measure(model, None, IMAGE))


def test_a_network_that_cannot_be_traced() -> None:
    model = Written(lambda m, x: m.a(x) if x.sum() > 0 else m.b(x))
    assert "torch.export cannot follow" in refusal(lambda: measure(model, None, IMAGE))


@pytest.mark.parametrize(
    ("name", "guess"),
    [("motiv4", "motif4"), ("cut_edge", "cut_edges"), ("Sink", "sink"), ("spectralgap", "spectral_gap")],
)
def test_a_misspelt_metric(name: str, guess: str) -> None:
    message = refusal(lambda: measure(net(), None, IMAGE, metrics=["n1", name]))
    assert f"there is no metric {name!r}. Did you mean {guess!r}?" in message
    assert all(metric in message for metric in METRICS)


def test_a_misspelt_mode() -> None:
    message = refusal(lambda: measure(net(), None, IMAGE, mode="publish"))  # type: ignore[arg-type]
    assert "correct or published" in message


@pytest.mark.parametrize("mode", ["correct", "published"])
def test_nothing_left(mode: Mode) -> None:
    model = net()
    masks = {name: mask & False for name, mask in random_masks(model, 0.5, 0).items()}
    want = "the graph has no edge: every weight is zero or pruned."
    assert refusal(lambda: measure(model, masks, IMAGE, mode)) == want
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert refusal(lambda: measure(model, None, IMAGE, mode)) == want


def test_a_network_without_layers() -> None:
    assert "no prunable layer" in refusal(lambda: measure(chain(nn.ReLU(), nn.Flatten()), None, IMAGE))


def test_published_needs_a_convolution_of_stride_1_first() -> None:
    starts = chain(same(2, 2, 2), nn.Flatten(), nn.Linear(8, 2)), chain(nn.Flatten(), nn.Linear(32, 2))
    for model in starts:
        message = refusal(lambda model=model: measure(model, None, IMAGE, "published"))  # type: ignore[misc]
        assert "begin with a convolution of stride 1" in message
        assert measure(model, None, IMAGE, metrics=["n1"])["n1"] > 1


def test_a_dilated_pool() -> None:
    torch.manual_seed(0)
    model = chain(same(2), nn.MaxPool2d(2, stride=1, dilation=2), nn.Flatten(), nn.Linear(8, 1))
    graph = encode(model, IMAGE)
    # with a dilation of 2 and two places a side, each of the 4x4 cells is in one window
    assert int((graph.degrees(outgoing=True)[32:64] == 1).sum()) == 32


PUBLISHED: dict[str, nn.Module] = {
    "dilated": chain(nn.Conv2d(2, 2, 2, dilation=2), nn.Flatten(), nn.Linear(8, 2)),
    "pooled before": chain(nn.MaxPool2d(2), same(2), nn.Flatten(), nn.Linear(8, 2)),
    "two layers": chain(Residual(same(2), nn.Conv2d(2, 2, 1)), nn.Flatten(), nn.Linear(32, 2)),
    "gate": only(Written(lambda m, x: m.f(((y := m.a(x)) * torch.sigmoid(m.b(y))).flatten(1))), "a", "b", "f"),
    "two outputs": only(Written(lambda m, x: (m.b(y := m.a(x)), m.c(y))), "a", "b", "c"),
}


@pytest.mark.parametrize("what", PUBLISHED)
def test_published_refuses_a_first_layer_that_its_numbering_does_not_fit(what: str) -> None:
    refusal(lambda: measure(PUBLISHED[what], None, IMAGE, "published", ["n1", "sink", "components"]))


def test_published_refuses_nothing_it_can_number() -> None:
    model = chain(nn.Conv2d(2, 3, 3, padding=0), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3, 2))
    got, want = (measure(model, None, IMAGE, mode, ["n1", "n2", "components"]) for mode in ("published", "correct"))
    assert got == want  # no padding, no stride, no skip: the same graph


@pytest.mark.parametrize("metric", ["spectral_gap", "spectral_radius"])
@pytest.mark.parametrize("mode", ["correct", "published"])
@pytest.mark.parametrize("hurry", [{"STEPS": 3}, {"AIM": 0.3}])
def test_a_spectrum_that_does_not_converge(
    mode: Mode, metric: str, hurry: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hurry.items():
        monkeypatch.setattr(lanczos if name == "STEPS" else spectra, name, value)
    monkeypatch.setattr(spectra, "DENSE", 0)
    message = refusal(lambda: measure(net(), None, IMAGE, mode, metrics=[metric]))
    assert "not converged" in message


def test_a_device_that_is_not_there() -> None:
    refusal(lambda: measure(net(), None, IMAGE, metrics=["spectral_gap"], device="nonsense"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_of_another_type(dtype: torch.dtype) -> None:
    model = net()
    want = measure(model, None, IMAGE, metrics=["n1", "strength"])
    assert measure(model.to(dtype), None, IMAGE, metrics=["n1", "strength"]) == pytest.approx(want, rel=1e-2)


def test_flattening_by_size() -> None:
    by_size = only(Written(lambda m, x: m.f(m.a(x).view(x.size(0), -1))), "a", "f")
    by_flatten = only(Written(lambda m, x: m.f(m.a(x).flatten(1))), "a", "f")
    by_flatten.load_state_dict(by_size.state_dict())
    assert measure(by_size, None, IMAGE, metrics=["n2"]) == measure(by_flatten, None, IMAGE, metrics=["n2"])


@pytest.mark.parametrize("mode", ["correct", "published"])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_as_it_was(training: bool, mode: Mode) -> None:
    model = net().train(training)
    loss = model(torch.randn(4, *IMAGE)).sum()
    loss.backward()
    masks: Masks = random_masks(model, 0.5, 0)
    state = copy.deepcopy(model.state_dict())
    gradients = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    kept = {name: mask.clone() for name, mask in masks.items()}
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = measure(model, masks, IMAGE, mode)
    with pytest.raises(UserError):
        measure(model, masks, (2, 5, 5), mode)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert {name for name, module in model.named_modules() if module.training != training} == set()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(kept[name], mask) for name, mask in masks.items())
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradients[name])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert measure(model, masks, IMAGE, mode) == first


def test_a_frozen_layer_stays_frozen() -> None:
    model = net().train()
    model.get_submodule("1").eval()
    measure(model, None, IMAGE, metrics=["sink"])
    assert not model.get_submodule("1").training
    assert model.training


def test_what_a_network_does_only_in_training_is_no_part_of_its_graph() -> None:
    def drop_path(module: Any, x: torch.Tensor) -> Any:
        y = module.a(x)
        if module.training:
            y = y * torch.rand(2, 1, 1, 1)
        return module.f((y + x).flatten(1))

    model = only(Written(drop_path), "a", "f")
    want = measure(model.eval(), None, IMAGE, metrics=["n2"])
    assert measure(model.train(), None, IMAGE, metrics=["n2"]) == want
