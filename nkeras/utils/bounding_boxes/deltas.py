"""Boxes as differences from anchors, which is what detectors predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

from nkeras import ops
from nkeras.core.config import epsilon
from nkeras.core.errors import refuse
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.utils.bounding_boxes.formats import converted


def encode_box_to_deltas(
    anchors: TensorLike,
    boxes: TensorLike,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: TensorLike | None = None,
    image_shape: Sequence[int] | None = None,
) -> Tensor:
    """Differences of boxes from anchors: of centers in sizes of the anchor, of sizes as logarithms.

    Args:
        anchors: tensor `(n, 4)`.
        boxes: tensor `(n, 4)` or `(batch, n, 4)`.
        anchor_format: the format of the anchors, see `convert_format`.
        box_format: the format of the boxes.
        encoding_format: `"center_yxhw"` or `"center_xywh"`: the order of the result.
        variance: four numbers to divide the result by.
        image_shape: `(height, width, channels)`; needed if a format is relative.

    Returns:
        Tensor of the shape of `boxes`.

    Raises:
        ValueError: `variance` has not four numbers, or a format is wrong.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> anchors, boxes = [[0.0, 0.0, 4.0, 4.0]], [[1.0, 0.0, 5.0, 4.0]]
        >>> bounding_boxes.encode_box_to_deltas(anchors, boxes, "xyxy", "xyxy").numpy()
        array([[0.  , 0.25, 0.  , 0.  ]], dtype=float32)

    Source: Ren et al. (2015), "Faster R-CNN".
    """
    owner = "encode_box_to_deltas"
    encoding = _encoding(encoding_format, "encoding_format", owner)
    factors = _variance(variance, owner)
    height, width = _size(image_shape)
    anchor = converted(anchors, anchor_format, encoding, height, width)
    box = converted(boxes, box_format, encoding, height, width)
    anchor_sizes = ops.maximum(anchor[..., 2:], epsilon())
    box_sizes = ops.maximum(box[..., 2:], epsilon())
    moved = (box[..., :2] - anchor[..., :2]) / anchor_sizes
    deltas = ops.concatenate([moved, ops.log(box_sizes / anchor_sizes)], axis=-1)
    return deltas if factors is None else deltas / factors


@overload
def decode_deltas_to_boxes(
    anchors: Mapping[Any, TensorLike],
    boxes_delta: Mapping[Any, TensorLike],
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: TensorLike | None = None,
    image_shape: Sequence[int] | None = None,
) -> dict[Any, Tensor]: ...
@overload
def decode_deltas_to_boxes(
    anchors: TensorLike,
    boxes_delta: TensorLike,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: TensorLike | None = None,
    image_shape: Sequence[int] | None = None,
) -> Tensor: ...
def decode_deltas_to_boxes(
    anchors: TensorLike | Mapping[Any, TensorLike],
    boxes_delta: TensorLike | Mapping[Any, TensorLike],
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: TensorLike | None = None,
    image_shape: Sequence[int] | None = None,
) -> Tensor | dict[Any, Tensor]:
    """The boxes that `encode_box_to_deltas` made differences of.

    Args:
        anchors: tensor `(n, 4)`, or a dict of such tensors by level.
        boxes_delta: tensor `(n, 4)` or `(batch, n, 4)`, or a dict of such tensors by level.
        anchor_format: the format of the anchors, see `convert_format`.
        box_format: the format that the boxes get.
        encoded_format: `"center_yxhw"` or `"center_xywh"`: the order of the differences.
        variance: four numbers to multiply the differences by.
        image_shape: `(height, width, channels)`; needed if a format is relative.

    Returns:
        Tensor of the shape of `boxes_delta`, or a dict by level.

    Raises:
        ValueError: `variance` has not four numbers, or a format is wrong.
        TypeError: of anchors and differences one is a dict and the other is not.

    Example:
        >>> from nkeras.utils import bounding_boxes
        >>> anchors, deltas = [[0.0, 0.0, 4.0, 4.0]], [[0.0, 0.25, 0.0, 0.0]]
        >>> bounding_boxes.decode_deltas_to_boxes(anchors, deltas, "xyxy", "xyxy").numpy()
        array([[1., 0., 5., 4.]], dtype=float32)

    Source: Ren et al. (2015), "Faster R-CNN".
    """
    owner = "decode_deltas_to_boxes"
    encoding = _encoding(encoded_format, "encoded_format", owner)
    factors = _variance(variance, owner)
    height, width = _size(image_shape)

    def decoded(anchors: TensorLike, deltas: TensorLike) -> Tensor:
        anchor = converted(anchors, anchor_format, encoding, height, width)
        differences = ops.cast(ops.convert_to_tensor(deltas), anchor.dtype)
        if factors is not None:
            differences = differences * factors
        sizes = anchor[..., 2:]
        centers = differences[..., :2] * sizes + anchor[..., :2]
        box = ops.concatenate([centers, ops.exp(differences[..., 2:]) * sizes], axis=-1)
        return converted(box, encoding, box_format, height, width)

    if isinstance(anchors, Mapping) and isinstance(boxes_delta, Mapping):
        return {level: decoded(anchor, boxes_delta[level]) for level, anchor in anchors.items()}
    if isinstance(anchors, Mapping) or isinstance(boxes_delta, Mapping):
        raise TypeError(
            f"{owner}: arguments `anchors` and `boxes_delta` must both be dicts, or none of them."
        )
    return decoded(anchors, boxes_delta)


def _encoding(name: str, argument: str, owner: str) -> str:
    if name not in ("center_xywh", "center_yxhw"):
        refuse(argument, name, '"center_xywh" or "center_yxhw"', owner)
    return name


def _variance(variance: TensorLike | None, owner: str) -> Tensor | None:
    if variance is None:
        return None
    factors = ops.convert_to_tensor(variance, "float32")
    if not factors.shape or factors.shape[-1] != 4:
        refuse("variance", variance, "four numbers", owner)
    return factors


def _size(image_shape: Sequence[int] | None) -> tuple[int | None, int | None]:
    if image_shape is None:
        return None, None
    height, width, *_ = image_shape
    return height, width
