"""A picture of a training run, written as one SVG file with no help but NumPy's."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

_WIDTH, _MARGIN = 960, 32
_COLUMNS, _SHOWN, _WRONG_SHOWN = 10, 40, 10
_TILE, _TILE_HEIGHT, _FRAME = 74, 104, 3
_IMAGE = _TILE - 2 * _FRAME
_CHART_HEIGHT, _CHART_GAP = 280, 24
_GRAY_LEVELS = 16

# Classes, not CSS variables: several SVG viewers know only the former.
_STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #52514e }
.title { font-size: 22px; font-weight: 600; fill: #1b1b1a }
.name { font-size: 14px; font-weight: 600; fill: #1b1b1a }
.right { text-anchor: end } .middle { text-anchor: middle }
.paper { fill: #fcfcfb } .tile { fill: #f0efec; stroke: none } .ink { fill: #1b1b1a }
.wrong { stroke: #d03b3b; stroke-width: 2 }
text.wrong { fill: #c22f2f; stroke: none; font-weight: 600 }
.grid { stroke: #e1e0d9 } .axis { stroke: #b5b4ac }
.train { stroke: #2a78d6 } .validation { stroke: #e0602b }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.dot { stroke-width: 7; stroke-linecap: round }
@media (prefers-color-scheme: dark) {
text { fill: #c3c2b7 } .title, .name { fill: #f5f5f2 }
.paper { fill: #1a1a19 } .tile { fill: #2a2a28 } .ink { fill: #f5f5f2 }
.wrong { stroke: #e66767 } text.wrong { fill: #f08080 }
.grid { stroke: #2e2e2b } .axis { stroke: #55554f }
.train { stroke: #4a94ea } .validation { stroke: #f08a55 }
}
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

    body = [_text(_MARGIN, 50, title, "title")]
    body.append(_text(_MARGIN, 76, _summary(len(true), len(wrong), len(chosen))))
    top = 96
    for position, index in enumerate(chosen):
        pitch = (_WIDTH - 2 * _MARGIN - _TILE) / (_COLUMNS - 1)
        x = _MARGIN + pitch * (position % _COLUMNS)
        y = top + _TILE_HEIGHT * (position // _COLUMNS)
        body.append(_tile(x, y, pixels[index], str(true[index]), str(predicted[index])))
    top += _TILE_HEIGHT * math.ceil(len(chosen) / _COLUMNS) + 8

    metrics = _pair(history)
    chart_width = (_WIDTH - 2 * _MARGIN - _CHART_GAP) // 2
    for position, (name, curves) in enumerate(metrics.items()):
        x = _MARGIN + (chart_width + _CHART_GAP) * (position % 2)
        y = top + _CHART_HEIGHT * (position // 2)
        body += _chart(x, y, chart_width, name, curves)
    height = top + _CHART_HEIGHT * math.ceil(len(metrics) / 2) + 8

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">'
    )
    paper = f'<rect class="paper" width="{_WIDTH}" height="{height}"/>'
    lines = [head, f"<title>{_clean(title)}</title>", f"<style>{_STYLE}</style>", paper, *body]
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
        f'<g class="image"><title>{_clean(hint)}</title>'
        f'<rect class="tile{wrong}" x="{_number(x)}" y="{_number(y)}" '
        f'width="{_TILE}" height="{_TILE}" rx="5"/>'
        f'<g class="ink" shape-rendering="crispEdges" '
        f'transform="translate({_number(left)} {_number(top)}) scale({_number(scale)})">'
        f"{''.join(_ink(image))}</g>"
        f"{_text(x + _TILE / 2, y + _TILE + 17, label, f'middle{wrong}')}</g>"
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
            yield f'<path d="{path}" fill-opacity="{_number(level / _GRAY_LEVELS)}"/>'


# Learning curves


def _pair(history: Mapping[str, Sequence[float]]) -> dict[str, dict[str, list[float]]]:
    metrics: dict[str, dict[str, list[float]]] = {}
    for key, values in history.items():
        name = key.removeprefix("val_")
        curve = "validation" if key != name else "train"
        metrics.setdefault(name, {})[curve] = [float(value) for value in values]
    return metrics


def _chart(
    x: float, y: float, width: float, name: str, curves: dict[str, list[float]]
) -> list[str]:
    epochs = max((len(values) for values in curves.values()), default=0)
    finite = [v for values in curves.values() for v in values if math.isfinite(v)]
    ticks = _ticks(min(finite, default=0.0), max(finite, default=1.0), 5)
    left, right = x + 52, x + width - 10
    top, bottom = y + 40, y + _CHART_HEIGHT - 52

    def across(epoch: float) -> float:
        return left + 8 + (right - left - 16) * ((epoch - 1) / (epochs - 1) if epochs > 1 else 0.5)

    def up(value: float) -> float:
        return bottom - (bottom - top) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [_text(x, y + 18, name.replace("_", " "), "name")]
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    for tick in ticks:
        height = _number(up(tick))
        kind = "axis" if tick == ticks[0] else "grid"
        parts.append(_line(f"M{_number(left)} {height}H{_number(right)}", kind))
        shown = f"{tick:.{digits}f}" if 1e-4 <= abs(tick) < 1e6 or tick == 0 else f"{tick:.1e}"
        parts.append(_text(left - 8, up(tick) + 4.5, shown, "right"))
    if epochs:
        whole = {round(t) for t in _ticks(1, epochs, 8) if t == round(t) and 1 <= t <= epochs}
        for epoch in sorted(whole | {1}):
            parts.append(_line(f"M{_number(across(epoch))} {bottom}v5", "axis"))
            parts.append(_text(across(epoch), bottom + 21, str(epoch), "middle"))
    parts.append(_text((left + right) / 2, bottom + 40, "epoch", "middle"))
    for curve, values in curves.items():
        points = [(across(e), up(v), v) for e, v in enumerate(values, 1)]
        parts += _curve(points, curve)
    return parts + _legend(right, y + 18, curves)


def _curve(points: list[tuple[float, float, float]], kind: str) -> list[str]:
    """Lines through the finite points; a gap where a value is NaN or infinite."""
    runs: list[list[str]] = [[]]
    for across, up, value in points:
        if math.isfinite(value):
            runs[-1].append(f"{_number(across)} {_number(up)}")
        elif runs[-1]:
            runs.append([])
    parts = []
    for run in filter(None, runs):
        if len(run) == 1:
            parts.append(_line(f"M{run[0]}h0", f"dot {kind}"))
        else:
            parts.append(_line("M" + "L".join(run), f"curve {kind}"))
    return parts


def _legend(right: float, y: float, curves: dict[str, list[float]]) -> list[str]:
    parts = []
    for curve, values in reversed(curves.items()):
        text = f"{curve} {values[-1]:.4g}" if values else curve
        parts.append(_text(right, y, text, "right"))
        right -= 7.2 * len(text) + 6
        parts.append(_line(f"M{_number(right - 16)} {_number(y - 4.5)}h16", f"curve {curve}"))
        right -= 34
    return parts


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers, from at or below `low` to at or above `high`."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread / 2, high + spread / 2
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


# SVG


def _text(x: float, y: float, content: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{_number(x)}" y="{_number(y)}"{attribute}>{_clean(content)}</text>'


def _line(path: str, kind: str) -> str:
    return f'<path class="{kind}" d="{path}"/>'


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.6g}"


def _clean(text: str) -> str:
    """Escape, and replace what XML cannot hold."""
    return escape(re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text))
