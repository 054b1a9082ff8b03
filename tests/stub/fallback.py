"""Networks that no graph can hold, with dropout and without: does their training go on, and that of the next network?

fallback WAITS DROPOUT: `step`, in every step, or `recording`, in what is recorded alone; `dropout` or `plain`.
"""

import sys
from typing import Any

import cuda_stub
import torch
from torch import nn

from pruneexp.training.cuda_graph import _say
from pruneexp.training.device import Device
from pruneexp.training.train import train
from tests.stub import small


class Waiting(nn.Module):
    """A linear layer, and something that a recording does not allow."""

    def __init__(self, waits: str, dropout: bool) -> None:
        super().__init__()
        self.drop, self.fc = nn.Dropout() if dropout else nn.Identity(), nn.Linear(3 * 16 * 16, 4)
        self.waits = waits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.drop(images.flatten(1))
        if self.waits == "step":
            x = x * (1 if float(x.sum()) < torch.inf else 2)
        if self.waits == "recording" and torch.cuda.is_current_stream_capturing():
            torch.cuda.synchronize()
        return self.fc(x)


def trained(waits: str, dropout: bool) -> dict[str, Any]:
    _say.cache_clear()
    device = Device("cuda")
    device.prepare()
    cuda_stub.reset()
    epochs = len(train(Waiting(waits, dropout), {}, small.RECIPE, small.data(device), device).history)
    return {"epochs": epochs, "replays": cuda_stub.counts()["replays"]}


def main(cases: list[str]) -> list[dict[str, Any]]:
    """After each case a network that can be recorded, with dropout and without."""
    found = []
    for case in cases:
        waits, _, dropout = case.partition("+")
        found += [trained(waits, bool(dropout)), trained("never", False), trained("never", True)]
    return found


if __name__ == "__main__":
    with small.pretended():
        small.tell(main(sys.argv[1:]))
