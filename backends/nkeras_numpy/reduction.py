"""Reductions, running sums and products, and sorting."""

import math

import numpy as np

from nkeras.core.errors import short
from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import Ints


def _total(x: Array, axis: Ints, keepdims: bool) -> Array:
    # NumPy sums pairwise only along the fastest dimension: a wider sum is exact in any layout.
    wide = {"f": np.float64, "c": np.complex128}.get(x.dtype.kind, x.dtype)
    return namespace(x).sum(x, axis=axis, keepdims=keepdims, dtype=wide)


def _result_of_empty(x: Array, axis: Ints, keepdims: bool, name: str) -> Array:
    """The empty result of reducing an empty array by a function that has no neutral element."""
    result = namespace(x).sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)
    if result.size:
        raise ValueError(
            f"{name} over axis {short(axis)} of shape {x.shape} has no elements to choose"
        )
    return result


@KERNELS.register
@in_float32
def reduce_sum(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    return _total(x, axis, keepdims).astype(x.dtype)


@KERNELS.register
@in_float32
def sum_of_squares(x: Array) -> Array:
    return _total(x * x, tuple(range(x.ndim)), keepdims=False).astype(x.dtype)


@KERNELS.register
@in_float32
def reduce_mean(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    count = math.prod(x.shape[a] for a in axis)
    return (_total(x, axis, keepdims) / np.float64(count)).astype(x.dtype)


@KERNELS.register
@in_float32
def reduce_prod(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    return namespace(x).prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


@KERNELS.register
@in_float32
def reduce_max(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    if x.size == 0:
        return _result_of_empty(x, axis, keepdims, "reduce_max")
    return namespace(x).max(x, axis=axis, keepdims=keepdims)


@KERNELS.register
@in_float32
def reduce_min(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    if x.size == 0:
        return _result_of_empty(x, axis, keepdims, "reduce_min")
    return namespace(x).min(x, axis=axis, keepdims=keepdims)


@KERNELS.register
@in_float32
def reduce_fmax(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    y = reduce_max(_filled(x, -math.inf), axis=axis, keepdims=keepdims)
    return _nan_for_none(x, y, axis)


@KERNELS.register
@in_float32
def reduce_fmin(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    y = reduce_min(_filled(x, math.inf), axis=axis, keepdims=keepdims)
    return _nan_for_none(x, y, axis)


def _filled(x: Array, worst: float) -> Array:
    return namespace(x).where(x != x, x.dtype.type(worst), x) if x.dtype.kind == "f" else x


def _nan_for_none(x: Array, y: Array, axis: Ints) -> Array:
    """NaN where all elements are NaN."""
    if x.dtype.kind != "f" or not y.size:
        return y
    none = (x != x).all(axis=axis).reshape(y.shape)
    return namespace(x).where(none, x.dtype.type(math.nan), y)


@KERNELS.register
@in_float32
def reduce_any(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    return namespace(x).any(x, axis=axis, keepdims=keepdims)


@KERNELS.register
@in_float32
def reduce_all(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    return namespace(x).all(x, axis=axis, keepdims=keepdims)


@KERNELS.register
@in_float32
def argmax(x: Array, *, axis: int, keepdims: bool) -> Array:
    if x.size == 0:
        return _result_of_empty(x, (axis,), keepdims, "argmax").astype(np.int32)
    return namespace(x).argmax(x, axis=axis, keepdims=keepdims).astype(np.int32)


@KERNELS.register
@in_float32
def argmin(x: Array, *, axis: int, keepdims: bool) -> Array:
    if x.size == 0:
        return _result_of_empty(x, (axis,), keepdims, "argmin").astype(np.int32)
    return namespace(x).argmin(x, axis=axis, keepdims=keepdims).astype(np.int32)


@KERNELS.register
@in_float32
def cumsum(x: Array, *, axis: int) -> Array:
    return namespace(x).cumsum(x, axis=axis, dtype=x.dtype)


@KERNELS.register
@in_float32
def cumprod(x: Array, *, axis: int) -> Array:
    return namespace(x).cumprod(x, axis=axis, dtype=x.dtype)


@KERNELS.register
@in_float32
def linear_recurrence(x: Array, factors: Array, *, axis: int) -> Array:
    """`y[i] = x[i] + factors[i] * y[i - 1]` along an axis."""
    y = x.copy()
    lines, by = np.moveaxis(y, axis, 0), np.moveaxis(factors, axis, 0)
    for i in range(1, len(lines)):
        lines[i] += by[i] * lines[i - 1]
    return y


@KERNELS.register
@in_float32
def sort(x: Array, *, axis: int) -> Array:
    return namespace(x).sort(x, axis=axis, kind="stable")


@KERNELS.register
@in_float32
def argsort(x: Array, *, axis: int) -> Array:
    return namespace(x).argsort(x, axis=axis, kind="stable").astype(np.int32)
