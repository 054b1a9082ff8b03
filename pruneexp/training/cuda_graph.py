"""All that is particular to CUDA: a training step recorded once and replayed, one launch instead of hundreds."""

import functools
import warnings
from collections.abc import Callable
from typing import Protocol

import torch

from pruneexp.errors import first_line
from pruneexp.system.console import console
from pruneexp.training.device import Device

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # images, labels -> logits
WARM_UP = 3  # steps before the recording, in which libraries choose their algorithms and allocate their workspaces


class Recorder(Protocol):
    """Records what a step launches."""

    def warm_up(self, step: Step, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Make the step as if recording."""

    def record(self, step: Step, images: torch.Tensor, labels: torch.Tensor) -> tuple[Callable[[], None], torch.Tensor]:
        """Make nothing; the replay of the step on these very tensors, and the tensor that its result appears in."""


class CudaGraph:
    """A Recorder on a stream of its own: https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()
        self.waits = False  # the last warm-up's step waited for the device, which no graph can

    def warm_up(self, step: Step, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        # seen here, because a recording that fails leaves torch's random generator unusable
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                self.stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(self.stream):
                    logits = step(images, labels)
                torch.cuda.current_stream().wait_stream(self.stream)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        self.waits = any("called a synchronizing" in str(one.message) for one in told)
        return logits.clone()  # memory of the stream that reads it

    def record(self, step: Step, images: torch.Tensor, labels: torch.Tensor) -> tuple[Callable[[], None], torch.Tensor]:
        if self.waits:
            raise RuntimeError("it waits for numbers from the device")
        graph = torch.cuda.CUDAGraph()
        # the outer block brings the stream back where a failed capture does not
        with torch.cuda.stream(self.stream), torch.cuda.graph(graph, stream=self.stream):
            logits = step(images, labels)
        return graph.replay, logits


class Replayed:
    """Calls of `step`, recorded after the first few and replayed from then on.

    Every call is one step. A recorded one copies its inputs into fixed tensors and its result out of one. What the
    step changes must stay in place: parameters, momentum, running statistics, learning rate, masks. A batch of another
    size than the first is made as it is; so is everything where the recording fails, after one sentence.
    """

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self.step, self.recorder = step, recorder
        self.calls = 0
        self.failed = False
        self.replay: Callable[[], None] | None = None

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.calls == 0:
            self.images, self.labels = torch.empty_like(images), torch.empty_like(labels)
        if self.failed or images.shape != self.images.shape:
            return self.step(images, labels)
        self.calls += 1
        if self.calls <= WARM_UP:
            return self.recorder.warm_up(self.step, images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        if self.replay is None:
            try:
                self.replay, self.logits = self.recorder.record(self.step, self.images, self.labels)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:  # what CUDA and torch raise of operations that no graph can hold
                self.failed = True
                _say(first_line(error))
                return self.step(images, labels)
        self.replay()
        return self.logits.clone()


@functools.cache
def _say(why: str) -> None:
    """Once for each reason, not in every cell."""
    console().print(
        f"The training step cannot be recorded as a CUDA graph ({why}) and is launched operation by operation;"
        " trainer.graphs=false leaves the attempt out.",
        soft_wrap=True,
    )


def few_launches(step: Step, device: Device) -> Step:
    """The same step in as few launches as the device allows: on a CPU the step itself."""
    return Replayed(step, CudaGraph()) if device.where.type == "cuda" and device.graphs else step
