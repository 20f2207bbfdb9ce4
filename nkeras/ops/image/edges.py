"""Margins around images: added or cut off."""

from __future__ import annotations

from typing import NoReturn

from nkeras.core.errors import short
from nkeras.core.graph import known_shape
from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.image.layout import images_and_layout
from nkeras.ops.padding import pad
from nkeras.ops.shape import slice_


@op
def pad_images(
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Images with margins of zeros.

    Two of top, bottom and height are given, and two of left, right and width.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis.
        top_padding: rows to add on top.
        left_padding: columns to add on the left.
        bottom_padding: rows to add at the bottom.
        right_padding: columns to add on the right.
        target_height: rows of the result.
        target_width: columns of the result.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the dtype of `images`.

    Raises:
        ValueError: not two of three are given, or a margin would be negative.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.ones((15, 25, 3))
        >>> nkeras.ops.image.pad_images(image, 2, 3, target_height=20, target_width=30).shape
        (20, 30, 3)

    Source: https://keras.io/api/ops/image/
    """
    images, layout = images_and_layout(images, data_format, "pad_images")
    known, widths = known_shape(images), [(0, 0)] * len(images.shape)
    for axis, names, given in (
        (
            layout.height,
            ("top_padding", "bottom_padding", "target_height"),
            (top_padding, bottom_padding, target_height),
        ),
        (
            layout.width,
            ("left_padding", "right_padding", "target_width"),
            (left_padding, right_padding, target_width),
        ),
    ):
        _check(names, given, "pad_images")
        if known[axis] is None and given[2] is not None:
            images = _cut(images, axis, 0, 0)  # only the shape counts: of nothing, it is right
        low, high, target = given
        size = images.shape[axis]
        if low is None:
            low = (target or 0) - (high or 0) - size
        if high is None:
            high = (target or 0) - low - size
        for name, value in zip(names, (low, high), strict=False):
            if value < 0:
                _refuse(name, value, f"for images of shape {images.shape}", "pad_images")
        widths[axis] = (low, high)
    return pad(images, widths)


@op
def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Images without their margins.

    Two of top, bottom and height are given, and two of left, right and width.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis.
        top_cropping: rows to cut off on top.
        left_cropping: columns to cut off on the left.
        bottom_cropping: rows to cut off at the bottom.
        right_cropping: columns to cut off on the right.
        target_height: rows of the result.
        target_width: columns of the result.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the dtype of `images`.

    Raises:
        ValueError: not two of three are given, or more is cut off than there is.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.ones((15, 25, 3))
        >>> nkeras.ops.image.crop_images(image, 2, 3, target_height=10, target_width=20).shape
        (10, 20, 3)

    Source: https://keras.io/api/ops/image/
    """
    images, layout = images_and_layout(images, data_format, "crop_images")
    for axis, names, given in (
        (
            layout.height,
            ("top_cropping", "bottom_cropping", "target_height"),
            (top_cropping, bottom_cropping, target_height),
        ),
        (
            layout.width,
            ("left_cropping", "right_cropping", "target_width"),
            (left_cropping, right_cropping, target_width),
        ),
    ):
        _check(names, given, "crop_images")
        low, high, target = given
        size = images.shape[axis]
        if low is None:
            low = size - (target or 0) - (high or 0)
        if target is None:
            target = size - low - (high or 0)
        high = size - low - target
        for name, value in zip(names, (low, high, target), strict=True):
            if value < 0:
                _refuse(name, value, f"for images of shape {images.shape}", "crop_images")
        images = _cut(images, axis, low, low + target)
    return images


def _check(
    names: tuple[str, str, str], given: tuple[int | None, int | None, int | None], owner: str
) -> None:
    if given.count(None) != 1:
        raise ValueError(
            f"{owner}: exactly two of the arguments {', '.join(names)} must be given. Received: "
            + ", ".join(f"{name}={short(value)}" for name, value in zip(names, given, strict=True))
        )
    for name, value in zip(names, given, strict=True):
        if value is not None and value < 0:
            _refuse(name, value, "as given", owner)


def _refuse(name: str, value: int, where: str, owner: str) -> NoReturn:
    raise ValueError(f"{owner}: `{name}` must be at least 0. It is {value} {where}.")


def _cut(images: Tensor, axis: int, start: int, stop: int) -> Tensor:
    index = [(0, size, 1) for size in images.shape]
    index[axis] = (start, stop, 1)
    return slice_(images, index=tuple(index))
