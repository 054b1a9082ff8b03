"""A step of each of several networks."""

from collections.abc import Callable, Sequence

import torch

from pruneexp.data.resident import Split
from pruneexp.training.step import Step

Steps = Callable[[Sequence[Split]], list[torch.Tensor]]  # the batch of each feed -> logits [b, classes] of each network


class Round:
    """A step of each network, one after another on a CPU; on CUDA side by side, each on a stream of its own.

    No arithmetic joins two networks: each step is what it is alone.

    Args:
        steps: of networks on one device.
        feeds: which of the batches each of them takes; networks with one data order share theirs.
        streams: of CUDA, one for each step; none for one after another.
    """

    def __init__(self, steps: Sequence[Step], feeds: Sequence[int], streams: Sequence[torch.cuda.Stream] = ()) -> None:
        self.steps, self.feeds, self.streams = list(steps), list(feeds), list(streams)

    def __call__(self, batches: Sequence[Split]) -> list[torch.Tensor]:
        if not self.streams:
            return [step(*batches[feed]) for step, feed in zip(self.steps, self.feeds, strict=True)]
        here, logits = torch.cuda.current_stream(), []
        for stream in self.streams:
            stream.wait_stream(here)
        try:
            for step, feed, stream in zip(self.steps, self.feeds, self.streams, strict=True):
                with torch.cuda.stream(stream):
                    logits.append(step(*batches[feed]))
        finally:  # a recording that an error ends would tell of streams that were not joined
            for stream in self.streams:
                here.wait_stream(stream)
        return logits
