"""Formats of bounding boxes. All of them become corners `left, top, right, bottom`, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, overload

from nkeras import ops
from nkeras.core.errors import is_a, refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import DTypeLike, TensorLike

Boxes: TypeAlias = "Mapping[str, TensorLike]"
"""Boxes under `"boxes"`, and what else belongs to them, such as `"labels"`."""

FORMATS = (
    *("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw"),
    *("rel_xyxy", "rel_yxyx", "rel_xywh", "rel_center_xywh"),
)


@overload
def convert_format(
    boxes: Boxes,
    source: str,
    target: str,
    height: TensorLike | None = None,
    width: TensorLike | None = None,
    dtype: DTypeLike = "float32",
) -> dict[str, TensorLike]: ...
@overload
def convert_format(
    boxes: TensorLike,
    source: str,
    target: str,
    height: TensorLike | None = None,
    width: TensorLike | None = None,
    dtype: DTypeLike = "float32",
) -> Tensor: ...
def convert_format(
    boxes: TensorLike | Boxes,
    source: str,
    target: str,
    height: TensorLike | None = None,
    width: TensorLike | None = None,
    dtype: DTypeLike = "float32",
) -> Tensor | dict[str, TensorLike]:
    """Boxes in another format.

    Formats, in upper or lower case: `"xyxy"` (left, top, right, bottom), `"yxyx"` (top, left,
    bottom, right), `"xywh"` (left, top, width, height), `"center_xywh"` (center x, center y, width,
    height), `"center_yxhw"`, and in parts of the image's size `"rel_xyxy"`, `"rel_yxyx"`,
    `"rel_xywh"`, `"rel_center_xywh"`.

    Args:
        boxes: tensor `(..., 4)`, or a dict that has it under `"boxes"`.
        source: the format that the boxes have.
        target: the format that they get.
        height: the image's height in pixels; needed if a format is relative.
        width: its width.
        dtype: dtype of the result.

    Returns:
        Tensor of the same shape, or a dict with it, otherwise like the one given.

    Raises:
        ValueError: a format is unknown, the last size is not 4, or the image's size is missing.

    Example:
        >>> import nkeras
        >>> from nkeras.utils import bounding_boxes
        >>> bounding_boxes.convert_format([[10, 20, 30, 50]], "xyxy", "xywh").numpy()
        array([[10., 20., 20., 30.]], dtype=float32)

    Source: https://keras.io/api/utils/bounding_boxes/ Keras changes a dict that it is given; here a
    new one is made.
    """
    if isinstance(boxes, Mapping):
        changed = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": changed}
    found = as_boxes(boxes, "convert_format")
    names = [_known(name, argument) for name, argument in ((source, "source"), (target, "target"))]
    relative = [name.startswith("rel_") for name in names]
    sizes = [] if height is None or width is None else [width, height]
    if any(relative) and not sizes:
        raise ValueError(
            "convert_format: arguments `height` and `width`, the image's size, are needed for "
            f"formats in parts of it. Received: source={source!r}, target={target!r}, "
            f"height={height}, width={width}"
        )
    found = ops.cast(found, dtype or "float32")
    if names[0] == names[1]:
        return found
    corners = _corners(ops.split(found, 4, axis=-1), names[0].removeprefix("rel_"))
    if relative[0] != relative[1]:
        change = ops.multiply if relative[0] else ops.divide
        factors = [ops.cast(ops.convert_to_tensor(size), found.dtype) for size in sizes * 2]
        corners = [change(x, factor) for x, factor in zip(corners, factors, strict=True)]
    return ops.concatenate(_from_corners(corners, names[1].removeprefix("rel_")), axis=-1)


def clip_to_image_size(
    bounding_boxes: Boxes,
    height: TensorLike | None = None,
    width: TensorLike | None = None,
    bounding_box_format: str = "xyxy",
) -> dict[str, TensorLike]:
    """Boxes without what lies outside the image; where nothing is left, the label becomes -1.

    Args:
        bounding_boxes: dict of `"boxes"`, `(..., 4)`, and maybe `"labels"`, `(...)`.
        height: the image's height in pixels; not needed for `"rel_xyxy"`.
        width: its width.
        bounding_box_format: `"xyxy"` or `"rel_xyxy"`; others are converted, and back.

    Returns:
        A new dict.

    Raises:
        ValueError: the format is unknown, or the image's size is missing.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> boxes = {"boxes": [[-10.0, 5.0, 30.0, 8.0], [90.0, 0.0, 95.0, 8.0]], "labels": [3, 4]}
        >>> clipped = bounding_boxes.clip_to_image_size(boxes, height=50, width=60)
        >>> clipped["labels"].numpy()
        array([ 3, -1], dtype=int32)

    Source: https://keras.io/api/utils/bounding_boxes/
    """
    name = _known(bounding_box_format, "bounding_box_format", "clip_to_image_size")
    boxes = as_boxes(bounding_boxes["boxes"], "clip_to_image_size")
    if name == "rel_xyxy":
        right, bottom = 1.0, 1.0
    elif height is None or width is None:
        raise ValueError(
            "clip_to_image_size: arguments `height` and `width`, the image's size, are needed for "
            f"boxes in the format {bounding_box_format!r}. Received: height={height}, width={width}"
        )
    else:
        right, bottom = width, height
    corner_format = "rel_xyxy" if name == "rel_xyxy" else "xyxy"
    if name != corner_format:
        boxes = converted(boxes, name, corner_format, height, width)
    boxes = clipped(boxes, right, bottom)
    x1, y1, x2, y2 = ops.split(boxes, 4, axis=-1)
    result = dict(bounding_boxes)
    labels = bounding_boxes.get("labels")
    if labels is not None:
        area = ops.squeeze((x2 - x1) * (y2 - y1), axis=-1)
        labels = ops.convert_to_tensor(labels)
        result["labels"] = ops.where(area > 0, labels, ops.cast(-1, labels.dtype))
    if name != corner_format:
        boxes = converted(boxes, corner_format, name, height, width)
    result["boxes"] = boxes
    return result


def clipped(boxes: Tensor, right: TensorLike, bottom: TensorLike) -> Tensor:
    """Corners `xyxy` that are at least 0 and at most right and bottom, in their own dtype."""
    limits = [ops.cast(ops.convert_to_tensor(limit), boxes.dtype) for limit in (right, bottom)]
    planes = ops.split(boxes, 4, axis=-1)
    zero = ops.cast(0, boxes.dtype)
    kept = [ops.clip(x, zero, limit) for x, limit in zip(planes, limits * 2, strict=True)]
    return ops.concatenate(kept, axis=-1)


def as_boxes(boxes: TensorLike, owner: str) -> Tensor:
    """A tensor `(..., 4)`.

    Raises:
        ValueError: it has another last size.
    """
    found = ops.convert_to_tensor(boxes)
    if not found.shape or found.shape[-1] != 4:
        raise ValueError(
            f"{owner}: argument `boxes` must have the shape (..., 4). Received shape {found.shape}"
        )
    return found


def converted(
    boxes: TensorLike,
    source: str,
    target: str,
    height: TensorLike | None = None,
    width: TensorLike | None = None,
) -> Tensor:
    """Boxes in another format, in float64 if they are so, else in float32."""
    found = ops.convert_to_tensor(boxes)
    dtype = "float64" if found.dtype == "float64" else "float32"
    return convert_format(found, source, target, height, width, dtype)


def absolute(name: str, owner: str) -> str:
    """The name of a format in pixels, in lower case.

    Raises:
        ValueError: the format is unknown, or in parts of an image whose size is not known here.
    """
    known = _known(name, "bounding_box_format", owner)
    if known.startswith("rel_"):
        refuse("bounding_box_format", name, "a format in pixels", owner)
    return known


def _known(name: str, argument: str, owner: str = "convert_format") -> str:
    if is_a(name, str) and name.lower() in FORMATS:
        return name.lower()
    refuse(argument, name, f"one of {', '.join(FORMATS)}", owner)


def _corners(planes: list[Tensor], name: str) -> list[Tensor]:
    """Left, top, right, bottom of boxes in a format."""
    first, second, third, fourth = planes
    if name.endswith(("yxyx", "yxhw")):
        first, second, third, fourth = second, first, fourth, third
    if name in ("xyxy", "yxyx"):
        return [first, second, third, fourth]
    if name == "xywh":
        return [first, second, first + third, second + fourth]
    half_width, half_height = third / 2.0, fourth / 2.0
    return [
        first - half_width,
        second - half_height,
        first + half_width,
        second + half_height,
    ]


def _from_corners(corners: list[Tensor], name: str) -> list[Tensor]:
    """Boxes in a format, of left, top, right, bottom."""
    x1, y1, x2, y2 = corners
    if name in ("xyxy", "yxyx"):
        made = [x1, y1, x2, y2]
    elif name == "xywh":
        made = [x1, y1, x2 - x1, y2 - y1]
    else:
        made = [x1 + (x2 - x1) / 2.0, y1 + (y2 - y1) / 2.0, x2 - x1, y2 - y1]
    if name.endswith(("yxyx", "yxhw")):
        return [made[1], made[0], made[3], made[2]]
    return made
