"""The operations of `keras.ops`, by topic; each works eagerly, symbolically and under a tape."""

# ruff: noqa: I001, RUF022
# fmt: off
import typing

from nkeras.core import missing
from nkeras.ops import conv_bias as conv_bias, dense as dense
from nkeras.ops import gru as gru, lstm as lstm, operators as operators, simple_rnn as simple_rnn
from nkeras.ops import quantized as quantized, row_updates as row_updates
from nkeras.ops import group_norm as group_norm, locally_connected as locally_connected
from nkeras.ops.activation import (
    celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh,
    leaky_relu, log_sigmoid, relu, relu6, selu, sigmoid, silu, soft_shrink, softplus, softsign,
    sparse_plus, sparse_sigmoid, sparsemax, squareplus, swish, tanh_shrink, threshold,
)
from nkeras.ops.adaptive_pooling import adaptive_average_pool, adaptive_max_pool
from nkeras.ops.blocks import depth_to_space, fold, space_to_depth, unfold
from nkeras.ops.arranging import (
    append, array_split, dsplit, dstack, fliplr, flipud, hsplit, hstack, moveaxis, ravel,
    repeat, roll, rot90, slice, slice_update, split, tile, unstack, vsplit, vstack,
)
from nkeras.ops.attention import dot_product_attention
from nkeras.ops.control import (
    associative_scan, cond, fori_loop, map, scan, switch, vectorized_map, while_loop,
)
from nkeras.ops.convolution import (
    conv, conv_transpose, depthwise_conv, separable_conv,
)
from nkeras.ops.core import (
    convert_to_numpy, convert_to_tensor, copy, custom_gradient, dtype, full, full_like,
    is_tensor, ndim, ones, ones_like, shape, size, stop_gradient, where, zeros, zeros_like,
)
from nkeras.ops.creation import (
    arange, array, bartlett, blackman, diag, diagflat, diagonal, empty, empty_like, eye,
    geomspace, hamming, hanning, identity, kaiser, linspace, logspace, meshgrid, trace, tri,
    tril, triu, vander,
)
from nkeras.ops.ctc import ctc_decode, ctc_loss
from nkeras.ops.complexes import (
    angle, conj, conjugate, imag, isreal, polar, real, view_as_complex, view_as_real,
)
from nkeras.ops.decompositions import (
    cholesky, eig, eigh, lu_factor, matrix_rank, qr, svd,
)
from nkeras.ops.determinants import det, logdet, slogdet
from nkeras.ops.crossentropy import (
    binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy,
)
from nkeras.ops.einsum import (
    einsum,
)
from nkeras.ops.elementwise import (
    abs, absolute, add, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, bitwise_and,
    bitwise_invert, bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift,
    bitwise_xor, cbrt, ceil, clip, cos, cosh, divide, divide_no_nan, equal, erf, erfc, erfinv,
    exp, exp2, expm1, floor, floor_divide, fmax, fmin, fmod, greater, greater_equal, heaviside,
    hypot, i0, isfinite, isinf, isnan, isneginf, isposinf, left_shift, less, less_equal, log, log10,
    log1p, log2, logaddexp, logaddexp2, logical_and, logical_not, logical_or, logical_xor,
    maximum, minimum, mod, multiply, negative, not_equal, power, reciprocal, right_shift, rsqrt,
    sign, signbit, sin, sinc, sinh, sqrt, square, subtract, tan, tanh, true_divide, trunc,
)
from nkeras.ops.encoding import (
    multi_hot, one_hot, scatter_update, segment_max, segment_min, segment_prod, segment_sum,
)
from nkeras.ops.subscripts import get_item
from nkeras.ops.fourier import (
    extract_sequences, fft, fft2, ifft2, irfft, istft, rfft, stft,
)
from nkeras.ops.generalizing import vectorize
from nkeras.ops.indexing import (
    scatter, take, take_along_axis,
)
from nkeras.ops.jacobians import jvp
from nkeras.ops.matrix_product import (
    matmul,
)
from nkeras.ops.normalization import (
    batch_normalization, layer_normalization, log_softmax, normalize, rms_normalization,
    softmax,
)
from nkeras.ops.norms import norm
from nkeras.ops.numeric import (
    allclose, deg2rad, diff, fabs, gcd, isclose, lcm, ldexp, nan_to_num, nextafter, psnr,
    rad2deg, round, saturate_cast, select, trapezoid, unravel_index,
)
from nkeras.ops.padding import (
    pad,
)
from nkeras.ops.pooling import (
    average_pool, max_pool,
)
from nkeras.ops.products import (
    cdist, correlate, cross, dot, inner, kron, outer, tensordot, vdot,
)
from nkeras.ops.rearranging import rearrange, view
from nkeras.ops.reduction import (
    all, amax, amin, any, logsumexp, max, mean, min, prod, sum,
)
from nkeras.ops.searching import digitize, in_top_k, isin, searchsorted, top_k
from nkeras.ops.shape import (
    broadcast_to, cast, concatenate, expand_dims, flip, reshape, squeeze, stack, swapaxes,
    transpose,
)
from nkeras.ops.sorting import (
    argmax, argmin, argpartition, argsort, cumprod, cumsum, nonzero, sort, unique,
)
from nkeras.ops.skipping_nan import (
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin,
    nanpercentile, nanprod, nanquantile, nanstd, nansum, nanvar,
)
from nkeras.ops.solving import (
    cholesky_inverse, inv, lstsq, pinv, solve, solve_triangular,
)
from nkeras.ops.statistics import (
    average, bincount, corrcoef, count_nonzero, histogram, median, moments, percentile, ptp,
    quantile, std, var,
)

