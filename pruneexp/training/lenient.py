"""A logger that may fail, where training may not."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from lightning.pytorch.loggers import Logger


class Tracker(Protocol):
    """What takes a cell's curves."""

    @property
    def log_metrics(self) -> Callable[[dict[str, Any], int | None], None]: ...


Made = TypeVar("Made", bound=Tracker)


class Lenient(Logger):
    """Passes on what is logged; after the first error nothing more.

    Args:
        make: makes the logger.
        close: ends it; told whether the cell was made.
        failed: told of the error.
        conclude: tells it what the record says.
    """

    name = version = None

    def __init__(
        self,
        make: Callable[[], Made],
        close: Callable[[Made, bool], None],
        failed: Callable[[Exception], None],
        conclude: Callable[[Made, Mapping[str, Any]], None] = lambda *_: None,
    ) -> None:
        self.failed = failed
        self._log: Callable[[dict[str, float], int | None], None] | None = None
        self._conclude: Callable[[Mapping[str, Any]], None] = lambda _: None
        self._close: Callable[[bool], None] | None = None
        try:
            made = make()
        except Exception as error:
            failed(error)
        else:
            self._log = made.log_metrics
            self._conclude = lambda figures: conclude(made, figures)
            self._close = lambda whole: close(made, whole)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._log is not None:
            try:
                self._log(metrics, step)
            except Exception as error:
                self._log = None
                self.failed(error)

    def conclude(self, figures: Mapping[str, Any]) -> None:
        """Tell it what the record says, before it is closed."""
        if self._log is not None:
            try:
                self._conclude(figures)
            except Exception as error:
                self._log = None
                self.failed(error)

    def log_hyperparams(self, *_: object, **__: object) -> None:
        pass

    def close(self, whole: bool) -> None:
        """End the logger, one that has failed too, but then without a word.

        Args:
            whole: whether the cell was made.
        """
        if self._close is not None:
            try:
                self._close(whole)
            except Exception as error:
                if self._log is not None:
                    self.failed(error)
            self._log = self._close = None
