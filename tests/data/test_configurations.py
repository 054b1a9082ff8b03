"""Every data set in conf/ opens arrays of the shape it names, and says in one sentence how to get those that are missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from pruneexp.data.dataset import Dataset
from pruneexp.errors import UserError
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir
from tests.presets import incomplete

DATASETS = sorted({path.stem for path in (conf_dir() / "dataset").glob("*.yaml")} - incomplete("dataset"))
WITH_SIDE = [name for name in DATASETS if "side" in OmegaConf.load(conf_dir() / "dataset" / f"{name}.yaml").source]
ONE = ["seed=0", "masker=greedy"]


def opened(data_dir: Path, *options: str) -> Dataset:
    (job,) = expand([*options, f"data_dir={data_dir}", *ONE]).jobs
    return job.setting.dataset()


@pytest.mark.parametrize("name", DATASETS)
def test_arrays_put_in_place_are_opened(name: str, tmp_path: Path) -> None:
    (job,) = expand([f"dataset={name}", *ONE]).jobs
    config: Any = OmegaConf.create(job.config).dataset
    (tmp_path / name).mkdir()
    for split in ("train", "test"):
        np.save(tmp_path / name / f"{split}_images.npy", np.zeros((2, *config.image_shape), dtype=np.uint8))
        np.save(tmp_path / name / f"{split}_labels.npy", np.array([0, config.classes - 1]))
    dataset = opened(tmp_path, f"dataset={name}", "dataset.train_count=2")
    assert dataset.input_shape == tuple(config.image_shape)
    assert len(dataset.mean) == len(dataset.std) == 3
    with pytest.raises(UserError, match=f"{config.train_count}"):
        opened(tmp_path, f"dataset={name}")


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "digits"])
def test_what_is_missing_and_where_it_goes_is_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be downloaded") as error:
        opened(tmp_path, f"dataset={name}")
    assert "\n" not in str(error.value)
    assert str(tmp_path / name) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_the_photos_have_a_side() -> None:
    assert {"flowers102", "caltech101", "tf_flowers", "tf_flowers64"} <= set(WITH_SIDE)


@pytest.mark.parametrize("name", WITH_SIDE)
def test_the_shape_follows_the_side_and_needs_another_name(name: str, tmp_path: Path) -> None:
    options = [f"dataset={name}", "dataset.source.side=40"]
    assert OmegaConf.create(expand([*options, *ONE]).jobs[0].config).dataset.image_shape == [3, 40, 40]
    with pytest.raises(UserError, match=r"dataset\.name must be \w+_40"):
        opened(tmp_path, *options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", ["0", "wide", "22.5", "null", "[3]"])
def test_a_side_that_is_none_is_refused_before_anything_runs(side: str) -> None:
    with pytest.raises(UserError) as error:
        expand(["dataset=flowers102", f"dataset.source.side={side}", *ONE])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", ["3", "[3,32]", "[3,0,32]", "null"])
def test_a_shape_that_is_none_is_refused(shape: str) -> None:
    with pytest.raises(UserError, match=r"dataset\.image_shape must be"):
        expand([f"dataset.image_shape={shape}", *ONE])
