"""Cumulative sums and products, positions of extremes and sorting along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.core import graph
from nkeras.core.errors import short
from nkeras.core.primitive import Primitive, op, to_tensor
from nkeras.core.spec import normalize_axis
from nkeras.core.tensor import Tensor, as_tensor
from nkeras.core.typing import DTypeLike, TensorLike
from nkeras.ops.reduction import (
    argmax_,
    argmin_,
    argsort_,
    cumprod_,
    cumsum_,
    sort_,
)
from nkeras.ops.shape import cast, reshape


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
    wanted = (True, return_index, return_inverse, return_counts)
    made = np.unique(
        values,
        return_index=return_index,
        return_inverse=return_inverse,
        return_counts=return_counts,
        axis=axis,
    )
    given = iter(made if isinstance(made, tuple) else (made,))
    along = 0 if axis is None else axis
    results = [next(given) if want else np.zeros(1, "int32") for want in wanted]
    if axis is not None:
        results[2] = results[2].reshape(-1)
    if size is not None:
        fills = (fill_value, 0, None, 0)
        for i in (0, 1, 3):
            results[i] = _resized(results[i], size, fills[i], along if i == 0 else 0)
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
