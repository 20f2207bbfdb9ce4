"""Pooling: windows of any spatial rank; primitives are channels last."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nkeras.core.errors import is_a, short
from nkeras.core.primitive import Primitive, Results, op, primitive, to_tensor
from nkeras.core.spec import Pairs, Shape, Spec, Typed, window_output
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike, Window
from nkeras.ops.convolution import (
    is_channels_first,
    pads,
    to_channels_first,
    to_channels_last,
    windows,
)


def _pooled(x: Typed, pool_size: Shape, strides: Shape, padding: Pairs) -> Shape:
    sizes = tuple(
        window_output(size, window, stride, pad, 1)
        for size, window, stride, pad in zip(
            x.shape[1:-1], pool_size, strides, padding, strict=True
        )
    )
    if min(sizes) < 1:
        raise ValueError(
            f"pool: the window {short(pool_size)} does not fit into the input's spatial sizes "
            f"{tuple(x.shape[1:-1])}."
        )
    return (x.shape[0], *sizes, x.shape[-1])


@primitive(outputs=("y", "winner"))
def _max_pool(x: Typed, *, pool_size: Shape, strides: Shape, padding: Pairs) -> tuple[Spec, Spec]:
    shape = _pooled(x, pool_size, strides, padding)
    return Spec(shape, x.dtype), Spec(shape, "uint8" if prod(pool_size) <= 256 else "int32")


@_max_pool.vjp("x")
def _(grad_y: Tensor, winner: Tensor, x_spec: Spec, **geometry: object) -> Tensor:
    """The first maximum of a window, in row-major order, takes the whole gradient."""
    return _max_pool_grad(grad_y, winner, input_shape=x_spec.shape, **geometry)


@primitive(outputs=("grad_x",), flat=("winner",))
def _max_pool_grad(
    grad_y: Typed,
    winner: Typed,
    *,
    input_shape: Shape,
    pool_size: Shape,
    strides: Shape,
    padding: Pairs,
) -> Spec:
    return Spec(input_shape, grad_y.dtype)


@_max_pool_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, winner: Tensor, input_shape: Shape, **geometry: object) -> Tensor:
    return _max_pool_take(grad_grad_x, winner, **geometry)


@primitive(flat=("winner",))
def _max_pool_take(
    x: Typed, winner: Typed, *, pool_size: Shape, strides: Shape, padding: Pairs
) -> Spec:
    return Spec(winner.shape, x.dtype)


@_max_pool_take.vjp("x")
def _(grad_y: Tensor, winner: Tensor, x_spec: Spec, **geometry: object) -> Tensor:
    return _max_pool_grad(grad_y, winner, input_shape=x_spec.shape, **geometry)


@primitive()
def average_pool_(x: Typed, *, pool_size: Shape, strides: Shape, padding: Pairs) -> Spec:
    """Mean of each window; padded cells do not count."""
    return Spec(_pooled(x, pool_size, strides, padding), x.dtype)


@average_pool_.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, **geometry: object) -> Tensor:
    return _average_pool_grad(grad_y, input_shape=x_spec.shape, **geometry)


@primitive(outputs=("grad_x",))
def _average_pool_grad(
    grad_y: Typed, *, input_shape: Shape, pool_size: Shape, strides: Shape, padding: Pairs
) -> Spec:
    return Spec(input_shape, grad_y.dtype)


@_average_pool_grad.vjp("grad_y")
def _(grad_grad_x: Tensor, input_shape: Shape, **geometry: object) -> Tensor:
    return average_pool_(grad_grad_x, **geometry)


@op
def max_pool(
    inputs: TensorLike,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Largest element of each window; of equal ones the first gets the gradient.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        pool_size: int or one int for each spatial dimension.
        strides: likewise; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: the window does not fit, or an argument is wrong.

    Example:
        >>> import nkeras
        >>> nkeras.ops.max_pool([[[1.0], [3.0], [2.0]]], 2, 1).numpy().ravel()
        array([3., 3.], dtype=float32)

    Source: https://keras.io/api/ops/nn/
    """
    y = _pool(_max_pool, inputs, pool_size, strides, padding, data_format, "max_pool")
    return y


@op
def average_pool(
    inputs: TensorLike,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Mean of each window; padded cells do not count.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        pool_size: int or one int for each spatial dimension.
        strides: likewise; `pool_size` by default.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, *output_size, channels)`, or channels first.

    Raises:
        ValueError: the window does not fit, or an argument is wrong.
    """
    return _pool(average_pool_, inputs, pool_size, strides, padding, data_format, "average_pool")


def _pool(
    function: Primitive[Results],
    inputs: TensorLike,
    pool_size: Window,
    strides: Window | None,
    padding: str,
    data_format: str | None,
    owner: str,
) -> Tensor:
    x = to_tensor(inputs)
    rank = len(x.shape) - 2
    if not 1 <= rank <= 3:
        raise ValueError(f"{owner}: the input must have rank 3, 4 or 5. Received shape {x.shape}")
    first = is_channels_first(data_format, owner)
    x = to_channels_last(x) if first else x
    size = windows(pool_size, rank, "pool_size")
    steps = size if strides is None else windows(strides, rank, "strides")
    mode = padding.lower() if is_a(padding, str) else padding
    if mode == "causal":
        mode = "causal pooling"  # refused below, with the modes that pooling has
    pairs = pads(mode, x.shape[1:-1], size, steps, (1,) * rank, owner)
    y = function(x, pool_size=size, strides=steps, padding=pairs)
    y = y[0] if isinstance(y, tuple) else y
    return to_channels_first(y) if first else y
