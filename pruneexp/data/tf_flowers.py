"""TensorFlow's flower photos."""

from pathlib import Path

import numpy as np

from pruneexp.components.options import component
from pruneexp.data.dataset import Arrays
from pruneexp.data.image_folder import image_folder
from pruneexp.data.images import Side, check_name
from pruneexp.data.official import official

URL = "http://download.tensorflow.org/example_images/flower_photos.tgz"
MD5 = "6f87fb78e9cc9ab41eff2015b380011d"
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


@component("source")
def tf_flowers(data_dir: Path, name: str, side: Side, strict: bool = False) -> Arrays:
    """3,670 photos of five flowers (The TensorFlow Team 2019) as uint8 [N, 3, side, side]: 2,934 to train, 736 to test.

    Read from ``<data_dir>/flower_photos/<class>/*.jpg`` or ``<data_dir>/flower_photos.tgz``, downloaded where missing. There
    is no official split: of each class every fifth file in alphabetical order, from the first, is a test image. Other
    arrays put in place as ``tf_flowers64`` may be split otherwise.

    Args:
        data_dir: where the official files are.
        name: of the data set, which tells its side.
        side: of the square images; the data set's image_shape follows it.
        strict: a file that cannot be read is an error; otherwise it is named and left out.

    Raises:
        UserError: missing and not downloadable, damaged, other classes, or a file that cannot be read and `strict`.
    """
    check_name(name, "tf_flowers", side)
    with official(data_dir, name, "flower_photos", "flower_photos.tgz", URL, MD5) as root:
        return image_folder(root, side, CLASSES, _fifth, strict)


def _fifth(name: str, count: int) -> np.ndarray:
    return np.arange(count) % 5 == 0
