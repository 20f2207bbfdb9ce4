"""Affine and projective transformations of images."""

from __future__ import annotations

import numpy as np

from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.ops.image.layout import as_float, images_and_layout
from nkeras.ops.image.map_coordinates import as_sampled
from nkeras.ops.image.sampling import checked_mode, order_of
from nkeras.ops.image.warping import warp
from nkeras.ops.matrix_product import matmul_
from nkeras.ops.products import cross
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import (
    cast,
    concatenate,
    expand_dims,
    reshape,
    section,
    transpose,
    unstacked,
)


@op
def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images whose pixels come from other places: each place of the result is transformed.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; any dtype. Integers are rounded, halves away from zero.
        transform: `(8,)` for all images or `(batch, 8)`. Of `a0, a1, a2, b0, b1, b2, c0, c1`, the
            pixel `(x, y)` of the result comes from `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) /
            k)` with `k = c0 x + c1 y + 1`.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_mode: what lies beyond the edges: `"constant"`, `"nearest"`, `"wrap"`, `"mirror"` or
            `"reflect"`, see `map_coordinates`.
        fill_value: the value for `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the shape and dtype of `images`.

    Raises:
        ValueError: shapes do not fit, or an argument is unknown.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape([[1.0, 2.0, 3.0]], (1, 3, 1))
        >>> moved = nkeras.ops.image.affine_transform(image, [1, 0, 1, 0, 1, 0, 0, 0])
        >>> moved.numpy().ravel()
        array([2., 3., 0.], dtype=float32)

    Source: https://keras.io/api/ops/image/ Keras uses c0 and c1 with TensorFlow alone; here they
    count on every backend, as the formula says. Gradients flow to `transform` too.
    """
    order = order_of(interpolation, "affine_transform")
    mode = checked_mode(fill_mode, "affine_transform")
    images, _ = images_and_layout(images, data_format, "affine_transform")
    transform = to_tensor(transform)
    if len(transform.shape) not in (1, 2) or transform.shape[-1] != 8:
        raise ValueError(
            "affine_transform: argument `transform` must have the shape (8,) or (batch, 8). "
            f"Received shape {transform.shape}"
        )
    matrix = reshape(transform, (-1, 8))
    return _projected(images, matrix, order, mode, fill_value, data_format, "affine_transform")


@op
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Tensor:
    """Images seen in perspective: four points of them go to four others.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first, or one image without
            the first axis; any dtype. Integers are rounded, halves away from zero.
        start_points: four points `(x, y)` of the images, in pixels: `(4, 2)` for all images or
            `(batch, 4, 2)`; no three of them on a line.
        end_points: where these points are in the result, of the same shape.
        interpolation: `"nearest"` or `"bilinear"`.
        fill_value: the value of what lies outside an image.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Tensor of the shape and dtype of `images`.

    Raises:
        ValueError: shapes do not fit, or an argument is unknown.

    Example:
        >>> import nkeras
        >>> image = nkeras.ops.reshape(nkeras.ops.arange(6.0), (2, 3, 1))
        >>> corners = [[0, 0], [2, 0], [2, 1], [0, 1]]
        >>> turned = [[2, 0], [0, 0], [0, 1], [2, 1]]
        >>> mirrored = nkeras.ops.image.perspective_transform(image, corners, turned)
        >>> mirrored.numpy()[..., 0]
        array([[2., 1., 0.],
               [5., 4., 3.]], dtype=float32)

    Source: https://keras.io/api/ops/image/
    """
    owner = "perspective_transform"
    order = order_of(interpolation, owner)
    images, _ = images_and_layout(images, data_format, owner)
    start, end = to_tensor(start_points), to_tensor(end_points)
    for name, points in (("start_points", start), ("end_points", end)):
        if len(points.shape) not in (2, 3) or points.shape[-2:] != (4, 2):
            raise ValueError(
                f"{owner}: argument `{name}` must have the shape (4, 2) or (batch, 4, 2). "
                f"Received shape {points.shape}"
            )
    if start.shape != end.shape:
        raise ValueError(
            f"{owner}: arguments `start_points` and `end_points` must have equal shapes. "
            f"Received {start.shape} and {end.shape}"
        )
    matrix = homography(reshape(start, (-1, 4, 2)), reshape(end, (-1, 4, 2)))
    return _projected(images, matrix, order, "constant", fill_value, data_format, owner)


def homography(start: Tensor, end: Tensor) -> Tensor:
    """Transformations `(batch, 8)`, as `affine_transform` takes them, of four points each."""
    y, x, k = unstacked(_homography(start, end), 1)
    return concatenate([x, y, section(k, 1, 0, 2)], 1)


def _homography(start: Tensor, end: Tensor) -> Tensor:
    """Matrices `(batch, 3, 3)` that take end points `(x, y, 1)` to start points `(y, x, 1)`.

    The fourth of four points is a sum of the three others, each times a factor. A projective map
    takes each of the three to its image, times the ratio of its two factors. This is in float64:
    the products are large, and their differences are not.
    """
    ones = to_tensor(np.ones((*start.shape[:2], 1)), "float64")
    x, y = (section(cast(start, "float64"), 2, i, i + 1) for i in (0, 1))
    start = concatenate([y, x, ones], 2)
    end = concatenate([cast(end, "float64"), ones], 2)
    of_start, _ = _basis(start)
    of_end, rows = _basis(end)
    columns = section(start, 1, 0, 3) * expand_dims(of_start / of_end, -1)
    matrix = matmul_(transpose(columns, (0, 2, 1)), rows)
    return matrix / section(section(matrix, 1, 2, 3), 2, 2, 3)


def _basis(points: Tensor) -> tuple[Tensor, Tensor]:
    """The fourth point in terms of the three others, and the rows that give such terms.

    Both are to be divided by the determinant of the three, which cancels out.
    """
    p, q, r, s = (reshape(section(points, 1, i, i + 1), (-1, 3)) for i in range(4))
    rows = concatenate([expand_dims(cross(*pair), 1) for pair in ((q, r), (r, p), (p, q))], 1)
    return reduce_sum(rows * expand_dims(s, 1), axis=(2,), keepdims=False), rows


def _projected(
    images: Tensor,
    matrix: Tensor,
    order: int,
    mode: str,
    fill_value: float,
    data_format: str | None,
    owner: str,
) -> Tensor:
    """Images of any layout and dtype, warped."""
    dtype, rank = images.dtype, len(images.shape)
    x = as_float(images)
    x = x if rank == 4 else expand_dims(x, 0)
    x, layout = images_and_layout(x, data_format, owner)
    order_of_axes = (0, layout.height, layout.width, layout.channels)
    x = transpose(x, order_of_axes)
    if matrix.shape[0] not in (1, x.shape[0]):
        raise ValueError(
            f"{owner}: there are {x.shape[0]} images and transformations for {matrix.shape[0]}; "
            "there must be one for all of them, or one for each."
        )
    y = warp(x, cast(matrix, x.dtype), order=order, mode=mode, fill_value=float(fill_value))
    back = [order_of_axes.index(axis) for axis in range(4)]
    y = as_sampled(transpose(y, back), dtype)
    return y if rank == 4 else reshape(y, y.shape[1:])
