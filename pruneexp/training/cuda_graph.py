"""A training step recorded once and replayed: one launch instead of hundreds."""

from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor, torch.Tensor], None]
WARM_UP = 3  # eager steps before the recording, so that momentum buffers and library handles exist


class GraphedStep:
    """Calls `step(images, labels)`, on a CUDA device through a CUDA graph once it is warm.

    Every call is one real step. The first `WARM_UP` calls run eagerly on a side stream; then the step is captured on
    static inputs, and from there on a call copies its inputs in and replays. A batch of another size than the first
    runs eagerly. The step must not synchronise, and what it changes must stay in place (parameters, momentum, running
    statistics, totals, and a learning rate held in a tensor).
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream()
        self.images = self.labels = torch.empty(0)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        if self.calls == 0:
            self.images, self.labels = images.clone(memory_format=torch.preserve_format), labels.clone()
        if labels.shape != self.labels.shape:
            self.step(images, labels)
            return
        self.calls += 1
        if self.calls <= WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                self.step(images, labels)
            torch.cuda.current_stream().wait_stream(self.stream)
            return
        self.images.copy_(images)
        self.labels.copy_(labels)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.step(self.images, self.labels)
        self.graph.replay()
