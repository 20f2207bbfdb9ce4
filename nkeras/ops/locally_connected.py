"""Convolution whose kernel differs from place to place."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Shape, Spec, Typed, window_output
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients, TensorLike
from nkeras.ops.convolution import is_channels_first, to_channels_first, to_channels_last, windows
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import reshape, transpose


def local_sizes(sizes: Shape, window: Shape, strides: Shape) -> Shape:
    """How many windows fit along each dimension; may be less than 1."""
    pairs = zip(sizes, window, strides, strict=True)
    return tuple(window_output(size, k, stride, (0, 0), 1) for size, k, stride in pairs)


@primitive(epilogues=("relu", "relu6", "add"))
def _locally_connected(
    x: Typed,
    kernel: Typed,
    bias: Typed | None,
    *,
    window: Shape,
    strides: Shape,
    activation: str,
) -> Spec:
    counts = local_sizes(x.shape[1:-1], window, strides)
    if min(counts) < 1:
        raise ValueError(
            f"locally_connected: windows of size {window} do not fit into the input's spatial "
            f"sizes {x.shape[1:-1]}."
        )
    filters = kernel.shape[-1]
    shape = math.prod(counts), math.prod(window) * x.shape[-1], filters
    if kernel.shape != shape:
        raise ValueError(
            f"locally_connected: the kernel must have shape {shape}: places, elements of a window, "
            f"filters. Received shape {kernel.shape}"
        )
    if bias is not None and bias.shape != (*counts, filters):
        raise ValueError(
            f"locally_connected: bias must have shape {(*counts, filters)}, received {bias.shape}."
        )
    return Spec((x.shape[0], *counts, filters), x.dtype)


@_locally_connected.vjp("x", "kernel", "bias")
def _(
    grad_y: Tensor,
    x: Tensor,
    kernel: Tensor,
    window: Shape,
    strides: Shape,
    wanted: frozenset[str],
) -> Gradients:
    geometry = {"window": window, "strides": strides}
    return (
        _grad_input(grad_y, kernel, input_shape=x.shape, **geometry) if "x" in wanted else None,
        _grad_kernel(x, grad_y, **geometry) if "kernel" in wanted else None,
        reduce_sum(grad_y, axis=(0,), keepdims=False) if "bias" in wanted else None,
    )


@primitive(outputs=("grad_x",))
def locally_connected_grad_input(
    grad_y: Typed, kernel: Typed, *, input_shape: Shape, window: Shape, strides: Shape
) -> Spec:
    """Gradient of a locally connected layer by its input."""
    return Spec(input_shape, grad_y.dtype)


@locally_connected_grad_input.vjp("grad_y")
def _(grad_grad_x: Tensor, kernel: Tensor, window: Shape, strides: Shape) -> Tensor:
    return _linear(grad_grad_x, kernel, window, strides)


@locally_connected_grad_input.vjp("kernel")
def _(grad_grad_x: Tensor, grad_y: Tensor, window: Shape, strides: Shape) -> Tensor:
    return _grad_kernel(grad_grad_x, grad_y, window=window, strides=strides)


@primitive(outputs=("grad_kernel",))
def locally_connected_grad_kernel(
    x: Typed, grad_y: Typed, *, window: Shape, strides: Shape
) -> Spec:
    """Gradient of a locally connected layer by its kernel."""
    places = math.prod(grad_y.shape[1:-1])
    return Spec((places, math.prod(window) * x.shape[-1], grad_y.shape[-1]), x.dtype)


@locally_connected_grad_kernel.vjp("x")
def _(
    grad_grad_kernel: Tensor, grad_y: Tensor, x_spec: Spec, window: Shape, strides: Shape
) -> Tensor:
    geometry = {"input_shape": x_spec.shape, "window": window, "strides": strides}
    return _grad_input(grad_y, grad_grad_kernel, **geometry)


@locally_connected_grad_kernel.vjp("grad_y")
def _(grad_grad_kernel: Tensor, x: Tensor, window: Shape, strides: Shape) -> Tensor:
    return _linear(x, grad_grad_kernel, window, strides)


def _linear(x: Tensor, kernel: Tensor, window: Shape, strides: Shape) -> Tensor:
    return _locally_connected(x, kernel, None, window=window, strides=strides, activation="linear")


_grad_input, _grad_kernel = locally_connected_grad_input, locally_connected_grad_kernel


@op
def locally_connected(
    inputs: TensorLike,
    kernel: TensorLike,
    bias: TensorLike | None,
    kernel_size: Sequence[int],
    strides: int | Sequence[int] = 1,
    data_format: str | None = None,
) -> Tensor:
    """A convolution with a kernel and a bias of each place, as one kernel of the backend.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        kernel: tensor `(places, prod(kernel_size) * channels, filters)`; the elements of a window
            are in the order in which they lie in the inputs: channels last, or first.
        bias: tensor `(*output_size, filters)` or None.
        kernel_size: sizes of a window.
        strides: int or one int for each spatial dimension.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.

    Returns:
        Tensor `(batch, *output_size, filters)`, or channels first.

    Raises:
        ValueError: shapes or arguments do not fit.

    Example:
        >>> import nkeras
        >>> from nkeras.ops.locally_connected import locally_connected
        >>> x, kernel = nkeras.ops.ones((1, 4, 4, 2)), nkeras.ops.ones((9, 8, 5))
        >>> locally_connected(x, kernel, None, (2, 2)).shape
        (1, 3, 3, 5)
    """
    x, kernel = promoted(inputs, kernel)
    rank = len(x.shape) - 2
    size = windows(kernel_size, rank, "kernel_size")
    first = is_channels_first(data_format, "locally_connected")
    if first:
        x = to_channels_last(x)
        places, inputs_of_window, filters = kernel.shape
        apart = reshape(kernel, (places, x.shape[-1], *size, filters))
        kernel = transpose(apart, (0, *range(2, 2 + rank), 1, 2 + rank))
        kernel = reshape(kernel, (places, inputs_of_window, filters))
    y = _locally_connected(
        x,
        kernel,
        to_tensor(bias, x.dtype),
        window=size,
        strides=windows(strides, rank, "strides"),
        activation="linear",
    )
    return to_channels_first(y) if first else y
