"""Lets torchvision be imported beside a CPU build of torch.

Beside a CPU-only torch, the C library of a torchvision wheel built for CUDA cannot be loaded, and importing
it fails with "operator torchvision::nms does not exist" - and lightning with it, through torchmetrics. Declaring the
two operators' schemas beforehand is enough: datasets, transforms and models work, only the operators themselves
(``nms`` and JPEG decoding) do not, and nothing here uses them. Call `prepare` before the first import of
torchvision or lightning, in every process; the modules here that import them do.
"""

import functools
import importlib.util
from pathlib import Path


def prepare_torchvision() -> None:
    """Have torchvision, and what imports it, such as timm, importable beside a CPU-only torch: call it before the first import of them.

    Whatever of pruneexp uses torch does so by itself. It changes nothing where torchvision's own operators load.
    """
    prepare()


@functools.cache
def prepare() -> object | None:
    """Declare torchvision's operators if its C library does not load; the returned object keeps them alive."""
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
