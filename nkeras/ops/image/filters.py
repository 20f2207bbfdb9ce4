"""Filters: blurring, edges, and how alike two images are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nkeras.core import config
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.convolution import depthwise_conv
from nkeras.ops.core import where
from nkeras.ops.elementwise import absolute, exp, less_equal, square
from nkeras.ops.image.layout import as_before, as_float, images_and_layout
from nkeras.ops.reduction import reduce_mean, reduce_sum
from nkeras.ops.shape import (
    broadcast_to,
    cast,
    concatenate,
    expand_dims,
    reshape,
    section,
    transpose,
)


@op
def gaussian_blur(
    images: TensorLike,
    kernel_size: Sequence[int] = (3, 3),
    sigma: TensorLike = (1.0, 1.0),
    data_format: str | None = None,
) -> Tensor:
    """Images blurred by a Gaussian window; beyond the edges there is black.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; any dtype. Integers are rounded.
        kernel_size: height and width of the window.
        sigma: standard deviations along height and width, in pixels; also a tensor, to which
            gradients flow.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the shape and dtype of `images`.

    Raises:
        ValueError: an argument is wrong.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([0.0, 0.0, 1.0, 0.0, 0.0], (1, 5, 1))
        >>> nkeras.ops.image.gaussian_blur(image, (1, 3)).numpy().ravel().round(3)
        array([0.   , 0.274, 0.452, 0.274, 0.   ], dtype=float32)

    Source: https://keras.io/api/ops/image/ Against its own documentation Keras takes the first
    numbers for the width, and without `data_format` on JAX the first axis for the channels'.
    """
    images, layout = images_and_layout(images, data_format, "gaussian_blur")
    if not is_a(kernel_size, (tuple, list)) or len(kernel_size) != 2 or min(kernel_size) < 1:
        refuse("kernel_size", kernel_size, "two positive int, (height, width)", "gaussian_blur")
    x = as_float(images)
    deviations = cast(to_tensor(sigma), x.dtype)
    if deviations.shape != (2,):
        refuse("sigma", sigma, "two numbers, for height and width", "gaussian_blur")
    windows = [
        gaussian(int(size), section(deviations, 0, i, i + 1)) for i, size in enumerate(kernel_size)
    ]
    rank = len(x.shape)
    x = x if rank == 4 else expand_dims(x, 0)
    is_first = layout.channels < layout.height
    x = transpose(x, (0, 2, 3, 1)) if is_first else x
    x = filtered(x, windows[0], windows[1], "same")
    x = transpose(x, (0, 3, 1, 2)) if is_first else x
    x = x if rank == 4 else reshape(x, x.shape[1:])
    return as_before(x, images.dtype)


@op
def sobel_edges(images: TensorLike, data_format: str | None = None) -> Tensor:
    """How fast images get brighter, downwards and to the right; beyond the edges there is black.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first; any dtype. Of
            integers, what their dtype cannot hold becomes its nearest value.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(*images.shape, 2)` of the dtype of `images`: `[dy, dx]` in its last axis.

    Raises:
        ValueError: the rank is not 4.

    Example:
        >>> import nkeras
        >>> ramp = nkeras.ops.reshape([0.0, 1.0, 2.0] * 3, (1, 3, 3, 1))
        >>> nkeras.ops.image.sobel_edges(ramp).numpy()[0, 1, 1, 0]
        array([0., 8.], dtype=float32)

    Source: https://keras.io/api/ops/image/ The backends of Keras differ in what they see beyond the
    edges; here it is black, as with JAX.
    """
    images = to_tensor(images)
    if len(images.shape) != 4:
        raise ValueError(
            "sobel_edges: argument `images` must have rank 4 (a batch of images). "
            f"Received shape {images.shape}"
        )
    is_first = config.standardize_data_format(data_format, "sobel_edges") == "channels_first"
    x = as_float(images)
    x = transpose(x, (0, 2, 3, 1)) if is_first else x
    slope, smooth = (to_tensor(np.array(taps), x.dtype) for taps in ([-1, 0, 1], [1, 2, 1]))
    edges = [filtered(x, *pair, "same") for pair in ((slope, smooth), (smooth, slope))]
    found = concatenate([expand_dims(edge, -1) for edge in edges], -1)
    found = transpose(found, (0, 3, 1, 2, 4)) if is_first else found
    return as_before(found, images.dtype)


@op
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Tensor:
    """How alike two images are in brightness, contrast and structure: 1 for the same.

    Args:
        image1: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis.
        image2: tensor of the same shape.
        max_val: the largest value that a pixel can have.
        filter_size: side of the Gaussian window, inside of which pixels are compared.
        filter_sigma: its standard deviation, in pixels.
        k1: with `max_val`, what keeps the quotient of dark places finite.
        k2: the same for places without contrast.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor `(batch,)`, or of rank 0 for one pair, of the dtype of `image1`.

    Raises:
        ValueError: shapes differ, ranks are wrong, or the window does not fit.

    Example:
        >>> import nkeras
        >>> image = nkeras.random.uniform((16, 16, 3), seed=1)
        >>> round(float(nkeras.ops.image.ssim(image, image)), 5)
        1.0

    Source: Wang, Bovik, Sheikh and Simoncelli (2004), "Image quality assessment: from error
    visibility to structural similarity".
    """
    first, layout = images_and_layout(image1, data_format, "ssim")
    second, _ = images_and_layout(image2, data_format, "ssim")
    dtype = first.dtype
    if first.shape != second.shape:
        raise ValueError(
            "ssim: arguments `image1` and `image2` must have equal shapes. "
            f"Received {first.shape} and {second.shape}"
        )
    if filter_size < 1 or min(first.shape[layout.height], first.shape[layout.width]) < filter_size:
        raise ValueError(
            f"ssim: argument `filter_size` must be at least 1 and at most the sizes of the images. "
            f"Received: filter_size={filter_size} for images of shape {first.shape}"
        )
    x = as_float(first)
    y = cast(second, x.dtype)
    is_single = len(x.shape) == 3
    x, y = (expand_dims(one, 0) if is_single else one for one in (x, y))
    if layout.channels < layout.height:
        x, y = (transpose(one, (0, 2, 3, 1)) for one in (x, y))
    window = gaussian(int(filter_size), to_tensor(np.array([filter_sigma]), x.dtype))
    stacked = concatenate([x, y, x * x, y * y, x * y], 0)
    means = filtered(stacked, window, window, "valid")
    batch = x.shape[0]
    mean_x, mean_y, of_xx, of_yy, of_xy = (
        section(means, 0, i * batch, (i + 1) * batch) for i in range(5)
    )
    product, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    likeness = (2.0 * product + c1) * (2.0 * (of_xy - product) + c2)
    likeness = likeness / ((squares + c1) * (of_xx + of_yy - squares + c2))
    found = cast(reduce_mean(likeness, axis=(1, 2, 3), keepdims=False), dtype)
    return reshape(found, ()) if is_single else found


def gaussian(size: int, sigma: Tensor, reach: Tensor | None = None) -> Tensor:
    """A window `(size,)` whose sum is 1; what is farther from its middle than reach is 0."""
    places = to_tensor(np.arange(size) - (size - 1) / 2, sigma.dtype)
    window = exp(square(places / sigma) * -0.5)
    if reach is not None:
        window = where(less_equal(absolute(places), reach), window, 0.0)
    return window / reduce_sum(window, axis=(0,), keepdims=True)


def filtered(x: Tensor, rows: Tensor, columns: Tensor, padding: str) -> Tensor:
    """Images `(batch, height, width, channels)` correlated along height, then along width."""
    batch, height, width, channels = x.shape
    lines = reshape(x, (batch, height, width * channels, 1))
    kernel = reshape(rows, (-1, 1, 1, 1))
    lines = depthwise_conv(lines, kernel, padding=padding, data_format="channels_last")
    x = reshape(lines, (batch, lines.shape[1], width, channels))
    kernel = broadcast_to(reshape(columns, (1, -1, 1, 1)), (1, columns.shape[0], channels, 1))
    return depthwise_conv(x, kernel, padding=padding, data_format="channels_last")
