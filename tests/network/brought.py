"""Networks as people bring them: shared, computed, wrapped weights, attention, layers of every kind."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune
from torch.optim.swa_utils import AveragedModel

from pruneexp.network.masks import Masks
from pruneexp.network.plain import modules_by_name, plain
from pruneexp.network.prunable import prunable


class Shared(nn.Module):
    """An embedding whose matrix is the classifier's, and one matrix in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.a, self.b, self.head = nn.Embedding(7, 6), nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 7)
        self.b.weight, self.head.weight = self.a.weight, self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.b(self.a(self.embed(x))))


class Halved(nn.Module):
    """A parametrization of somebody's own, with no inverse."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight / 2


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4))


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 2), nn.ConvTranspose2d(4, 6, 2, groups=2), nn.Flatten(2), nn.Conv1d(6, 4, 3, groups=2)
    )


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 6, batch_first=True, dropout=0.0), 1)


def parametrized() -> nn.Sequential:
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(6, 5)), parametrizations.spectral_norm(nn.Linear(5, 4)),
        parametrizations.orthogonal(nn.Linear(4, 4)), nn.Linear(4, 3),
    )  # fmt: skip
    for name in ("weight", "bias"):
        utils.parametrize.register_parametrization(model[3], name, Halved())
    utils.parametrize.register_parametrization(model[0], "weight", Halved())
    return model


def hooked() -> nn.Sequential:
    """As torch normalised weights before there were parametrizations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return nn.Sequential(utils.weight_norm(nn.Linear(6, 5)), utils.spectral_norm(nn.Linear(5, 4)))


def torch_pruned() -> nn.Sequential:
    model = perceptron()
    for _ in range(2):
        torch_prune.l1_unstructured(model[0], "weight", 0.3)
    torch_prune.l1_unstructured(model[3], "bias", 0.5)
    return model


def compiled(model: nn.Module, backend: str = "eager") -> nn.Module:
    result = torch.compile(model, backend=backend)
    assert isinstance(result, nn.Module)
    return result


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], torch.Tensor]]] = {
    "perceptron": (perceptron, lambda: torch.randn(4, 6)),
    "convolutions": (convolutions, lambda: torch.randn(4, 3, 4, 4)),
    "encoder": (encoder, lambda: torch.randn(3, 5, 8)),
    "shared": (Shared, lambda: torch.randint(0, 7, (4,))),
    "parametrized": (parametrized, lambda: torch.randn(4, 6)),
    "hooked": (hooked, lambda: torch.randn(4, 6)),
    "torch_pruned": (torch_pruned, lambda: torch.randn(4, 6)),
}
WRAPPINGS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "bare": lambda model: model,
    "parallel": nn.DataParallel,
    "averaged": AveragedModel,
    "within": lambda model: nn.Sequential(nn.Identity(), nn.DataParallel(nn.DataParallel(model))),
    "compiled": compiled,
}


def at(model: nn.Module, name: str) -> Any:
    """What the model has under a name of several parts, computed or not."""
    return functools.reduce(getattr, name.split("."), model)


def some_masks(model: nn.Module, share: float = 0.5) -> Masks:
    return {name: torch.rand(weight.shape) < share for name, weight in prunable(plain(model), embeddings=True).items()}


def revived(model: nn.Module, masks: Masks) -> int:
    """How many pruned weights the model's own modules hold that are not zero."""
    modules, count = modules_by_name(model), 0
    for name, mask in masks.items():
        prefix, _, attribute = name.rpartition(".")
        module = modules[prefix]
        if attribute.endswith("_proj_weight") and getattr(module, "_qkv_same_embed_dim", False):
            weight = module.in_proj_weight.chunk(3)["qkv".index(attribute[0])]  # type: ignore[operator]
        else:
            weight = getattr(module, attribute)
        count += int((weight[~mask] != 0).sum())
    return count
