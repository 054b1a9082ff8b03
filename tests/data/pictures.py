"""Image files that several tests write."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(path: Path, width: int = 10, height: int = 8, mode: str = "RGB", seed: int = 0) -> Path:
    """A blocky random picture, in the format that the suffix names."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST).convert(mode).save(path)
    return path


def folder_of_classes(root: Path, counts: dict[str, int], suffix: str = ".png", side: int = 8) -> None:
    """Pictures ``<root>/<class>/image_0001<suffix>`` and on, each of its class's shade."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for k in range(1, count + 1):
            shade = (min(k, 255), 20 * (label % 12), label)
            Image.new("RGB", (side + 4, side), shade).save(root / name / f"image_{k:04d}{suffix}")
