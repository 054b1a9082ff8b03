"""Exported networks read without torch.export.load: the same outputs, and nothing of a forged file is run."""

import copy
import functools
import io
import itertools
import json
import operator
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import pruneexp
from pruneexp.errors import UserError
from pruneexp.network.export import exported
from pruneexp.network.exported import load_exported
from pruneexp.network.rebuilt import BESIDE, operator_of
from scripts.damaged_files.oddities import Harm
from tests.network.test_removal import SHAPE, STAYING, WORKING, mobile, trained

PARTS = (MODEL := "archive/models/model.json",
         "archive/data/weights/model_weights_config.json", "archive/data/constants/model_constants_config.json")  # fmt: skip


class Many(nn.Module):
    """Names that are no identifiers, shared and constant tensors, a buffer that is not stored, sizes, and nested outputs."""

    def __init__(self) -> None:
        super().__init__()
        head, self.tied = nn.Linear(36, 4), nn.Linear(36, 4, bias=False)
        self.parts = nn.ModuleDict({"block-1 a/b": nn.Conv2d(3, 4, 3), "größe": nn.BatchNorm2d(4), "forward_": head})
        self.again, self.tied.weight = head, head.weight
        self.slope: torch.Tensor
        self.register_buffer("slope", torch.tensor([0.5, 1.0, 2.0, 4.0]), persistent=False)

    def forward(self, x: torch.Tensor) -> dict[str, Any]:
        x = self.parts["größe"](self.parts["block-1 a/b"](x)).relu_()
        one, two = x.chunk(2, dim=1)
        x = torch.cat([two, one], 1).reshape(x.shape[0] * 1, -1)
        scores = self.parts["forward_"](x) * self.slope + torch.tensor([1.0, -1.0, 0.0, 3.0])
        best = scores.topk(2).values.clamp(max=float("inf"))
        return {"logits": scores, "more": (best, [self.tied(x), torch.einsum("bc,bc->b", scores, scores)])}


def pair(content: bytes) -> tuple[nn.Module, nn.Module]:
    """The file as it is read here and by torch."""
    return load_exported(content), torch.export.load(io.BytesIO(content)).module()


KINDS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    **{kind: (WORKING[kind][0], SHAPE) for kind in ("no gradients", "several outputs", "flattened by size", "transposed")},
    "swapped": (STAYING["shuffled"], SHAPE),
    "many": (Many, (3, 5, 5)),
    "mobile": (mobile, SHAPE),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_read_computes_what_torchs_own_reader_gives(kind: str) -> None:
    make, shape = KINDS[kind]
    network, images = trained(make()).float(), torch.randn(5, *shape, generator=torch.Generator().manual_seed(0))
    got, want = pair(exported(network, shape))
    assert got.state_dict().keys() == want.state_dict().keys()
    mine, torchs = (dict(one.named_parameters(remove_duplicate=False)) for one in (got, want))
    assert mine.keys() == torchs.keys()
    assert all(torch.equal(value, want.state_dict()[name]) for name, value in got.state_dict().items())
    for batch in (images, images[:1]):
        ours, theirs = (pytree.tree_flatten(one(batch)) for one in (got, want))
        assert ours[1] == theirs[1]
        assert all(torch.equal(one, other) for one, other in zip(ours[0], theirs[0], strict=True))


