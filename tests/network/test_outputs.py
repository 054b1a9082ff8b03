"""The logits among what networks return."""

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch

from pruneexp import UserError
from pruneexp.network.outputs import logits

A, B = torch.zeros(2, 3), torch.ones(2, 3)
IDS = torch.zeros(2, dtype=torch.int64)


@dataclass
class Output:
    loss: torch.Tensor | None
    scores: torch.Tensor


class Pair(NamedTuple):
    main: torch.Tensor
    aux: torch.Tensor


@pytest.mark.parametrize(
    "output",
    [
        A,
        {"logits": A, "aux": B},
        {"aux": B, "logits": A},
        OrderedDict(out=A, aux=B),
        {"loss": None, "ids": IDS, "anything": A},
        (A, B),
        [A],
        (IDS, A),
        Output(None, A),
        SimpleNamespace(other=B, logits=A),
        Pair(A, B),
    ],
)
def test_the_logits_are_the_entry_of_that_name_or_the_first_tensor(output: Any) -> None:
    assert logits(output) is A


@pytest.mark.parametrize("output", [None, {}, {"loss": 3}, "text", [IDS], 3.0])
def test_without_a_tensor_it_is_said(output: Any) -> None:
    with pytest.raises(
        UserError, match=rf"^the network returns {type(output).__name__}, with no tensor that could be the logits"
    ):
        logits(output)
