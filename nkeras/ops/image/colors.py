"""Colours: grey, and hue, saturation and value."""

from __future__ import annotations

import math

import numpy as np

from nkeras.backend.scalars import image as scalars
from nkeras.core import dtypes
from nkeras.core.primitive import op, primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.arranging import moveaxis
from nkeras.ops.elementwise import elementwise
from nkeras.ops.image.layout import as_float, images_and_layout
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import cast, reshape, section, stack

WEIGHTS = (0.2989, 0.5870, 0.1140)
"""How bright red, green and blue are (ITU-R BT.601)."""

_EPSILON = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float32": 2.0**-23,
    "float64": 2.0**-52,
}
"""What is less than this counts as 0, by dtype."""

_hue = elementwise(scalars.rgb_hue, "float", "Hue of a colour, as a part of a turn.")
_saturation = elementwise(scalars.rgb_saturation, "float", "Saturation of a colour.")
_value = elementwise(scalars.rgb_value, "float", "The largest channel of a colour.")
_channel = elementwise(scalars.hsv_channel, "float", "A primary colour, from hue and so on.")


@primitive()
def weighted_channels(x: Typed, *, weights: tuple[float, ...]) -> Spec:
    """Sums over channels of `(outer, channels, inner)`, each times its weight.

    They are computed at least in float32; what integers have behind the point is cut off.
    """
    return Spec((x.shape[0], x.shape[2]), x.dtype)


@weighted_channels.decomposition
def _(x: Tensor, weights: tuple[float, ...]) -> Tensor:
    wide = as_float(x)
    return cast(reduce_sum(wide * _column(weights, wide.dtype), axis=(1,), keepdims=False), x.dtype)


@weighted_channels.vjp("x")
def _(grad_y: Tensor, weights: tuple[float, ...]) -> Tensor:
    outer, inner = grad_y.shape
    return reshape(grad_y, (outer, 1, inner)) * _column(weights, grad_y.dtype)


def _column(weights: tuple[float, ...], dtype: str) -> Tensor:
    return to_tensor(np.reshape(weights, (-1, 1)), dtype)


@op
def rgb_to_grayscale(images: TensorLike, data_format: str | None = None) -> Tensor:
    """Grey images: `0.2989 red + 0.587 green + 0.114 blue`.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; 3 channels, or 1, which is left as it is. Any dtype; what integers
            have behind the point is cut off.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the dtype of `images` with one channel.

    Raises:
        ValueError: rank or number of channels are wrong.

    Example:
        >>> import nkeras
        >>> white = nkeras.ops.full((1, 1, 3), 100, "uint8")
        >>> nkeras.ops.image.rgb_to_grayscale(white).numpy()
        array([[[99]]], dtype=uint8)

    Source: https://keras.io/api/ops/image/
    """
    images, layout = images_and_layout(images, data_format, "rgb_to_grayscale")
    axis = layout.channels
    if images.shape[axis] not in (1, 3):
        raise ValueError(
            "rgb_to_grayscale: argument `images` must have 3 channels, or 1. Received "
            f"{images.shape[axis]} channels in the shape {images.shape}"
        )
    if images.shape[axis] == 1:
        return images
    before, after = images.shape[:axis], images.shape[axis + 1 :]
    x = reshape(images, (math.prod(before), 3, math.prod(after)))
    return reshape(weighted_channels(x, weights=WEIGHTS), (*before, 1, *after))


@op
def rgb_to_hsv(images: TensorLike, data_format: str | None = None) -> Tensor:
    """Hue, saturation and value of red, green and blue.

    Args:
        images: floating tensor `(batch, height, width, 3)`, or channels first, or one image without
            the first axis; from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the same shape and dtype, from 0 to 1: a hue of 0 is red, 1/3 green, 2/3 blue.

    Raises:
        ValueError: rank, dtype or number of channels are wrong.

    Example:
        >>> import nkeras
        >>> nkeras.ops.image.rgb_to_hsv([[[0.0, 0.5, 0.0]]]).numpy().round(3)
        array([[[0.333, 1.   , 0.5  ]]], dtype=float32)

    Source: https://keras.io/api/ops/image/ Smith (1978), "Color gamut transform pairs".
    """
    planes, axis, dtype = _planes(images, data_format, "rgb_to_hsv")
    hsv = [make(*planes, _EPSILON[dtype]) for make in (_hue, _saturation, _value)]
    return _joined(hsv, axis, dtype)


@op
def hsv_to_rgb(images: TensorLike, data_format: str | None = None) -> Tensor:
    """Red, green and blue of hue, saturation and value.

    Args:
        images: floating tensor `(batch, height, width, 3)`, or channels first, or one image without
            the first axis; from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the same shape and dtype, from 0 to 1.

    Raises:
        ValueError: rank, dtype or number of channels are wrong.

    Example:
        >>> import nkeras
        >>> nkeras.ops.image.hsv_to_rgb([[[0.5, 1.0, 0.5]]]).numpy()
        array([[[0. , 0.5, 0.5]]], dtype=float32)

    Source: https://keras.io/api/ops/image/ Smith (1978), "Color gamut transform pairs".
    """
    planes, axis, dtype = _planes(images, data_format, "hsv_to_rgb")
    return _joined([_channel(*planes, sixths) for sixths in (0.0, 2.0, 4.0)], axis, dtype)


def with_turned_hue(images: Tensor, turns: Tensor, channel_axis: int) -> Tensor:
    """Images from 0 to 1 whose hues are moved on, by parts of a turn; saturation and value stay.

    Args:
        images: floating images `(batch, height, width, 3)`, or channels first.
        turns: `(batch, 1, 1)`, of either sign.
        channel_axis: which axis red, green and blue are.
    """
    data_format = "channels_last" if channel_axis in (-1, 3) else "channels_first"
    planes, axis, dtype = _planes(images, data_format, "with_turned_hue")
    hue, *others = (make(*planes, _EPSILON[dtype]) for make in (_hue, _saturation, _value))
    hue = hue + cast(turns, hue.dtype)
    return _joined([_channel(hue, *others, sixths) for sixths in (0.0, 2.0, 4.0)], axis, dtype)


def _planes(
    images: TensorLike, data_format: str | None, owner: str
) -> tuple[list[Tensor], int, str]:
    """The three channels, in memory one behind the other, their axis, and the dtype before."""
    images, layout = images_and_layout(images, data_format, owner)
    axis = layout.channels
    if not dtypes.is_floating(images.dtype):
        raise ValueError(
            f"{owner}: argument `images` must be floating. Received dtype {images.dtype}"
        )
    if images.shape[axis] != 3:
        raise ValueError(
            f"{owner}: argument `images` must have 3 channels. Received {images.shape[axis]} "
            f"channels in the shape {images.shape}"
        )
    x = moveaxis(as_float(images), axis, 0)
    return [reshape(section(x, 0, i, i + 1), x.shape[1:]) for i in range(3)], axis, images.dtype


def _joined(planes: list[Tensor], axis: int, dtype: str) -> Tensor:
    return cast(moveaxis(stack(planes, 0), 0, axis), dtype)
