"""CIFAR's official files, through torchvision; the files are small ones in the official pickle layout."""

import hashlib
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from pruneexp.data.cifar import cifar
from pruneexp.data.dataset import load
from pruneexp.errors import UserError

PER_FILE = 3
ROWS = {"cifar10": 5 * PER_FILE, "cifar100": PER_FILE}


def kind(name: str) -> Any:
    return {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]


def official(data_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Write the official folder; the MD5 lists of torchvision's class become those of its files."""
    of, rng = kind(name), np.random.default_rng(0)
    key = "labels" if name == "cifar10" else "fine_labels"
    classes = 10 if name == "cifar10" else 100
    folder = data_dir / of.base_folder
    folder.mkdir(parents=True)
    expected: dict[str, np.ndarray] = {}

    def write(file: str, content: dict[str, Any]) -> str:
        data = pickle.dumps(content, protocol=2)
        (folder / file).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    for split, listed in (("train", "train_list"), ("test", "test_list")):
        sums, pixels, labels = [], [], []
        for file, _ in getattr(of, listed):
            pixels.append(rng.integers(0, 256, (PER_FILE, 3 * 32 * 32), dtype=np.uint8))
            labels.append(rng.integers(0, classes, PER_FILE))
            sums.append([file, write(file, {"data": pixels[-1], key: labels[-1].tolist()})])
        monkeypatch.setattr(of, listed, sums)
        expected[f"{split}_images"] = np.concatenate(pixels).reshape(-1, 3, 32, 32)
        expected[f"{split}_labels"] = np.concatenate(labels)
    md5 = write(of.meta["filename"], {of.meta["key"]: [f"class {k}" for k in range(classes)]})
    monkeypatch.setattr(of, "meta", {**of.meta, "md5": md5})
    return expected


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_official_folder_becomes_arrays(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = official(tmp_path, name, monkeypatch)
    dataset = load(
        tmp_path, name, cifar, int(name[5:]), ROWS[name], (3, 32, 32), mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)
    )
    for file, array in expected.items():
        assert np.array_equal(getattr(dataset, file), array)
        assert (tmp_path / name / f"{file}.npy").exists()
    assert dataset.train_labels.dtype == np.int64
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([kind(name).base_folder, name])


def test_the_official_archive_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = official(tmp_path / "made", "cifar10", monkeypatch)
    archive = tmp_path / "data" / CIFAR10.filename
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "made" / CIFAR10.base_folder, arcname=CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    arrays = cifar(tmp_path / "data", "cifar10")
    assert all(np.array_equal(arrays[file], expected[file]) for file in expected)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_missing_and_not_downloadable_names_both_ways(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        load(tmp_path, name, cifar, int(name[5:]), 50000, (3, 32, 32), mean=(0.5,) * 3, std=(0.2,) * 3)
    told = str(error.value)
    assert "\n" not in told
    assert kind(name).filename in told
    assert kind(name).base_folder in told
    assert "{train,test}_{images,labels}.npy" in told
    assert str(tmp_path / name) in told
    assert list(tmp_path.iterdir()) == []


def test_an_official_file_whose_md5_is_wrong_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official(tmp_path, "cifar100", monkeypatch)
    path = tmp_path / CIFAR100.base_folder / "train"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"cifar-100-python\.tar\.gz"):
        cifar(tmp_path, "cifar100")