__all__ = [
    "abs", "absolute", "adaptive_average_pool", "adaptive_max_pool", "add", "all", "allclose",
    "amax", "amin", "angle", "any", "append", "arange", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort",
    "array", "array_split", "associative_scan", "average", "average_pool", "bartlett",
    "batch_normalization", "binary_crossentropy", "bincount", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "blackman", "broadcast_to", "cast", "categorical_crossentropy", "cbrt", "cdist", "ceil",
    "celu", "cholesky", "cholesky_inverse", "clip", "concatenate", "cond", "conj", "conjugate",
    "conv", "conv_transpose", "convert_to_numpy", "convert_to_tensor", "copy", "corrcoef",
    "correlate", "cos", "cosh", "count_nonzero", "cross", "ctc_decode", "ctc_loss", "cumprod",
    "cumsum", "custom_gradient", "deg2rad", "depth_to_space", "depthwise_conv", "det", "diag",
    "diagflat", "diagonal", "diff", "digitize", "divide", "divide_no_nan", "dot",
    "dot_product_attention", "dsplit", "dstack", "dtype", "eig", "eigh", "einsum", "elu",
    "empty", "empty_like", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expand_dims",
    "expm1", "extract_sequences", "eye", "fabs", "fft", "fft2", "flip", "fliplr", "flipud",
    "floor", "floor_divide", "fmax", "fmin", "fmod", "fold", "fori_loop", "full", "full_like",
    "gcd", "gelu", "geomspace", "get_item", "glu", "greater", "greater_equal", "hamming",
    "hanning", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "heaviside", "histogram", "hsplit", "hstack", "hypot", "i0", "identity", "ifft2", "imag",
    "in_top_k", "inner", "inv", "irfft", "is_tensor", "isclose", "isfinite", "isin", "isinf",
    "isnan", "isneginf", "isposinf", "isreal", "istft", "jvp", "kaiser", "kron",
    "layer_normalization", "lcm", "ldexp", "leaky_relu", "left_shift", "less", "less_equal",
    "linspace", "log", "log10", "log1p", "log2", "log_sigmoid", "log_softmax", "logaddexp",
    "logaddexp2", "logdet", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logspace", "logsumexp", "lstsq", "lu_factor", "map", "matmul", "matrix_rank", "max",
    "max_pool", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mod", "moments",
    "moveaxis", "multi_hot", "multiply", "nan_to_num", "nanargmax", "nanargmin", "nancumprod",
    "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "ndim", "negative", "nextafter", "nonzero",
    "norm", "normalize", "not_equal", "one_hot", "ones", "ones_like", "outer", "pad",
    "percentile", "pinv", "polar", "power", "prod", "psnr", "ptp", "qr", "quantile", "rad2deg",
    "ravel", "real", "rearrange", "reciprocal", "relu", "relu6", "repeat", "reshape", "rfft",
    "right_shift", "rms_normalization", "roll", "rot90", "round", "rsqrt", "saturate_cast",
    "scan", "scatter", "scatter_update", "searchsorted", "segment_max", "segment_min",
    "segment_prod", "segment_sum", "select", "selu", "separable_conv", "shape", "sigmoid",
    "sign", "signbit", "silu", "sin", "sinc", "sinh", "size", "slice", "slice_update",
    "slogdet", "soft_shrink", "softmax", "softplus", "softsign", "solve", "solve_triangular",
    "sort", "space_to_depth", "sparse_categorical_crossentropy", "sparse_plus",
    "sparse_sigmoid", "sparsemax", "split", "sqrt", "square", "squareplus", "squeeze", "stack",
    "std", "stft", "stop_gradient", "subtract", "sum", "svd", "swapaxes", "swish", "switch",
    "take", "take_along_axis", "tan", "tanh", "tanh_shrink", "tensordot", "threshold", "tile",
    "top_k", "trace", "transpose", "trapezoid", "tri", "tril", "triu", "true_divide", "trunc",
    "unfold", "unique", "unravel_index", "unstack", "vander", "var", "vdot", "vectorize",
    "vectorized_map", "view", "view_as_complex", "view_as_real", "vsplit", "vstack", "where",
    "while_loop", "zeros", "zeros_like",
]
# fmt: on

if typing.TYPE_CHECKING:
    from nkeras.ops import image as image, linalg as linalg, nn as nn, numpy as numpy

missing.explain(__name__, inside=("image", "linalg", "nn", "numpy"))
