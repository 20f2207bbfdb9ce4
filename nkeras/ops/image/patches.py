"""Patches of images and volumes, each one the channels of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nkeras.core.errors import is_a, refuse, short
from nkeras.core.primitive import op, to_tensor
from nkeras.core.spec import window_output
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike, Window
from nkeras.ops.convolution import (
    is_channels_first,
    pads,
    to_channels_first,
    to_channels_last,
    windows,
)
from nkeras.ops.indexing import take_
from nkeras.ops.padding import pad
from nkeras.ops.shape import expand_dims, reshape, squeeze, transpose


@op
def extract_patches(
    images: TensorLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Patches of images, or of volumes where `size` has three numbers.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; `(batch, depth, height, width, channels)` for volumes. Any dtype.
        size: `(height, width)` or `(depth, height, width)` of a patch, or one int for a square.
        strides: steps between patches; `size` by default.
        dilation_rate: steps between the cells of a patch; may be used together with strides.
        padding: `"valid"` or `"same"` (with zeros).
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, rows, columns, height * width * channels)`, or channels first, with one
        more number of patches and one more factor for volumes.

    Raises:
        ValueError: an argument is wrong, or no patch fits.
        TypeError: `size` is neither an int nor a tuple.

    Example:
        >>> import nkeras
        >>> images = nkeras.ops.ones((2, 20, 20, 3))
        >>> nkeras.ops.image.extract_patches(images, (5, 5)).shape
        (2, 4, 4, 75)

    Source: https://keras.io/api/ops/image/
    """
    if not is_a(size, (int, np.integer, tuple, list)):
        raise TypeError(
            "extract_patches: argument `size` must be an int or a tuple. "
            f"Received: {short(size)} of type {type(size).__name__}"
        )
    rank = 2 if isinstance(size, int | np.integer) else len(size)
    if rank not in (2, 3):
        refuse("size", size, "an int, or a tuple of 2 or 3 int", "extract_patches")
    return _patches(
        images, rank, size, strides, dilation_rate, padding, data_format, "extract_patches"
    )


@op
def extract_patches_3d(
    volumes: TensorLike,
    size: int | Sequence[int],
    strides: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Patches of volumes.

    Args:
        volumes: tensor `(batch, depth, height, width, channels)`, or channels first, or one volume
            without the first axis. Any dtype.
        size: `(depth, height, width)` of a patch, or one int for a cube.
        strides: steps between patches; `size` by default.
        dilation_rate: steps between the cells of a patch; may be used together with strides.
        padding: `"valid"` or `"same"` (with zeros).
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch, planes, rows, columns, depth * height * width * channels)`, or channels
        first.

    Raises:
        ValueError: an argument is wrong, or no patch fits.

    Example:
        >>> import nkeras
        >>> volume = nkeras.ops.ones((10, 10, 10, 3))
        >>> nkeras.ops.image.extract_patches_3d(volume, 3).shape
        (3, 3, 3, 81)

    Source: https://keras.io/api/ops/image/
    """
    return _patches(
        volumes, 3, size, strides, dilation_rate, padding, data_format, "extract_patches_3d"
    )


def _patches(
    images: TensorLike,
    rank: int,
    size: Window,
    strides: Window | None,
    dilation_rate: Window,
    padding: str,
    data_format: str | None,
    owner: str,
) -> Tensor:
    x = to_tensor(images)
    if len(x.shape) not in (rank + 1, rank + 2):
        raise ValueError(
            f"{owner}: with a size of {rank} numbers the input must have rank {rank + 1} or "
            f"{rank + 2}. Received shape {x.shape}"
        )
    is_single = len(x.shape) == rank + 1
    x = expand_dims(x, 0) if is_single else x
    first = is_channels_first(data_format, owner)
    x = to_channels_last(x) if first else x
    window = windows(size, rank, "size")
    steps = window if strides is None else windows(strides, rank, "strides")
    dilation = windows(dilation_rate, rank, "dilation_rate")
    pairs = pads(padding, x.shape[1:-1], window, steps, dilation, owner)
    if any(map(sum, pairs)):
        x = pad(x, ((0, 0), *pairs, (0, 0)))
    batch, *sizes, channels = x.shape
    counts = [
        window_output(length, cells, step, (0, 0), spread)
        for length, cells, step, spread in zip(sizes, window, steps, dilation, strict=True)
    ]
    if min(counts) < 1:
        raise ValueError(
            f"{owner}: patches of size {short(window)} do not fit into the sizes {tuple(sizes)}."
        )
    for axis in range(rank):
        # Each axis becomes two: the patches, and the cells of one.
        places = np.arange(counts[axis])[:, None] * steps[axis]
        places = places + np.arange(window[axis]) * dilation[axis]
        x = take_(x, to_tensor(places, "int32"), axis=1 + 2 * axis)
    numbers, cells = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
    x = transpose(x, (0, *numbers, *cells, 2 * rank + 1))
    y = reshape(x, (batch, *counts, prod(window) * channels))
    y = to_channels_first(y) if first else y
    return squeeze(y, 0) if is_single else y
