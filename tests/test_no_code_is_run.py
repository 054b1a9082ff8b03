"""Files with pickles that would run code: no reader runs it, and each says one sentence."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from pruneexp.data.cifar import _Batch
from pruneexp.data.dataset import _open
from pruneexp.errors import UserError
from pruneexp.network.masks import load_masks
from pruneexp.records import artifact_store
from pruneexp.system import files
from pruneexp.training.checkpoint import Checkpoint


class Harm:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


def test_a_checkpoint_with_a_false_payload_and_the_right_seal(tmp_path: Path) -> None:
    content, said = io.BytesIO(), list[str]()
    torch.save({"identity": Harm(tmp_path / "harm")}, content)
    for payload in (content.getvalue(), b"no pickle", pickle.dumps(Harm(tmp_path / "harm"))):
        files.write_sealed(tmp_path / "checkpoint", payload)
        assert Checkpoint(tmp_path / "checkpoint", {"cell": "a"}, "cpu", 1, said.append)._read() is None
    assert len(said) == 3
    assert all("is no checkpoint of a training" in line and line.endswith("; starting anew") for line in said)
    assert not (tmp_path / "harm").exists()


def test_an_artifact_with_a_false_payload_and_the_right_seal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write_sealed(tmp_path / "scores", pickle.dumps(Harm(tmp_path / "harm")))
    assert artifact_store._read(tmp_path / "scores") is None
    assert "it is made again" in "".join(capsys.readouterr())
    assert not (tmp_path / "harm").exists()


def test_arrays_of_objects_and_of_later_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Harm(tmp_path / "harm")], dtype=object), allow_pickle=True)
    with (tmp_path / "b.npy").open("wb") as file:
        np.lib.format.write_array(file, np.zeros(3), version=(2, 0))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(UserError, match=f"{name} is damaged"):
            _open(tmp_path / name)
    assert not (tmp_path / "harm").exists()


def test_a_batch_of_cifar_holds_arrays_alone(tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="is no part of an array"):
        _Batch(io.BytesIO(pickle.dumps({"data": Harm(tmp_path / "harm")}))).load()
    assert not (tmp_path / "harm").exists()


def test_masks_are_bool_and_do_not_lie_in_their_file(tmp_path: Path) -> None:
    path = tmp_path / "masks.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.ones(1000, dtype=torch.bool)}))
    masks = load_masks(path)
    os.truncate(path, 0)
    assert int(masks["a"].sum()) == 1000
    path.write_bytes(safetensors.torch.save({"a": torch.full((3,), torch.nan)}))
    with pytest.raises(UserError, match=r"a is torch.float32 and a mask is torch.bool"):
        load_masks(path)
