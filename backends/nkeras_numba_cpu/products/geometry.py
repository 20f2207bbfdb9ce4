"""How a convolution is cut into tasks and tiles, worked out once for each combination of shapes.

Every rank is lifted to three spatial dimensions. A convolution is one *phase*, a correlation whose
outputs may lie apart from each other in the result: the gradient for x of a convolution with
strides is a phase for each remainder of a position by the stride.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nkeras_numba_cpu.emit.registers import lane_count

Pads = Sequence[tuple[int, int]]
Triple = tuple[int, int, int]


class Axis(NamedTuple):
    """One spatial dimension of a phase.

    Output i, which lies at position first + i step of the result, sums over taps t the input at
    i stride - low + t rate. `taps` are their numbers in the original kernel.
    """

    size: int
    extent: int
    stride: int
    low: int
    taps: tuple[int, ...]
    rate: int
    first: int = 0
    step: int = 1

    @property
    def padded(self) -> bool:
        """Whether some window reaches over the border."""
        last = (self.extent - 1) * self.stride + (len(self.taps) - 1) * self.rate - self.low
        return bool(self.taps) and (self.low > 0 or last >= self.size)

    @property
    def is_identity(self) -> bool:
        """Whether output i is made of input i alone."""
        return self.size == self.extent and self.stride == 1 and self.low == 0 == len(self.taps) - 1

    def reach(self, outputs: int) -> int:
        """How much of the input some neighbouring outputs are made of."""
        return max(0, (outputs - 1) * self.stride + (len(self.taps) - 1) * self.rate + 1)


class Shapes(NamedTuple):
    """What a convolution's geometry depends on, and how it is asked for (hashable)."""

    x: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    groups: int

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the output."""
        return tuple(
            (size + low + high - ((k - 1) * d + 1)) // s + 1
            for size, (low, high), k, d, s in zip(
                self.x[1:-1], self.padding, self.kernel, self.dilation, self.strides, strict=False
            )
        )


def lift_sizes(sizes: Sequence[int]) -> Triple:
    """Per-dimension sizes, strides or dilations for three dimensions."""
    return (*(1,) * (3 - len(sizes)), *sizes)  # type: ignore[return-value]


def forward_axes(shapes: Shapes) -> list[tuple[Axis, ...]]:
    """The only phase of a convolution."""
    lows = (0,) * (3 - len(shapes.padding)) + tuple(low for low, _ in shapes.padding)
    axes = zip(
        lift_sizes(shapes.x[1:-1]),
        lift_sizes(shapes.spatial),
        lift_sizes(shapes.strides),
        lows,
        (tuple(range(k)) for k in lift_sizes(shapes.kernel[:-2])),
        lift_sizes(shapes.dilation),
        strict=True,
    )
    return [tuple(Axis(*axis) for axis in axes)]


def backward_axes(shapes: Shapes) -> list[tuple[Axis, ...]]:
    """The phases of the gradient for x; `shapes` are those of the convolution."""
    lows = (0,) * (3 - len(shapes.padding)) + tuple(low for low, _ in shapes.padding)
    dimensions = zip(
        lift_sizes(shapes.x[1:-1]),
        lift_sizes(shapes.spatial),
        lift_sizes(shapes.kernel[:-2]),
        lift_sizes(shapes.strides),
        lows,
        lift_sizes(shapes.dilation),
        strict=True,
    )
    return list(itertools.product(*(list(_phases(*sizes)) for sizes in dimensions)))


def _phases(
    size: int, extent: int, taps: int, stride: int, low: int, dilation: int
) -> Iterator[Axis]:
    """How one dimension of the gradient for x splits into phases with stride 1.

    Positions first, first + stride, ... of x meet the same taps k: the output index (first + low -
    k dilation) / stride must be whole. The taps are in order of the output index, which rises by
    dilation / gcd(dilation, stride) from one to the next.
    """
    for first in range(min(stride, size)):
        chosen = [k for k in reversed(range(taps)) if (first + low - k * dilation) % stride == 0]
        start = (first + low - chosen[0] * dilation) // stride if chosen else 0
        count = (size - first + stride - 1) // stride
        rate = dilation // math.gcd(dilation, stride)
        yield Axis(extent, count, 1, -start, tuple(chosen), rate, first, stride)


def tile_rows(total: int, largest: int) -> int:
    """How many rows a tile has at most: tiles of one size where they exist, for one kernel."""
    if total <= largest:
        return total
    for rows in range(largest, largest * 2 // 3, -1):
        if total % rows == 0:
            return rows
    return largest


def blocks_of(total: int, size: int, even: bool = False) -> list[tuple[int, int]]:
    """(first, count) of blocks of a size, or of nearly equal ones of at most this size."""
    if even:
        size = -(-total // -(-total // size))
    return [(first, min(size, total - first)) for first in range(0, total, size)]


def halves(total: int, parts: int) -> int:
    """The size of about that many blocks, if possible of which two threads get equal shares."""
    largest = -(-total // max(1, min(total, parts)))
    for size in range(largest, (largest - 1) // 2, -1):
        if parts > 1 and -(-total // size) % 2 == 0 and total % size in (0, size - 1):
            return size
    return largest


def tiles_of(total: int, most: int) -> list[tuple[int, int]]:
    """(first, count) of tiles of at most `most` rows, whose counts differ by one at most."""
    number = -(-total // most)
    edges = [(i * total + number - 1) // number for i in range(number + 1)]
    return [(first, last - first) for first, last in itertools.pairwise(edges)]


def vectors_for(columns: int, dtype: str) -> int:
    """Vectors of a tile, for few unused lanes; 0 is the usual number."""
    needed = -(-columns // lane_count(dtype))
    return needed if needed in (1, 3) else 0
