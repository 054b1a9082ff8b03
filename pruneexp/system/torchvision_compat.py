"""Lets torchvision be imported beside a CPU build of torch.

Beside a CPU-only torch, the C library of a torchvision wheel built for CUDA cannot be loaded, and importing
it fails with "operator torchvision::nms does not exist" - and lightning with it, through torchmetrics. Declaring the
two operators' schemas beforehand is enough: datasets, transforms and models work, only the operators themselves
(``nms`` and JPEG decoding) do not, and nothing here uses them. `prepare` does so, and has to
run before the first import of torchvision, whoever imports it (timm, say): importing pruneexp calls `prepare_in_time`.
"""

import functools
import importlib.util
import sys
from pathlib import Path


def prepare_in_time() -> None:
    """Have `prepare` run just before torchvision is imported, and torch with it, so that nothing is imported that nobody wants."""
    if "torchvision" not in sys.modules and _BeforeTorchvision not in sys.meta_path:
        sys.meta_path.insert(0, _BeforeTorchvision)


class _BeforeTorchvision:
    """Among those whom Python asks where a module is; it never knows, but hears of the first import."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "torchvision":
            prepare()


@functools.cache
def prepare() -> object | None:
    """Declare torchvision's operators if its C library does not load; the returned object keeps them alive."""
    if _BeforeTorchvision in sys.meta_path:  # else the next line would call this again
        sys.meta_path.remove(_BeforeTorchvision)
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    import torch

    for library in Path(spec.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(str(library))
        except OSError:
            continue
        return None
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return declared
