"""All that is particular to CUDA: a round of training steps recorded once and replayed, one launch instead of hundreds."""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from pruneexp.data.resident import Split
from pruneexp.errors import first_line
from pruneexp.system.console import tell
from pruneexp.training.device import Device
from pruneexp.training.round import Round, Steps
from pruneexp.training.step import Step

WARM_UP = 3  # rounds before the recording, in which libraries choose their algorithms and allocate their workspaces
SHAPES = 2  # recorded: an epoch's batches, and its last, which may be smaller


class Recorder(Protocol):
    """Records what a round of steps launches."""

    def warm_up(self, steps: Steps, batches: Sequence[Split]) -> list[torch.Tensor]:
        """Make the steps as if recording."""

    def record(self, steps: Steps, batches: Sequence[Split]) -> tuple[Callable[[], None], list[torch.Tensor]]:
        """Make nothing; the replay of the steps on these very tensors, and the tensors that their results appear in."""


def streams(number: int) -> list[torch.cuda.Stream]:
    """So many streams, the same ones each time: libraries keep a workspace for each."""
    return [_stream(place) for place in range(number)]


@functools.cache
def _stream(place: int) -> torch.cuda.Stream:
    return torch.cuda.Stream()


class CudaGraph:
    """A Recorder on a stream of its own: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs."""

    def __init__(self) -> None:
        (self.stream,) = streams(1)
        self.pool: Any = None  # of memory: one for all recordings, none of which needs what another leaves
        self.waits = False  # the last warm-up waited for the device, which no graph can

    def warm_up(self, steps: Steps, batches: Sequence[Split]) -> list[torch.Tensor]:
        # seen here rather than in a recording that fails
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                self.stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(self.stream):
                    logits = steps(batches)
                torch.cuda.current_stream().wait_stream(self.stream)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        self.waits = any("called a synchronizing" in str(one.message) for one in told)
        return [one.clone() for one in logits]  # memory of the stream that reads it

    def record(self, steps: Steps, batches: Sequence[Split]) -> tuple[Callable[[], None], list[torch.Tensor]]:
        if self.waits:
            raise RuntimeError("it waits for numbers from the device")
        try:
            graph, logits = self._captured(lambda: steps(batches), self.pool)
        except RuntimeError:
            # torch's random generator takes itself to be recorded still, until a recording ends well
            self._captured(lambda: [torch.zeros(1, device="cuda")], None)
            raise
        self.pool = graph.pool()
        return graph.replay, logits

    def _captured(
        self, made: Callable[[], list[torch.Tensor]], pool: Any
    ) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor]]:
        graph = torch.cuda.CUDAGraph()
        # the outer block brings the stream back where a failed capture does not
        with torch.cuda.stream(self.stream), torch.cuda.graph(graph, stream=self.stream, pool=pool):
            logits = made()
        return graph, logits


class Recording:
    """The rounds of batches of one shape: the first few as they are, then one recorded, from then on replayed.

    Attributes:
        batches: the tensors that are recorded on.
        calls: how many rounds there were.
    """

    def __init__(self, batches: Sequence[Split]) -> None:
        self.batches = [(torch.empty_like(images), torch.empty_like(labels)) for images, labels in batches]
        self.calls = 0
        self.replay: Callable[[], None] | None = None
        self.logits: list[torch.Tensor] = []

    def take(self, batches: Sequence[Split]) -> None:
        """Put these batches where the recording has them."""
        for mine, theirs in zip(self.batches, batches, strict=True):
            for one, other in zip(mine, theirs, strict=True):
                one.copy_(other)


class Replayed:
    """Calls of `steps`, recorded after the first few and replayed from then on.

    Every call is one step of each network. A recorded one copies its inputs into fixed tensors and its results out of others. What
    the steps change must stay in place: parameters, the optimiser's state, running statistics, learning rates, masks. The first
    shapes of batches are recorded each for itself; further ones are made as they are, and so is everything where a
    recording fails, after one sentence.

    Args:
        steps, recorder: as said.
        differs: whether the next call is of other steps than are recorded, and made as it is.
    """

    def __init__(self, steps: Steps, recorder: Recorder, differs: Callable[[], bool] = lambda: False) -> None:
        self.steps, self.recorder, self.differs = steps, recorder, differs
        self.recordings: dict[tuple[torch.Size, ...], Recording] = {}
        self.failed = False

    def __call__(self, batches: Sequence[Split]) -> list[torch.Tensor]:
        if self.differs():
            return self.steps(batches)
        shapes = tuple(images.shape for images, _ in batches)
        if shapes not in self.recordings and len(self.recordings) < SHAPES:
            self.recordings[shapes] = Recording(batches)
        if self.failed or shapes not in self.recordings:
            return self.steps(batches)
        recording = self.recordings[shapes]
        recording.calls += 1
        if recording.calls <= WARM_UP:
            return self.recorder.warm_up(self.steps, batches)
        recording.take(batches)
        if recording.replay is None:
            try:
                recording.replay, recording.logits = self.recorder.record(self.steps, recording.batches)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # what CUDA and torch raise of operations that no graph can hold
                self.failed = True
                _say(first_line(error))
                return self.steps(batches)
        recording.replay()
        return [logits.clone() for logits in recording.logits]


@functools.cache
def _say(why: str) -> None:
    """Once for each reason, not in every cell."""
    tell(
        f"The training step cannot be recorded as a CUDA graph ({why}) and is launched operation by operation;"
        " trainer.graphs=false leaves the attempt out."
    )


def few_launches(steps: Sequence[Step], feeds: Sequence[int], device: Device) -> Steps:
    """A round of the steps in as few launches as the device allows: on a CPU one step after another.

    Args:
        steps, feeds: as for `Round`.
        device: of all.
    """
    if device.where.type != "cuda":
        return Round(steps, feeds)
    side_by_side = streams(len(steps) + 1)[1:] if len(steps) > 1 else []
    together = Round(steps, feeds, side_by_side)
    if not device.graphs:
        return together
    return Replayed(together, CudaGraph(), lambda: any(step.instead is not None for step in steps))
