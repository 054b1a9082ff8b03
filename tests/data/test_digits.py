"""The data set that needs no download."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from pruneexp.data.dataset import load
from pruneexp.data.digits import digits


def test_shapes_types_and_the_fifth_image_for_testing(tmp_path: Path) -> None:
    arrays = digits(tmp_path, "digits")
    assert arrays["train_images"].shape == (1438, 3, 32, 32)
    assert arrays["test_images"].shape == (359, 3, 32, 32)
    assert arrays["train_images"].dtype == np.uint8
    raw = load_digits()
    assert np.array_equal(arrays["test_labels"], raw.target[4::5])
    assert np.array_equal(np.delete(raw.target, np.s_[4::5]), arrays["train_labels"])
    grey = np.delete(raw.images, np.s_[4::5], axis=0)
    assert np.array_equal(arrays["train_images"][:, 0, ::4, ::4], np.round(grey * 255 / 16))


def test_each_pixel_is_a_4x4_square_in_three_equal_channels(tmp_path: Path) -> None:
    image = digits(tmp_path, "digits")["test_images"][0]
    raw = load_digits().images[4]
    assert np.array_equal(image[0], image[1])
    assert np.array_equal(image[0], image[2])
    assert np.array_equal(image[0, ::4, ::4], np.round(raw * 255 / 16))
    assert np.array_equal(image[0], np.kron(image[0, ::4, ::4], np.ones((4, 4), dtype=np.uint8)))


def test_the_configured_mean_and_deviation_are_those_of_the_training_images(tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    from pruneexp.system.shipped import conf_dir

    config = OmegaConf.load(conf_dir() / "dataset" / "digits.yaml")
    pixels = digits(tmp_path, "digits")["train_images"] / 255
    assert np.allclose(pixels.mean(axis=(0, 2, 3)), config.mean, atol=1e-4)
    assert np.allclose(pixels.std(axis=(0, 2, 3)), config.std, atol=1e-4)


def test_load_makes_memory_mapped_files_once(tmp_path: Path) -> None:
    arguments = {"classes": 10, "train_count": 1438, "image_shape": (3, 32, 32), "mean": (0.3,) * 3, "std": (0.4,) * 3}
    first = load(tmp_path, "digits", digits, **arguments)  # type: ignore[arg-type]
    stamp = (tmp_path / "digits" / "train_images.npy").stat().st_mtime_ns
    second = load(tmp_path, "digits", digits, **arguments)  # type: ignore[arg-type]
    assert isinstance(second.train_images, np.memmap)
    assert not second.train_images.flags.writeable
    assert np.array_equal(first.train_labels, second.train_labels)
    assert (tmp_path / "digits" / "train_images.npy").stat().st_mtime_ns == stamp
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits"]
