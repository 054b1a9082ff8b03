"""Handwritten digits that need no download."""

from pathlib import Path

import numpy as np

from pruneexp.components.options import component
from pruneexp.data.dataset import Arrays


@component("source")
def digits(data_dir: Path, name: str) -> Arrays:
    """scikit-learn's 1,797 digits (8x8, from UCI's Optical Recognition of Handwritten Digits) as 3x32x32 images.

    Each pixel becomes a 4x4 square, grey levels 0-16 become 0-255 and are repeated over the three channels. Every
    fifth image is a test image (359), the others (1,438) are for training; the wheel holds the file, nothing is downloaded.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    grey = np.round(raw.images * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey.repeat(4, axis=1).repeat(4, axis=2)[:, None], 3, axis=1)
    labels = raw.target.astype(np.int64)
    test = np.arange(len(labels)) % 5 == 4
    return {
        "train_images": images[~test],
        "train_labels": labels[~test],
        "test_images": images[test],
        "test_labels": labels[test],
    }
