"""Independent random streams, one per purpose."""

import hashlib

import torch


def stream(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator for one purpose of one seed.

    The generator's state is SHA-256(seed, purpose), so that streams are independent: using more numbers for the data
    order does not move the initialisation, and epoch 7's draws do not depend on how many epoch 6 made.

    >>> a, b = stream(0, "data order", 3), stream(0, "data order", 3)
    >>> bool(torch.equal(torch.randperm(5, generator=a), torch.randperm(5, generator=b)))
    True
    """
    text = "\x1f".join(str(part) for part in (seed, *purpose))
    digest = hashlib.sha256(text.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
