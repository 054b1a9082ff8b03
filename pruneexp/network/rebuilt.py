"""A graph of torch.export, built anew from its JSON: only of operations that are known, and under names of its own."""

import json
import math
import operator
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx

from pruneexp.network.operations import kind_of

ATEN = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)", re.ASCII)
# neither among the operations with channels nor in ATen's core, and computed from tensors and numbers alone: nothing of files, of memory
# that is named by its address (a packed weight's), of another size than its tensor has, or of indices that are not looked at
WORDS = (
    "_assert_scalar _assert_tensor_metadata _convolution _convolution_mode _euclidean_dist _linalg_det _linalg_eigh _linalg_slogdet "
    "_linalg_solve_ex _linalg_svd _native_multi_head_attention _pad_circular _pad_enum _scaled_dot_product_attention_math "
    "_shape_as_tensor _transformer_encoder_layer_fwd _trilinear _unique2 _upsample_nearest_exact1d _upsample_nearest_exact3d "
    "_weight_norm _weight_norm_interface absolute addbmm addmv addr adjoint affine_grid_generator all allclose aminmax arccos arccosh "
    "arcsin arcsinh arctan arctan2 arctanh argsort argwhere atleast_1d atleast_2d atleast_3d bilinear binary_cross_entropy "
    "binary_cross_entropy_with_logits bincount block_diag broadcast_tensors bucketize cartesian_prod cdist chain_matmul cholesky "
    "cholesky_inverse cholesky_solve column_stack combinations complex conj corrcoef cosine_embedding_loss cosine_similarity "
    "count_nonzero cov cross cross_entropy_loss cummax cummin cumprod cumulative_trapezoid det diag diag_embed diagflat "
    "diagonal_scatter diff dist dot dsplit dstack einsum fft_fft fft_fft2 fft_fftfreq fft_fftn fft_fftshift fft_hfft fft_hfft2 "
    "fft_hfftn fft_ifft fft_ifft2 fft_ifftn fft_ifftshift fft_ihfft fft_ihfft2 fft_ihfftn fft_irfft fft_irfft2 fft_irfftn fft_rfft "
    "fft_rfft2 fft_rfftfreq fft_rfftn fill_diagonal fix flatten_dense_tensors fliplr flipud floor_divide frobenius_norm ger glu "
    "gradient greater greater_equal grid_sampler grid_sampler_3d gru gru_cell hamming_window hann_window hinge_embedding_loss histc "
    "hsplit huber_loss imag index_add index_copy index_fill index_reduce inner inverse isclose isin isreal istft item kl_div kron "
    "kthvalue l1_loss less less_equal lift lift_fresh linalg_cholesky linalg_cholesky_ex linalg_cond linalg_cross linalg_det "
    "linalg_diagonal linalg_eig linalg_eigh linalg_eigvals linalg_eigvalsh linalg_inv linalg_inv_ex linalg_lstsq linalg_lu "
    "linalg_matmul linalg_matrix_exp linalg_matrix_norm linalg_matrix_power linalg_matrix_rank linalg_multi_dot linalg_norm "
    "linalg_pinv linalg_qr linalg_slogdet linalg_solve linalg_solve_ex linalg_solve_triangular linalg_svd linalg_svdvals "
    "linalg_tensorinv linalg_tensorsolve linalg_vander linalg_vecdot log_sigmoid_forward logcumsumexp logdet logspace lstm lstm_cell "
    "mH margin_ranking_loss masked_select matrix_H matrix_exp matrix_power max_pool1d_with_indices max_unpool2d max_unpool3d median "
    "meshgrid mode modf mse_loss msort mv nanmean nanmedian nanquantile nansum narrow_copy native_channel_shuffle negative nll_loss "
    "nll_loss_nd norm_except_dim not_equal nuclear_norm one_hot outer pad_sequence pairwise_distance pdist pinverse poisson_nll_loss "
    "polar put qr quantile randint real renorm resolve_conj resolve_neg rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell row_stack "
    "searchsorted slogdet smooth_l1_loss soft_margin_loss special_digamma special_erf special_erfc special_erfinv special_exp2 "
    "special_expit special_expm1 special_gammainc special_gammaincc special_gammaln special_i0 special_log1p special_log_softmax "
    "special_logit special_logsumexp special_multigammaln special_ndtr special_polygamma special_psi special_round special_sinc "
    "special_softmax special_xlogy std_mean stft sum_to_size svd sym_constrain_range sym_constrain_range_for_size take tensordot "
    "trace trapezoid trapz tril_indices triplet_margin_loss triu_indices unflatten_dense_tensors unique_consecutive unique_dim "
    "unsafe_chunk unsafe_split unsafe_split_with_sizes vander var_mean vdot view_as_complex view_as_real vsplit zero"
)  # fmt: skip
BESIDE = set(WORDS.split())
FUNCTIONS: dict[str, Any] = {  # of sizes
    "math.trunc": math.trunc,
    **{f"torch.sym_{name}": getattr(torch, f"sym_{name}") for name in ("int", "float", "max", "min", "not")},
    **{f"_operator.{name}": getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pos")},
    **{f"_operator.{name}": getattr(operator, name) for name in ("eq", "ne", "le", "ge", "lt", "gt", "and_", "or_")},
}  # fmt: skip
# around a graph within the graph
NO_GRADIENTS, AUTOCAST = (f"torch.ops.higher_order.wrap_with_{name}" for name in ("set_grad_enabled", "autocast"))
DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 10: torch.complex64, 11: torch.complex128, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
NUMBERED: dict[str, dict[int, Any]] = {
    "as_scalar_type": DTYPES,
    "as_layout": {7: torch.strided},
    "as_memory_format": dict(
        enumerate((torch.contiguous_format, torch.channels_last, torch.channels_last_3d, torch.preserve_format), 1)
    ),
}
PLAIN: dict[str, type] = {"as_int": int, "as_float": float, "as_bool": bool, "as_string": str}

Known = dict[str | None, Any]  # what the file's names stand for, nodes and constants; None of an output that is none


class UnknownOperatorError(ValueError):
    """A file calls what is not known, or not run: of a sound file too, as torch has more operators than these."""


def graph_of(said: Mapping[str, Any], tensors: Container[str]) -> fx.Graph:
    """The operations that a file tells, in its order. What runs without gradients there has them here; outputs are the same, as they are
    without an autocast that is off, or on for another device than the CPU.

    Args:
        said: the file's ``graph_module``, as JSON has it.
        tensors: the names of parameters and buffers.

    Raises:
        UnknownOperatorError: an operation is none that is known, or is autocast's on the CPU.
        ValueError, KeyError, TypeError, AttributeError: it is something else that is not known.
    """
    graph, known, specs = fx.Graph(), Known(), said["signature"]["input_specs"]
    (images,) = (spec["user_input"]["arg"]["as_tensor"]["name"] for spec in specs if "user_input" in spec)
    known[images] = graph.placeholder("x")
    for spec in specs:
        ((kind, source),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            if (name := source[f"{kind}_name"]) not in tensors:
                raise ValueError(f"there is no tensor {name!r}")
            known[source["arg"]["name"]] = graph.get_attr(name)
        elif kind != "user_input":
            raise ValueError(f"{kind} is no input of a network")
    if any(spec.keys() != {"user_output"} for spec in said["signature"]["output_specs"]):
        raise ValueError("it changes its own tensors")
    _run(graph, said["graph"]["nodes"], known)
    outputs = [_value(one, known) for one in said["graph"]["outputs"]]
    (form,) = (entry["signature"]["out_spec"] for entry in said["module_call_graph"] if entry["fqn"] == "")
    graph.output(_formed(json.loads(form)[1], iter(outputs)))
    return graph


def operator_of(name: str) -> Any:
    """What a file calls by this name: operations that `pruneexp.network.operations` lists, those of ATen's core, its pointwise ones and
    those of `BESIDE`, in place or not, and what is done with sizes. None of them touches more than tensors and numbers.

    Raises:
        UnknownOperatorError: it is something else.
    """
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    if (aten := ATEN.fullmatch(name)) and _is_known(aten[1]):
        found = getattr(getattr(torch.ops.aten, aten[1]), aten[2])
        if isinstance(found, torch._ops.OpOverload):
            return found
    raise UnknownOperatorError(f"{name} is no operation that is known")


def _is_known(name: str) -> bool:
    plain = name.rstrip("_")
    if kind_of(name) or name in BESIDE or plain in BESIDE:
        return True
    family = getattr(torch.ops.aten, plain, None)
    overloads = [] if family is None else [getattr(family, overload) for overload in family.overloads()]
    return any({torch.Tag.core, torch.Tag.pointwise} & set(one.tags) for one in overloads)


def _run(graph: fx.Graph, nodes: Sequence[Mapping[str, Any]], known: Known) -> None:
    """Add operations to the graph, and what they give to what is known."""
    for node in nodes:
        outputs = node["outputs"]
        if listed := len(outputs) == 1 and "as_tensors" in outputs[0]:
            outputs = [{"as_tensor": one} for one in outputs[0]["as_tensors"]]
        if node["target"] in (NO_GRADIENTS, AUTOCAST):  # its graph is put among the others
            wrapped = [one["arg"] for one in node["inputs"]]
            place = 1 if node["target"] == NO_GRADIENTS else 4
            if node["target"] == AUTOCAST and wrapped[0] == {"as_string": "cpu"} and wrapped[2] != {"as_bool": False}:
                raise UnknownOperatorError("torch.autocast on the CPU, under which a part of it runs, is not done here")
            within, given = wrapped[place]["as_graph"]["graph"], wrapped[place + 1 :]
            inner = {_name(one): _value(value, known) for one, value in zip(within["inputs"], given, strict=True)}
            _run(graph, within["nodes"], inner)
            values = [_value(one, inner) for one in within["outputs"]]
        else:
            target = operator_of(node["target"])
            arguments = [(one["name"], _value(one["arg"], known)) for one in node["inputs"]]
            values = [graph.call_function(target, *_arguments(target, arguments))]
            if listed or len(outputs) > 1:
                values = [graph.call_function(operator.getitem, (values[0], k)) for k in range(len(outputs))]
        known |= dict(zip(map(_name, outputs), values, strict=bool(outputs)))  # an assertion has none


def _arguments(target: Any, given: list[tuple[str, Any]]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """As they stand in the operator's schema: by place up to the first that is left out."""
    if not isinstance(target, torch._ops.OpOverload):
        return tuple(value for _, value in given), {}
    named, args, schema = dict(given), list[Any](), target._schema.arguments
    if strange := named.keys() - {argument.name for argument in schema}:  # it would stand in the graph's source text
        raise ValueError(f"{target} takes no {min(strange)!r}")
    for k, argument in enumerate(schema):
        if argument.name in named and len(args) == k and not argument.kwarg_only:
            args.append(named.pop(argument.name))
    return tuple(args), named


def _name(output: Mapping[str, Any]) -> str | None:
    """What an output is called; None of one that is none."""
    ((kind, said),) = output.items()
    if kind not in ("as_none", "as_tensor", "as_sym_int", "as_sym_bool", "as_sym_float"):
        raise ValueError(f"{kind} is no output of an operation")
    return None if kind == "as_none" else str(said["name" if kind == "as_tensor" else "as_name"])


def _value(argument: Mapping[str, Any], known: Known) -> Any:
    """An argument of an operation: what a name stands for, or a constant."""
    ((kind, said),) = argument.items()
    if kind in PLAIN:
        if PLAIN[kind] is float and (type(said) is int or said in ("Infinity", "-Infinity", "NaN")):
            return float(said)
        if type(said) is not PLAIN[kind]:
            raise ValueError(f"{said!r} is not of type {kind}")
        return said
    if kind[:-1] in PLAIN:  # as_ints
        return [_value({kind[:-1]: one}, known) for one in said]
    if kind in ("as_tensor", "as_name"):
        return known[said["name"] if kind == "as_tensor" else said]
    if kind == "as_tensors":
        return [known[one["name"]] for one in said]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool", "as_optional_tensor"):
        return _value(said, known)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools", "as_optional_tensors"):
        return [_value(one, known) for one in said]
    if kind in NUMBERED:
        return NUMBERED[kind][said]
    if kind == "as_none" or (kind == "as_device" and said["type"] == "cpu"):
        return None if kind == "as_none" else torch.device("cpu")
    raise ValueError(f"{kind} is no argument that is known")


def _formed(form: Mapping[str, Any], outputs: Iterator[Any]) -> Any:
    """What the network returns, as torch's pytree tells it; of a class that is no list, tuple or dict the dict of its entries."""
    kind, parts = form["type"], form["children_spec"]
    if kind is None:
        return next(outputs)
    made = [_formed(part, outputs) for part in parts]
    if kind in ("builtins.list", "builtins.tuple"):
        return made if kind == "builtins.list" else tuple(made)
    names = json.loads(form["context"])
    if not isinstance(names, list) or not all(type(name) in (str, int) for name in names):
        raise ValueError(f"{kind} is nothing that a network returns")
    return dict(zip(names, made, strict=True))
