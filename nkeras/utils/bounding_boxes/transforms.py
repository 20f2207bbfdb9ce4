"""Boxes of images that were cropped, padded, rotated, scaled, sheared or moved."""

from __future__ import annotations

import math
from collections.abc import Callable

from nkeras import ops
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.utils.bounding_boxes.formats import absolute, as_boxes, clipped, converted


def affine_transform(
    boxes: TensorLike,
    angle: TensorLike,
    translate_x: TensorLike,
    translate_y: TensorLike,
    scale: TensorLike,
    shear_x: TensorLike,
    shear_y: TensorLike,
    height: TensorLike,
    width: TensorLike,
    center_x: TensorLike | None = None,
    center_y: TensorLike | None = None,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """The smallest upright boxes around boxes that were transformed with their image.

    Args:
        boxes: tensor `(batch, n, 4)`, or `(n, 4)` of one image.
        angle: by how many degrees to rotate; like all numbers here a number, or one for each image.
        translate_x: by which part of the width to move to the right.
        translate_y: by which part of the height to move down.
        scale: factor of the size.
        shear_x: by how many degrees to shear along x.
        shear_y: by how many degrees to shear along y.
        height: the image's height in pixels.
        width: its width.
        center_x: the point that stays, as a part of the width; 0.5 by default.
        center_y: likewise, of the height.
        bounding_box_format: `"xyxy"`, or another format in pixels, which is converted, and back.

    Returns:
        Floating tensor of the shape of `boxes`.

    Raises:
        ValueError: shapes or the format are wrong.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> moved = bounding_boxes.affine_transform(
        ...     [[0, 0, 2, 4]], 0, 0.5, 0.0, 1.0, 0, 0, height=11, width=11
        ... )
        >>> moved.numpy().round(3)
        array([[5., 0., 7., 4.]], dtype=float32)

    Source: https://keras.io/api/utils/bounding_boxes/
    """
    name = absolute(bounding_box_format, "affine_transform")
    corners = as_boxes(boxes, "affine_transform")
    if len(corners.shape) not in (2, 3):
        raise ValueError(
            "affine_transform: argument `boxes` must have the shape (n, 4) or (batch, n, 4). "
            f"Received shape {corners.shape}"
        )
    dtype = "float64" if corners.dtype == "float64" else "float32"
    corners = converted(corners, name, "xyxy")

    def column(value: TensorLike) -> Tensor:
        return ops.reshape(ops.cast(ops.convert_to_tensor(value), dtype), (-1, 1, 1))

    last_x, last_y = column(width) - 1.0, column(height) - 1.0
    a, b, c, d, e, f = _matrix(
        column(angle),
        column(translate_x) * last_x,
        column(translate_y) * last_y,
        column(scale),
        column(shear_x),
        column(shear_y),
        column(0.5 if center_x is None else center_x) * last_x,
        column(0.5 if center_y is None else center_y) * last_y,
    )
    is_single = len(corners.shape) == 2
    corners = ops.expand_dims(corners, 0) if is_single else corners
    x1, y1, x2, y2 = ops.split(corners, 4, axis=-1)
    xs, ys = ops.concatenate([x1, x2, x2, x1], -1), ops.concatenate([y1, y1, y2, y2], -1)
    moved = a * xs + b * ys + c, d * xs + e * ys + f
    edges = [find(x, axis=-1, keepdims=True) for find in (ops.min, ops.max) for x in moved]
    found = ops.concatenate(edges, -1)
    return converted(ops.squeeze(found, 0) if is_single else found, "xyxy", name)


def _matrix(
    angle: Tensor,
    translate_x: Tensor,
    translate_y: Tensor,
    scale: Tensor,
    shear_x: Tensor,
    shear_y: Tensor,
    center_x: Tensor,
    center_y: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of `x' = a x + b y + c, y' = d x + e y + f`: rotated and sheared, scaled, and moved."""
    rotated, sheared_x, sheared_y = (
        degrees * (-math.pi / 180.0) for degrees in (angle, shear_x, shear_y)
    )
    slope, both = ops.tan(sheared_x), rotated - sheared_y
    p = ops.cos(both) / ops.cos(sheared_y)
    q = p * slope + ops.sin(rotated)
    r = -ops.sin(both) / ops.cos(sheared_y)
    s = ops.cos(rotated) - r * slope
    a, b, d, e = s * scale, -q * scale, -r * scale, p * scale
    from_x, from_y = center_x - translate_x, center_y - translate_y
    return a, b, center_x - a * from_x - b * from_y, d, e, center_y - d * from_x - e * from_y


def crop(
    boxes: TensorLike,
    top: TensorLike,
    left: TensorLike,
    height: TensorLike,
    width: TensorLike,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Boxes in a part of the image, without what lies outside of it.

    Args:
        boxes: tensor `(..., 4)`.
        top: where the part begins, in pixels.
        left: likewise.
        height: the part's height.
        width: its width.
        bounding_box_format: `"xyxy"`, or another format in pixels, which is converted, and back.

    Returns:
        Tensor of the shape of `boxes`.

    Raises:
        ValueError: the format is unknown or relative, or the last size is not 4.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> bounding_boxes.crop([[10, 20, 50, 60]], top=10, left=20, height=40, width=30).numpy()
        array([[ 0, 10, 30, 40]], dtype=int32)

    Source: https://keras.io/api/utils/bounding_boxes/
    """
    name, corners = _corners(boxes, bounding_box_format, "crop")
    moved = _moved(corners, left, top, ops.subtract)
    return _back(clipped(moved, width, height), name)


def pad(
    boxes: TensorLike,
    top: TensorLike,
    left: TensorLike,
    height: TensorLike | None = None,
    width: TensorLike | None = None,
    bounding_box_format: str = "xyxy",
) -> Tensor:
    """Boxes of an image that got margins on top and left.

    Args:
        boxes: tensor `(..., 4)`.
        top: height of the margin on top, in pixels.
        left: width of the margin on the left.
        height: accepted for Keras' sake; the new image's size changes nothing.
        width: likewise.
        bounding_box_format: `"xyxy"`, or another format in pixels, which is converted, and back.

    Returns:
        Tensor of the shape of `boxes`.

    Raises:
        ValueError: the format is unknown or relative, or the last size is not 4.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> bounding_boxes.pad([[10, 20, 50, 60]], top=1, left=2).numpy()
        array([[12, 21, 52, 61]], dtype=int32)

    Source: https://keras.io/api/utils/bounding_boxes/
    """
    name, corners = _corners(boxes, bounding_box_format, "pad")
    return _back(_moved(corners, left, top, ops.add), name)


def _corners(boxes: TensorLike, bounding_box_format: str, owner: str) -> tuple[str, Tensor]:
    """The format in lower case, and corners `xyxy`; those that are such keep their dtype."""
    name = absolute(bounding_box_format, owner)
    found = as_boxes(boxes, owner)
    return name, found if name == "xyxy" else converted(found, name, "xyxy")


def _back(corners: Tensor, name: str) -> Tensor:
    return corners if name == "xyxy" else converted(corners, "xyxy", name)


def _moved(
    corners: Tensor, x: TensorLike, y: TensorLike, move: Callable[[TensorLike, TensorLike], Tensor]
) -> Tensor:
    planes = ops.split(corners, 4, axis=-1)
    moved = [move(plane, step) for plane, step in zip(planes, [x, y, x, y], strict=True)]
    return ops.concatenate(moved, axis=-1)
