"""A model's graph as SVG: boxes in rows, nested models in frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from nkeras.inspect.labels import Label
from nkeras.inspect.layered import Point
from nkeras.inspect.outline import Box, Outline
from nkeras.inspect.placing import FRAME, Direction, Rectangle, place
from nkeras.inspect.svg_parts import clean

Lines = Literal["curved", "ortho", "polyline"]

_LINE, _PADDING, _TITLE, _MARGIN = 16.0, 8.0, 24.0, 16.0
_LONGEST = 48  # characters of a line; longer ones are cut, and whole where one points at them

# Classes, not CSS variables: several SVG viewers know only the former. Pairs of the dark and the
# light colour of a kind; hues differ in lightness too, for the colour blind.
_COLOURS = {
    "input": ("#3d4148", "#e6e8eb"),
    "dense": ("#1d4f91", "#dbe8f9"),
    "convolution": ("#22609c", "#d3e6fb"),
    "pooling": ("#8a3b12", "#fbe4d5"),
    "normalization": ("#5b4a00", "#fbf1c4"),
    "activation": ("#8c2f4b", "#fadfe6"),
    "recurrent": ("#0d5c53", "#d2f1ec"),
    "attention": ("#5a3a94", "#e9e0f9"),
    "merging": ("#2f5d1f", "#def0d5"),
    "shape": ("#5a544b", "#efece6"),
    "random": ("#6a4a3a", "#f1e3da"),
    "other": ("#3d4148", "#e9e9ec"),
}
_STYLE = """
text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #3a3934 }
.paper { fill: #ffffff } .title { font-weight: 600 }
.card { fill: #ffffff; stroke: #b9b7ae } .frame { fill: #f6f5f1; stroke: #c9c7be }
.edge { fill: none; stroke: #77756d; stroke-width: 1.3 } .tip { fill: #77756d }
.small { font-size: 10px; fill: #77756d } .trained { fill: #2e7d32 } .frozen { fill: #b3432b }
@media (prefers-color-scheme: dark) {
text { fill: #d8d6cc } .paper { fill: #17171a } .card { fill: #232327; stroke: #4a4a50 }
.frame { fill: #1d1d21; stroke: #44444a } .edge { stroke: #8d8b83 } .tip { fill: #8d8b83 }
.small { fill: #9d9b93 } .trained { fill: #6fbf73 } .frozen { fill: #e58a70 }
"""


def svg_of(
    outline: Outline,
    label: Callable[[Box], Label],
    direction: Direction = "TB",
    lines: Lines = "curved",
) -> str:
    """The graph of a model as an SVG document.

    Args:
        outline: the model's boxes and edges.
        label: the text of a box.
        direction: where the graph goes: top to bottom, or as the letters say.
        lines: how edges run: in curves, in right angles, or straight from bend to bend.

    Returns:
        The document, which needs nothing else.
    """
    placed = place(outline, lambda box: _size(label(box)), direction)
    width, height = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    upright = direction in ("TB", "BT")
    edges = dict.fromkeys(_path(points, lines, upright) for _, _, points in placed.edges)
    style = _STYLE + "".join(
        f".{kind} {{ fill: {dark} }}\n" for kind, (dark, _) in _COLOURS.items()
    )
    style += "}\n" + "".join(
        f".{kind} {{ fill: {light} }}\n" for kind, (_, light) in _COLOURS.items()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="{-_MARGIN:.0f} {-_MARGIN:.0f} {width:.0f} {height:.0f}" role="img">',
            f"<title>{clean(outline.name)} ({clean(outline.class_name)})</title>",
            f"<style>{style}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect class="paper" x="{-_MARGIN:.0f}" y="{-_MARGIN:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}"/>',
            *(_frame(label(box), place) for box, place in placed.frames.values()),
            *(f'<path class="edge" d="{path}" marker-end="url(#tip)"/>' for path in edges),
            *(_card(label(box), place) for box, place in placed.cards.values()),
            "</svg>\n",
        ]
    )


def _size(label: Label) -> Point:
    width = max(_width(label.title, True), *map(_width, label.lines), 48.0, 0.0)
    height = _TITLE + _LINE * len(label.lines) + (6.0 if label.lines else 0.0)
    if label.trained is not None:
        height += _LINE + (0.0 if label.lines else 6.0)
    if label.shared:
        width = max(width, 6.0 * len(label.shared) + 80)
        height += 16.0 + (0.0 if label.lines or label.trained is not None else 2.0)
    return width + 2 * _PADDING, height


def _frame(label: Label, place: Rectangle) -> str:
    return (
        f'<g><title>{clean(label.title)}</title><rect class="frame" x="{place.x:.1f}" '
        f'y="{place.y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" rx="8"/>'
        f'<text class="title" x="{place.x + FRAME:.1f}" y="{place.y + 18:.1f}">'
        f"{clean(_cut(label.title))}</text></g>"
    )


def _card(label: Label, place: Rectangle) -> str:
    left, y = place.x + _PADDING, place.y + _TITLE
    parts = [
        f"<g><title>{clean(' · '.join((label.title, *label.lines)))}</title>",
        f'<rect class="card" x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" '
        f'height="{place.height:.1f}" rx="5"/>',
        f'<path class="{label.kind}" d="M{place.x + 0.5:.1f} {y:.1f}v{5.5 - _TITLE:.1f}'
        f'a5 5 0 0 1 5 -5h{place.width - 11:.1f}a5 5 0 0 1 5 5v{_TITLE - 5.5:.1f}z"/>',
        f'<text class="title" x="{left:.1f}" y="{place.y + 16:.1f}">{clean(_cut(label.title))}'
        "</text>",
    ]
    rows = [("", line) for line in label.lines]
    if label.trained is not None:
        rows.append(("trained", "trainable") if label.trained else ("frozen", "not trainable"))
    for kind, words in rows:
        y += _LINE
        parts.append(f'<text class="{kind}" x="{left:.1f}" y="{y:.1f}">{clean(_cut(words))}</text>')
    if label.shared:
        words = f"{label.shared}, shared weights"
        parts.append(f'<text class="small" x="{left:.1f}" y="{y + 13:.1f}">{words}</text>')
    return "\n".join([*parts, "</g>"])


def _path(points: Sequence[Point], lines: Lines, upright: bool) -> str:
    """An edge as the commands of an SVG path."""
    x, y = points[0]
    commands = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in points[1:]:
        is_straight = abs(to_x - x) < 0.1 or abs(to_y - y) < 0.1
        if is_straight or lines == "polyline":
            commands.append(f"L{to_x:.1f} {to_y:.1f}")
        elif lines == "ortho" and upright:
            commands.append(f"V{(y + to_y) / 2:.1f}H{to_x:.1f}V{to_y:.1f}")
        elif lines == "ortho":
            commands.append(f"H{(x + to_x) / 2:.1f}V{to_y:.1f}H{to_x:.1f}")
        elif upright:
            middle = (y + to_y) / 2
            commands.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        else:
            middle = (x + to_x) / 2
            commands.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(commands)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _width(text: str, is_bold: bool = False) -> float:
    """About how wide a line is, in pixels."""
    wide = sum(1.5 if ord(letter) > 0x2E80 else 1.0 for letter in _cut(text))
    return wide * (7.6 if is_bold else 6.6)
