"""How the values of a layer are shown in its card: as maps, a strip, a matrix, and how large."""

from __future__ import annotations

import math
from typing import Any

_WIDTH, _PADDING, _TITLE = 216.0, 6.0, 20.0
_LEAST_WIDTH = 96.0


def content_of(shape: tuple[int, ...], is_input: bool) -> dict[str, Any]:
    """The grid of a card's content.

    Args:
        shape: of one sample's values, thinned out.
        is_input: whether it is an input of the model, of which images are shown as such.

    Returns:
        dict with `kind`, `columns` and `rows` of tiles or cells, `width` and `height` of one.
    """
    if is_input and len(shape) in (2, 3) and (len(shape) == 2 or shape[-1] in (1, 3)):
        return _image(shape[:2])
    if len(shape) >= 3:
        height, width, channels = shape[-3], shape[-2], shape[-1]
        channels *= math.prod(shape[:-3])
        columns = _columns(channels, math.sqrt(channels * 1.5 * height / width))
        tile = max(10.0, min(56.0, _WIDTH / columns - 2))
        return {
            "kind": "maps",
            "columns": columns,
            "rows": math.ceil(channels / columns),
            "width": tile,
            "height": max(4.0, tile * height / width),
        }
    if len(shape) == 2:
        rows, columns = shape
        return {
            "kind": "matrix",
            "columns": columns,
            "rows": rows,
            "width": max(0.5, min(10.0, _WIDTH / columns)),
            "height": max(0.5, min(10.0, 140.0 / rows)),
        }
    count = math.prod(shape)
    columns = min(count, 64 if count > 320 else 32 if count > 64 else 16)
    cell = max(3.0, min(14.0, _WIDTH / columns))
    rows = math.ceil(count / columns)
    return {"kind": "strip", "columns": columns, "rows": rows, "width": cell, "height": cell}


def _columns(count: int, wanted: float) -> int:
    """About as many columns as wanted, and such that the last row is full if possible."""
    least = max(1, min(count, math.ceil(wanted)))
    full = (columns for columns in range(least, int(1.75 * least) + 1) if count % columns == 0)
    return next(full, least)


def _image(sizes: tuple[int, ...]) -> dict[str, Any]:
    height, width = sizes
    scale = 112.0 / max(height, width)
    return {
        "kind": "image",
        "columns": 1,
        "rows": 1,
        "width": max(4.0, width * scale),
        "height": max(4.0, height * scale),
    }


def card_size(content: dict[str, Any], title: str) -> tuple[float, float]:
    """Width and height of a card."""
    gap = 2.0 if content["kind"] == "maps" else 0.0
    width = content["columns"] * (content["width"] + gap)
    height = content["rows"] * (content["height"] + gap)
    wide = max(width, min(6.4 * len(title), _WIDTH), _LEAST_WIDTH)
    return wide + 2 * _PADDING, height + _TITLE + 2 * _PADDING
