"""What a training sets for the whole process."""

import os
import warnings
from collections.abc import Iterator

import pytest
import torch

from pruneexp.training.device import Device

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@pytest.fixture(autouse=True)
def _torchs_defaults(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At the start; at the end what was before."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    with warnings.catch_warnings(action="ignore"):  # torch 2.9 deprecates to look at them too
        before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
        matmul.allow_tf32 = cudnn.allow_tf32 = cudnn.benchmark = True
    cudnn.deterministic = False
    monkeypatch.setenv(CUBLAS, "to be forgotten")
    monkeypatch.delenv(CUBLAS)
    yield
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before


@pytest.mark.parametrize("precision", ["auto", "float32", "bf16"])
def test_float32_is_float32_and_a_result_the_same_every_time(precision: str) -> None:
    Device("cpu", precision).prepare()  # type: ignore[arg-type]
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.deterministic
    assert os.environ[CUBLAS] == ":4096:8"
    assert torch.get_float32_matmul_precision() == "highest"  # Lightning asks; new settings beside old ones break it


def test_the_users_own_cublas_workspace_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CUBLAS, ":16:8")
    Device("cpu").prepare()
    assert os.environ[CUBLAS] == ":16:8"


def test_nothing_is_said_where_torch_deprecates_the_old_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    switch = torch._C._set_cublas_allow_tf32

    def deprecated(value: bool) -> None:  # as torch 2.9 does
        warnings.warn("Please use the new API settings to control TF32 behavior, such as", UserWarning, stacklevel=2)
        switch(value)

    with monkeypatch.context() as patch:
        patch.setattr(torch._C, "_set_cublas_allow_tf32", deprecated)
        Device("cpu").prepare()
    assert not torch.backends.cuda.matmul.allow_tf32
