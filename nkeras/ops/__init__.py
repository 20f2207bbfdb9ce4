"""The operations of `keras.ops`, by topic; each works eagerly, symbolically and under a tape."""

# ruff: noqa: F401, I001
# fmt: off
from nkeras.core import missing
from nkeras.ops import conv_bias, dense, operators, recurrent
from nkeras.ops.activation import (
    celu, elu, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh,
    leaky_relu, log_sigmoid, relu, relu6, selu, sigmoid, silu, soft_shrink, softplus, softsign,
    sparse_plus, sparse_sigmoid, sparsemax, squareplus, swish, tanh_shrink, threshold,
)
from nkeras.ops.arranging import (
    append, array_split, dsplit, dstack, fliplr, flipud, hsplit, hstack, moveaxis, ravel,
    repeat, roll, rot90, slice, slice_update, split, tile, unstack, vsplit, vstack,
)
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
    geomspace, hamming, hanning, i0, identity, kaiser, linspace, logspace, meshgrid, trace, tri,
    tril, triu, vander,
)
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
    hypot, isfinite, isinf, isnan, isneginf, isposinf, left_shift, less, less_equal, log, log10,
    log1p, log2, logaddexp, logaddexp2, logical_and, logical_not, logical_or, logical_xor,
    maximum, minimum, mod, multiply, negative, not_equal, power, reciprocal, right_shift, rsqrt,
    sign, signbit, sin, sinc, sinh, sqrt, square, subtract, tan, tanh, true_divide, trunc,
)
from nkeras.ops.encoding import (
    multi_hot, one_hot, scatter_update, segment_max, segment_min, segment_prod, segment_sum,
)
from nkeras.ops.indexing import (
    scatter, take, take_along_axis,
)
from nkeras.ops.linalg import (
    matmul,
)
from nkeras.ops.normalization import (
    batch_normalization, layer_normalization, log_softmax, normalize, rms_normalization,
    softmax,
)
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
from nkeras.ops.reduction import (
    all, amax, amin, any, logsumexp, max, mean, min, prod, sum,
)
from nkeras.ops.shape import (
    broadcast_to, cast, concatenate, expand_dims, flip, get_item, reshape, squeeze, stack,
    swapaxes, transpose,
)
from nkeras.ops.sorting import (
    argmax, argmin, argpartition, argsort, cumprod, cumsum, digitize, in_top_k, isin, nonzero,
    searchsorted, sort, top_k, unique,
)
from nkeras.ops.statistics import (
    average, bincount, corrcoef, count_nonzero, histogram, median, moments, nanargmax,
    nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin, nanpercentile,
    nanprod, nanquantile, nanstd, nansum, nanvar, percentile, ptp, quantile, std, var,
)
# fmt: on

missing.explain(__name__)
