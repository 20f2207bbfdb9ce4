"""Convolutions of any rank; primitives are channels last, ops transpose for channels first."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.core import config
from nkeras.core.errors import is_a, refuse, short
from nkeras.core.primitive import op, primitive, promoted, to_tensor
from nkeras.core.spec import Pairs, Shape, Spec, Typed, window_output, window_padding
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.shape import reshape, transpose


@primitive()
def _conv(
    x: Typed, kernel: Typed, *, strides: Shape, padding: Pairs, dilation: Shape, groups: int
) -> Spec:
    sizes = tuple(
        window_output(*geometry)
        for geometry in zip(x.shape[1:-1], kernel.shape, strides, padding, dilation, strict=False)
    )
    if min(sizes, default=1) < 1:
        raise ValueError(
            f"conv: the kernel {kernel.shape[:-2]} with dilation {short(dilation)} does not fit "
            f"into the input's spatial sizes {tuple(x.shape[1:-1])} with padding {short(padding)}."
        )
    return Spec((x.shape[0], *sizes, kernel.shape[-1]), x.dtype)


@_conv.vjp("x")
def _(grad_y: Tensor, x_spec: Spec, kernel: Tensor, **geometry: object) -> Tensor:
    return _conv_grad_input(grad_y, kernel, input_shape=x_spec.shape, **geometry)


@_conv.vjp("kernel")
def _(grad_y: Tensor, x: Tensor, kernel_spec: Spec, **geometry: object) -> Tensor:
    return _conv_grad_kernel(x, grad_y, kernel_shape=kernel_spec.shape, **geometry)


@primitive(outputs=("grad_x",))
def _conv_grad_input(
    grad_y: Typed,
    kernel: Typed,
    *,
    input_shape: Shape,
    strides: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Spec:
    return Spec(input_shape, grad_y.dtype)


@_conv_grad_input.vjp("grad_y")
def _(grad_grad_x: Tensor, kernel: Tensor, input_shape: Shape, **geometry: object) -> Tensor:
    return _conv(grad_grad_x, kernel, **geometry)


@primitive(outputs=("grad_kernel",))
def _conv_grad_kernel(
    x: Typed,
    grad_y: Typed,
    *,
    kernel_shape: Shape,
    strides: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Spec:
    return Spec(kernel_shape, x.dtype)


@_conv_grad_input.vjp("kernel")
def _(
    grad_grad_x: Tensor,
    grad_y: Tensor,
    kernel_spec: Spec,
    input_shape: Shape,
    **geometry: object,
) -> Tensor:
    return _conv_grad_kernel(grad_grad_x, grad_y, kernel_shape=kernel_spec.shape, **geometry)


@_conv_grad_kernel.vjp("x")
def _(
    grad_grad_kernel: Tensor,
    grad_y: Tensor,
    x_spec: Spec,
    kernel_shape: Shape,
    **geometry: object,
) -> Tensor:
    return _conv_grad_input(grad_y, grad_grad_kernel, input_shape=x_spec.shape, **geometry)


@_conv_grad_kernel.vjp("grad_y")
def _(grad_grad_kernel: Tensor, x: Tensor, kernel_shape: Shape, **geometry: object) -> Tensor:
    return _conv(x, grad_grad_kernel, **geometry)


# For `conv_bias`, which is made of these.
conv_primitive, conv_grad_input, conv_grad_kernel = _conv, _conv_grad_input, _conv_grad_kernel


@op
def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Convolution of any spatial rank (1 to 3); groups follow from the shapes.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or `(batch, channels, *spatial)`.
        kernel: tensor `(*kernel_size, channels // groups, filters)`.
        strides: int or one int for each spatial dimension.
        padding: `"valid"`, `"same"`, or `"causal"` (rank 1).
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        dilation_rate: int or one int for each spatial dimension.

    Returns:
        Tensor `(batch, *output_size, filters)`, or channels first.

    Raises:
        ValueError: shapes or arguments do not fit.

    Example:
        >>> import nkeras
        >>> x, kernel = nkeras.ops.ones((1, 4, 4, 2)), nkeras.ops.ones((3, 3, 2, 8))
        >>> nkeras.ops.conv(x, kernel, padding="same").shape
        (1, 4, 4, 8)

    Source: https://keras.io/api/ops/nn/
    """
    x, kernel = promoted(inputs, kernel)
    first = is_channels_first(data_format, "conv")
    x = to_channels_last(x) if first else x
    y = _conv(x, kernel, **conv_geometry(x, kernel, strides, padding, dilation_rate))
    return to_channels_first(y) if first else y