class Of(nn.Module):
    """What a function gives of the images."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


# x is [B, 4, 4]; one function a line of what networks are made of
BUILT: list[Callable[[torch.Tensor], Any]] = [
    lambda x: (nn.functional.cosine_similarity(x, x.flip(1)), torch.cdist(x, x.roll(1, 2)), nn.functional.pairwise_distance(x, 2 * x)),
    lambda x: (torch.linalg.norm(x, dim=(1, 2)), torch.linalg.vector_norm(x, dim=1), torch.linalg.inv(x + 9 * torch.eye(4)), x.norm()),
    lambda x: (*x.median(1), x.kthvalue(2)[0], x.cummax(1)[1], *x.cummin(2), x.cumprod(1), x.nansum(1), x.quantile(0.5, 1), x.argsort()),
    lambda x: (torch.linalg.cross(x[:, :3], x[:, 1:], dim=1), x.diff(), (x > 0).count_nonzero(1), (x > 0).all(1), (x > 0).any(2)),
    lambda x: (x[0, 0].dot(x[0, 1]), x[0].mv(x[0, 1]), torch.inner(x, x[0]), torch.tensordot(x, x[0], dims=1), torch.diag(x[0])),
    lambda x: (x[0].trace(), (9 * x) // 2, torch.bucketize(x, torch.arange(4.0)), x.lerp(2 * x, 0.3), x.tril(), x.triu(1)),
    lambda x: (x.hsplit(2), x[0].vsplit(2), x.dsplit(2), x.unsafe_chunk(2, 1), x.unsafe_split(2, 1)),
    lambda x: (torch.meshgrid(x[0, 0], x[0, 1], indexing="ij"), nn.functional.one_hot(x.argmax(1), 4), torch.block_diag(x[0], x[0])),
    lambda x: (torch.fft.rfft2(x).abs(), torch.special.expit(x), x.greater(0), x.index_add(1, x[0, 0].long() * 0, x)),
]  # fmt: skip


@pytest.mark.parametrize("function", BUILT)
def test_what_else_is_computed_from_tensors_and_numbers_alone(function: Callable[[torch.Tensor], Any]) -> None:
    got, want = pair(exported(Of(function), (4, 4)))
    images = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    ours, theirs = (pytree.tree_leaves(one(images)) for one in (got, want))
    assert len(ours) == len(theirs) > 1
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


TAKEN = {"Tensor", "int", "float", "number", "bool", "complex", "Device", "Generator", "str", "NoneType"}


@pytest.mark.parametrize("name", sorted(BESIDE))
def test_what_is_listed_takes_tensors_and_numbers_alone(name: str) -> None:
    family = getattr(torch.ops.aten, name, None) or getattr(torch.ops.aten, f"{name}_")
    for overload in family.overloads():
        schema = getattr(family, overload)._schema
        types = {re.sub(r"Optional|List|[\[\]]", "", str(one.type)) for one in (*schema.arguments, *schema.returns)}
        assert types <= TAKEN
        assert "str" not in {str(one.type) for one in schema.returns}
        texts = {one.name for one in schema.arguments if "str" in str(one.type)}
        assert texts <= {"equation", "side", "interpolation", "indexing", "norm", "ord", "p", "mode", "reduce", "padding", "driver",
                         "pad_mode", "padding_side", "assert_msg", "rounding_mode", "UPLO", "dummy"}  # fmt: skip


def under(*of: Any, **options: Any) -> nn.Module:
    def function(x: torch.Tensor) -> Any:
        with torch.autocast(*of, **options):
            return x.matmul(x), x + 1

    return Of(lambda x: sum(function(2 * x)))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_part_under_an_autocast_that_changes_nothing_here(device: str) -> None:
    network, images = under(device, enabled=False), torch.randn(3, 4, 4)
    content = exported(network, (4, 4))
    entries, program, *_ = opened(content)
    (wrap,) = (node for node in nodes(program) if node["target"] == "torch.ops.higher_order.wrap_with_autocast")
    assert torch.equal(load_exported(content)(images), network(images))
    wrap["inputs"][2]["arg"]["as_bool"] = True  # as where there is such a device
    on = closed(entries | {MODEL: json.dumps(program).encode()})
    if device == "cpu":
        with pytest.raises(UserError, match=r"autocast on the CPU"):
            load_exported(on)
    else:
        assert torch.equal(load_exported(on)(images), network(images))


def test_what_is_not_known_of_a_sound_file_is_said() -> None:
    for network, what in (
        (
            under("cpu", dtype=torch.bfloat16),
            "torch.autocast on the CPU, under which a part of it runs, is not done here",
        ),
        (
            Of(lambda x: torch.linalg.lu_factor(x)[0]),
            "torch.ops.aten.linalg_lu_factor.default is no operation that is known",
        ),
    ):
        with pytest.raises(UserError) as caught:
            load_exported(exported(network, (4, 4)), "a.pt2")
        assert str(caught.value) == (
            f"a.pt2 is of a network that pruneexp does not read, as {what}: a file of your own torch.export.load takes as it is, and runs"
            " the code in it."
        )


def test_the_network_is_an_ordinary_module_in_eval_mode_alone() -> None:
    network = load_exported(exported(trained(Many()).float(), (3, 5, 5)))
    assert network.eval() is network
    with pytest.raises(NotImplementedError, match="eval mode alone"):
        network.train()
    assert not any(module.training for module in network.modules())
    tied, shared = (network.get_parameter(name) for name in ("tied.weight", "parts.forward_.weight"))
    images = torch.randn(2, 3, 5, 5)
    other = pickle.loads(pickle.dumps(copy.deepcopy(network)))
    assert torch.equal(other(images)["logits"], network(images)["logits"])
    assert tied.data_ptr() == shared.data_ptr()
    network(images)["logits"].sum().backward()
    assert shared.grad is not None


def test_a_file_of_torch_2_10_has_no_names_of_nodes() -> None:
    entries, program, *_ = opened(HONEST)
    program["schema_version"]["minor"] = 14
    for node in nodes(program):
        del node["name"], node["is_hop_single_tensor_return"]
        for one in node["inputs"]:
            del one["kind"]
    images = torch.randn(2, *SHAPE)
    assert torch.equal(
        load_exported(closed(entries | {MODEL: json.dumps(program).encode()}))(images), load_exported(HONEST)(images)
    )


# what a stranger could write

HONEST = exported(nn.Sequential(nn.Flatten(), nn.Linear(192, 3), nn.ReLU()), SHAPE)
Entries = dict[str, bytes]
Json = dict[str, Any]
Change = Callable[[Entries, Json, Json, Json], object]
CALL = "__import__('os').mkdir('executed')"


def harm() -> bytes:
    content = io.BytesIO()
    torch.save(Harm(Path("executed")), content)
    return content.getvalue()


def opened(content: bytes) -> tuple[Entries, Json, Json, Json]:
    """What is in the file: its entries, and of these the program, the weights' and the constants' as JSON."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    return entries, *(json.loads(entries[name]) for name in PARTS)


