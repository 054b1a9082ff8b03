"""The presets that lack what only their user can say, and what tests that walk over all presets say there."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from pruneexp.data.dataset import FILES
from tests.data.pictures import folder_of_classes


@functools.cache
def places() -> Path:
    """Two classes of images in birds/, arrays of them in birds.npz, and a mask of one layer."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    folder_of_classes(folder / "birds", {"hawk": 4, "owl": 4}, side=28)
    images, labels = np.arange(4 * 3 * 32 * 32, dtype=np.uint8).reshape(4, 3, 32, 32), np.array([0, 1, 0, 1])
    np.savez(
        folder / "birds.npz", allow_pickle=False, **dict(zip(FILES, (images, labels, images, labels), strict=True))
    )
    safetensors.torch.save_file({"0.weight": torch.eye(4, dtype=torch.bool)}, folder / "masks.safetensors")
    return folder


def needed() -> dict[tuple[str, str], dict[str, str]]:
    """Options by group and preset."""
    return {
        ("dataset", "folder"): {"root": str(places() / "birds")},
        ("dataset", "arrays"): {"root": str(places() / "birds.npz")},
        ("allocation", "file"): {"path": str(places() / "masks.safetensors")},
        ("model", "timm"): {"architecture": "resnet18"},
        ("model", "torchvision"): {"architecture": "mobilenet_v2"},
    }


def completed(group: str, name: str, node: dict[str, Any]) -> dict[str, Any]:
    """What a preset's file says, with what it needs besides."""
    return node | needed().get((group, name), {})


def incomplete(group: str) -> set[str]:
    """The presets of a group that need something."""
    return {name for kind, name in needed() if kind == group}
