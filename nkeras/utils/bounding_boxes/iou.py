"""How much boxes overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nkeras import ops
from nkeras.core.config import epsilon
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.utils.bounding_boxes.formats import as_boxes, converted


def compute_iou(
    boxes1: TensorLike,
    boxes2: TensorLike,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Sequence[int] | None = None,
) -> Tensor:
    """Of each pair of boxes, the area of the intersection over that of the union.

    Args:
        boxes1: tensor `(n, 4)` or `(batch, n, 4)`.
        boxes2: tensor `(m, 4)` or `(batch, m, 4)`.
        bounding_box_format: the format of both, see `convert_format`.
        use_masking: whether boxes all of whose numbers are negative are no boxes.
        mask_val: what pairs with such boxes get.
        image_shape: `(height, width, channels)`; needed if the format is relative.

    Returns:
        Tensor `(n, m)`, or `(batch, n, m)` if one of the two has batches.

    Raises:
        ValueError: a rank is wrong, or the image's size is missing.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> found = bounding_boxes.compute_iou([[0, 0, 2, 2]], [[1, 0, 3, 2]], "xyxy")
        >>> found.numpy().round(3)
        array([[0.333]], dtype=float32)

    Source: https://keras.io/api/utils/bounding_boxes/
    """
    first, second = (
        _in_pixels(boxes, bounding_box_format, image_shape, "compute_iou")
        for boxes in (boxes1, boxes2)
    )
    for name, boxes in (("boxes1", first), ("boxes2", second)):
        if len(boxes.shape) not in (2, 3):
            raise ValueError(
                f"compute_iou: argument `{name}` must have the shape (n, 4) or (batch, n, 4). "
                f"Received shape {boxes.shape}"
            )
    rows, columns = ops.expand_dims(first, -2), ops.expand_dims(second, -3)
    meeting = _intersection(_planes(rows), _planes(columns))
    union = _area(_planes(rows)) + _area(_planes(columns)) - meeting
    found = meeting / (union + epsilon())
    if not use_masking:
        return found
    is_none = ops.logical_or(ops.max(rows, axis=-1) < 0.0, ops.max(columns, axis=-1) < 0.0)
    return ops.where(is_none, ops.cast(mask_val, found.dtype), found)


def compute_ciou(
    boxes1: TensorLike,
    boxes2: TensorLike,
    bounding_box_format: str,
    image_shape: Sequence[int] | None = None,
) -> Tensor:
    """Complete IoU: intersection over union, less for centers apart and for other proportions.

    Args:
        boxes1: tensor `(..., 4)`.
        boxes2: tensor `(..., 4)`; box by box with the first ones.
        bounding_box_format: the format of both, see `convert_format`.
        image_shape: `(height, width, channels)`; needed if the format is relative.

    Returns:
        Tensor `(...)`, at most 1.

    Raises:
        ValueError: a last size is not 4, or the image's size is missing.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> found = bounding_boxes.compute_ciou([[0, 0, 2, 2]], [[1, 0, 3, 2]], "xyxy")
        >>> found.numpy().round(3)
        array([0.256], dtype=float32)

    Source: Zheng et al. (2020), "Distance-IoU loss: faster and better learning for bounding box
    regression". Keras refuses relative formats even with `image_shape`.
    """
    first, second = (
        _in_pixels(boxes, bounding_box_format, image_shape, "compute_ciou")
        for boxes in (boxes1, boxes2)
    )
    planes1, planes2 = _planes(first), _planes(second)
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = planes1, planes2
    width1, width2 = right1 - left1, right2 - left2
    height1, height2 = bottom1 - top1 + epsilon(), bottom2 - top2 + epsilon()
    meeting = _intersection(planes1, planes2)
    union = width1 * height1 + width2 * height2 - meeting + epsilon()
    iou = meeting / (union + epsilon())
    hull_width = ops.maximum(right1, right2) - ops.minimum(left1, left2)
    hull_height = ops.maximum(bottom1, bottom2) - ops.minimum(top1, top2)
    diagonal = ops.square(hull_width) + ops.square(hull_height) + epsilon()
    across = (left1 + right1) / 2.0 - (left2 + right2) / 2.0
    down = (top1 + bottom1) / 2.0 - (top2 + bottom2) / 2.0
    distance = ops.square(across) + ops.square(down)
    angle = ops.arctan(width2 / height2) - ops.arctan(width1 / height1)
    proportion = ops.square(angle) * (4.0 / math.pi**2)
    share = proportion / (proportion - iou + (1.0 + epsilon()))
    return iou - (distance / diagonal + proportion * share)


def _in_pixels(
    boxes: TensorLike, name: str, image_shape: Sequence[int] | None, owner: str
) -> Tensor:
    """Corners `xyxy` in pixels."""
    if str(name).lower().startswith("rel_") and image_shape is None:
        raise ValueError(
            f"{owner}: argument `image_shape`, (height, width, channels), is needed for the format "
            f"{name!r}. Received: image_shape=None"
        )
    height, width = (None, None) if image_shape is None else tuple(image_shape)[:2]
    return converted(as_boxes(boxes, owner), name, "xyxy", height, width)


def _planes(boxes: Tensor) -> list[Tensor]:
    return [ops.squeeze(plane, -1) for plane in ops.split(boxes, 4, axis=-1)]


def _area(planes: list[Tensor]) -> Tensor:
    left, top, right, bottom = planes
    return (right - left) * (bottom - top)


def _intersection(planes1: list[Tensor], planes2: list[Tensor]) -> Tensor:
    """The area that boxes share with others, which broadcast against them."""
    (left1, top1, right1, bottom1), (left2, top2, right2, bottom2) = planes1, planes2
    width = ops.minimum(right1, right2) - ops.maximum(left1, left2)
    height = ops.minimum(bottom1, bottom2) - ops.maximum(top1, top2)
    return ops.maximum(width, 0.0) * ops.maximum(height, 0.0)
