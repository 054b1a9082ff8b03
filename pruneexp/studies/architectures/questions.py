"""What is asked of every architecture: each question is a function that ends well, or raises.

A `UserError` is a refusal. Anything else is a fault, an AssertionError too: then pruneexp did what was asked, but wrongly.
"""

import io
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from pruneexp import apply_masks, from_torch_prune, prune, remove, to_torch_prune
from pruneexp.network.export import exported
from pruneexp.network.exported import load_exported
from pruneexp.network.masks import Masks
from pruneexp.studies.architectures.listed import CLASSES
from pruneexp.topology.measure import measure

Question = Callable[[nn.Module, torch.Tensor], None]
DENSITY, NEURONS, TOPOLOGY_DENSITY = 0.1, 0.5, 0.05
METRICS = ("sink", "source", "disconnected", "r_out", "r_in", "strength", "components")
STEPS = 2
KINDS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.MultiheadAttention,
)  # fmt: skip
WEIGHTS = ("weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def expect(holds: bool, otherwise: str) -> None:
    """Raise AssertionError with this sentence unless it holds."""
    if not holds:
        raise AssertionError(otherwise)


def weights_read(model: nn.Module) -> list[torch.Tensor]:
    """The prunable weights as the modules read them, each once: counted apart from what pruneexp itself takes for prunable."""
    read = [getattr(module, name, None) for module in model.modules() if isinstance(module, KINDS) for name in WEIGHTS]
    return list({id(weight): weight for weight in read if weight is not None}.values())


def nonzero(model: nn.Module) -> int:
    """How many prunable weights the modules read that are not zero."""
    return sum(int(torch.count_nonzero(weight)) for weight in weights_read(model))


def exact(model: nn.Module, density: float, scorer: str, masker: str, **more: Any) -> Masks:
    """Masks of the method, which have to keep just so many of all prunable weights."""
    masks = prune(model, density, scorer, masker, **more)
    asked = round(density * sum(weight.numel() for weight in weights_read(model)))
    kept = sum(int(mask.sum()) for mask in masks.values())
    expect(kept == asked, f"{kept} weights are kept where {asked} were asked for")
    return masks


def count(model: nn.Module, images: torch.Tensor) -> None:
    """The highest magnitudes of the network: as many as asked for, and as many nonzero weights once the masks are applied."""
    masks = exact(model, DENSITY, "magnitude", "greedy_global")
    kept = sum(int(mask.sum()) for mask in masks.values())
    apply_masks(model, masks)
    expect(nonzero(model) == kept, f"{nonzero(model)} weights are not zero under masks that keep {kept}")


def sparsify(model: nn.Module, images: torch.Tensor) -> None:
    """Effective resistances layer by layer."""
    exact(model, DENSITY, "magnitude", "sparsify")


def sparsify_global(model: nn.Module, images: torch.Tensor) -> None:
    """Effective resistances in the graph of all channels."""
    exact(model, DENSITY, "magnitude", "sparsify_global", example_input=images)


def synflow(model: nn.Module, images: torch.Tensor) -> None:
    """SynFlow in three rounds."""
    exact(model, DENSITY, "synflow", "greedy_global", example_input=images, overrides=("rounds=3",))


def structured(model: nn.Module, images: torch.Tensor) -> None:
    """Half the neurons removed; `remove` itself checks that the smaller network computes what the masked one does."""
    masks = prune(model, NEURONS, "l2", "structured", example_input=images)
    smaller = remove(model, masks, tuple(images.shape[1:]))
    before, after = (sum(weight.numel() for weight in weights_read(network)) for network in (model, smaller))
    expect(after < before, f"{after} weights are left of {before}")


def topology(model: nn.Module, images: torch.Tensor) -> None:
    """Metrics of the multipartite graph of a mask at 5 %, those without spectra and motifs."""
    masks = exact(model, TOPOLOGY_DENSITY, "magnitude", "greedy_global")
    found = measure(model, masks, tuple(images.shape[1:]), metrics=METRICS)
    expect(all(math.isfinite(value) for value in found.values()), f"a metric is not finite: {found}")


def training(model: nn.Module, images: torch.Tensor) -> None:
    """Masks put on with torch.nn.utils.prune stay on through two steps of SGD with momentum and weight decay."""
    masks = exact(model, DENSITY, "magnitude", "greedy_global")
    kept = sum(int(mask.sum()) for mask in masks.values())
    to_torch_prune(model, masks)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
    labels = torch.arange(len(images)) % CLASSES
    for _ in range(STEPS):
        outputs = model(images)  # with further classifiers, a tuple
        losses = [F.cross_entropy(each, labels) for each in (outputs if isinstance(outputs, tuple) else (outputs,))]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        optimiser.step()
    with torch.no_grad():
        model(images)  # puts the masks on what the last step has made
    expect(nonzero(model) == kept, f"{nonzero(model)} weights are not zero after training under masks that keep {kept}")
    again = from_torch_prune(model)
    expect(again.keys() == masks.keys(), "the masks read back have other names")
    expect(all(torch.equal(again[name], masks[name]) for name in masks), "the masks read back are others")


def export(model: nn.Module, images: torch.Tensor) -> None:
    """The masked network written by torch.export and read again, by torch and as data, gives the same outputs."""
    apply_masks(model, exact(model, DENSITY, "magnitude", "greedy_global"))
    written = exported(model, tuple(images.shape[1:]))
    with torch.no_grad():
        want, got = model.eval()(images), torch.export.load(io.BytesIO(written)).module()(images)
        as_data = load_exported(written)(images)
    expect(torch.allclose(got, want, rtol=1e-4, atol=1e-5), "the network read again gives other outputs")
    expect(torch.allclose(as_data, want, rtol=1e-4, atol=1e-5), "the network read as data gives other outputs")


QUESTIONS: dict[str, Question] = {
    "count": count, "sparsify": sparsify, "sparsify_global": sparsify_global, "synflow": synflow, "structured": structured,
    "topology": topology, "to_torch_prune": training, "export": export,
}  # fmt: skip
