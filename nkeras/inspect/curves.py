"""Learning curves as SVG: a chart for each metric, beside its partner of validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from nkeras.inspect.svg_parts import clean, line, number, text

CHART_HEIGHT = 280
_WIDTH, _MARGIN, _GAP = 960, 24, 24

STYLE = """
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #52514e }
.name { font-size: 14px; font-weight: 600; fill: #1b1b1a }
.right { text-anchor: end } .middle { text-anchor: middle } .paper { fill: #fcfcfb }
.grid { stroke: #e1e0d9 } .axis { stroke: #b5b4ac }
.train { stroke: #2a78d6 } .validation { stroke: #e0602b }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round }
.dot { stroke-width: 7; stroke-linecap: round } .best { fill: none; stroke-width: 1.5 }
"""
DARK_STYLE = """
text { fill: #c3c2b7 } .name { fill: #f5f5f2 } .paper { fill: #1a1a19 }
.grid { stroke: #2e2e2b } .axis { stroke: #55554f }
.train { stroke: #4a94ea } .validation { stroke: #f08a55 }
"""
_CURVES = ("train", "validation")


def history_svg(
    history: Mapping[str, Sequence[float]],
    is_logarithmic: bool = False,
    best: Callable[[str], str | None] | None = None,
) -> str:
    """The learning curves of a training as an SVG document, two charts in a row.

    Args:
        history: one value per epoch for each metric, as in `History.history`; `val_loss` is drawn
            with `loss`.
        is_logarithmic: whether values are drawn by their logarithms; a chart with values that
            have none is not.
        best: whether the `"min"` or the `"max"` of a metric is its best, which is marked then.

    Returns:
        The document.

    Example:
        >>> history_svg({"loss": [0.9, 0.4], "val_loss": [0.8, 0.5]})[:4]
        '<svg'
    """
    metrics = paired(history)
    width = (_WIDTH - 2 * _MARGIN - _GAP) // 2
    height = 2 * _MARGIN + CHART_HEIGHT * max(math.ceil(len(metrics) / 2), 1)
    body: list[str] = []
    for position, (name, curves) in enumerate(metrics.items()):
        x = _MARGIN + (width + _GAP) * (position % 2)
        y = _MARGIN + CHART_HEIGHT * (position // 2)
        marked = None if best is None else best(name)
        body += chart(x, y, width, name, curves, is_logarithmic, marked)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img">',
            f"<title>Learning curves: {clean(', '.join(metrics))}</title>",
            f"<style>{STYLE}@media (prefers-color-scheme: dark) {{{DARK_STYLE}}}</style>",
            f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def paired(history: Mapping[str, Sequence[float]]) -> dict[str, dict[str, list[float]]]:
    """Curves by metric, `"train"` and `"validation"`."""
    metrics: dict[str, dict[str, list[float]]] = {}
    for key, values in history.items():
        name = key.removeprefix("val_")
        curve = _CURVES[key != name]
        metrics.setdefault(name, {})[curve] = [float(value) for value in values]
    return metrics


def chart(
    x: float,
    y: float,
    width: float,
    name: str,
    curves: Mapping[str, Sequence[float]],
    is_logarithmic: bool = False,
    best: str | None = None,
) -> list[str]:
    """The elements of one chart, at a place."""
    epochs = max((len(values) for values in curves.values()), default=0)
    finite = [v for values in curves.values() for v in values if math.isfinite(v)]
    by_powers = is_logarithmic and bool(finite) and min(finite) > 0
    ticks = _powers(finite) if by_powers else _ticks(min(finite, default=0), max(finite, default=1))
    left, right = x + 52, x + width - 10
    top, bottom = y + 40, y + CHART_HEIGHT - 52
    scale = math.log10 if by_powers else float
    low, high = scale(ticks[0]), scale(ticks[-1])

    def across(epoch: float) -> float:
        return left + 8 + (right - left - 16) * ((epoch - 1) / (epochs - 1) if epochs > 1 else 0.5)

    def up(value: float) -> float:
        return bottom - (bottom - top) * (scale(value) - low) / (high - low)

    parts = [text(x, y + 18, name.replace("_", " "), "name")]
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    for tick in ticks:
        height = number(up(tick))
        kind = "axis" if tick == ticks[0] else "grid"
        parts.append(line(f"M{number(left)} {height}H{number(right)}", kind))
        is_plain = 1e-4 <= abs(tick) < 1e6 or tick == 0
        shown = f"{tick:.{digits}f}" if is_plain and not by_powers else f"{tick:.2g}"
        parts.append(text(left - 8, up(tick) + 4.5, shown, "right"))
    if epochs:
        whole = {round(t) for t in _ticks(1, epochs, 8) if t == round(t) and 1 <= t <= epochs}
        for epoch in sorted(whole | {1}):
            parts.append(line(f"M{number(across(epoch))} {bottom}v5", "axis"))
            parts.append(text(across(epoch), bottom + 21, str(epoch), "middle"))
    parts.append(text((left + right) / 2, bottom + 40, "epoch", "middle"))
    for curve, values in curves.items():
        points = [(across(e), up(v) if math.isfinite(v) else v) for e, v in _from_1(values)]
        parts += _curve(points, curve)
    if best is not None:
        parts += _best(curves, -1 if best == "max" else 1, across, up)
    return parts + _legend(right, y + 18, curves)


def _from_1(values: Sequence[float]) -> list[tuple[int, float]]:
    return list(enumerate(values, 1))


def _best(
    curves: Mapping[str, Sequence[float]],
    sign: int,
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> list[str]:
    """A ring around the best epoch, of the validation where there is one."""
    curve = _CURVES[1] if _CURVES[1] in curves else _CURVES[0]
    known = [(v, epoch) for epoch, v in _from_1(curves.get(curve, [])) if math.isfinite(v)]
    if not known:
        return []
    value, epoch = min(known, key=lambda pair: (sign * pair[0], pair[1]))
    x, y = number(across(epoch)), number(up(value))
    hint = clean(f"best of {curve}: {value:.4g}, epoch {epoch}")
    ring = f'<circle class="best {curve}" cx="{x}" cy="{y}" r="6"/>'
    return [f"<g><title>{hint}</title>{ring}</g>"]


def _curve(points: Sequence[tuple[float, float]], kind: str) -> list[str]:
    """Lines through the finite points; a gap where a value is NaN or infinite."""
    runs: list[list[str]] = [[]]
    for across, up in points:
        if math.isfinite(up):
            runs[-1].append(f"{number(across)} {number(up)}")
        elif runs[-1]:
            runs.append([])
    parts: list[str] = []
    for run in filter(None, runs):
        if len(run) == 1:
            parts.append(line(f"M{run[0]}h0", f"dot {kind}"))
        else:
            parts.append(line("M" + "L".join(run), f"curve {kind}"))
    return parts


def _legend(right: float, y: float, curves: Mapping[str, Sequence[float]]) -> list[str]:
    parts: list[str] = []
    for curve, values in reversed(list(curves.items())):
        words = f"{curve} {values[-1]:.4g}" if values else curve
        parts.append(text(right, y, words, "right"))
        right -= 7.2 * len(words) + 6
        parts.append(line(f"M{number(right - 16)} {number(y - 4.5)}h16", f"curve {curve}"))
        right -= 34
    return parts


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, from at or below `low` to at or above `high`."""
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        spread = abs(low) * 0.1 or 1.0
        low, high = low - spread / 2, high + spread / 2
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def _powers(values: Sequence[float]) -> list[float]:
    """Powers of ten, and 2 and 5 times such where they are few, around positive values."""
    first = math.floor(math.log10(min(values)))
    last = max(math.ceil(math.log10(max(values))), first + 1)
    steps = (1,) if last - first > 3 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(first, last) for step in steps]
    ticks.append(10.0**last)
    while len(ticks) > 2 and ticks[1] <= min(values):
        del ticks[0]
    while len(ticks) > 2 and ticks[-2] >= max(values):
        del ticks[-1]
    return ticks
