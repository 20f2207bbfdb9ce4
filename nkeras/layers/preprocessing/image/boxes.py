"""Bounding boxes beside images: checked, made dense, and changed corner by corner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nkeras import ops
from nkeras.core.errors import is_a, short
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.utils.bounding_boxes.formats import clip_to_image_size, convert_format

NO_BOX = (0, 0, 0, 0)
NO_LABEL = -1


def as_dense(bounding_boxes: object, owner: str) -> dict[str, TensorLike]:
    """A dict of tensors `"boxes"` `(..., 4)`, floating, and `"labels"`.

    Lists of images with different numbers of boxes are filled up, with zeros and labels -1.

    Raises:
        ValueError: it is no such dict, or shapes do not fit.
    """
    if not isinstance(bounding_boxes, Mapping) or not {"boxes", "labels"} <= set(bounding_boxes):
        raise ValueError(
            f"{owner}: 'bounding_boxes' must be a dict with the keys 'boxes' and 'labels'. "
            f"Received: {short(bounding_boxes)}"
        )
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if is_a(boxes, list) and boxes and is_a(boxes[0], list):
        boxes, labels = _filled_up(boxes, labels, owner)
    boxes, labels = to_tensor(boxes), to_tensor(labels)
    rank = len(boxes.shape)
    if rank not in (2, 3) or boxes.shape[-1] != 4:
        raise ValueError(
            f"{owner}: the boxes in 'bounding_boxes' must have the shape (boxes, 4) or (batch, "
            f"boxes, 4). Received shape {boxes.shape}"
        )
    if len(labels.shape) not in (rank - 1, rank):
        raise ValueError(
            f"{owner}: labels of boxes of shape {boxes.shape} must have rank {rank - 1} or {rank}. "
            f"Received shape {labels.shape}"
        )
    boxes = boxes if boxes.dtype == "float64" else ops.cast(boxes, "float32")
    return {**bounding_boxes, "boxes": boxes, "labels": labels}


def _filled_up(boxes: list[Any], labels: Any, owner: str) -> tuple[list[Any], list[Any]]:
    """Lists of boxes and of their labels for each image, all as long as the longest one."""
    if not is_a(labels, list) or len(labels) != len(boxes):
        raise ValueError(
            f"{owner}: where boxes are a list, labels must be a list of the same length, "
            f"{len(boxes)}. Received: {short(labels)}"
        )
    if not any(is_a(box, list) and box and is_a(box[0], list) for box in boxes):
        return boxes, labels
    for own, names in zip(boxes, labels, strict=True):
        if not is_a(names, list) or len(own) != len(names):
            raise ValueError(
                f"{owner}: an image has {len(own)} boxes, but the labels {short(names)}"
            )
    most = max(map(len, boxes))
    return (
        [[*own, *[NO_BOX] * (most - len(own))] for own in boxes],
        [[*own, *[NO_LABEL] * (most - len(own))] for own in labels],
    )


def changed(
    bounding_boxes: Mapping[str, TensorLike],
    change: Callable[[Tensor], Tensor],
    name: str | None,
    before: Sequence[int],
    after: Sequence[int],
) -> dict[str, TensorLike]:
    """Boxes in the format of that name, whose corners in pixels are changed and cut to the image.

    Args:
        bounding_boxes: dict of `"boxes"` and maybe `"labels"`.
        change: a function of corners `xyxy`.
        name: the format; `"xyxy"` for None.
        before: height and width of the images at first.
        after: their height and width then.
    """
    name = name or "xyxy"
    given = to_tensor(bounding_boxes["boxes"])
    dtype = "float64" if given.dtype == "float64" else "float32"
    corners = convert_format(given, name, "xyxy", *before, dtype=dtype)
    height, width = after
    cut = clip_to_image_size({**bounding_boxes, "boxes": change(corners)}, height, width)
    return convert_format(cut, "xyxy", name, *after, dtype=dtype)
