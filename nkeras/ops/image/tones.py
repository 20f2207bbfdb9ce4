"""Values and colors of pixels, changed by one function of scalars each: layers are made of these.

Everything broadcasts; numbers for each image have the shape `(batch, 1, 1, 1)`.
"""

from __future__ import annotations

import numpy as np

from nkeras.backend.scalars import tones as scalars
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.ops.convolution import depthwise_conv
from nkeras.ops.elementwise import elementwise
from nkeras.ops.reduction import reduce_max, reduce_mean, reduce_min
from nkeras.ops.shape import broadcast_to, transpose

shifted = elementwise(scalars.shifted_tone, "float", "x + change, from low to high.")
blended = elementwise(
    scalars.blended_tone, "float", "Between x (share 0) and other (share 1), from low to high."
)
inverted = elementwise(scalars.inverted_tone, "promote", "total - x where is_inverted, else x.")
posterized = elementwise(
    scalars.posterized_tone, "float", "The largest multiple of a step of a 255th not above x."
)
solarized = elementwise(
    scalars.solarized_tone, "float", "x + addition, inverted where it is not below the threshold."
)
stretched = elementwise(
    scalars.stretched_tone, "float", "From least to largest becomes from low to high."
)
_saturated = elementwise(
    scalars.saturated_tone, "float", "A channel of a color whose saturation is multiplied."
)


def saturated(images: Tensor, factor: Tensor, channel_axis: int) -> Tensor:
    """Images whose saturation is multiplied, but for what would exceed 1; hue and value stay.

    Args:
        images: floating images, from 0 to any number.
        factor: at least 0, `(batch, 1, 1, 1)`.
        channel_axis: which axis red, green and blue are.
    """
    axis = (channel_axis % len(images.shape),)
    value, lowest = (
        reduce(images, axis=axis, keepdims=True) for reduce in (reduce_max, reduce_min)
    )
    return _saturated(images, value, lowest, factor)


def with_contrast(
    images: Tensor, factor: Tensor, spatial_axes: tuple[int, int], low: float, high: float
) -> Tensor:
    """Images whose differences from the mean of their channel are multiplied."""
    axes = tuple(axis % len(images.shape) for axis in spatial_axes)
    mean = reduce_mean(images, axis=axes, keepdims=True)
    return blended(mean, images, factor, low, high)


def with_full_range(
    images: Tensor, spatial_axes: tuple[int, int], low: float, high: float
) -> Tensor:
    """Images whose channels each reach from low to high; channels of one value stay as they are."""
    axes = tuple(axis % len(images.shape) for axis in spatial_axes)
    least, largest = (
        reduce(images, axis=axes, keepdims=True) for reduce in (reduce_min, reduce_max)
    )
    return stretched(images, least, largest, low, high)


def sharpened(images: Tensor, factor: Tensor, is_first: bool, low: float, high: float) -> Tensor:
    """Images between themselves (factor 1) and their means over 3 by 3 pixels (factor 0).

    The middle of a window counts five times; beyond the edges there is black.

    Args:
        images: floating images `(batch, height, width, channels)`, or channels first.
        factor: `(batch, 1, 1, 1)`, from 0 on.
        is_first: channels are the second axis.
        low: what is less becomes this.
        high: what is larger becomes this.
    """
    x = transpose(images, (0, 2, 3, 1)) if is_first else images
    window = np.ones((3, 3, 1, 1))
    window[1, 1] = 5.0
    kernel = broadcast_to(to_tensor(window / 13.0, x.dtype), (3, 3, x.shape[-1], 1))
    smooth = depthwise_conv(x, kernel, padding="same", data_format="channels_last")
    smooth = transpose(smooth, (0, 3, 1, 2)) if is_first else smooth
    return blended(smooth, images, factor, low, high)
