"""A trained network as a file that needs no pruneexp."""

import contextlib
import copy
import importlib.util
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from pruneexp.errors import UserError, first_line


def exported(network: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """The network in eval mode, on the CPU, as torch.export writes it (.pt2), for batches of any size.

    ``torch.export.load("network.pt2").module()(images)`` runs it, with torch alone; `pruneexp.network.exported.load_exported` reads
    one of a stranger's.

    Raises:
        UserError: torch.export cannot follow the network.
    """
    buffer = io.BytesIO()
    with _quietly("torch.export"):
        program = torch.export.export(_alone(network), (_example(input_shape),), dynamic_shapes=_any_batch())
        for module in program.graph_module.modules():
            for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
                node.meta.pop("stack_trace", None)  # with the names of this machine's folders
        torch.export.save(program, buffer)
    return buffer.getvalue()


def as_onnx(network: nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """The network in eval mode as an ONNX model (.onnx), for batches of any size: ``images`` in, ``logits`` out, weights within it.

    Raises:
        UserError: onnx or onnxscript is not installed, or torch.onnx cannot follow the network.
    """
    check_onnx()
    with _quietly("torch.onnx"):
        program = torch.onnx.export(
            _alone(network),
            (_example(input_shape),),
            dynamic_shapes=_any_batch(),
            input_names=["images"],
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
        assert program is not None
        model = program.model_proto
        _without_notes(model)
        content: bytes = model.SerializeToString()
    return content


def check_onnx() -> None:
    """Raise UserError where ONNX models cannot be written and read."""
    if missing := [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]:
        raise UserError(f'format=onnx needs {" and ".join(missing)}: `pip install "pruneexp[onnx]"` brings them.')


def run_onnx(content: bytes, images: torch.Tensor) -> torch.Tensor:
    """The first output of an ONNX model, by ONNX's own reference implementation of its operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of onnx's own inner workings
        from onnx import load_model_from_string
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(load_model_from_string(content))
        outputs: Any = evaluator.run(None, {evaluator.input_names[0]: images.numpy()})
        return torch.from_numpy(outputs[0])


def _alone(network: nn.Module) -> nn.Module:
    """A copy in eval mode on the CPU."""
    plain = copy.deepcopy(network).cpu().eval()
    return plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _example(input_shape: tuple[int, ...]) -> torch.Tensor:
    """A batch of two: of one a graph would be for single images."""
    return torch.zeros(2, *input_shape)


def _any_batch() -> tuple[dict[int, Any]]:
    """That a batch may have any size."""
    return ({0: torch.export.Dim("batch")},)


@contextlib.contextmanager
def _quietly(writer: str) -> Iterator[None]:
    """Without what torch says of its own inner workings; whatever it raises, of a network that a graph cannot hold, is a UserError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise UserError(f"{writer} cannot write this network: {first_line(error)}.") from error


def _without_notes(message: Any) -> None:
    """Take a protocol buffer's notes for people away, however deep they are: they name this machine's folders."""
    for field, value in message.ListFields():
        if field.name == "metadata_props":
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                _without_notes(part)
