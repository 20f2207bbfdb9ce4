"""A model's graph as SVG: boxes in rows, nested models in frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nkeras.inspect.labels import Label
from nkeras.inspect.layered import Point, draw
from nkeras.inspect.outline import Box, Ends, Outline
from nkeras.inspect.svg_parts import clean

Direction = Literal["TB", "BT", "LR", "RL"]
Lines = Literal["curved", "ortho", "polyline"]

_LINE, _PADDING, _TITLE, _MARGIN, _FRAME = 16.0, 8.0, 24.0, 16.0, 14.0
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
    whole = _Group(outline, label, direction)
    width, height = whole.size
    parts: list[str] = []
    whole.write(parts, _MARGIN, _MARGIN, lines)
    width, height = width + 2 * _MARGIN, height + 2 * _MARGIN
    style = _STYLE + "".join(
        f".{kind} {{ fill: {dark} }}\n" for kind, (dark, _) in _COLOURS.items()
    )
    style += "}\n" + "".join(
        f".{kind} {{ fill: {light} }}\n" for kind, (_, light) in _COLOURS.items()
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
            f"<title>{clean(outline.name)} ({clean(outline.class_name)})</title>",
            f"<style>{style}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
            *parts,
            "</svg>\n",
        ]
    )


@dataclass(frozen=True)
class _Card:
    """A box without boxes inside."""

    label: Label
    size: Point

    def write(self, parts: list[str], x: float, y: float, lines: Lines) -> None:
        width, height = self.size
        label = self.label
        parts.append(f"<g><title>{clean(' · '.join((label.title, *label.lines)))}</title>")
        parts.append(
            f'<rect class="card" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="5"/>'
        )
        parts.append(
            f'<path class="{label.kind}" d="M{x + 0.5:.1f} {y + _TITLE:.1f}v{5.5 - _TITLE:.1f}'
            f"a5 5 0 0 1 5 -5h{width - 11:.1f}a5 5 0 0 1 5 5v{_TITLE - 5.5:.1f}z"
            '"/>'
        )
        title = clean(_cut(label.title))
        parts.append(f'<text class="title" x="{x + _PADDING:.1f}" y="{y + 16:.1f}">{title}</text>')
        below = y + _TITLE
        for line in label.lines:
            below += _LINE
            parts.append(f'<text x="{x + _PADDING:.1f}" y="{below:.1f}">{clean(_cut(line))}</text>')
        if label.trained is not None:
            below += _LINE
            kind, words = ("trained", "trainable") if label.trained else ("frozen", "not trainable")
            parts.append(
                f'<text class="{kind}" x="{x + _PADDING:.1f}" y="{below:.1f}">{words}</text>'
            )
        if label.shared:
            parts.append(
                f'<text class="small" x="{x + _PADDING:.1f}" y="{below + 13:.1f}">'
                f"{label.shared}, shared weights</text>"
            )
        parts.append("</g>")

    def inlet(self, position: int) -> float:
        """How far from its middle an edge to the tensor ends."""
        return 0.0

    outlet = inlet


def _card(label: Label) -> _Card:
    width = max(_width(label.title, True), *map(_width, label.lines), 48.0, 0.0)
    height = _TITLE + _LINE * len(label.lines) + (6.0 if label.lines else 0.0)
    if label.trained is not None:
        height += _LINE + (0.0 if label.lines else 6.0)
    if label.shared:
        width = max(width, 6.0 * len(label.shared) + 80)
        height += 16.0 + (0.0 if label.lines or label.trained is not None else 2.0)
    return _Card(label, (width + 2 * _PADDING, height))


class _Group:
    """A model as a drawing in a frame."""

    def __init__(
        self,
        outline: Outline,
        label: Callable[[Box], Label],
        direction: Direction,
        own: Label | None = None,
    ) -> None:
        self.own = own
        self.direction: Direction = direction
        self.outline = outline
        self.parts: list[_Card | _Group] = [
            _card(label(box))
            if box.inner is None
            else _Group(box.inner, label, direction, label(box))
            for box in outline.boxes
        ]
        sizes = [self._turned(part.size) for part in self.parts]
        pairs = [(source[0], target[0]) for source, target in outline.edges]
        self.drawing = draw(sizes, pairs)
        width, height = self._turned((self.drawing.width, self.drawing.height))
        self.inner = (width, height)
        if own is not None:
            width = max(width, _width(own.title, True)) + 2 * _FRAME
            height += _TITLE + 2 * _FRAME
        self.size = (width, height)

    def _turned(self, point: Point) -> Point:
        return point if self.direction in ("TB", "BT") else (point[1], point[0])

    def inlet(self, position: int) -> float:
        """How far from the frame's middle an edge to an input ends."""
        ends = self.outline.inputs
        return self._offset(ends[min(position, len(ends) - 1)][0]) if ends else 0.0

    def outlet(self, position: int) -> float:
        """How far from the frame's middle an edge from an output begins."""
        ends = self.outline.outputs
        return self._offset(ends[min(position, len(ends) - 1)][0]) if ends else 0.0

    def _offset(self, box: int) -> float:
        return self.drawing.centers[box][0] - self.drawing.width / 2

    def write(self, parts: list[str], x: float, y: float, lines: Lines) -> None:
        width, height = self.size
        if self.own is not None:
            name = clean(_cut(self.own.title))
            parts.append(
                f'<g><title>{clean(self.own.title)}</title><rect class="frame" x="{x:.1f}" '
                f'y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8"/>'
                f'<text class="title" x="{x + _FRAME:.1f}" y="{y + 18:.1f}">{name}</text></g>'
            )
            x += (width - self.inner[0]) / 2
            y += _TITLE + _FRAME
        upright = self.direction in ("TB", "BT")
        paths = {
            _path([self._place(point, x, y) for point in self._ends(*ends, route)], lines, upright)
            for ends, route in zip(self.outline.edges, self.drawing.routes, strict=True)
        }
        parts += [f'<path class="edge" d="{p}" marker-end="url(#tip)"/>' for p in sorted(paths)]
        for part, center in zip(self.parts, self.drawing.centers, strict=True):
            middle = self._place(center, x, y)
            part.write(parts, middle[0] - part.size[0] / 2, middle[1] - part.size[1] / 2, lines)

    def _ends(self, source: Ends, target: Ends, route: Sequence[Point]) -> list[Point]:
        """The points of an edge, as if the graph went down."""
        first, last = self.parts[source[0]], self.parts[target[0]]
        (x0, y0), (x1, y1) = self.drawing.centers[source[0]], self.drawing.centers[target[0]]
        x0 += first.outlet(source[1])
        x1 += last.inlet(target[1])
        y0 += self._turned(first.size)[1] / 2
        y1 -= self._turned(last.size)[1] / 2
        return [(x0, y0), *route, (x1, y1)]

    def _place(self, point: Point, x: float, y: float) -> Point:
        along, down = point
        if self.direction in ("BT", "RL"):
            down = self.drawing.height - down
        return (x + along, y + down) if self.direction in ("TB", "BT") else (x + down, y + along)


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
