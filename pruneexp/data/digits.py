"""Handwritten digits that need no download."""

from pathlib import Path

import numpy as np

from pruneexp.components.options import component
from pruneexp.data.dataset import Arrays

FILE = Path(__file__).with_name("digits.csv.gz")


@component("source")
def digits(data_dir: Path, name: str) -> Arrays:
    """1,797 digits of 13 writers (8x8) as 3x32x32 images: the test set of UCI's Optical Recognition of Handwritten Digits (Alpaydin and
    Kaynak 1998, doi:10.24432/C50P49, CC BY 4.0), which is scikit-learn's `load_digits`, too.

    The package holds the file, for to import scikit-learn takes longer than to train on them: in each line 64 grey levels from 0 to 16
    and the digit. Each pixel becomes a 4x4 square, grey levels become 0-255 and are repeated over the three channels. Every fifth image
    is a test image (359), the others (1,438) are for training.
    """
    rows = np.loadtxt(FILE, delimiter=",", dtype=np.int64, encoding="ascii")
    labels = rows[:, -1].copy()
    grey = np.round(rows[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.repeat(grey.repeat(4, axis=1).repeat(4, axis=2)[:, None], 3, axis=1)
    test = np.arange(len(labels)) % 5 == 4
    return {
        "train_images": images[~test],
        "train_labels": labels[~test],
        "test_images": images[test],
        "test_labels": labels[test],
    }
