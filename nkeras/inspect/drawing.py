"""Boxes and masks drawn into images: plain arrays, with no other package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nkeras import ops
from nkeras.core import config
from nkeras.core.errors import refuse, short
from nkeras.core.typing import TensorLike
from nkeras.inspect import lettering
from nkeras.utils.bounding_boxes import convert_format


def draw_bounding_boxes(
    images: TensorLike,
    bounding_boxes: Mapping[str, TensorLike],
    bounding_box_format: str,
    class_mapping: Mapping[int, str] | None = None,
    color: Sequence[int] = (128, 128, 128),
    line_thickness: int = 2,
    text_thickness: int | None = 1,
    font_scale: float = 1.0,
    data_format: str | None = None,
) -> np.ndarray:
    """Images with boxes, and with the names of what is in them.

    Args:
        images: tensor `(batch, height, width, channels)`, or channels first; 1, 3 or 4 channels.
            Integers from 0 to 255; floats too, or from 0 to 1 if none is larger.
        bounding_boxes: dict of `"boxes"` `(batch, boxes, 4)` and `"labels"` `(batch, boxes)`; if
            there are `"confidences"` `(batch, boxes)`, they stand behind the names. A box with the
            label -1 is none.
        bounding_box_format: the format of the boxes, see `nkeras.utils.bounding_boxes`.
        class_mapping: names by label; boxes of other labels have none.
        color: red, green and blue of lines and letters.
        line_thickness: of the boxes, in pixels.
        text_thickness: of the letters, in pixels; None or 0 for that of the boxes.
        font_scale: 1 for letters of 21 pixels.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        uint8 array `(batch, height, width, channels)`.

    Raises:
        TypeError: `bounding_boxes` is no dict.
        ValueError: a shape, a key, or a number of a box is wrong.

    Example:
        >>> import numpy as np
        >>> black = np.zeros((1, 32, 32, 3), "uint8")
        >>> boxes = {"boxes": [[[4, 4, 20, 20]]], "labels": [[0]]}
        >>> drawn = draw_bounding_boxes(black, boxes, "xyxy", color=(255, 0, 0), line_thickness=1)
        >>> drawn[0, 4, 3:6, 0].tolist()
        [0, 255, 255]

    Source: https://keras.io/api/visualization/ Keras needs OpenCV for it, whose letters are others.
    As its later releases do, this gives channels last for channels first too.
    """
    owner = "draw_bounding_boxes"
    pixels = channels_last(images, data_format, owner)
    if not isinstance(bounding_boxes, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"{owner}: argument `bounding_boxes` must be a dict with the keys 'boxes' and 'labels'."
            f" Received: {short(bounding_boxes)} (of type {type(bounding_boxes).__name__})"
        )
    if not {"boxes", "labels"} <= set(bounding_boxes):
        expected = "a dict with the keys 'boxes' and 'labels'"
        refuse("bounding_boxes", bounding_boxes, expected, owner)
    drawn = as_bytes(pixels)
    height, width = drawn.shape[1:3]
    boxes = convert_format(
        ops.convert_to_tensor(bounding_boxes["boxes"]), bounding_box_format, "xyxy", height, width
    )
    corners, labels = ops.convert_to_numpy(boxes), ops.convert_to_numpy(bounding_boxes["labels"])
    _check_boxes(corners, labels, len(drawn), owner)
    given = bounding_boxes.get("confidences")
    confidences = None if given is None else ops.convert_to_numpy(given)
    shades = _shades(color, drawn.shape[-1], owner)
    names = class_mapping or {}
    for n, i in zip(*np.nonzero(labels != -1), strict=True):
        x0, y0, x1, y1 = (int(number) for number in corners[n, i])
        _draw_box(drawn[n], (x0, y0, x1, y1), shades, line_thickness)
        label = int(labels[n, i])
        if label in names:
            sure = "" if confidences is None else f" | {confidences[n, i]:.2f}"
            thickness = text_thickness or line_thickness
            origin = _beside(x0, y0, font_scale, thickness)
            text = f"{names[label]}{sure}"
            lettering.write(drawn[n], text, origin, shades, font_scale, thickness)
    return drawn


def draw_segmentation_masks(
    images: TensorLike,
    segmentation_masks: TensorLike,
    num_classes: int | None = None,
    color_mapping: Mapping[int, Sequence[int]] | None = None,
    alpha: float = 0.8,
    blend: bool = True,
    ignore_index: int = -1,
    data_format: str | None = None,
) -> np.ndarray:
    """Images whose pixels have the colors of their classes.

    Args:
        images: tensor `(batch, height, width, 3)`, or channels first. Integers from 0 to 255;
            floats too, or from 0 to 1 if none is larger.
        segmentation_masks: tensor of integers, the class of each pixel: `(batch, height, width)`,
            `(batch, height, width, 1)`, or with channels first `(batch, 1, height, width)`.
        num_classes: pixels of this class and larger ones stay as they are; None for all classes
            that the masks have.
        color_mapping: red, green and blue by class; without class 0 that one is the background,
            which stays as it is. None for colors far from each other.
        alpha: how much of a color is the class's, from 0 to 1.
        blend: False is an alpha of 1.
        ignore_index: pixels of this class stay as they are.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        uint8 array `(batch, height, width, 3)`.

    Raises:
        TypeError: the masks are no integers.
        ValueError: a shape or an argument is wrong, or a class has no color.

    Example:
        >>> import numpy as np
        >>> black, mask = np.zeros((1, 1, 2, 3), "uint8"), np.array([[[0, 1]]])
        >>> draw_segmentation_masks(black, mask, color_mapping={1: (0, 100, 0)}).tolist()
        [[[[0, 0, 0], [0, 80, 0]]]]

    Source: https://keras.io/api/visualization/ Against its documentation, Keras 3.15 leaves out the
    last class without `num_classes`, wants a color of class 0 (issue 23088) and masks of rank 4,
    and draws `ignore_index` without `blend`.
    """
    owner = "draw_segmentation_masks"
    pixels = as_bytes(channels_last(images, data_format, owner))
    masks = ops.convert_to_numpy(segmentation_masks)
    if masks.dtype.kind not in "iu":
        raise TypeError(
            f"{owner}: argument `segmentation_masks` must be integers, the classes of the pixels. "
            f"Received dtype {masks.dtype}"
        )
    batch, height, width, channels = pixels.shape
    if masks.ndim == 4 and config.standardize_data_format(data_format, owner) == "channels_first":
        masks = masks.transpose(0, 2, 3, 1)
    if channels != 3 or masks.shape not in ((batch, height, width), (batch, height, width, 1)):
        raise ValueError(
            f"{owner}: images of 3 channels and one class for each of their pixels are needed. "
            f"Received images of shape {pixels.shape} and masks of shape {masks.shape}"
        )
    if not 0.0 <= alpha <= 1.0:
        refuse("alpha", alpha, "a number from 0 to 1", owner)
    masks = masks.reshape(batch, height, width)
    count = int(masks.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    share = alpha if blend else 1.0
    drawn = pixels.astype("float32")
    for number in range(count):
        chosen = (masks == number) & (number != ignore_index)
        color = _color_of(number, color_mapping, owner) if chosen.any() else None
        if color is not None:
            drawn[chosen] = drawn[chosen] * (1 - share) + np.array(color, "float32") * share
    return drawn.astype("uint8")


def channels_last(images: TensorLike, data_format: str | None, owner: str) -> np.ndarray:
    """A batch of images as array, in one layout.

    Raises:
        ValueError: the rank is not 4.
    """
    pixels = ops.convert_to_numpy(images)
    if pixels.ndim != 4:
        raise ValueError(
            f"{owner}: argument `images` must have rank 4 (a batch of images). "
            f"Received shape {pixels.shape}"
        )
    is_first = config.standardize_data_format(data_format, owner) == "channels_first"
    return pixels.transpose(0, 2, 3, 1) if is_first else pixels


def as_bytes(pixels: np.ndarray, value_range: Sequence[float] | None = None) -> np.ndarray:
    """A copy from 0 to 255; without a range, floats of which none is larger than 1 begin at 0."""
    values = pixels.astype("float32")
    if value_range is not None:
        low, high = value_range
        values = (values - low) * (255.0 / (high - low))
    elif pixels.dtype.kind not in "iub" and pixels.size and pixels.max() <= 1.0:
        values = values * 255.0
    return np.clip(np.nan_to_num(values), 0.0, 255.0).astype("uint8")


def palette(count: int) -> list[list[int]]:
    """Colors of classes: black for class 0, then far from each other.

    Example:
        >>> palette(3)
        [[0, 0, 0], [1, 127, 31], [2, 254, 62]]
    """
    steps = np.array([2**25 - 1, 2**15 - 1, 2**21 - 1])
    return [((number * steps) % 255).tolist() for number in range(count)]


def _color_of(
    number: int, mapping: Mapping[int, Sequence[int]] | None, owner: str
) -> Sequence[int] | None:
    if mapping is None:
        return palette(number + 1)[number]
    if number not in mapping and number != 0:
        refuse("color_mapping", mapping, f"a dict with a color for class {number}", owner)
    return mapping.get(number)


def _check_boxes(corners: np.ndarray, labels: np.ndarray, batch: int, owner: str) -> None:
    if corners.ndim != 3 or corners.shape[:2] != labels.shape or len(corners) != batch:
        raise ValueError(
            f"{owner}: boxes of shape (batch, boxes, 4) and labels of shape (batch, boxes) are "
            f"needed for {batch} images. Received shapes {corners.shape} and {labels.shape}"
        )
    broken = ~np.isfinite(corners).all(-1) & (labels != -1)
    if broken.any():
        n, i = np.argwhere(broken)[0]
        raise ValueError(
            f"{owner}: boxes must be finite. Received box {i} of image {n}: {corners[n, i]}"
        )


def _shades(color: Sequence[int], channels: int, owner: str) -> tuple[Any, ...]:
    """A color as it stands in that many channels: grey, red, green and blue, or with alpha."""
    if len(color) != 3:
        refuse("color", color, "three numbers: red, green and blue", owner)
    red, green, blue = color
    if channels == 1:
        return (round(0.2989 * red + 0.587 * green + 0.114 * blue),)
    if channels not in (3, 4):
        raise ValueError(
            f"{owner}: argument `images` must have 1, 3 or 4 channels. Received {channels} channels"
        )
    return (red, green, blue, 255)[:channels]


def _draw_box(
    image: np.ndarray, corners: tuple[int, int, int, int], color: Sequence[int], thickness: int
) -> None:
    """Four lines, as thick as that around the edges."""
    x0, y0, x1, y1 = corners
    before = thickness // 2
    behind = thickness - before
    left, right = sorted((x0, x1))
    top, bottom = sorted((y0, y1))
    columns = _range(left - before, right + behind)
    rows = _range(top - before, bottom + behind)
    for x in (left, right):
        image[rows, _range(x - before, x + behind)] = color
    for y in (top, bottom):
        image[_range(y - before, y + behind), columns] = color


def _range(start: int, stop: int) -> slice:
    """What of a range lies behind 0: NumPy would count from the end."""
    return slice(max(start, 0), max(stop, 0))


def _beside(x: int, y: int, scale: float, thickness: int) -> tuple[int, int]:
    """Where a name begins: above its box, or inside where there is no room."""
    letter = int(scale * 12)
    if y - 8 - 2 * letter > 0:
        return x, y - 8
    return x + 3, y + 2 * letter + thickness + 3
