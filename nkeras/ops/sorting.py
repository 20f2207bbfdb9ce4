"""Cumulative sums and products, positions of extremes, sorting and searching along one axis."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from nkeras.core import graph
from nkeras.core.errors import refuse, short
from nkeras.core.primitive import Primitive, op, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor, as_tensor
from nkeras.core.typing import DTypeLike, TensorLike
from nkeras.ops.elementwise import greater, greater_equal, isnan, less, less_equal, logical_and
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.reduction import (
    argmax_,
    argmin_,
    argsort_,
    cumprod_,
    cumsum_,
    reduce_any,
    reduce_sum,
    sort_,
)
from nkeras.ops.shape import cast, expand_dims, flip, getitem, reshape


def _line(x: TensorLike, axis: int | None, owner: str) -> tuple[Tensor, int]:
    """The tensor and a non-negative axis; None flattens."""
    x = to_tensor(x)
    x = reshape(x, -1) if axis is None or not x.shape else x
    return x, normalize_axis(axis or 0, len(x.shape), owner)


@op
def cumsum(x: TensorLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Sums of all elements up to each one.

    Args:
        x: tensor.
        axis: int; None flattens first.
        dtype: dtype of the result.

    Returns:
        Tensor.

    Example:
        >>> import nkeras
        >>> nkeras.ops.cumsum([1.0, 2.0, 3.0]).numpy()
        array([1., 3., 6.], dtype=float32)
    """
    x, axis = _line(x, axis, "cumsum")
    return cumsum_(cast(x, dtype or ("int32" if x.dtype == "bool" else x.dtype)), axis=axis)


@op
def cumprod(x: TensorLike, axis: int | None = None, dtype: DTypeLike = None) -> Tensor:
    """Products of all elements up to each one.

    Args:
        x: tensor.
        axis: int; None flattens first.
        dtype: dtype of the result.

    Returns:
        Tensor.
    """
    x, axis = _line(x, axis, "cumprod")
    return cumprod_(cast(x, dtype or ("int32" if x.dtype == "bool" else x.dtype)), axis=axis)


def _position(
    function: Primitive[Tensor], x: TensorLike, axis: int | None, keepdims: bool, owner: str
) -> Tensor:
    x = to_tensor(x)
    rank = len(x.shape)
    line, number = _line(x, axis, owner)
    if line.shape[number] == 0:
        raise ValueError(f"{owner}: an empty axis has no extreme. Received shape {x.shape}")
    if line.dtype == "bool":
        line = cast(line, "int32")
    y = function(line, axis=number, keepdims=keepdims and axis is not None)
    return reshape(y, (1,) * rank) if keepdims and axis is None else y


@op
def argmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Position of the first largest element; NaN counts as the largest.

    Args:
        x: tensor.
        axis: int; None looks at the flattened tensor.
        keepdims: keep the reduced axis with size 1.

    Returns:
        int32 tensor.

    Raises:
        ValueError: the axis is empty.

    Example:
        >>> import nkeras
        >>> nkeras.ops.argmax([[1.0, 5.0], [3.0, 2.0]], axis=1).numpy()
        array([1, 0], dtype=int32)
    """
    return _position(argmax_, x, axis, keepdims, "argmax")


@op
def argmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Position of the first smallest element; NaN counts as the smallest.

    Args:
        x: tensor.
        axis: int; None looks at the flattened tensor.
        keepdims: keep the reduced axis with size 1.

    Returns:
        int32 tensor.

    Raises:
        ValueError: the axis is empty.
    """
    return _position(argmin_, x, axis, keepdims, "argmin")


@op
def sort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """Elements in ascending order, NaN last.

    Args:
        x: tensor.
        axis: int; None sorts the flattened tensor.

    Returns:
        Tensor.
    """
    x, axis = _line(x, axis, "sort")
    if x.dtype == "bool":
        return cast(sort_(cast(x, "int32"), axis=axis), "bool")
    return sort_(x, axis=axis)


@op
def argsort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """Positions that sort a tensor; equal elements keep their order.

    Args:
        x: tensor.
        axis: int; None sorts the flattened tensor.

    Returns:
        int32 tensor.
    """
    x, axis = _line(x, axis, "argsort")
    return argsort_(cast(x, "int32") if x.dtype == "bool" else x, axis=axis)


@op
def argpartition(x: TensorLike, kth: int, axis: int | None = -1) -> Tensor:
    """Positions that bring the `kth` smallest element to its place, smaller ones before it.

    Args:
        x: tensor.
        kth: position in the sorted order.
        axis: int; None looks at the flattened tensor.

    Returns:
        int32 tensor; the order is the sorted one, which is one of those allowed.

    Raises:
        ValueError: `kth` is out of range.
    """
    x, axis = _line(x, axis, "argpartition")
    normalize_axis(kth, x.shape[axis], "argpartition (argument `kth`)")
    return argsort(x, axis)


