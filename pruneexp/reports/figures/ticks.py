"""Where ticks stand, so that their labels do not touch and their numbers are round."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.ticker import Locator, MaxNLocator


class Sparse(Locator):
    """Ticks at those of the values whose labels have room, round ones first, at the size that the axis has when it is drawn."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = sorted(values)

    def __call__(self) -> Sequence[float]:
        axis: Any = self.axis
        text, along = axis.get_major_formatter(), axis.axis_name == "x"
        size = axis.axes.figure.dpi / 72 * axis.get_tick_params().get("labelsize", 8)
        low, high = sorted(axis.get_view_interval())
        transform = axis.get_transform()
        start, end = transform.transform([low, high])
        pixels = (axis.axes.bbox.width if along else axis.axes.bbox.height) / (end - start)
        taken: dict[float, tuple[float, float]] = {}
        for value in sorted(self.values, key=lambda value: _roundness(text(value))):
            place = pixels * (float(transform.transform([value])[0]) - start)
            half = size * (0.3 * len(text(value)) + 0.35 if along else 0.75)
            if low <= value <= high and all(abs(place - other) > half + its for other, its in taken.values()):
                taken[value] = place, half
        return sorted(taken)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return [value for value in self.values if vmin <= value <= vmax]


def _roundness(text: str) -> int:
    """0 for 1, 10, 0.1 ..., 1 for 2 and 5, more for numbers of more digits."""
    digits = text.replace(".", "").strip("0")
    return {"1": 0, "2": 1, "5": 1}.get(digits, 1 + len(digits))


def round_values(low: float, high: float) -> list[float]:
    """Round numbers of a logarithmic axis: 1, 2, 5, 10 ... where it spans enough of them, else evenly spaced ones."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [value for value in found if low <= value <= high]
    return inside if len(inside) > 2 else [value for value in MaxNLocator(6).tick_values(low, high) if value > 0]
