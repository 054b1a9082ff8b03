"""An exported network read as data, so that no file that a stranger made can run code."""

import functools
import io
import json
import re
import zipfile
from collections.abc import Mapping

import torch
from torch import fx, nn

from pruneexp.errors import UserError, reason
from pruneexp.network.rebuilt import DTYPES, UnknownOperatorError, graph_of
from pruneexp.network.weights import SMALLER

FORMAT = 8  # the major version of the schema of torch 2.10 to 2.13
# of tensors, as modules have them; neither quotes nor backslashes, which would end a name in the source text that fx writes
NAME = re.compile(r"(?!__)[\w /:+-]+(\.(?!__)[\w /:+-]+)*")


class Exported(fx.GraphModule):
    """What a network computes in eval mode, for batches of any size."""

    def train(self, mode: bool = True) -> "Exported":
        """Raises NotImplementedError for training mode, which it does not know."""
        if mode:
            raise NotImplementedError("an exported network has eval mode alone")
        return super().train(False)


def load_exported(content: bytes, name: str = SMALLER) -> nn.Module:
    """The network that `pruneexp.network.export.exported` has written, built anew on the CPU from what the file says of it.

    `torch.export.load` is for files of people whose programs one would run: it looks operators up from ``torch`` on (``torch.os.system``),
    evaluates the expressions of shapes, puts names into source text that it executes, and unpickles constants and sample inputs. Here the
    file is JSON and numbers: of its names only those of tensors are kept, as plain text, operators are those that
    `pruneexp.network.rebuilt.operator_of` knows, and pickles, expressions and guards stay unread. This does not protect from faults
    of ATen's operators themselves, nor from a network that computes something else than its record says.

    Args:
        content: of the file.
        name: of the file, for the sentence.

    Raises:
        UserError: it holds something else, an operator that is not known, or something of a later format: what is not known is not taken.
    """
    try:
        entries = _entries(content)
        program = json.loads(entries["models/model.json"])
        if (version := program["schema_version"]["major"]) != FORMAT:
            raise ValueError(f"its format is {version!r}, and {FORMAT} is known")
        constants = _tensors(entries, "constants")
        tensors = _tensors(entries, "weights") | constants
        network = Exported(_modules(tensors), graph_of(program["graph_module"], tensors))
        for owner, _, buffer in (one.rpartition(".") for one in constants):
            network.get_submodule(owner)._non_persistent_buffers_set.add(buffer)
    except UnknownOperatorError as error:
        raise UserError(
            f"{name} is of a network that pruneexp does not read, as {reason(error)[:300]}: a file of your own torch.export.load takes"
            " as it is, and runs the code in it."
        ) from error
    except Exception as error:  # a file can hold anything
        why = f"there is no {error}" if isinstance(error, KeyError) else reason(error)
        raise UserError(
            f"{name} is none that pruneexp wrote, or holds what it and torch {torch.__version__} do not know ({why[:300]}): have it made"
            " again, or take the torch that wrote it; a file of your own torch.export.load takes as it is, and runs the code in it."
        ) from error
    return network.eval()


def _entries(content: bytes) -> dict[str, bytes]:
    """What is in an archive as torch writes it: each entry once, none packed, all of them together no more than the file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {one.filename.partition("/")[2]: one for one in archive.infolist()}
        plain = all(one.compress_type == zipfile.ZIP_STORED for one in found.values())
        size = sum(one.file_size for one in found.values())
        if not plain or len(found) < len(archive.infolist()) or size > len(content):
            raise ValueError("its archive is another program's")
        return {name: archive.read(one) for name, one in found.items()}


def _tensors(entries: Mapping[str, bytes], kind: str) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, each a copy; those that were one, or shared their memory, do so again."""

    @functools.cache
    def memory(path: str, dtype: torch.dtype) -> torch.Tensor:
        numbers = entries[f"data/{kind}/{path}"]
        return torch.frombuffer(bytearray(numbers), dtype=dtype) if numbers else torch.empty(0, dtype=dtype)

    @functools.cache
    def tensor(text: str) -> torch.Tensor:
        said = json.loads(text)
        meta = said["tensor_meta"]
        sizes, strides = ([one["as_int"] for one in meta[name]] for name in ("sizes", "strides"))
        whole = memory(said["path_name"], DTYPES[meta["dtype"]])
        part = whole.as_strided(sizes, strides, meta["storage_offset"]["as_int"])
        return nn.Parameter(part, requires_grad=meta["requires_grad"]) if said["is_param"] else part

    found = {}
    for name, said in json.loads(entries[f"data/{kind}/model_{kind}_config.json"])["config"].items():
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a tensor")
        if said["use_pickle"] is not False:
            raise ValueError(f"{name} is pickled")
        found[name] = tensor(json.dumps(said, sort_keys=True))
    return found


def _modules(tensors: Mapping[str, torch.Tensor]) -> nn.Module:
    """Modules that hold the tensors under their names."""
    root = nn.Module()
    for name, tensor in tensors.items():
        *path, last = name.split(".")
        owner = root
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        if isinstance(tensor, nn.Parameter):
            owner.register_parameter(last, tensor)
        else:
            owner.register_buffer(last, tensor)
    return root
