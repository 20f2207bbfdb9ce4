"""Softmax and its kin."""

from __future__ import annotations

import math
from collections.abc import Callable

from nkeras.core import config, dtypes
from nkeras.core.errors import is_a, short
from nkeras.core.primitive import op, primitive, to_floating, to_tensor
from nkeras.core.spec import Shape, Spec, Typed, normalize_axes, normalize_axis
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Axis, TensorLike
from nkeras.ops.batch_norm import batch_norm_inference
from nkeras.ops.complexes import square_of_size
from nkeras.ops.elementwise import (
    absolute,
    equal,
    exp,
    log,
    minimum,
    multiply,
    power,
    rsqrt,
    square,
    subtract,
    where_,
)
from nkeras.ops.layer_norm import layer_norm, rms_norm
from nkeras.ops.reduction import reduce_max, reduce_mean, reduce_sum
from nkeras.ops.shape import cast, reshape, transpose

FINITE = {"float16": 6e4}  # factors up to here are finite; other floats reach 1e38


@primitive()
def _softmax(x: Typed, *, axis: int) -> Spec:
    return Spec(x.shape, x.dtype)


@_softmax.vjp("x")
def _(grad_y: Tensor, y: Tensor, axis: int) -> Tensor:
    return _softmax_grad(grad_y, y, axis=axis)


@_softmax.decomposition
def _(x: Tensor, axis: int) -> Tensor:
    e = exp(x - reduce_max(x, axis=(axis,), keepdims=True))
    return e / reduce_sum(e, axis=(axis,), keepdims=True)


@primitive(outputs=("grad_x",))
def _softmax_grad(grad_y: Typed, y: Typed, *, axis: int) -> Spec:
    return Spec(y.shape, y.dtype)


@_softmax_grad.decomposition
def _(grad_y: Tensor, y: Tensor, axis: int) -> Tensor:
    return y * (grad_y - reduce_sum(grad_y * y, axis=(axis,), keepdims=True))


@_softmax_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, y: Tensor, axis: int) -> Tensor:
    return _softmax_grad(grad_grad_x, y, axis=axis)


@_softmax_grad.vjp("y")
def _(grad_grad_x: Tensor, grad_y: Tensor, y: Tensor, axis: int) -> Tensor:
    def total(product: Tensor) -> Tensor:
        return reduce_sum(product, axis=(axis,), keepdims=True)

    return grad_grad_x * (grad_y - total(grad_y * y)) - grad_y * total(grad_grad_x * y)


@primitive()
def log_softmax_(x: Typed, *, axis: int) -> Spec:
    """Logarithm of softmax along one axis."""
    return Spec(x.shape, x.dtype)


@log_softmax_.vjp("x")
def _(grad_y: Tensor, y: Tensor, axis: int) -> Tensor:
    return log_softmax_grad(grad_y, y, axis=axis)


@log_softmax_.decomposition
def _(x: Tensor, axis: int) -> Tensor:
    shifted = subtract(x, reduce_max(x, axis=(axis,), keepdims=True))
    return shifted - log(reduce_sum(exp(shifted), axis=(axis,), keepdims=True))


@primitive(outputs=("grad_x",))
def log_softmax_grad(grad_y: Typed, y: Typed, *, axis: int) -> Spec:
    """Gradient of `log_softmax_` by x."""
    return Spec(y.shape, y.dtype)


@log_softmax_grad.decomposition
def _(grad_y: Tensor, y: Tensor, axis: int) -> Tensor:
    return grad_y - exp(y) * reduce_sum(grad_y, axis=(axis,), keepdims=True)


@log_softmax_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, y: Tensor, axis: int) -> Tensor:
    return grad_grad_x - reduce_sum(grad_grad_x * exp(y), axis=(axis,), keepdims=True)


