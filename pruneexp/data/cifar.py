"""CIFAR-10 and CIFAR-100 from their official files."""

import io
import pickle
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pruneexp.components.options import component
from pruneexp.components.values import Words
from pruneexp.data.dataset import Arrays
from pruneexp.data.official import check_md5, official
from pruneexp.system import files

Name = Annotated[str, Field(pattern="^cifar100?$"), Words("cifar10 or cifar100")]


@component("source")
def cifar(data_dir: Path, name: Name) -> Arrays:
    """The arrays of ``cifar10`` or ``cifar100`` (Krizhevsky & Hinton 2009), their names and MD5s as torchvision has them.

    The official folder (``cifar-10-batches-py`` or ``cifar-100-python``) or its .tar.gz is looked for in `data_dir`
    and downloaded with a progress bar where it is missing.

    Raises:
        UserError: missing and not downloadable, or not the official files.
    """
    from torchvision.datasets import CIFAR10, CIFAR100

    kind = {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]
    arrays: Arrays = {}
    with official(data_dir, name, kind.base_folder, kind.filename, kind.url, kind.tgz_md5) as folder:
        for split, listed in (("train", kind.train_list), ("test", kind.test_list)):
            for file, md5 in listed:
                check_md5(folder / file, md5, f"delete the folder {folder} to have {kind.filename} downloaded again")
            batches = [_Batch(io.BytesIO(files.read(folder / file))).load() for file, _ in listed]
            arrays[f"{split}_images"] = np.concatenate([batch["data"] for batch in batches]).reshape(-1, 3, 32, 32)
            labels = [batch.get("labels", batch.get("fine_labels")) for batch in batches]
            arrays[f"{split}_labels"] = np.concatenate(labels).astype(np.int64)
    return arrays


class _Batch(pickle.Unpickler):
    """An official pickle of Python 2: arrays and lists by name. Any other object in it is refused, so that no code is run."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        if (module.replace("numpy._core", "numpy.core"), name) in KNOWN:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")


# what numpy's arrays are made of in a pickle; the last stands for bytes in the protocols of Python 2
KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
