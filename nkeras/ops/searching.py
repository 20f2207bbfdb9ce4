"""The largest elements along an axis, and where values belong in a sorted sequence."""

from __future__ import annotations

from nkeras.core.errors import refuse, short
from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.core import zeros_like
from nkeras.ops.elementwise import (
    equal,
    greater,
    greater_equal,
    isnan,
    less,
    logical_and,
    minimum,
)
from nkeras.ops.indexing import take_, take_along_axis, take_along_axis_grad
from nkeras.ops.reduction import reduce_any, reduce_sum
from nkeras.ops.shape import cast, expand_dims
from nkeras.ops.sorting import sort


@primitive(outputs=("values", "places"))
def _top_k(x: Typed, *, k: int) -> tuple[Spec, Spec]:
    """The k largest elements along the last axis, largest first, and where they stand."""
    shape = (*x.shape[:-1], k)
    return Spec(shape, x.dtype), Spec(shape, "int32")


@_top_k.vjp("x")
def _(grad_values: Tensor, places: Tensor, x_spec: Spec) -> Tensor:
    axis = len(x_spec.shape) - 1
    return take_along_axis_grad(grad_values, places, shape=x_spec.shape, axis=axis)


@primitive(flat=("line", "values"))
def searchsorted_(line: Typed, values: Typed, *, right: bool) -> Spec:
    """How many elements of an ascending line are less than each value, or not larger."""
    return Spec(values.shape, "int32")


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
    values, places = _top_k(cast(x, "uint8") if x.dtype == "bool" else x, k=int(k))
    return cast(values, x.dtype), places


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
        int32 tensor of the shape of `values`; NaN belongs behind all numbers.

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
    line, values = promoted(line, values)
    return searchsorted_(*_numbers(line, values), right=side == "right")


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
    x1, line = _numbers(*promoted(x1, x2))
    if 0 in line.shape:
        found = zeros_like(x1, "bool")
    else:
        line = sort(line, None)
        place = searchsorted_(line, x1, right=False)
        found = equal(take_(line, minimum(place, line.shape[0] - 1), axis=0), x1)
    return ~found if invert else found


def _numbers(*tensors: Tensor) -> list[Tensor]:
    """Bools as integers, which kernels compare."""
    return [cast(x, "uint8") if x.dtype == "bool" else x for x in tensors]
