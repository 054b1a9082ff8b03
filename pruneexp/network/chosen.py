"""Which of a network's prunable weights are to be pruned."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from pruneexp.components.values import shown
from pruneexp.errors import UserError, near
from pruneexp.network.prunable import prunable, prunable_layers


def chosen_weights(model: nn.Module, only: str | Sequence[str] = (), exclude: str | Sequence[str] = ()) -> list[str]:
    """The names of the weights that `only` chooses, of all where it is empty, without those of `exclude`, in the model's order.

    A pattern is a name in which * stands for any characters, ? for one and [ab] for a or b (`fnmatch`). It chooses a weight whose name it
    is, and the weights of a module whose name it is, or its class's: ``layer1.0.conv1.weight``, ``layer1``, ``layer[12].*.conv1``,
    ``Linear``, ``MultiheadAttention``.

    Args:
        model: a plain network.
        only, exclude: a pattern or several.

    Raises:
        UserError: a pattern that is no text or chooses nothing, or nothing is left, or what `prunable` raises.
    """
    layers = prunable_layers(model)
    words = {name: _words(model, name, layers[name]) for name in prunable(model)}
    found = {}
    for option, patterns in (("only", only), ("exclude", exclude)):
        patterns = [patterns] if isinstance(patterns, str) else patterns
        if not isinstance(patterns, Sequence) or not all(isinstance(one, str) for one in patterns):
            raise UserError(
                f"{option} must be a pattern of names such as 'layer1.*', or a list of them, got {shown(patterns)}."
            )
        hits = {
            one: [name for name in words if any(fnmatchcase(word, one) for word in words[name])] for one in patterns
        }
        for pattern in (one for one in patterns if not hits[one]):
            raise UserError(f"{option}={pattern!r} chooses no prunable weight of this model{_near(pattern, words)}.")
        found[option] = {name for some in hits.values() for name in some}
    left = [name for name in words if (not only or name in found["only"]) and name not in found["exclude"]]
    if not left:
        raise UserError("only and exclude leave no weight to be pruned.")
    return left


def _words(model: nn.Module, name: str, layer: nn.Module) -> set[str]:
    """What a pattern may be for a weight: its name, the names and classes of the modules that it is in, the layer's base classes too."""
    parts = name.split(".")
    around = [".".join(parts[:k]) for k in range(len(parts))]
    classes = {type(model.get_submodule(one)).__name__ for one in around}
    bases = {base.__name__ for base in type(layer).__mro__} - {"Module", "object"}
    return {name, *around[1:]} | classes | bases


def _near(pattern: str, words: dict[str, set[str]]) -> str:
    """The nearest names, or some."""
    every = list(dict.fromkeys(word for name, some in words.items() for word in (name, *sorted(some))))
    if nearest := near(pattern, every):
        return f"; near are {', '.join(nearest)}"
    return f"; its weights are {', '.join([*words][:3])}{' ...' if len(words) > 3 else ''}"
