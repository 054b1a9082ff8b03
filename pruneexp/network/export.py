"""A trained network as a file that needs no pruneexp."""

import copy
import io
import warnings

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
    plain = copy.deepcopy(network).cpu().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    images = torch.zeros(2, *input_shape)
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own inner workings
            program = torch.export.export(plain, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
            for module in program.graph_module.modules():
                for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
                    node.meta.pop("stack_trace", None)  # with the names of this machine's folders
            torch.export.save(program, buffer)
    except Exception as error:  # whatever the network does that a graph cannot hold
        raise UserError(f"torch.export cannot write this network: {first_line(error)}.") from error
    return buffer.getvalue()