@log_softmax_grad.vjp("y")
def _(grad_grad_x: Tensor, grad_y: Tensor, y: Tensor, axis: int) -> Tensor:
    return multiply(-grad_grad_x * exp(y), reduce_sum(grad_y, axis=(axis,), keepdims=True))


def _along(function: Callable[..., Tensor], x: TensorLike, axis: Axis, owner: str) -> Tensor:
    """Apply along one axis, along several flattened together, or (None) along all."""
    x = to_floating(x)
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
def softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
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
def log_softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """`log(softmax(x))` along an axis, stable.

    Args:
        x: tensor.
        axis: int, tuple of int, or None for all.

    Returns:
        Tensor of the same shape, floating.
    """
    return _along(log_softmax_, x, axis, "log_softmax")


def _along_axis(vector: Tensor, rank: int, axis: int) -> Tensor:
    return reshape(vector, [-1 if i == axis else 1 for i in range(rank)])


@op
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    epsilon: float = 1e-3,
) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, with vectors along one axis.

    Args:
        x: tensor.
        mean: tensor `(size,)`, where `size` is that of `x` along `axis`.
        variance: tensor `(size,)`.
        axis: int.
        offset: tensor `(size,)` or None.
        scale: tensor `(size,)` or None.
        epsilon: float that keeps the quotient finite.

    Returns:
        Tensor of the shape of `x`.

    Source: https://arxiv.org/abs/1502.03167
    """
    x = to_tensor(x)
    rank = len(x.shape)
    axis = normalize_axis(axis, rank, "batch_normalization")
    vectors = [to_tensor(vector) for vector in (mean, variance, scale, offset)]
    if axis == rank - 1 and all(vector is None or vector.dtype == x.dtype for vector in vectors):
        return batch_norm_inference(x, *vectors, epsilon=epsilon)
    factor = rsqrt(to_tensor(variance) + epsilon)
    factor = factor if scale is None else factor * scale
    shift = -to_tensor(mean) * factor
    shift = shift if offset is None else shift + offset
    return x * _along_axis(factor, rank, axis) + _along_axis(shift, rank, axis)


@op
def layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: Axis = -1,
    epsilon: float | None = None,
    **kwargs: object,
) -> Tensor:
    """Mean 0 and variance 1 over axes, then `* gamma + beta`; computed in float32 at least.

    Args:
        x: tensor.
        gamma: tensor of the sizes of the axes, or None.
        beta: tensor of the sizes of the axes, or None.
        axis: int or sequence of int.
        epsilon: float that keeps the quotient finite; the configured one by default.
        kwargs: `rms_scaling`, for old models: divide by the deviation without removing the mean.

    Returns:
        Tensor of the shape and dtype of `x`.

    Raises:
        ValueError: an unknown argument.

    Source: https://arxiv.org/abs/1607.06450
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise ValueError(f"layer_normalization: unknown arguments {short(sorted(kwargs))}.")
    x = to_tensor(x)
    wide = cast(x, dtypes.result_type(x.dtype, "float32"))
    axes = normalize_axes(axis, len(x.shape), "layer_normalization")
    shape = [size if i in axes else 1 for i, size in enumerate(x.shape)]

    def fitted(weights: TensorLike) -> Tensor:
        return reshape(cast(weights, wide.dtype), shape)

    epsilon = config.epsilon() if epsilon is None else epsilon
    if axes and 0 not in x.shape and not rms_scaling:
        vectors = [
            vector if vector is None else reshape(cast(vector, wide.dtype), (-1,))
            for vector in (gamma, beta)
        ]
        y = _on_rows(lambda rows: layer_norm(rows, *vectors, epsilon=epsilon)[0], wide, axes)
        return cast(y, x.dtype)
    middle = reduce_mean(wide, axis=axes, keepdims=True)
    centred = wide - middle
    variance = reduce_mean(square(centred), axis=axes, keepdims=True)
    y = (wide if rms_scaling else centred) * rsqrt(variance + epsilon)
    y = y if gamma is None else y * fitted(gamma)
    y = y if beta is None or rms_scaling else y + fitted(beta)
    return cast(y, x.dtype)


