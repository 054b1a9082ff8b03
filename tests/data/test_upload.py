"""Tensors that go to another device in one piece."""

import pytest
import torch

from pruneexp.data.upload import upload


def test_on_a_cpu_they_are_what_they_were() -> None:
    tensors = [torch.arange(3), torch.ones(2, 2, dtype=torch.bool)]
    assert all(one is other for one, other in zip(upload(tensors, torch.device("cpu")), tensors, strict=True))


def test_elsewhere_types_shapes_and_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []

    def move(packed: torch.Tensor, device: torch.device, non_blocking: bool) -> torch.Tensor:
        moved.append((packed, device.type, non_blocking))
        return packed.clone()

    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda packed: packed)
    monkeypatch.setattr(torch.Tensor, "to", move)
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.randperm(5, generator=generator),
        torch.randint(9, (2, 3), generator=generator).T,  # not in one piece
        torch.randn(5, 2, 3, generator=generator),
        torch.rand(5, generator=generator) < 0.5,
        torch.rand(0, 4, generator=generator) < 0.5,
    ]
    found = upload(tensors, torch.device("cuda"))
    ((packed, device, non_blocking),) = moved
    assert (packed.dtype, packed.dim(), device, non_blocking) == (torch.uint8, 1, "cuda", True)
    for one, other in zip(found, tensors, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)
