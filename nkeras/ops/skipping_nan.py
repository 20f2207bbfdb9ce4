"""Sums, means, extremes and quantiles that skip NaN."""

from __future__ import annotations

import math

from nkeras.backend.scalars import arithmetic
from nkeras.core import dtypes
from nkeras.core.errors import refuse
from nkeras.core.primitive import Primitive, op, to_floating, to_tensor
from nkeras.core.spec import normalize_axes
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, DTypeLike, TensorLike
from nkeras.ops.complexes import square_of_size
from nkeras.ops.elementwise import (
    ceil,
    divide,
    elementwise,
    floor,
    isnan,
    maximum,
    not_equal,
    rint,
    root_of_squares,
    where_,
)
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.reduction import all, prod, reduce_fmax, reduce_fmin, reduce_sum, sum
from nkeras.ops.shape import cast, concatenate
from nkeras.ops.sorting import argmax, argmin, cumprod, cumsum, sort
from nkeras.ops.statistics import METHODS, arranged, fractions, lines_of

without_nan = elementwise(arithmetic.without_nan, "promote", "A number in place of NaN.")


def _filled(x: TensorLike, value: float) -> Tensor:
    """`x` with a number in place of NaN."""
    x = to_tensor(x)
    if not dtypes.is_differentiable(x.dtype):
        return x
    return without_nan(x, value) if dtypes.is_floating(x.dtype) else where_(isnan(x), value, x)


def _nothing(x: TensorLike, axis: Axis, keepdims: bool) -> Tensor:
    """Whether all elements over axes are NaN."""
    return all(isnan(to_tensor(x)), axis, keepdims)


@op
def nansum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over axes, NaN counted as 0."""
    return sum(_filled(x, 0.0), axis, keepdims)


@op
def nanprod(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Product over axes, NaN counted as 1."""
    return prod(_filled(x, 1.0), axis, keepdims)


@op
def nancumsum(x: TensorLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Sums of all elements up to each one, NaN counted as 0."""
    return cumsum(_filled(x, 0.0), axis, dtype)


@op
def nancumprod(x: TensorLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Products of all elements up to each one, NaN counted as 1."""
    return cumprod(_filled(x, 1.0), axis, dtype)


@op
def nanmean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Mean over axes of the elements that are not NaN."""
    x = to_floating(x)
    missing = sum(cast(isnan(x), "int32"), axis, keepdims)
    total = math.prod(x.shape[i] for i in normalize_axes(axis, len(x.shape), "nanmean"))
    return divide(sum(_filled(x, 0.0), axis, keepdims), cast(total - missing, x.dtype))


@op
def nanvar(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Variance over axes of the elements that are not NaN."""
    x = to_floating(x)
    return nanmean(square_of_size(x - nanmean(x, axis, True)), axis, keepdims)


@op
def nanstd(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Standard deviation over axes of the elements that are not NaN."""
    return root_of_squares(nanvar(x, axis, keepdims))


def _nan_extreme(
    function: Primitive[Tensor], x: TensorLike, axis: Axis, keepdims: bool, owner: str
) -> Tensor:
    x = to_tensor(x)
    axes = normalize_axes(axis, len(x.shape), owner)
    if 0 in [x.shape[i] for i in axes]:
        raise ValueError(f"{owner}: an empty axis has no extreme. Received shape {x.shape}")
    return function(x, axis=axes, keepdims=keepdims)


@op
def nanmax(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over axes that is not NaN; NaN where there is none."""
    return _nan_extreme(reduce_fmax, x, axis, keepdims, "nanmax")


@op
def nanmin(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over axes that is not NaN; NaN where there is none."""
    return _nan_extreme(reduce_fmin, x, axis, keepdims, "nanmin")


@op
def nanargmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Position of the first largest element that is not NaN; -1 where there is none."""
    place = argmax(_filled(x, -math.inf), axis, keepdims)
    return where_(_nothing(x, axis, keepdims), -1, place)


@op
def nanargmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Position of the first smallest element that is not NaN; -1 where there is none."""
    place = argmin(_filled(x, math.inf), axis, keepdims)
    return where_(_nothing(x, axis, keepdims), -1, place)


@op
def nanquantile(
    x: TensorLike, q: TensorLike, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """As `quantile`, of the elements that are not NaN."""
    if method not in METHODS:
        refuse("method", method, f"one of {METHODS}", "nanquantile")
    lines, shape = lines_of(x, axis, keepdims, "nanquantile")
    ordered = sort(lines, -1)  # NaN last
    count = reduce_sum(
        cast(~isnan(lines), lines.dtype), axis=(len(lines.shape) - 1,), keepdims=True
    )
    results = []
    for fraction in fractions(q):
        results.append(_quantile_of_first(ordered, count, float(fraction), method))
    return arranged(concatenate(results, -1), q, shape)


def _quantile_of_first(ordered: Tensor, count: Tensor, fraction: float, method: str) -> Tensor:
    """`(..., 1)`: a quantile of the first `count` elements of each sorted line."""
    position = maximum(fraction * (count - 1.0), 0.0)
    below, above = floor(position), ceil(position)
    low = take_along_axis(ordered, cast(below, "int32"), -1)
    high = take_along_axis(ordered, cast(above, "int32"), -1)
    share = {
        "linear": position - below,
        "lower": 0.0 * position,
        "higher": above - below,
        "midpoint": 0.5 * (above - below),
        "nearest": rint(position) - below,
    }[method]
    return where_(not_equal(share, 0.0), low * (1.0 - share) + high * share, low)


@op
def nanpercentile(
    x: TensorLike, q: TensorLike, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """Quantiles in percent of the elements that are not NaN."""
    return nanquantile(x, to_tensor(q).numpy() / 100.0, axis, method, keepdims)


@op
def nanmedian(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Median over axes of the elements that are not NaN."""
    return nanquantile(x, 0.5, axis, "linear", keepdims)
