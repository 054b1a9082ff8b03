"""Networks that no graph can hold, with and without dropout: does training go on, and that of the next network?"""

import itertools
from typing import Any

import cuda_stub
import torch
from torch import nn

from pruneexp.training import cuda_graph
from pruneexp.training.device import Device
from pruneexp.training.train import train
from tests.stub import small


class Net(nn.Module):
    """A linear layer, dropout before it, and something that a recording does not allow."""

    def __init__(self, dropout: bool, forbidden: str) -> None:
        super().__init__()
        self.before = nn.Dropout() if dropout else nn.Identity()
        self.fc, self.forbidden = nn.Linear(3 * 16 * 16, 4), forbidden

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = self.before(images.flatten(1))
        if self.forbidden == "reads a number":  # in every step: seen in the warm-up
            images = images * (1 if float(images.sum()) < torch.inf else 2)
        if self.forbidden == "waits in a recording" and torch.cuda.is_current_stream_capturing():
            torch.cuda.synchronize()
        logits: torch.Tensor = self.fc(images)
        return logits


def one(dropout: bool, forbidden: str) -> Any:
    """Epochs and replays, or what was raised."""
    cuda_graph._say.cache_clear()  # its one sentence for each reason, each time
    device = Device("cuda")
    device.prepare()
    cuda_stub.reset()
    try:
        found = train(Net(dropout, forbidden), {}, small.RECIPE, small.data(device), device)
    except RuntimeError as error:
        return str(error)
    return [len(found.history), cuda_stub.counts()["replays"]]


if __name__ == "__main__":
    with small.pretended():
        small.tell(
            [
                [forbidden, dropout, one(dropout, forbidden), one(False, "nothing"), one(True, "nothing")]
                for forbidden, dropout in itertools.product(
                    ("nothing", "reads a number", "waits in a recording"), (False, True)
                )
            ]
        )
