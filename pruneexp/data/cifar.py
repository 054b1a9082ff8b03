"""CIFAR-10 and CIFAR-100 from their official files."""

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Words
from pruneexp.data.dataset import Arrays
from pruneexp.errors import UserError

Name = Annotated[str, Field(pattern="^cifar100?$"), Words("cifar10 or cifar100")]


@component("source")
def cifar(data_dir: Path, name: Name) -> Arrays:
    """The arrays of ``cifar10`` or ``cifar100`` (Krizhevsky & Hinton 2009), read by torchvision, which checks the MD5s.

    The official folder (``cifar-10-batches-py`` or ``cifar-100-python``) or its .tar.gz is looked for in `data_dir`
    and downloaded with a progress bar where it is missing.

    Raises:
        UserError: missing and not downloadable.
    """
    from torchvision.datasets import CIFAR10, CIFAR100

    kind = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    arrays: Arrays = {}
    for split in ("train", "test"):
        try:
            official = kind(str(data_dir), train=split == "train", download=True)
        except (OSError, RuntimeError) as error:
            raise UserError(
                f"{name} is not in {data_dir} and cannot be downloaded ({error}): put the official"
                f" {kind.filename} (or its folder {kind.base_folder}) into {data_dir}, or the arrays"
                f" {{train,test}}_{{images,labels}}.npy into {data_dir / name}."
            ) from error
        arrays[f"{split}_images"] = np.ascontiguousarray(official.data.transpose(0, 3, 1, 2))
        arrays[f"{split}_labels"] = np.array(official.targets, dtype=np.int64)
    return arrays
