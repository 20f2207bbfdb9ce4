"""Softmax and its kin."""

from __future__ import annotations

from typing import Any

from nkeras.core import dtypes
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Spec, Typed, normalize_axes, normalize_axis
from nkeras.ops.elementwise import exp, log, multiply, subtract
from nkeras.ops.reduction import reduce_max, reduce_sum
from nkeras.ops.shape import cast, reshape, transpose


@primitive()
def _softmax(x: Typed, *, axis: int) -> Spec:
    return Spec(x.shape, x.dtype)


@_softmax.vjp("x")
def _(grad_y: Any, y: Any, axis: int) -> Any:
    return _softmax_grad(grad_y, y, axis=axis)


@_softmax.decomposition
def _(x: Any, axis: int) -> Any:
    e = exp(x - reduce_max(x, axis=(axis,), keepdims=True))
    return e / reduce_sum(e, axis=(axis,), keepdims=True)


@primitive(outputs=("grad_x",))
def _softmax_grad(grad_y: Typed, y: Typed, *, axis: int) -> Spec:
    return Spec(y.shape, y.dtype)


@_softmax_grad.decomposition
def _(grad_y: Any, y: Any, axis: int) -> Any:
    return y * (grad_y - reduce_sum(grad_y * y, axis=(axis,), keepdims=True))


@_softmax_grad.vjp("grad_y")
def _(grad_grad_x: Any, y: Any, axis: int) -> Any:
    return _softmax_grad(grad_grad_x, y, axis=axis)


@_softmax_grad.vjp("y")
def _(grad_grad_x: Any, grad_y: Any, y: Any, axis: int) -> Any:
    def total(product: Any) -> Any:
        return reduce_sum(product, axis=(axis,), keepdims=True)

    return grad_grad_x * (grad_y - total(grad_y * y)) - grad_y * total(grad_grad_x * y)


@primitive()
def _log_softmax(x: Typed, *, axis: int) -> Spec:
    return Spec(x.shape, x.dtype)


@_log_softmax.vjp("x")
def _(grad_y: Any, y: Any, axis: int) -> Any:
    return _log_softmax_grad(grad_y, y, axis=axis)


@_log_softmax.decomposition
def _(x: Any, axis: int) -> Any:
    shifted = subtract(x, reduce_max(x, axis=(axis,), keepdims=True))
    return shifted - log(reduce_sum(exp(shifted), axis=(axis,), keepdims=True))


@primitive(outputs=("grad_x",))
def _log_softmax_grad(grad_y: Typed, y: Typed, *, axis: int) -> Spec:
    return Spec(y.shape, y.dtype)


@_log_softmax_grad.decomposition
def _(grad_y: Any, y: Any, axis: int) -> Any:
    return grad_y - exp(y) * reduce_sum(grad_y, axis=(axis,), keepdims=True)


@_log_softmax_grad.vjp("grad_y")
def _(grad_grad_x: Any, y: Any, axis: int) -> Any:
    return grad_grad_x - reduce_sum(grad_grad_x * exp(y), axis=(axis,), keepdims=True)


@_log_softmax_grad.vjp("y")
def _(grad_grad_x: Any, grad_y: Any, y: Any, axis: int) -> Any:
    return multiply(-grad_grad_x * exp(y), reduce_sum(grad_y, axis=(axis,), keepdims=True))


def _along(function: Any, x: Any, axis: Any, owner: str) -> Any:
    """Apply along one axis, along several flattened together, or (None) along all."""
    x = to_tensor(x)
    x = cast(x, dtypes.result_type(x.dtype, float))
    rank = len(x.shape)
    if isinstance(axis, int):
        return function(x, axis=normalize_axis(axis, rank, owner))
    axes = normalize_axes(axis, rank, owner)
    if len(axes) == 1:
        return function(x, axis=axes[0])
    kept = [i for i in range(rank) if i not in axes]
    order = (*kept, *axes)
    moved = transpose(x, order)
    y = function(reshape(moved, (*moved.shape[: len(kept)], -1)), axis=len(kept))
    return transpose(reshape(y, moved.shape), sorted(range(rank), key=lambda i: order[i]))


@op
def softmax(x: Any, axis: Any = -1) -> Any:
    """`exp(x) / sum(exp(x))` along an axis, stable.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.

    Returns:
        Tensor of the same shape, floating.

    Example:
        >>> import nkeras
        >>> nkeras.ops.softmax([0.0, 0.0]).numpy()
        array([0.5, 0.5], dtype=float32)
    """
    return _along(_softmax, x, axis, "softmax")


@op
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """`log(softmax(x))` along an axis, stable.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.

    Returns:
        Tensor of the same shape, floating.
    """
    return _along(_log_softmax, x, axis, "log_softmax")
