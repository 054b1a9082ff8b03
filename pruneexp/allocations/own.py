"""The masker's own rule."""

from collections.abc import Sequence

from pruneexp.components.options import component
from pruneexp.layers import Layer


@component("allocation", needs_scores=False)
def own(layers: Sequence[Layer]) -> None:
    """Leave it to the masker how many weights each layer keeps.

    Args:
        layers: the network's prunable weights.
    """
