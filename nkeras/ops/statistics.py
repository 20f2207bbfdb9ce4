"""Statistics: spread, quantiles, averages, counts, histograms."""

from __future__ import annotations

import builtins
import math

import numpy as np

from nkeras.core import dtypes, graph
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import op, promoted, to_floating, to_tensor
from nkeras.core.spec import normalize_axes, reduced_shape
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, Shape, TensorLike
from nkeras.ops.complexes import conj, square_of_size
from nkeras.ops.core import stop_gradient, zeros
from nkeras.ops.elementwise import (
    divide,
    isnan,
    root_of_squares,
    sqrt,
    subtract,
    where_,
)
from nkeras.ops.indexing import scatter, take
from nkeras.ops.matrix_product import matmul
from nkeras.ops.reduction import (
    amax,
    amin,
    mean,
    reduce_mean,
    sum,
)
from nkeras.ops.searching import searchsorted
from nkeras.ops.shape import broadcast_to, cast, expand_dims, reshape, transpose
from nkeras.ops.sorting import sort
from nkeras.ops.subscripts import getitem


@op
def var(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Variance over axes: the mean of squared distances from the mean.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor, floating.

    Example:
        >>> import nkeras
        >>> float(nkeras.ops.var([1.0, 3.0]))
        1.0
    """
    x = to_floating(x)
    axes = normalize_axes(axis, len(x.shape), "var")
    centred = x - reduce_mean(x, axis=axes, keepdims=True)
    return reduce_mean(square_of_size(centred), axis=axes, keepdims=keepdims)


@op
def std(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Standard deviation over axes: the root of `var`.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor, floating.
    """
    return root_of_squares(var(x, axis, keepdims))


@op
def ptp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest minus smallest element over axes."""
    return subtract(amax(x, axis, keepdims), amin(x, axis, keepdims))


@op
def moments(
    x: TensorLike, axes: Axis, keepdims: bool = False, synchronized: bool = False
) -> tuple[Tensor, Tensor]:
    """Mean and variance over axes; half precision is computed in float32.

    Args:
        x: tensor.
        axes: int or tuple of int.
        keepdims: keep reduced axes with size 1.
        synchronized: accepted for Keras' sake: nkeras runs on one device.

    Returns:
        Two tensors of the dtype of `x`.
    """
    x = to_floating(x)
    wide = cast(x, "float32") if x.dtype in dtypes.HALVES else x
    reduced = normalize_axes(axes, len(x.shape), "moments")
    middle = reduce_mean(wide, axis=reduced, keepdims=True)
    variance = reduce_mean(square_of_size(wide - middle), axis=reduced, keepdims=keepdims)
    middle = middle if keepdims else reshape(middle, variance.shape)
    return cast(middle, x.dtype), cast(variance, dtypes.real_of(x.dtype))


@op
def average(x: TensorLike, axis: Axis = None, weights: TensorLike | None = None) -> Tensor:
    """Weighted mean over axes.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        weights: tensor of the shape of `x`, or of rank 1 along `axis`; None weighs all alike.

    Returns:
        Tensor, floating.

    Raises:
        ValueError: the shape of `weights` does not fit.
    """
    if weights is None:
        return mean(x, axis)
    x, weights = to_floating(x), to_tensor(weights)
    axes = normalize_axes(axis, len(x.shape), "average")
    if weights.shape != x.shape:
        if weights.shape != tuple(x.shape[i] for i in axes):
            raise ValueError(
                f"average: `weights` must have the shape of `x`, {x.shape}, or that of its axes "
                f"{short(axis)}. Received shape {weights.shape}"
            )
        if len(axes) == 1 and dtypes.is_floating(weights.dtype):
            x, weights = promoted(x, weights)
            behind = [i for i in range(len(x.shape)) if i != axes[0]]
            return divide(matmul(transpose(x, [*behind, axes[0]]), weights), sum(weights))
        wide = tuple(size if i in axes else 1 for i, size in enumerate(x.shape))
        weights = reshape(weights, wide)
    product = x * weights
    return divide(sum(product, axis), sum(broadcast_to(weights, product.shape), axis))


METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@op
def quantile(
    x: TensorLike, q: TensorLike, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """Quantiles over axes; a NaN among the elements gives NaN.

    Args:
        x: tensor.
        q: number or sequence of numbers in [0, 1], with values.
        axis: int, tuple of int, or None for all.
        method: what to do between two elements: `"linear"`, `"lower"`, `"higher"`, `"midpoint"` or
            `"nearest"`.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor, floating; with several quantiles they are the first axis.

    Raises:
        ValueError: `q` is out of range, or `method` is unknown.
    """
    lines, shape = lines_of(x, axis, keepdims, "quantile")
    size = lines.shape[-1]
    if size == 0:
        raise ValueError("quantile: the reduced axes are empty.")
    ordered = sort(lines, -1)
    result = _quantiles(ordered, fractions(q) * (size - 1), method)
    last = getitem(ordered, (..., slice(-1, None)))
    result = where_(isnan(last), last, result)
    return arranged(result, q, shape)


def lines_of(
    x: TensorLike, axis: Axis, keepdims: bool, owner: str
) -> tuple[Tensor, tuple[int, ...]]:
    """The reduced axes flattened into the last one, and the shape of the result."""
    x = to_floating(x)
    axes = normalize_axes(axis, len(x.shape), owner)
    kept = [i for i in range(len(x.shape)) if i not in axes]
    moved = transpose(x, (*kept, *axes))
    count = math.prod(x.shape[i] for i in axes)
    lines = reshape(moved, (*(x.shape[i] for i in kept), count))
    return lines, reduced_shape(x.shape, axes, keepdims)


def fractions(q: TensorLike) -> np.ndarray:
    """The quantiles that are asked for, `(quantiles,)`."""
    fractions = np.asarray(to_tensor(q, "float64").numpy()).ravel()
    if ((fractions < 0) | (fractions > 1)).any():
        refuse("q", q, "between 0 and 1", "quantile")
    return fractions


def _quantiles(ordered: Tensor, positions: np.ndarray, method: str) -> Tensor:
    """`(..., quantiles)`: what stands at positions, which may lie between, of sorted lines."""
    if method not in METHODS:
        refuse("method", method, f"one of {METHODS}", "quantile")
    below = np.floor(positions).astype("int64")
    above = np.minimum(below + 1, ordered.shape[-1] - 1)
    weight = positions - below
    weight = {
        "linear": weight,
        "lower": 0.0 * weight,
        "higher": np.ceil(weight),
        "midpoint": np.where(weight > 0, 0.5, 0.0),
        "nearest": np.where((weight > 0.5) | ((weight == 0.5) & (below % 2 == 1)), 1.0, 0.0),
    }[method]
    low, high = take(ordered, below, -1), take(ordered, above, -1)
    share = to_tensor(weight, ordered.dtype)
    mixed = low * (1.0 - share) + high * share
    return where_(to_tensor(weight == 0.0), low, where_(to_tensor(weight == 1.0), high, mixed))


def arranged(result: Tensor, q: TensorLike, shape: Shape) -> Tensor:
    """`(..., quantiles)` in the shape that the caller expects."""
    rank = len(result.shape)
    first = transpose(result, (rank - 1, *range(rank - 1)))
    return reshape(first, (*to_tensor(q).shape, *shape))


@op
def percentile(
    x: TensorLike, q: TensorLike, axis: Axis = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """Quantiles, given in percent; the arguments are those of `quantile`."""
    return quantile(x, to_tensor(q).numpy() / 100.0, axis, method, keepdims)


@op
def median(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The middle element, or the mean of the two middle ones, over axes.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.
        keepdims: keep reduced axes with size 1.

    Returns:
        Tensor, floating.
    """
    return quantile(x, 0.5, axis, "linear", keepdims)


@op
def count_nonzero(x: TensorLike, axis: Axis = None) -> Tensor:
    """How many elements are not 0, over axes, as int32."""
    return sum(cast(cast(x, "bool"), "int32"), axis)


def bincount(
    x: TensorLike, weights: TensorLike | None = None, minlength: int = 0, sparse: bool = False
) -> Tensor:
    """How often each number occurs.

    Args:
        x: tensor of int `(count,)` or `(rows, count)`, not negative, with values.
        weights: tensor of the shape of `x`: what each occurrence adds.
        minlength: least length of the result.
        sparse: must be False: nkeras has no sparse tensors.

    Returns:
        Tensor `(length,)` or `(rows, length)`; int32, or the dtype of `weights`.

    Raises:
        ValueError: a number is negative, or an argument is wrong.

    Example:
        >>> import nkeras
        >>> nkeras.ops.bincount([0, 2, 2]).numpy()
        array([1, 0, 2], dtype=int32)
    """
    if sparse:
        raise ValueError("bincount: argument `sparse` must be False in nkeras.")
    x = to_tensor(x)
    if isinstance(x, graph.KerasTensor):
        raise ValueError("bincount: the length of the result depends on values; `x` is symbolic.")
    numbers = x.numpy()
    if numbers.size and numbers.min() < 0:
        refuse("x", int(numbers.min()), "a tensor of non-negative integers", "bincount")
    length = builtins.max(int(numbers.max()) + 1 if numbers.size else 0, minlength)
    if weights is None and len(x.shape) == 1:
        return to_tensor(np.bincount(numbers, minlength=minlength).astype("int32"))
    added = to_tensor(np.ones(x.shape, "int32")) if weights is None else to_tensor(weights)
    if len(x.shape) == 1:
        return scatter(expand_dims(x, -1), added, (length,)) if length else zeros((0,), added.dtype)
    rows = np.broadcast_to(np.arange(x.shape[0])[:, None], x.shape)
    return scatter(np.stack([rows, numbers], -1), added, (x.shape[0], length))


def histogram(
    x: TensorLike, bins: int | TensorLike = 10, range: tuple[float, float] | None = None
) -> tuple[Tensor, Tensor]:
    """Counts of elements in bins.

    Args:
        x: tensor with values.
        bins: number of bins of equal width, or ascending edges.
        range: (lowest, highest) edge; that of the elements by default.

    Returns:
        Counts `(bins,)` and edges `(bins + 1,)`; the last bin includes its upper edge.

    Raises:
        ValueError: `bins` is negative, or `range` has not two ascending elements.
    """
    x = to_tensor(x)
    if isinstance(x, graph.KerasTensor):
        raise ValueError("histogram: the edges depend on values, and `x` is symbolic.")
    x = stop_gradient(to_floating(reshape(x, -1)))
    if range is not None and (len(range) != 2 or range[0] > range[1]):
        refuse("range", range, "a pair (lowest, highest)", "histogram")
    if isinstance(bins, int):
        if bins < 1:
            refuse("bins", bins, "a positive int", "histogram")
        edges = np.histogram_bin_edges(x.numpy(), bins, range)
    else:
        edges = to_tensor(bins).numpy()
    edges = to_tensor(edges, x.dtype)
    last = edges.shape[0] - 1
    place = searchsorted(edges, x, side="right")
    place = where_(x == getitem(edges, -1), last, place)
    counts = bincount(place, minlength=last + 2)
    return cast(getitem(counts, slice(1, last + 1)), x.dtype), edges


@op
def corrcoef(x: TensorLike) -> Tensor:
    """Pearson's correlation between the rows.

    Args:
        x: tensor `(rows, observations)` or `(observations,)`.

    Returns:
        Tensor `(rows, rows)`, or a scalar.
    """
    x = to_floating(x)
    line = len(x.shape) == 1
    rows = reshape(x, (1, -1)) if line else x
    centred = rows - mean(rows, axis=1, keepdims=True)
    covariance = matmul(centred, conj(transpose(centred)))
    deviation = sqrt(sum(square_of_size(centred), axis=1))
    result = covariance / expand_dims(deviation, 1) / expand_dims(deviation, 0)
    return reshape(result, ()) if line else result
