"""What the options of figures may be; without what draws them, since every command checks the options of its figures."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

Hue = Literal["method", "scorer", "masker", "options", "model", "dataset", "recipe", "precision"]
Facet = Literal["network", "scorer", "masker", "options", "model", "dataset", "recipe", "precision", "none"]
Scale = Literal["linear", "log", "logit"]
SpanScale = Literal["log", "linear"]
Inches = Annotated[float, Field(ge=2, le=40)]
Titles = Callable[[str, str], str]  # the name of a group's label