@op
def rms_normalization(
    x: TensorLike, scale: TensorLike | None = None, axis: Axis = -1, epsilon: float | None = None
) -> Tensor:
    """`x / sqrt(mean(x**2) + epsilon) * scale` over axes; computed in float32 at least.

    Args:
        x: tensor.
        scale: tensor that broadcasts to `x`, or None.
        axis: int or sequence of int.
        epsilon: float that keeps the quotient finite; the configured one by default.

    Returns:
        Tensor of the shape and dtype of `x`.

    Source: https://arxiv.org/abs/1910.07467
    """
    x = to_tensor(x)
    wide = cast(x, dtypes.result_type(x.dtype, "float32"))
    wide = wide if wide.shape else reshape(wide, (1,))
    axes = normalize_axes(axis, len(wide.shape), "rms_normalization")
    epsilon = config.epsilon() if epsilon is None else epsilon
    scale = scale if scale is None else cast(scale, wide.dtype)
    if axes and 0 not in wide.shape and _lies_along(scale, axes, wide.shape):
        vector = scale if scale is None else reshape(scale, (-1,))
        y = _on_rows(lambda rows: rms_norm(rows, vector, epsilon=epsilon)[0], wide, axes)
        return cast(y, x.dtype)
    y = wide * rsqrt(reduce_mean(square(wide), axis=axes, keepdims=True) + epsilon)
    return cast(y if scale is None else y * scale, x.dtype)


def _lies_along(scale: Tensor | None, axes: tuple[int, ...], shape: Shape) -> bool:
    """Whether a scale that broadcasts to a shape differs along all of these axes, and no others."""
    if scale is None:
        return True
    full = (*(1,) * (len(shape) - len(scale.shape)), *scale.shape)
    return full == tuple(size if axis in axes else 1 for axis, size in enumerate(shape))


def _on_rows(function: Callable[[Tensor], Tensor], x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A function of rows, where a row is what lies along the axes."""
    rank = len(x.shape)
    others = tuple(axis for axis in range(rank) if axis not in axes)
    order = (*others, *axes)
    moved = x if order == tuple(range(rank)) else transpose(x, order)
    y = function(moved if len(axes) == 1 else reshape(moved, (*moved.shape[: len(others)], -1)))
    y = y if len(axes) == 1 else reshape(y, moved.shape)
    return y if moved is x else transpose(y, sorted(range(rank), key=lambda axis: order[axis]))


@op
def normalize(
    x: TensorLike, axis: Axis = -1, order: int = 2, epsilon: float | None = None
) -> Tensor:
    """`x` divided by its norm along axes.

    Args:
        x: tensor.
        axis: int, or for vectors in several axes a tuple of int.
        order: of the norm: 1, 2, 3 ...
        epsilon: least norm; the configured one by default.

    Returns:
        Tensor of the shape of `x`, floating.

    Raises:
        ValueError: `order` is no positive int.
    """
    if not is_a(order, int) or order < 1:
        raise ValueError(
            f"normalize: argument `order` must be an int >= 1. Received: order={short(order)}"
        )
    x = to_floating(x)
    x = x if x.shape else reshape(x, (1,))
    axes = normalize_axes(axis, len(x.shape), "normalize")
    epsilon = config.epsilon() if epsilon is None else epsilon
    size = square_of_size(x) if order == 2 else power(absolute(x), float(order))
    total = reduce_sum(size, axis=axes, keepdims=True)
    empty = equal(total, 0.0)  # no root there: its slope is infinite
    total = where_(empty, 1.0, total)
    most = min(1.0 / epsilon if epsilon else math.inf, FINITE.get(x.dtype, 1e38))
    inverse = rsqrt(total) if order == 2 else power(total, -1.0 / order)
    return x * where_(empty, most, minimum(inverse, most))
