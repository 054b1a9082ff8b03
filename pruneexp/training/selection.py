"""Which epoch's weights a training leaves, and when it ends early: both by the validation images, never by the test images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pruneexp.cell import Options
from pruneexp.errors import UserError

History = Sequence[Mapping[str, float]]  # a row for each epoch, with the figures of the validation images


def best_epoch(history: History) -> int:
    """The row of the highest validation accuracy; of equal ones that of the lowest validation loss, and then the earliest.

    An epoch whose validation loss is not finite comes after all others.
    """
    return max(range(len(history)), key=lambda place: _rank(history[place]))


def _rank(row: Mapping[str, float]) -> tuple[bool, float, float]:
    loss = row["validation/loss"]
    return (True, row["validation/accuracy"], -loss) if math.isfinite(loss) else (False, 0.0, 0.0)


@dataclass(frozen=True)
class Selection:
    """Early stopping (Goodfellow, Bengio & Courville 2016, section 7.8) in its two parts, each by itself or both, as its Algorithm 7.1.

    Attributes:
        best: the weights that are tested and saved are those of the best epoch (`best_epoch`) rather than of the last.
        patience: the training ends after so many epochs in a row that were not better than the best before them; 0: never.
    """

    best: bool = False
    patience: int = 0

    @staticmethod
    def of(options: Options) -> "Selection":
        """What a job asks for."""
        return Selection(options.select == "best_validation", options.patience)

    def check(self, images: int) -> None:
        """Raise UserError where there is something to go by validation images, and there are none."""
        if (self.best or self.patience) and not images:
            raise UserError(
                "select=best_validation and patience go by images held out of training, and this data set holds out none: give it"
                " validation=N, the number of training images to hold out."
            )

    def chosen(self, history: History) -> int:
        """The row of the epoch whose weights are tested and saved, as far as the training has come."""
        return best_epoch(history) if self.best else len(history) - 1

    def ends(self, history: History) -> bool:
        """Whether the training ends after the last of these epochs."""
        return bool(self.patience and history) and len(history) - 1 - best_epoch(history) >= self.patience


LAST = Selection()  # by no validation images