def closed(entries: Entries, how: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", how) as archive:
        for name, value in entries.items():
            archive.writestr(name, value)
    return content.getvalue()


def forged(change: Change) -> bytes:
    """The honest file with a change."""
    entries, *parts = opened(HONEST)
    change(entries, *parts)
    return closed(entries | {name: json.dumps(part).encode() for name, part in zip(PARTS, parts, strict=True)})


def nodes(program: Json) -> list[Json]:
    found: list[Json] = program["graph_module"]["graph"]["nodes"]
    return found


def values(program: Json) -> Json:
    found: Json = program["graph_module"]["graph"]["tensor_values"]
    return found


def calling(target: str, *arguments: Json) -> Change:
    """One operation more, before the others."""
    named = [{"name": "", "arg": one, "kind": 1} for one in arguments]
    node = {"target": target, "inputs": named, "outputs": [{"as_none": True}], "metadata": {}, "name": "first"}
    return lambda entries, program, weights, constants: nodes(program).insert(0, node)


def pickled(kind: str, path: str) -> Change:
    """A tensor or object that is to be unpickled."""

    def change(entries: Entries, program: Json, weights: Json, constants: Json) -> None:
        content = pickle.dumps(Harm(Path("executed"))) if path.startswith("opaque") else harm()
        entries[f"archive/data/{kind}/{path}"] = content
        told = {"path_name": path, "is_param": False, "use_pickle": True, "tensor_meta": None}
        (weights if kind == "weights" else constants)["config"]["more"] = told

    return change


def renamed(old: str, new: str) -> Change:
    """Another name for a tensor, wherever it stands."""

    def change(entries: Entries, program: Json, weights: Json, constants: Json) -> None:
        for part in (program, weights, constants):
            text = json.dumps(part).replace(json.dumps(old), json.dumps(new))
            part.clear()
            part.update(json.loads(text))

    return change


def text_replaced(old: str, new: str) -> Change:
    """The program with other text."""

    def change(entries: Entries, program: Json, weights: Json, constants: Json) -> None:
        text = json.dumps(program)
        assert old in text
        program.update(json.loads(text.replace(old, new)))

    return change


def treespec(entries: Entries, program: Json, weights: Json, constants: Json) -> None:
    leaf: Json = {"type": None, "context": None, "children_spec": []}
    form = {"type": "collections.namedtuple", "context": json.dumps("os.mkdir"), "children_spec": [leaf]}
    program["graph_module"]["module_call_graph"][0]["signature"]["out_spec"] = json.dumps([1, form])


EVIL: dict[str, tuple[Change, str]] = {
    "a function of torch's modules": (calling("torch.os.mkdir", {"as_string": "executed"}), "torch.os.mkdir is no operation"),
    "a function of operator's": (
        calling("_operator.call", {"as_operator": "torch.os.mkdir"}, {"as_string": "executed"}), "_operator.call is no operation"),
    "methodcaller": (calling("_operator.methodcaller", {"as_string": "mkdir"}), "_operator.methodcaller is no operation"),
    "a class": (calling("torch.ops.aten.add.__class__", {"as_string": "a"}), "add.__class__ is no operation"),
    "an operator that writes a file": (
        calling("torch.ops.aten.from_file.default", {"as_string": "executed"}, {"as_bool": True}, {"as_int": 8}), "from_file"),
    "a library's operator": (calling("#torch.os.mkdir", {"as_string": "executed"}), "#torch.os.mkdir is no operation"),
    "a pickled weight": (pickled("weights", "weight_9"), "more is pickled"),
    "a pickled constant": (pickled("constants", "tensor_9"), "more is pickled"),
    "an object": (pickled("constants", "custom_obj_0"), "more is pickled"),
    "an opaque object": (pickled("constants", "opaque_obj_0"), "more is pickled"),
    "a parameter's name": (renamed("1.weight", f'1.a"), {CALL}, getattr(self, "1'), "is no name of a tensor"),
    "the class's attribute": (renamed("1.weight", "__class__.forward"), "is no name of a tensor"),
    "the module's forward": (renamed("1.weight", "forward"), "forward"),
    "an argument's name": (
        text_replaced('"name": "start_dim"', json.dumps({"name": f"x={CALL}, start_dim"})[1:-1]), "flatten.using_ints takes no"),
    "a class for the outputs": (treespec, "namedtuple is nothing that a network returns"),
    "numbers beyond its file": (
        lambda e, p, w, c: w["config"]["1.weight"]["tensor_meta"]["sizes"].__setitem__(0, {"as_int": 10**6}), "storage"),
    "what changes itself": (
        lambda e, p, w, c: p["graph_module"]["signature"]["output_specs"].insert(0, {"buffer_mutation": {}}), "changes its own"),
    "another format": (lambda e, p, w, c: p["schema_version"].update(major=9), "its format is 9, and 8 is known"),
}  # fmt: skip


@pytest.mark.parametrize("way", sorted(EVIL))
def test_what_would_be_run_is_refused(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    change, why = EVIL[way]
    version = torch.__version__.partition("+")[0]
    told = rf"^a\.pt2 is (of a network that pruneexp does not read, as |none that pruneexp wrote, .* torch {version})"
    with pytest.raises(UserError, match=told) as caught:
        load_exported(forged(change), "a.pt2")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


IGNORED: dict[str, Change] = {
    "the expression of a shape": lambda e, p, w, c: values(p)["input"]["sizes"][0]["as_expr"].update(expr_str=CALL),
    "guards": lambda e, p, w, c: p.update(guards_code=[CALL]),
    "sample inputs": lambda e, p, w, c: e.update({"archive/data/sample_inputs/model.pt": harm()}),
    "weights of before": lambda e, p, w, c: e.update({"archive/data/weights/model.pt": harm()}),
    "constants of before": lambda e, p, w, c: e.update({"archive/data/constants/model.pt": harm()}),
    "an operation's name": renamed("linear", f"a = 1\n    {CALL}\n    linear"),
    "an input's name": text_replaced('{"name": "input"}', json.dumps({"name": f"x=({CALL})"})),
    "a library": lambda e, p, w, c: e.update({"archive/data/aotinductor/model/model.so": b"\x7fELF"}),
    "where an operation comes from": lambda e, p, w, c: nodes(p)[0]["metadata"].update(
        source_fn_stack="a,torch.os.mkdir"
    ),
}


@pytest.mark.parametrize("way", sorted(IGNORED))
def test_what_is_not_needed_is_not_read(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = forged(IGNORED[way])
    assert content != closed(opened(HONEST)[0])
    images = torch.randn(2, *SHAPE)
    assert torch.equal(load_exported(content)(images), load_exported(HONEST)(images))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "File is not a zip file"),
        (HONEST[:-30], ""),
        (HONEST.replace(b'"as_tensor"', b'"as_tensox"'), "CRC"),
        (closed(opened(HONEST)[0], zipfile.ZIP_DEFLATED), "its archive is another program's"),
        (closed(opened(HONEST)[0] | {"other/models/model.json": b"{}"}), "its archive is another program's"),
        (closed({"version": b"8.20", "serialized_exported_program.json": b"{}", "serialized_state_dict.pt": harm()}), "another program's"),
        (closed(opened(HONEST)[0] | {MODEL: b"[" * 10**5}), "recursion"),
        (closed(opened(HONEST)[0] | {MODEL: b"[]"}), "list indices"),
    ],
)  # fmt: skip
def test_what_is_no_archive_of_torchs_is_refused(
    content: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"^network\.pt2 is none that pruneexp wrote, .*\(.*{why}"):
        load_exported(content)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        "torch.ops.aten.save.default",
        "torch.ops.aten.load_library",
        "torch.ops.aten._print.default",
        "torch.ops.aten.set_.source_Storage",
        "torch.ops.aten.resize_.default",
        "torch.ops.aten.data.default",
        "torch.ops.aten.fbgemm_linear_fp16_weight.default",
        "torch.load",
        "math.factorial",
        "os.mkdir",
        "",
    ],
)
def test_what_no_program_calls(name: str) -> None:
    with pytest.raises(ValueError, match="is no operation that is known"):
        operator_of(name)


