"""What each operation does to the channels that pass it: the one list, for the channel graph, coupled channels, topology and cost.

The words are ATen's, as torch.export writes a network down, without their overload and the underscore of those that
work in place. What is not listed has no meaning in a graph.
"""

from enum import Enum, auto


class Kind(Enum):
    """What becomes of channels at positions."""

    MOVE = auto()  # elements go elsewhere, unchanged: views, permutations, joinings
    PICK = auto()  # the same, by numbers that would be others where channels have gone: pieces, shifts, margins
    PASS = auto()  # each element goes where it was: activations, normalisations, what is done with constants
    ADD = auto()  # elements of several maps meet: sums and differences
    MULTIPLY = auto()  # the same, but one scales the other: gates
    POOL = auto()  # positions meet, channel by channel, over the last dimensions
    REDUCE = auto()  # elements along the named dimensions meet
    LAYER = auto()  # weights lead from channels to new ones
    PRODUCT = auto()  # matrices multiply, of activations or with a weight
    ATTEND = auto()  # attention as one operation
    FILL = auto()  # something new, of constants


def _words(kind: Kind, words: str) -> dict[str, Kind]:
    return dict.fromkeys(words.split(), kind)


KINDS: dict[str, Kind] = {
    **_words(
        Kind.MOVE,
        "view reshape _unsafe_view view_as reshape_as permute transpose t numpy_T mT swapaxes swapdims movedim moveaxis flatten "
        "unflatten squeeze unsqueeze expand expand_as broadcast_to repeat repeat_interleave tile cat concat concatenate flip "
        "contiguous clone ravel lift_fresh_copy",
    ),
    **_words(
        Kind.PICK,
        "stack hstack vstack split split_with_sizes chunk tensor_split unbind select slice narrow index index_select gather "
        "take_along_dim roll rot90 pad constant_pad_nd pixel_shuffle pixel_unshuffle channel_shuffle im2col unfold "
        "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d",
    ),
    **_words(
        Kind.PASS,
        "relu relu6 prelu _prelu_kernel gelu silu mish tanh sigmoid elu selu celu leaky_relu rrelu softplus softsign "
        "log_sigmoid hardswish hardsigmoid hardtanh hardshrink softshrink tanhshrink threshold exp expm1 log log1p sqrt rsqrt "
        "abs neg sign sin cos erf square reciprocal clamp clamp_min clamp_max clip floor round nan_to_num dropout "
        "feature_dropout alpha_dropout feature_alpha_dropout softmax log_softmax _softmax _log_softmax _safe_softmax batch_norm "
        "instance_norm group_norm layer_norm rms_norm masked_fill native_batch_norm _native_batch_norm_legit_no_training "
        "exp2 log2 log10 sinh cosh tan asin acos atan asinh acosh atanh ceil trunc frac logit isnan isinf isfinite logical_not "
        "bitwise_not native_layer_norm native_group_norm positive tril triu alias detach to _to_copy type_as float double half bfloat16",
    ),
    **_words(Kind.ADD, "add sub rsub subtract"),
    **_words(
        Kind.MULTIPLY,
        "mul div multiply divide maximum minimum pow where addcmul addcdiv lerp fmod remainder atan2 "
        "gt ge lt le eq ne logical_and logical_or bitwise_and bitwise_or __and__ __or__",
    ),
    **_words(
        Kind.POOL,
        "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
        "adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d "
        "adaptive_max_pool3d upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d "
        "upsample_bicubic2d upsample_trilinear3d _upsample_nearest_exact2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa "
        "lp_pool2d",
    ),
    **_words(Kind.REDUCE, "mean sum amax amin max min std var norm linalg_vector_norm logsumexp prod cumsum"),
    **_words(
        Kind.LAYER,
        "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d embedding",
    ),
    **_words(Kind.PRODUCT, "matmul mm bmm addmm baddbmm"),
    **_words(Kind.ATTEND, "scaled_dot_product_attention"),
    **_words(
        Kind.FILL,
        "arange zeros ones full empty rand randn scalar_tensor zeros_like ones_like full_like empty_like rand_like randn_like "
        "new_zeros new_ones new_full new_empty linspace eye",
    ),
}  # fmt: skip

# these choose by the values of one of their inputs
CHOOSE = {"index", "index_select", "gather", "take_along_dim", "repeat_interleave"}
# of a second input these take the dtype or the shape alone
LIKE = {"type_as", "to", "view_as", "reshape_as", "expand_as"}
# the numbers of these lie along the second dimension
BY_CHANNEL = {
    *("prelu", "_prelu_kernel", "batch_norm", "instance_norm", "group_norm", "native_batch_norm", "native_group_norm"),
    "_native_batch_norm_legit_no_training",
}


def kind_of(name: str) -> Kind | None:
    """The kind of an operation by its ATen name; None where it has no meaning."""
    return KINDS.get(name) or KINDS.get(name.rstrip("_"))
