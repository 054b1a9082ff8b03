"""Where and in which arithmetic a network is trained."""

import contextlib
import ctypes
import os
import platform
import warnings
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from threadpoolctl import threadpool_limits
from torch import nn

from pruneexp.components.options import component
from pruneexp.components.values import Count, NonNegative
from pruneexp.errors import UserError

TEST_PRECISION: Literal["float32"] = "float32"  # of every evaluation, whatever a network is trained in


@component("trainer", name="device")
@dataclass(frozen=True)
class Device:
    """Training device and its arithmetic.

    Attributes:
        accelerator: ``auto`` (a CUDA GPU where there is one), ``cpu`` or ``cuda``.
        precision: of a training step's forward and backward pass: ``auto`` (bf16 autocast on CUDA, float32 on a CPU), ``bf16`` or
            ``float32``; weights and optimiser are float32 throughout, and so is every evaluation.
        threads: CPU threads torch, numpy and scipy may use (0: their own choice).
        members: cells of one data set, model and recipe trained side by side (`pruneexp.training.round`): a number, or ``auto``, the
            fastest by a short measurement on CUDA, one on a CPU.
        devices: of this machine that train one network together (`pruneexp.training.data_parallel`): GPUs, or processes
            on a CPU.
        graphs: on CUDA, record a training step once and replay it (`pruneexp.training.cuda_graph`); not on several devices.
        checkpoint_seconds: a training leaves a checkpoint at the end of an epoch, no more often than this (0: never).
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "bf16", "float32"] = "auto"
    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    members: Literal["auto"] | Count = 1
    devices: Annotated[int, Field(ge=1, le=1024)] = 1
    graphs: bool = True
    checkpoint_seconds: NonNegative = 300

    def __post_init__(self) -> None:
        if self.devices > 1 and self.members != 1:
            raise UserError(
                f"trainer.devices={self.devices} trains one network on several devices and trainer.members={self.members}"
                " several networks on one: set one of them to 1."
            )
        if self.accelerator == "cuda" and not torch.cuda.is_available():
            raise UserError("trainer.accelerator=cuda, and torch sees no CUDA GPU here: use auto or cpu.")
        if self.where.type == "cuda" and self.devices > torch.cuda.device_count():
            raise UserError(
                f"trainer.devices={self.devices}, and torch sees {torch.cuda.device_count()} CUDA GPUs here: ask for no more."
            )

    @property
    def where(self) -> torch.device:
        cuda = self.accelerator == "cuda" or (self.accelerator == "auto" and torch.cuda.is_available())
        return torch.device("cuda" if cuda else "cpu")

    @property
    def resolved_precision(self) -> str:
        if self.precision == "auto":
            return "bf16" if self.where.type == "cuda" else "float32"
        return self.precision

    @property
    def name(self) -> str:
        """The hardware's name, for records."""
        number = f"{self.devices} x " if self.devices > 1 else ""
        if self.where.type == "cuda":
            return number + torch.cuda.get_device_name()
        return f"{number}{platform.machine()} CPU, {self.threads_each} threads"

    @property
    def threads_each(self) -> int:
        """CPU threads of a process, of which there is one for each device."""
        return max(1, torch.get_num_threads() // self.devices)

    def prepare(self) -> None:
        """Process-wide settings, to be made before anything runs on a GPU: threads, CUDA algorithms that give the same result every
        time, and float32 products in float32, which cuDNN otherwise rounds to TF32's 10 bits; bf16 is as fast as before.

        What the environment says of CUBLAS_WORKSPACE_CONFIG stays.
        """
        if self.threads:
            torch.set_num_threads(self.threads)
            threadpool_limits(self.threads)  # of numpy and scipy
        if self.where.type == "cpu":
            _keep_freed_memory()
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        # https://docs.nvidia.com/cuda/cublas/#results-reproducibility; read when cuBLAS is first used
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        with warnings.catch_warnings():
            # of torch 2.9; where the new settings are used some parts of torch refuse to read the old ones
            warnings.filterwarnings("ignore", "Please use the new API settings to control TF32")
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False

    def place(self, network: nn.Module) -> nn.Module:
        """Put the network there, itself and not a copy, in the memory layout in which it is trained."""
        # channels-last convolutions are the fast ones, on tensor cores and on a CPU
        return network.to(self.where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The forward pass's context, entered anew for each; it keeps no casts of weights, which a step changes."""
        if self.resolved_precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.where.type, dtype=torch.bfloat16, cache_enabled=False)


def _keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next allocation instead of giving it back to the system.

    A training step allocates and frees megabytes for each layer; given back, they come again as page faults, which take
    a tenth of a step. https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html
    """
    if platform.libc_ver()[0] == "glibc":
        trim_threshold, mmap_threshold = -1, -3  # malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, (1 << 31) - 1)
