"""torch's global state, as it is at its start."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def as_usual() -> Iterator[None]:
    """Within it gradients are computed, nothing is cast, and new tensors are float32 on the CPU, whatever the caller has set.

    So that a call under torch.no_grad(), torch.inference_mode() or torch.autocast, or after torch.set_default_dtype or
    torch.set_default_device, does what it does elsewhere.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        yield
