"""The work of a convolution layer as one primitive: convolution and bias."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Pairs, Shape, Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients, TensorLike
from nkeras.ops.convolution import (
    conv_geometry,
    conv_grad_input,
    conv_grad_kernel,
    conv_primitive,
    is_channels_first,
    to_channels_first,
    to_channels_last,
)
from nkeras.ops.elementwise import add
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import reshape


@primitive(epilogues=("relu", "relu6", "add"))
def _conv_bias(
    x: Typed,
    kernel: Typed,
    bias: Typed | None,
    *,
    strides: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    activation: str,
) -> Spec:
    if bias is not None and bias.shape != kernel.shape[-1:]:
        raise ValueError(
            f"conv_bias: bias must have shape {kernel.shape[-1:]}, received {bias.shape}."
        )
    spec = conv_primitive.shape_rule(
        x, kernel, strides=strides, padding=padding, dilation=dilation, groups=groups
    )
    assert isinstance(spec, Spec)
    return spec


@_conv_bias.decomposition
def _(
    x: Tensor, kernel: Tensor, bias: Tensor | None, *, activation: str, **geometry: object
) -> Tensor:
    y = conv_primitive(x, kernel, **geometry)
    return y if bias is None else add(y, bias)


@_conv_bias.vjp("x", "kernel", "bias")
def _(
    grad_y: Tensor,
    x: Tensor,
    kernel: Tensor,
    activation: str,
    wanted: frozenset[str],
    **geometry: object,
) -> Gradients:
    axes = tuple(range(len(grad_y.shape) - 1))
    return (
        conv_grad_input(grad_y, kernel, input_shape=x.shape, **geometry) if "x" in wanted else None,
        conv_grad_kernel(x, grad_y, kernel_shape=kernel.shape, **geometry)
        if "kernel" in wanted
        else None,
        reduce_sum(grad_y, axis=axes, keepdims=False) if "bias" in wanted else None,
    )


@op
def conv_bias(
    inputs: TensorLike,
    kernel: TensorLike,
    bias: TensorLike | None = None,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """The convolution plus the bias, as one kernel.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        kernel: tensor `(*kernel_size, channels // groups, filters)`.
        bias: tensor `(filters,)` or None.
        strides: int or one int for each spatial dimension.
        padding: `"valid"`, `"same"`, or with one dimension `"causal"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int or one int for each spatial dimension.

    Returns:
        Tensor `(batch, *output_size, filters)`, or channels first.

    Raises:
        ValueError: shapes or arguments do not fit.

    Example:
        >>> import nkeras
        >>> from nkeras.ops.conv_bias import conv_bias
        >>> x, kernel = nkeras.ops.ones((1, 4, 4, 2)), nkeras.ops.ones((3, 3, 2, 8))
        >>> conv_bias(x, kernel, nkeras.ops.zeros(8), padding="same").shape
        (1, 4, 4, 8)
    """
    x, kernel = promoted(inputs, kernel)
    first = is_channels_first(data_format, "conv")
    x = to_channels_last(x) if first else x
    geometry = conv_geometry(x, kernel, strides, padding, dilation_rate)
    y = _conv_bias(x, kernel, to_tensor(bias, x.dtype), activation="linear", **geometry)
    return to_channels_first(y) if first else y


@op
def depthwise_conv_bias(
    inputs: TensorLike,
    kernel: TensorLike,
    bias: TensorLike | None = None,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """As `conv_bias`, each channel with its own filters.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        kernel: tensor `(*kernel_size, channels, multiplier)`.
        bias: tensor `(channels * multiplier,)` or None.
        strides: int or one int for each spatial dimension.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int or one int for each spatial dimension.

    Returns:
        Tensor `(batch, *output_size, channels * multiplier)`, or channels first.

    Raises:
        ValueError: shapes or arguments do not fit.
    """
    kernel = to_tensor(kernel)
    channels, multiplier = kernel.shape[-2:]
    grouped = reshape(kernel, (*kernel.shape[:-2], 1, channels * multiplier))
    return conv_bias(inputs, grouped, bias, strides, padding, data_format, dilation_rate)
