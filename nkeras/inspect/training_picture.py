"""A picture of a training run, written as one SVG file with no help but NumPy's."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nkeras.inspect.curves import CHART_HEIGHT, DARK_STYLE, STYLE, chart, paired
from nkeras.inspect.svg_parts import clean, number, text

_WIDTH, _MARGIN = 960, 32
_COLUMNS, _SHOWN, _WRONG_SHOWN = 10, 40, 10
_TILE, _TILE_HEIGHT, _FRAME = 74, 104, 3
_IMAGE = _TILE - 2 * _FRAME
_CHART_GAP = 24
_GRAY_LEVELS = 16

# Classes, not CSS variables: several SVG viewers know only the former.
_STYLE = f"""{STYLE}
.title {{ font-size: 22px; font-weight: 600; fill: #1b1b1a }}
.tile {{ fill: #f0efec; stroke: none }} .ink {{ fill: #1b1b1a }}
.wrong {{ stroke: #d03b3b; stroke-width: 2 }}
text.wrong {{ fill: #c22f2f; stroke: none; font-weight: 600 }}
@media (prefers-color-scheme: dark) {{
{DARK_STYLE}
.title {{ fill: #f5f5f2 }} .tile {{ fill: #2a2a28 }} .ink {{ fill: #f5f5f2 }}
.wrong {{ stroke: #e66767 }} text.wrong {{ fill: #f08080 }}
}}
"""


def training_picture(
    path: str | os.PathLike[str],
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    history: Mapping[str, Sequence[float]],
    title: str,
) -> Path:
    """Draw classified images and learning curves into one self-contained SVG file.

    At most 40 images are shown, wrongly classified ones first (at most ten of them), framed in red
    with the true label. Each metric of `history` gets a chart, together with its `val_` partner.
    The colours follow the light or dark mode of whoever looks at it.

    Args:
        path: where to write; an existing file is replaced.
        images: `(n, height, width)` or `(n, height, width, 1)`, numbers of any range; large is ink.
        labels: `(n,)` true labels.
        predictions: `(n,)` predicted labels, of the same kind.
        history: one value per epoch for each metric, as in `History.history`.
        title: the heading.

    Returns:
        The path written to.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = training_picture(f"{folder.name}/run.svg", np.eye(8)[None], [1], [7],
        ...                         {"loss": [0.9, 0.4], "val_loss": [0.8, 0.5]}, "Eight by eight")
        >>> path.read_text(encoding="utf-8")[:4]
        '<svg'
        >>> folder.cleanup()
    """
    pixels, true, predicted = _check(images, labels, predictions)
    wrong = np.flatnonzero(true != predicted)
    chosen = list(wrong[:_WRONG_SHOWN])
    chosen += list(np.flatnonzero(true == predicted)[: _SHOWN - len(chosen)])

    body = [text(_MARGIN, 50, title, "title")]
    body.append(text(_MARGIN, 76, _summary(len(true), len(wrong), len(chosen))))
    top = 96
    for position, index in enumerate(chosen):
        pitch = (_WIDTH - 2 * _MARGIN - _TILE) / (_COLUMNS - 1)
        x = _MARGIN + pitch * (position % _COLUMNS)
        y = top + _TILE_HEIGHT * (position // _COLUMNS)
        body.append(_tile(x, y, pixels[index], str(true[index]), str(predicted[index])))
    top += _TILE_HEIGHT * math.ceil(len(chosen) / _COLUMNS) + 8

    metrics = paired(history)
    chart_width = (_WIDTH - 2 * _MARGIN - _CHART_GAP) // 2
    for position, (name, curves) in enumerate(metrics.items()):
        x = _MARGIN + (chart_width + _CHART_GAP) * (position % 2)
        y = top + CHART_HEIGHT * (position // 2)
        body += chart(x, y, chart_width, name, curves)
    height = top + CHART_HEIGHT * math.ceil(len(metrics) / 2) + 8

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">'
    )
    paper = f'<rect class="paper" width="{_WIDTH}" height="{height}"/>'
    lines = [head, f"<title>{clean(title)}</title>", f"<style>{_STYLE}</style>", paper, *body]
    target = Path(path)
    target.write_text("\n".join([*lines, "</svg>", ""]), encoding="utf-8")
    return target


def _check(
    images: npt.ArrayLike, labels: npt.ArrayLike, predictions: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], np.ndarray, np.ndarray]:
    pixels = np.asarray(images, dtype=np.float64)
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 3:
        raise ValueError(
            "training_picture: `images` must have shape (n, height, width) or "
            f"(n, height, width, 1). Received: shape {np.shape(images)}"
        )
    columns = []
    for name, value in (("labels", labels), ("predictions", predictions)):
        column = np.asarray(value)
        if column.shape != pixels.shape[:1]:
            raise ValueError(
                f"training_picture: `{name}` must have shape ({len(pixels)},), one label per "
                f"image. Received: shape {column.shape}"
            )
        columns.append(column)
    return pixels, columns[0], columns[1]


def _summary(count: int, wrong: int, shown: int) -> str:
    if not count:
        return "No images."
    order = ", wrong ones first" if wrong and shown < count else ""
    return f"{count - wrong:,} of {count:,} images classified correctly; {shown} shown{order}."


# Images


def _tile(x: float, y: float, image: npt.NDArray[np.float64], true: str, predicted: str) -> str:
    rows, columns = image.shape
    scale = _IMAGE / max(rows, columns, 1)
    left = x + _FRAME + (_IMAGE - scale * columns) / 2
    top = y + _FRAME + (_IMAGE - scale * rows) / 2
    wrong = " wrong" if true != predicted else ""
    label = f"{predicted}, not {true}" if wrong else predicted
    hint = f"predicted {predicted}, truth {true}"
    return (
        f'<g class="image"><title>{clean(hint)}</title>'
        f'<rect class="tile{wrong}" x="{number(x)}" y="{number(y)}" '
        f'width="{_TILE}" height="{_TILE}" rx="5"/>'
        f'<g class="ink" shape-rendering="crispEdges" '
        f'transform="translate({number(left)} {number(top)}) scale({number(scale)})">'
        f"{''.join(_ink(image))}</g>"
        f"{text(x + _TILE / 2, y + _TILE + 17, label, f'middle{wrong}')}</g>"
    )


def _ink(image: npt.NDArray[np.float64]) -> Iterable[str]:
    """One path per level of gray, so that the colour of ink can follow light and dark mode."""
    finite = np.where(np.isfinite(image), image, 0.0)
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    if high <= low:
        return
    levels = np.rint((finite - low) / (high - low) * _GRAY_LEVELS).astype(int)
    for level in range(1, _GRAY_LEVELS + 1):
        cells = np.argwhere(levels == level)
        if len(cells):
            path = "".join(f"M{column} {row}h1v1h-1z" for row, column in cells)
            yield f'<path d="{path}" fill-opacity="{number(level / _GRAY_LEVELS)}"/>'
