"""How the values of a layer are shown in its card: as maps, a strip, a matrix, and how large."""

from __future__ import annotations

import math
from typing import Any

_WIDTH, _PADDING, _TITLE = 216.0, 6.0, 20.0
_LEAST_WIDTH = 96.0
_GAP = 2.0


def content_of(shape: tuple[int, ...], is_input: bool) -> dict[str, Any]:
    """The grid of a card's content.

    Args:
        shape: of one sample's values, thinned out.
        is_input: whether it is an input of the model, of which images, frames of films and signals
            in time are shown as such.

    Returns:
        dict with `kind`, `columns` and `rows` of tiles or cells, `width` and `height` of one, and
        the `gap` between tiles.
    """
    if is_input and len(shape) == 4 and shape[-1] in (1, 3):
        return _tiles("image", shape[1:3], shape[0], 40.0)
    if is_input and len(shape) in (2, 3) and _is_image(shape):
        return _image(shape[:2])
    if is_input and _is_signal(shape):
        return _grid("wave", 1, (*shape, 1)[1], _WIDTH, 48.0, 4.0)
    if len(shape) >= 3:
        return _tiles("maps", shape[-3:-1], shape[-1] * math.prod(shape[:-3]), 10.0)
    if len(shape) == 2:
        rows, columns = shape
        width = max(0.5, min(10.0, _WIDTH / columns))
        return _grid("matrix", columns, rows, width, max(0.5, min(10.0, 140.0 / rows)))
    count = math.prod(shape)
    columns = min(count, 64 if count > 320 else 32 if count > 64 else 16)
    cell = max(3.0, min(14.0, _WIDTH / columns))
    return _grid("strip", columns, math.ceil(count / columns), cell, cell)


def _is_image(shape: tuple[int, ...]) -> bool:
    return shape[-1] in (1, 3) if len(shape) == 3 else min(shape) > 2


def _is_signal(shape: tuple[int, ...]) -> bool:
    """Whether it is long and has one or two channels; a vector may be an image laid flat."""
    if len(shape) == 2:
        return shape[0] >= 128 and shape[1] <= 2
    return len(shape) == 1 and shape[0] >= 4000 and math.isqrt(shape[0]) ** 2 != shape[0]


def _grid(
    kind: str, columns: int, rows: int, width: float, height: float, gap: float = 0.0
) -> dict[str, Any]:
    return {
        "kind": kind,
        "columns": columns,
        "rows": rows,
        "width": width,
        "height": height,
        "gap": gap,
    }


def _tiles(kind: str, sizes: tuple[int, ...], count: int, least: float) -> dict[str, Any]:
    """Maps or images beside each other."""
    height, width = sizes
    columns = _columns(count, math.sqrt(count * 1.5 * height / width))
    columns = min(columns, int(_WIDTH / (least + _GAP)))
    tile = max(least, min(56.0, _WIDTH / columns - _GAP))
    tall = max(4.0, tile * height / width)
    return _grid(kind, columns, math.ceil(count / columns), tile, tall, _GAP)


def _columns(count: int, wanted: float) -> int:
    """About as many columns as wanted, and such that the last row is full if possible."""
    least = max(1, min(count, math.ceil(wanted)))
    full = (columns for columns in range(least, int(1.75 * least) + 1) if count % columns == 0)
    return next(full, least)


def _image(sizes: tuple[int, ...]) -> dict[str, Any]:
    height, width = sizes
    scale = 112.0 / max(height, width)
    return _grid("image", 1, 1, max(4.0, width * scale), max(4.0, height * scale))


def card_size(content: dict[str, Any], title: str) -> tuple[float, float]:
    """Width and height of a card."""
    gap = content["gap"]
    width = content["columns"] * (content["width"] + gap)
    height = content["rows"] * (content["height"] + gap)
    wide = max(width, min(6.4 * len(title), _WIDTH), _LEAST_WIDTH)
    return wide + 2 * _PADDING, height + _TITLE + 2 * _PADDING
