"""What people call the things that labels name."""

import re
from dataclasses import dataclass, field

from pruneexp.reports.presets import Presets


@dataclass(frozen=True)
class Titles:
    """Titles of labels: ``titles("masker", "greedy_global")`` is "Greedy (global)", as its file in conf/ says.

    Attributes:
        presets: whose files say it.
    """

    presets: Presets = field(default_factory=Presets)

    def __call__(self, group: str, label: str) -> str:
        """The title; what stands in brackets stays as it is, and so does a label that no file is named as.

        Args:
            group: dataset, model, scorer, masker, recipe, options or another column.
            label: as tables have it.
        """
        if group == "options":
            return ", ".join(self._option(word) for word in label.split(", ")) if label else ""
        name, bracket, told = label.partition("[")
        return self.presets.title(group, name) + (f" [{told}" if bracket else "")

    def _option(self, word: str) -> str:
        return word if re.search(r"[=\[]", word) else self.presets.title("treatment", word)