def test_a_network_that_was_read_is_written_and_read_again() -> None:
    images, network = torch.randn(2, *SHAPE), load_exported(HONEST)
    assert torch.equal(load_exported(exported(network, SHAPE))(images), network(images))
    assert pruneexp.plain(network)(images).shape == (2, 3)


def test_text_in_constants_and_outputs_stays_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(192, 3)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"logits": nn.functional.gelu(self.fc(x.flatten(1)), approximate="tanh")}

    monkeypatch.chdir(tmp_path)
    content = exported(Named(), SHAPE)
    for quote in "'\"\\":
        entries, program, *_ = opened(content)
        evil = f"{quote}: {CALL}, {quote}"
        signature = program["graph_module"]["module_call_graph"][0]["signature"]
        version, form = json.loads(signature["out_spec"])
        signature["out_spec"] = json.dumps([version, form | {"context": json.dumps([evil])}])
        network = load_exported(closed(entries | {MODEL: json.dumps(program).encode()}))
        assert list(network(torch.zeros(1, *SHAPE))) == [evil]
        text = json.dumps(program).replace('"tanh"', json.dumps(evil))
        with pytest.raises(RuntimeError, match="approximate argument"):
            load_exported(closed(entries | {MODEL: text.encode()}))(torch.zeros(1, *SHAPE))
    assert os.listdir(tmp_path) == []


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Where JSON holds text: the paths of its keys, and of its values, of which the second is true."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(part, dict):
            yield (*path, key), False
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))
        else:
            yield (*path, key), True


def test_code_in_the_place_of_whatever_is_in_the_file_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = itertools.cycle([CALL, f"x={CALL}, input", f"a\n    {CALL}\n    a", f"'); {CALL}; ('", f'"); {CALL}; ("'])
    entries, *parts = opened(HONEST)
    for node in nodes(parts[0]):
        node["metadata"] = {}  # which is not read
    refused, images = 0, torch.randn(2, *SHAPE)
    for name, part in zip(PARTS, parts, strict=True):
        for (*path, last), is_value in list(places(part)):
            changed = copy.deepcopy(part)
            owner, text = functools.reduce(operator.getitem, path, changed), next(code)
            owner[last if is_value else text] = text if is_value else owner.pop(last)
            try:
                load_exported(closed(entries | {name: json.dumps(changed).encode()}))(images)
            except UserError:
                refused += 1
    assert refused > 100
    assert os.listdir(tmp_path) == []
