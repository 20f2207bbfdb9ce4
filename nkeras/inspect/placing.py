"""Where the boxes, frames and edges of an outline are, nested models included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from nkeras.inspect.layered import Drawing, Point, draw
from nkeras.inspect.outline import Box, Ends, Outline

Direction = Literal["TB", "BT", "LR", "RL"]
Path = tuple[int, ...]
"""A box by its number, behind the numbers of the models around."""

FRAME, FRAME_TITLE = 14.0, 24.0


@dataclass(frozen=True)
class Rectangle:
    """A place: upper left corner and size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Placement:
    """Where everything is.

    Attributes:
        width: of the whole.
        height: likewise.
        cards: boxes without boxes inside, by path.
        frames: boxes of nested models, outer ones first.
        edges: for each edge the paths of its ends and its points.
    """

    width: float
    height: float
    cards: dict[Path, tuple[Box, Rectangle]]
    frames: dict[Path, tuple[Box, Rectangle]]
    edges: list[tuple[Path, Path, list[Point]]]


def place(
    outline: Outline, size_of: Callable[[Box], Point], direction: Direction = "TB"
) -> Placement:
    """Place the boxes of a model.

    Args:
        outline: the model.
        size_of: width and height of a box without boxes inside; of a frame at least its width.
        direction: where the graph goes: top to bottom, or as the letters say.

    Returns:
        Places that begin at (0, 0).
    """
    group = _Group(outline, size_of, direction)
    found = Placement(*group.size, {}, {}, [])
    group.write(found, (), 0.0, 0.0)
    return found


class _Card:
    """A box without boxes inside."""

    def __init__(self, box: Box, size: Point) -> None:
        self.box = box
        self.size = size

    def write(self, found: Placement, path: Path, x: float, y: float) -> None:
        """Note the place."""
        found.cards[path] = (self.box, Rectangle(x, y, *self.size))

    def inlet(self, position: int) -> float:
        """How far from its middle an edge to the tensor ends."""
        return 0.0

    outlet = inlet


class _Group:
    """A model as a drawing, in a frame if it is nested."""

    def __init__(
        self,
        outline: Outline,
        size_of: Callable[[Box], Point],
        direction: Direction,
        box: Box | None = None,
    ) -> None:
        self.box = box
        self.outline = outline
        self.is_upright = direction in ("TB", "BT")
        self.is_reversed = direction in ("BT", "RL")
        self.parts: list[_Card | _Group] = [
            _Card(inner, size_of(inner))
            if inner.inner is None
            else _Group(inner.inner, size_of, direction, inner)
            for inner in outline.boxes
        ]
        pairs = [(source[0], target[0]) for source, target in outline.edges]
        self.drawing: Drawing = draw([self._turned(part.size) for part in self.parts], pairs)
        self.inner = self._turned((self.drawing.width, self.drawing.height))
        self.size = self.inner
        if box is not None:
            width = max(self.inner[0], size_of(box)[0]) + 2 * FRAME
            self.size = (width, self.inner[1] + FRAME_TITLE + 2 * FRAME)

    def _turned(self, point: Point) -> Point:
        return point if self.is_upright else (point[1], point[0])

    def inlet(self, position: int) -> float:
        """How far from the frame's middle an edge to an input ends."""
        return self._offset(self.outline.inputs, position)

    def outlet(self, position: int) -> float:
        """How far from the frame's middle an edge from an output begins."""
        return self._offset(self.outline.outputs, position)

    def _offset(self, ends: Sequence[Ends], position: int) -> float:
        if not ends:
            return 0.0
        number, tensor = ends[min(position, len(ends) - 1)]
        return (
            self.drawing.centers[number][0]
            - self.drawing.width / 2
            + self.parts[number].outlet(tensor)
        )

    def write(self, found: Placement, path: Path, x: float, y: float) -> None:
        """Note the places of all that is inside."""
        if self.box is not None:
            found.frames[path] = (self.box, Rectangle(x, y, *self.size))
            x += (self.size[0] - self.inner[0]) / 2
            y += FRAME_TITLE + FRAME
        for ends, route in zip(self.outline.edges, self.drawing.routes, strict=True):
            points = [self._place(point, x, y) for point in self._points(*ends, route)]
            found.edges.append(((*path, ends[0][0]), (*path, ends[1][0]), points))
        for number, (part, center) in enumerate(zip(self.parts, self.drawing.centers, strict=True)):
            middle = self._place(center, x, y)
            part.write(
                found, (*path, number), middle[0] - part.size[0] / 2, middle[1] - part.size[1] / 2
            )

    def _points(self, source: Ends, target: Ends, route: Sequence[Point]) -> list[Point]:
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
        if self.is_reversed:
            down = self.drawing.height - down
        return (x + along, y + down) if self.is_upright else (x + down, y + along)