def conv_geometry(
    x: Typed,
    kernel: Typed,
    strides: int | Sequence[int],
    padding: str,
    dilation_rate: int | Sequence[int],
) -> dict[str, object]:
    """The static arguments of a convolution of x, channels last.

    Raises:
        ValueError: shapes or arguments do not fit.
    """
    rank = len(x.shape) - 2
    check_rank(x, kernel, rank, "conv")
    strides = windows(strides, rank, "strides")
    dilation = windows(dilation_rate, rank, "dilation_rate")
    channels, group_channels = x.shape[-1], kernel.shape[-2]
    if channels % group_channels or kernel.shape[-1] % (channels // group_channels):
        raise ValueError(
            f"conv: the input has {channels} channels, the kernel has shape {kernel.shape}: "
            f"channels must be a multiple of {group_channels}, filters one of their quotient."
        )
    return {
        "strides": strides,
        "padding": pads(padding, x.shape[1:-1], kernel.shape[:rank], strides, dilation, "conv"),
        "dilation": dilation,
        "groups": channels // group_channels,
    }


@op
def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Convolution of each channel with its own filters.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        kernel: tensor `(*kernel_size, channels, multiplier)`.
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
    return conv(inputs, grouped, strides, padding, data_format, dilation_rate)


@op
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Depthwise convolution, then a convolution with windows of size 1.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        depthwise_kernel: tensor `(*kernel_size, channels, multiplier)`.
        pointwise_kernel: tensor `(1, ..., channels * multiplier, filters)`.
        strides: int or one int for each spatial dimension.
        padding: `"valid"` or `"same"`.
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int or one int for each spatial dimension.

    Returns:
        Tensor `(batch, *output_size, filters)`, or channels first.
    """
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(y, pointwise_kernel, 1, "valid", data_format, 1)


@op
def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    output_padding: int | Sequence[int] | None = None,
    data_format: str | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed convolution: the gradient of a convolution by its input.

    Args:
        inputs: tensor `(batch, *spatial, channels)`, or channels first.
        kernel: tensor `(*kernel_size, filters, channels)`.
        strides: int or one int for each spatial dimension.
        padding: `"valid"` or `"same"`.
        output_padding: extra cells at the high end, less than the stride; None chooses the size
            `spatial * stride` ("same") or the least that covers all windows ("valid").
        data_format: `"channels_last"` or `"channels_first"`.
        dilation_rate: int or one int for each spatial dimension.

    Returns:
        Tensor `(batch, *output_size, filters)`, or channels first.

    Raises:
        ValueError: shapes or arguments do not fit.
    """
    x, kernel = promoted(inputs, kernel)
    rank = len(x.shape) - 2
    first = is_channels_first(data_format, "conv_transpose")
    x = to_channels_last(x) if first else x
    check_rank(x, kernel, rank, "conv_transpose")
    strides = windows(strides, rank, "strides")
    dilation = windows(dilation_rate, rank, "dilation_rate")
    extra = None if output_padding is None else windows(output_padding, rank, "output_padding", 0)
    if x.shape[-1] != kernel.shape[-1]:
        raise ValueError(
            f"conv_transpose: the input has {x.shape[-1]} channels, the kernel {kernel.shape} "
            "expects as many as its last size."
        )
    sizes, pairs = transposed_geometry(
        padding, x.shape[1:-1], kernel.shape[:rank], strides, dilation, extra
    )
    y = _conv_grad_input(
        x,
        kernel,
        input_shape=(x.shape[0], *sizes, kernel.shape[-2]),
        strides=strides,
        padding=tuple((low, max(high, 0)) for low, high in pairs),
        dilation=dilation,
        groups=1,
    )
    return to_channels_first(y) if first else y


def transposed_geometry(
    padding: str,
    sizes: Shape,
    kernel_size: Shape,
    strides: Shape,
    dilation: Shape,
    output_padding: Shape | None,
) -> tuple[Shape, Pairs]:
    """Output sizes of a transposed convolution, and the padding of the convolution it inverts.

    A negative padding at the high end stands for cells behind the last window.
    """
    if padding not in ("valid", "same"):
        refuse("padding", padding, '"valid" or "same"', "conv_transpose")
    outputs, pairs = [], []
    for i, size in enumerate(sizes):
        reach, stride = (kernel_size[i] - 1) * dilation[i] + 1, strides[i]
        extra = None if output_padding is None else output_padding[i]
        if extra is not None and extra >= stride:
            raise ValueError(
                f"conv_transpose: output_padding {short(output_padding)} must be less than the "
                f"strides {short(strides)}."
            )
        # A dilated input has (size - 1) * stride + 1 cells; Keras pads it so far on both sides.
        if padding == "valid":
            before = reach - 1
            after = before + (max(stride - reach, 0) if extra is None else extra)
        else:
            total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
            before = min(total - total // 2, reach - 1)
            after = total - before
        outputs.append((size - 1) * stride + 2 - reach + before + after)
        pairs.append((reach - 1 - before, reach - 1 - after))
    return tuple(outputs), tuple(pairs)


def check_rank(x: Typed, kernel: Typed, rank: int, owner: str) -> None:
    """Raise a ValueError unless input and kernel have 1 to 3 spatial axes and two others."""
    if not 1 <= rank <= 3 or len(kernel.shape) != rank + 2:
        raise ValueError(
            f"{owner}: input and kernel must both have rank 3, 4 or 5. Received shapes {x.shape} "
            f"and {kernel.shape}"
        )


def is_channels_first(data_format: str | None, owner: str) -> bool:
    """Whether the (default) layout is channels first."""
    return config.standardize_data_format(data_format, owner) == "channels_first"


def to_channels_last(x: Tensor) -> Tensor:
    """`(batch, channels, *spatial)` to `(batch, *spatial, channels)`."""
    rank = len(x.shape)
    return transpose(x, (0, *range(2, rank), 1))


def to_channels_first(x: Tensor) -> Tensor:
    """`(batch, *spatial, channels)` to `(batch, channels, *spatial)`."""
    rank = len(x.shape)
    return transpose(x, (0, rank - 1, *range(1, rank - 1)))


def windows(value: int | Sequence[int], rank: int, argument: str, least: int = 1) -> Shape:
    """One int for each spatial dimension.

    Raises:
        ValueError: wrong length, or a number below `least`.
    """
    values = (value,) * rank if isinstance(value, int) else tuple(int(item) for item in value)
    if len(values) != rank or min(values, default=least) < least:
        raise ValueError(
            f"Argument `{argument}` must be an int or {rank} ints, each at least {least}. "
            f"Received: {argument}={short(value)}"
        )
    return values


def pads(
    padding: str, sizes: Shape, window: Shape, strides: Shape, dilation: Shape, owner: str
) -> Pairs:
    """(low, high) for each spatial dimension.

    Raises:
        ValueError: unknown padding mode.
    """
    mode = padding.lower() if is_a(padding, str) else padding
    accepted = ("valid", "same", "causal") if len(sizes) == 1 else ("valid", "same")
    if mode not in accepted:
        refuse("padding", padding, f"one of {accepted}", owner)
    return window_padding(mode, sizes, window, strides, dilation)