@op
def top_k(x: TensorLike, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along the last axis, and their positions.

    Args:
        x: tensor `(..., size)`.
        k: how many.
        sorted: accepted for Keras' sake: the result is always sorted, largest first.

    Returns:
        Tensors `(..., k)`: values, and positions as int32; of equal elements the first comes first.

    Raises:
        ValueError: `k` is out of range.

    Example:
        >>> import nkeras
        >>> nkeras.ops.top_k([3.0, 9.0, 5.0], 2)[1].numpy()
        array([1, 2], dtype=int32)
    """
    x = to_tensor(x)
    size = x.shape[-1] if x.shape else 0
    if not hasattr(k, "__index__") or not 1 <= k <= size:
        raise ValueError(f"top_k: argument `k` must be in [1, {size}]. Received: k={short(k)}")
    # Sorting the reversed line ascending and reversing it keeps the first of equals first.
    backward = argsort(flip(x, -1), -1)
    order = getitem(flip((size - 1) - backward, -1), (..., builtins.slice(k)))
    return take_along_axis(x, order, -1), order


@op
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> Tensor:
    """Whether fewer than `k` classes have a larger prediction than the target's.

    Args:
        targets: tensor of int `(batch,)`.
        predictions: tensor `(batch, classes)`.
        k: int.

    Returns:
        bool tensor `(batch,)`; False where the target is negative or its prediction NaN.

    Raises:
        ValueError: a target is too large, or the shapes do not fit.
    """
    targets, predictions = to_tensor(targets), to_tensor(predictions)
    if len(predictions.shape) != len(targets.shape) + 1:
        raise ValueError(
            "in_top_k: `targets` (batch,) and `predictions` (batch, classes) are needed. Received "
            f"shapes {targets.shape} and {predictions.shape}"
        )
    own = take_along_axis(predictions, expand_dims(targets, -1), -1)
    above = reduce_sum(
        cast(greater(predictions, own), "int32"), axis=(len(targets.shape),), keepdims=False
    )
    any_nan = reduce_any(isnan(own), axis=(len(targets.shape),), keepdims=False)
    known = logical_and(~any_nan, greater_equal(targets, 0))
    return logical_and(less(above, k), known)


@op
def searchsorted(sorted_sequence: TensorLike, values: TensorLike, side: str = "left") -> Tensor:
    """Where values must be inserted into a sorted sequence to keep it sorted.

    Args:
        sorted_sequence: tensor `(size,)`, ascending.
        values: tensor of any shape.
        side: `"left"` (before equal elements) or `"right"` (behind them).

    Returns:
        int32 tensor of the shape of `values`.

    Raises:
        ValueError: `sorted_sequence` has not rank 1, or `side` is unknown.
    """
    line, values = to_tensor(sorted_sequence), to_tensor(values)
    if len(line.shape) != 1:
        raise ValueError(
            f"searchsorted: `sorted_sequence` must have rank 1. Received shape {line.shape}"
        )
    if side not in ("left", "right"):
        refuse("side", side, '"left" or "right"', "searchsorted")
    before = (less if side == "left" else less_equal)(line, expand_dims(values, -1))
    return reduce_sum(cast(before, "int32"), axis=(len(values.shape),), keepdims=False)


@op
def digitize(x: TensorLike, bins: TensorLike) -> Tensor:
    """The number of the bin that each element falls into.

    Args:
        x: tensor.
        bins: tensor `(count,)`, ascending edges.

    Returns:
        int32 tensor: `i` where `bins[i - 1] <= x < bins[i]`.
    """
    return searchsorted(bins, x, side="right")


@op
def isin(
    x1: TensorLike, x2: TensorLike, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element of `x1` occurs in `x2`.

    Args:
        x1: tensor.
        x2: tensor, flattened.
        assume_unique: accepted for Keras' sake: it only allows a faster search.
        invert: return the opposite.

    Returns:
        bool tensor of the shape of `x1`.
    """
    x1, x2 = to_tensor(x1), reshape(to_tensor(x2), -1)
    same = expand_dims(x1, -1) == x2
    found = reduce_any(same, axis=(len(x1.shape),), keepdims=False)
    return ~found if invert else found


def nonzero(x: TensorLike) -> tuple[Tensor, ...]:
    """Positions of the elements that are not 0.

    Args:
        x: tensor with values: how many positions there are cannot be known of a symbolic one.

    Returns:
        One int32 tensor for each axis, in row-major order.

    Raises:
        ValueError: `x` is symbolic.
    """
    return tuple(as_tensor(array, "int32") for array in np.nonzero(_concrete(x, "nonzero")))


def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: TensorLike | None = None,
) -> Any:
    """The different elements, ascending.

    Args:
        x: tensor with values.
        sorted: accepted for Keras' sake: the result is always sorted.
        return_index: also return where each one stands first.
        return_inverse: also return for each element of `x` which one it is.
        return_counts: also return how often each one occurs.
        axis: compare slices along this axis; None flattens.
        size: cut or fill the result to this many.
        fill_value: what to fill with; the smallest element by default.

    Returns:
        Tensor, or a tuple of tensors (the further ones are int32).

    Raises:
        ValueError: `x` is symbolic.
    """
    values = _concrete(x, "unique")
    found, *more = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    along = 0 if axis is None else axis
    results = [found, more[0], more[1].reshape(-1) if axis is not None else more[1], more[2]]
    if size is not None:
        fills = (fill_value, 0, None, 0)
        for i in (0, 1, 3):
            results[i] = _resized(results[i], size, fills[i], along if i == 0 else 0)
    wanted = (True, return_index, return_inverse, return_counts)
    names = (to_tensor(x).dtype, "int32", "int32", "int32")
    chosen = [
        as_tensor(result, name)
        for result, name, want in zip(results, names, wanted, strict=True)
        if want
    ]
    return tuple(chosen) if len(chosen) > 1 else chosen[0]


def _resized(array: np.ndarray, size: int, fill: TensorLike | None, axis: int) -> np.ndarray:
    count = array.shape[axis]
    if count >= size:
        return np.take(array, range(size), axis)
    rest = np.repeat(np.take(array, [0], axis), size - count, axis)
    return np.concatenate([array, rest if fill is None else np.full_like(rest, fill)], axis)


def _concrete(x: TensorLike, owner: str) -> np.ndarray:
    x = to_tensor(x)
    if isinstance(x, graph.KerasTensor):
        raise ValueError(
            f"{owner}: the shape of the result depends on the values, and the symbolic tensor "
            f"{short(x)} has none."
        )
    return x.numpy()
