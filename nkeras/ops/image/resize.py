"""Images of another size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nkeras.core import dtypes
from nkeras.core.errors import as_bool, is_a, refuse
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.image.layout import Layout, as_before, as_float, images_and_layout
from nkeras.ops.image.resampling import METHODS, resize_images
from nkeras.ops.indexing import take_
from nkeras.ops.padding import pad
from nkeras.ops.shape import reshape, section

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@op
def resize(
    images: TensorLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Images of another size; cells are squares whose centres are where values are.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; any dtype. Integers are rounded, and kept in the range of their dtype.
        size: `(height, width)` of the result.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        antialias: whether an image that shrinks is smoothed, so that each old pixel counts.
        crop_to_aspect_ratio: whether the largest part in the middle that has the proportions of
            `size` is resized, instead of the whole.
        pad_to_aspect_ratio: whether images get margins first, so that they have these proportions.
        fill_mode: `"constant"` alone.
        fill_value: value of the margins.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the dtype of `images`, with the new height and width.

    Raises:
        ValueError: an argument is wrong, or both proportions are asked for.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([[0.0, 4.0]], (1, 2, 1))
        >>> nkeras.ops.image.resize(image, (1, 4)).numpy().ravel()
        array([0., 1., 3., 4.], dtype=float32)

    Source: https://keras.io/api/ops/image/
    """
    images, layout = images_and_layout(images, data_format, "resize")
    height, width = _size(size)
    if interpolation not in INTERPOLATIONS:
        names = ", ".join(f'"{name}"' for name in INTERPOLATIONS)
        refuse("interpolation", interpolation, f"one of {names}", "resize")
    if fill_mode != "constant":
        refuse("fill_mode", fill_mode, '"constant"', "resize")
    antialias = as_bool(antialias, "antialias", "resize")
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError(
            "resize: of the arguments `pad_to_aspect_ratio` and `crop_to_aspect_ratio` at most one "
            "can be True. Received both."
        )
    dtype = images.dtype
    if interpolation != "nearest" and dtype != "uint8":
        images = as_float(images)
    if crop_to_aspect_ratio:
        images = _cropped(images, layout, height, width)
    elif pad_to_aspect_ratio:
        images = _padded(images, layout, height, width, fill_value)
    method = METHODS[interpolation]
    if interpolation == "nearest" and not dtypes.is_floating(dtype):
        return _taken(images, {layout.height: height, layout.width: width})
    return as_before(_resized(images, layout, (height, width), method, antialias), dtype)


def _resized(
    images: Tensor, layout: Layout, size: tuple[int, int], method: str, antialias: bool
) -> Tensor:
    """Images of another size; channels first they count as images of one channel each."""
    before, (height, width) = images.shape, size
    if (before[layout.height], before[layout.width]) == size:
        return images
    if not before[layout.height] * before[layout.width]:
        raise ValueError(f"resize: images of shape {before} have nothing to resize.")
    is_first = layout.channels < layout.height
    channels = 1 if is_first else before[layout.channels]
    batch = math.prod(before[: layout.height])
    x = reshape(images, (batch, before[layout.height], before[layout.width], channels))
    y = resize_images(x, height=height, width=width, method=method, antialias=antialias)
    after = list(before)
    after[layout.height], after[layout.width] = size
    return reshape(y, tuple(after))


def _size(size: Sequence[int]) -> tuple[int, int]:
    if is_a(size, (tuple, list)) and len(size) == 2:
        height, width = size
        if is_a(height, (int, np.integer)) and is_a(width, (int, np.integer)):
            if height > 0 and width > 0:
                return int(height), int(width)
    refuse("size", size, "two positive int, (height, width)", "resize")


def _taken(images: Tensor, axes: dict[int, int]) -> Tensor:
    """The nearest cells of images that are not floating."""
    for axis, size in axes.items():
        before = images.shape[axis]
        if before != size:
            cells = (2 * np.arange(size) + 1) * before // (2 * size)
            images = take_(images, to_tensor(cells, "int32"), axis=axis)
    return images


class Window(NamedTuple):
    """A part of images, or with negative `top` and `left` more than them; in pixels."""

    top: Any
    left: Any
    height: int
    width: int


def largest_window(own_height: int, own_width: int, height: int, width: int) -> Window:
    """The largest part in the middle of images that has the proportions of height to width."""
    kept_height = max(1, min(own_height, int(own_width * height / width)))
    kept_width = max(1, min(own_width, int(own_height * width / height)))
    top, left = int((own_height - kept_height) / 2), int((own_width - kept_width) / 2)
    return Window(top, left, kept_height, kept_width)


def padded_window(own_height: int, own_width: int, height: int, width: int) -> Window:
    """Images with equal margins on two sides, in the proportions of height to width."""
    top = int((max(own_height, int(own_width * height / width)) - own_height) / 2)
    left = int((max(own_width, int(own_height * width / height)) - own_width) / 2)
    return Window(-top, -left, own_height + 2 * top, own_width + 2 * left)


def _cropped(images: Tensor, layout: Layout, height: int, width: int) -> Tensor:
    window = largest_window(images.shape[layout.height], images.shape[layout.width], height, width)
    images = section(images, layout.height, window.top, window.top + window.height)
    return section(images, layout.width, window.left, window.left + window.width)


def _padded(images: Tensor, layout: Layout, height: int, width: int, fill_value: float) -> Tensor:
    window = padded_window(images.shape[layout.height], images.shape[layout.width], height, width)
    widths = [(0, 0)] * len(images.shape)
    widths[layout.height] = (-window.top, -window.top)
    widths[layout.width] = (-window.left, -window.left)
    return pad(images, widths, constant_values=fill_value)
