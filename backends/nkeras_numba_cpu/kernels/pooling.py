"""Max and average pooling of any rank, channels last, with their gradients.

Ranks are lifted to three spatial dimensions. A task is some rows of the result; windows are clipped
to x, so that nothing is padded. Vectors run over the channels: a window keeps its maximum and the
winner's number in registers. The gradients gather, so that no two tasks write to the same memory,
and write each cell once where windows do not overlap.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.records import numbers, record, row, stacked
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import (
    lanes_of,
    load_first,
    load_numbers,
    prefetch,
    select,
    splat,
    store_first,
    store_numbers,
)
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

Pads = Sequence[tuple[int, int]]

_TASK_WORK = 32_768  # elements of x, or of windows where they overlap
_FEW = 5  # fewer channels than this are scattered one by one
_inlined = functools.partial(inner, forceinline=True)


@KERNELS.register
def max_pool(
    x: np.ndarray, *, pool_size: tuple[int, ...], strides: tuple[int, ...], padding: Pads
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum of each window, and the row-major index inside the window of the first maximum."""
    geometry = _geometry(x.shape, pool_size, strides, padding)
    winner = empty(geometry.shape, geometry.winner)
    source = operand(x)
    y = empty(geometry.shape, source.dtype)
    if y.size and x.dtype.kind in "biu":
        lowest = 0 if x.dtype.kind == "b" else int(np.iinfo(x.dtype).min)
        arrays = _flat(source), _flat(y), _flat(winner)
        _over_windows(_max_pool_integers, geometry, *arrays, geometry.spans, geometry.taps, lowest)
    elif y.size:
        arrays = geometry.tail(y.dtype), _flat(source), _flat(y), _flat(winner)
        _over_windows(_pool, geometry, *arrays, geometry.spans, geometry.taps, geometry.ahead)
    return stored(y, x.dtype), winner


@KERNELS.register
def max_pool_grad(
    grad_y: np.ndarray,
    winner: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
) -> np.ndarray:
    """Each element of grad_y added to the cell of x that won its window."""
    geometry = _geometry(input_shape, pool_size, strides, padding)
    return _gradient(geometry, grad_y, _flat(operand(winner)), input_shape)


@KERNELS.register
def max_pool_take(
    x: np.ndarray,
    winner: np.ndarray,
    *,
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
) -> np.ndarray:
    """x at the winners, zero where padding won: the transpose of `max_pool_grad`."""
    geometry = _geometry(x.shape, pool_size, strides, padding)
    source = operand(x)
    y = empty(winner.shape, source.dtype)
    if y.size:
        arrays = _flat(source), _flat(y), _flat(operand(winner))
        _over_windows(_take, geometry, *arrays, geometry.spans, geometry.taps)
    return stored(y, x.dtype)


@KERNELS.register
def average_pool(
    x: np.ndarray, *, pool_size: tuple[int, ...], strides: tuple[int, ...], padding: Pads
) -> np.ndarray:
    """Mean over the cells of each window that lie inside x."""
    geometry = _geometry(x.shape, pool_size, strides, padding)
    source = operand(x)
    y = empty(geometry.shape, source.dtype)
    if y.size:
        arrays = geometry.tail(y.dtype), _flat(source), _flat(y), None
        _over_windows(_pool, geometry, *arrays, geometry.spans, geometry.taps, geometry.ahead)
    return stored(y, x.dtype)


@KERNELS.register
def average_pool_grad(
    grad_y: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    pool_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
) -> np.ndarray:
    """Each element of grad_y spread evenly over the cells of its window."""
    geometry = _geometry(input_shape, pool_size, strides, padding)
    return _gradient(geometry, grad_y, None, input_shape)


class _Sizes(NamedTuple):
    """Spatial sizes of x, of y and of the window."""

    depth: int
    height: int
    width: int
    out_depth: int
    out_height: int
    out_width: int
    window_z: int
    window_y: int
    window_x: int
    channels: int


class _Span(NamedTuple):
    """A place of a window along one dimension."""

    start: int  # its first cell, which may lie outside x
    first: int  # the part of it that lies inside x
    end: int


class _Tap(NamedTuple):
    """A cell of a window."""

    cell: int  # its distance from the first one
    z: int
    y: int
    x: int


class _Cover(NamedTuple):
    """The windows that lie over a cell of x; or the cells that lie under a column of the window."""

    first: int  # the first place of a window
    number: int  # how many there are
    cell: int  # in the first one: the number of the cell of the window, or of x
    step: int  # what the number falls by from window to window


class _Geometry:
    """What kernels know of one combination of shapes.

    Attributes:
        shape: of y.
        winner: dtype of the winners.
        sizes: `_Sizes`.
        spans: a `_Span` for each place of a window along depth, then height, then width.
        taps: a `_Tap` for each cell of a window.
        covers: a `_Cover` for each cell of x along depth, then height; then for each column of the
            window.
        windows: number of rows of y; how many of them make a task.
        cells: the same for rows of x.
        adds: whether some cell belongs to no window or to several, so that gradients are added up.
        work: scalar operations.
    """

    def __init__(self, shape: tuple[int, ...], pool_size: Any, strides: Any, padding: Pads) -> None:
        counts = tuple(
            max(0, (size + low + high - k) // stride + 1)
            for size, (low, high), k, stride in zip(
                shape[1:-1], padding, pool_size, strides, strict=True
            )
        )
        self.shape = (shape[0], *counts, shape[-1])
        self.winner = np.dtype(np.uint8 if math.prod(pool_size) <= 256 else np.int32)
        ones = (1,) * (3 - len(pool_size))
        sizes, out, window = (*ones, *shape[1:-1]), (*ones, *counts), (*ones, *pool_size)
        steps, lows = (*ones, *strides), (*(0 for _ in ones), *(low for low, _ in padding))
        self.sizes = numbers(_Sizes(*sizes, *out, *window, channels=shape[-1]))
        axes = list(zip(sizes, out, window, steps, lows, strict=True))
        self.spans = np.concatenate([_spans(*axis) for axis in axes])
        rows, columns = [_cell_covers(*axis) for axis in axes[:2]], _column_covers(*axes[2])
        self.covers = np.concatenate([*rows, columns])
        covered = [_Cover(*axis.T).number for axis in (*rows, columns)]
        exact = all(np.all(number == 1) for number in covered[:2]) and window[2] <= steps[2]
        self.adds = bool(not exact or np.sum(covered[2]) != sizes[2])
        self.stride = steps[2]
        taps = np.indices(window).reshape(3, -1)
        _, height, width = sizes
        cells = ((taps[0] * height + taps[1]) * width + taps[2]) * shape[-1]
        self.taps = stacked(_Tap, cell=cells, z=taps[0], y=taps[1], x=taps[2])
        # Rows of x between the rows of two neighbouring windows.
        self.ahead = steps[1] * sizes[2] * shape[-1]
        self._tails = [shape[-1] % lane_count(dtype) or None for dtype in ("float32", "float64")]
        windows = math.prod(self.shape)
        self.work = max(windows * math.prod(pool_size), math.prod(shape))
        self.windows = _parts(shape[0] * out[0] * out[1], self.work)
        self.cells = _parts(shape[0] * sizes[0] * sizes[1], self.work)

    def tail(self, dtype: np.dtype) -> int | None:
        """The channels behind the last full vector, None for none: then nothing deals with them."""
        return self._tails[dtype.itemsize == 8]


def _spans(size: int, out: int, window: int, step: int, low: int) -> np.ndarray:
    start = np.arange(out) * step - low
    first = np.clip(-start, 0, window)
    return stacked(_Span, start=start, first=first, end=np.clip(size - start, first, window))


def _cell_covers(size: int, out: int, window: int, step: int, low: int) -> np.ndarray:
    cell = np.arange(size) + low
    first = np.maximum((cell - window) // step + 1, 0)
    count = np.maximum(np.minimum(cell // step + 1, out) - first, 0)
    return stacked(_Cover, first=first, number=count, cell=cell - first * step, step=step)


def _column_covers(size: int, out: int, window: int, step: int, low: int) -> np.ndarray:
    shift = np.arange(window) - low
    first = np.maximum(-(shift // step), 0)
    count = np.maximum(np.minimum((size - 1 - shift) // step + 1, out) - first, 0)
    return stacked(_Cover, first=first, number=count, cell=first * step + shift, step=step)


def _parts(rows: int, work: int) -> tuple[int, int]:
    return rows, max(1, _TASK_WORK * rows // max(work, 1))


_geometry = functools.lru_cache(maxsize=1024)(_Geometry)


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1)


def _over_windows(kernel: Any, geometry: _Geometry, *arguments: Any) -> None:
    rows, step = geometry.windows
    kernel(-(-rows // step), geometry.work, rows, step, geometry.sizes, *arguments)


def _gradient(
    geometry: _Geometry, grad_y: np.ndarray, winner: Any, input_shape: tuple[int, ...]
) -> np.ndarray:
    if grad_y.size == 0 or 0 in input_shape:
        return filled(input_shape, grad_y.dtype, 0)
    grad = operand(grad_y)
    grad_x = empty(input_shape, grad.dtype)
    arrays = _flat(grad_x), _flat(grad), winner
    if winner is not None and (input_shape[-1] < _FEW or grad.dtype.kind != "f"):
        images = input_shape[0]
        rows = geometry.windows[0] // images
        _scatter(
            images, geometry.work, rows, geometry.sizes, *arrays, geometry.spans, geometry.taps
        )
    else:
        rows, step = geometry.cells
        tables = geometry.spans, geometry.covers, geometry.stride, geometry.adds
        tail = geometry.tail(grad.dtype)
        _gradient_rows(
            -(-rows // step), geometry.work, rows, step, geometry.sizes, tail, *arrays, *tables
        )
    return stored(grad_x, grad_y.dtype)


@tasks
def _pool(task, rows, step, sizes, tail, x, y, winner, spans, taps, ahead):
    """Maximum and winner, or the mean where `winner` is None."""
    of, lanes = record(_Sizes, sizes), lanes_of(x)
    channels = of.channels
    whole = channels // lanes * lanes
    for line in range(task * step, task * step + step):
        if line >= rows:
            break
        corner, oz, oy, lines = _windows_of_row(line, of, spans)
        for ox in range(of.out_width):
            place = oz, oy, of.out_depth + of.out_height + ox
            span = row(_Span, spans, place[2])
            start = (corner + span.start) * channels
            cells = lines * (span.end - span.first)
            at = (line * of.out_width + ox) * channels
            for c in range(0, whole, lanes):
                _pool_window(
                    x, start + c, taps, ahead, spans, place, cells, y, winner, at + c, lanes
                )
            if tail is not None:
                start, at = start + whole, at + whole
                _pool_window(x, start, taps, ahead, spans, place, cells, y, winner, at, tail)


@_inlined
def _windows_of_row(line, of, spans):
    """Where the windows of a row of y begin in x, their places in `spans`, their lines inside x."""
    plane = line // of.out_height
    image = plane // of.out_depth
    oz = plane - image * of.out_depth
    oy = of.out_depth + line - plane * of.out_height
    z, y = row(_Span, spans, oz), row(_Span, spans, oy)
    corner = ((image * of.depth + z.start) * of.height + y.start) * of.width
    return corner, oz, oy, (z.end - z.first) * (y.end - y.first)


@_inlined
def _is_inside(number, taps, spans, place):
    """Whether one cell of a window is no padding."""
    tap = row(_Tap, taps, number)
    z, y, x = row(_Span, spans, place[0]), row(_Span, spans, place[1]), row(_Span, spans, place[2])
    inside = (z.first <= tap.z) & (tap.z < z.end) & (y.first <= tap.y) & (tap.y < y.end)
    return inside & (x.first <= tap.x) & (tap.x < x.end)


@_inlined
def _pool_window(x, start, taps, ahead, spans, place, cells, y, winner, at, lanes):
    """Some channels of one window."""
    one = splat(x, 1)
    total = number = won = splat(x, 0)
    best = splat(x, -np.inf)
    whole = cells == taps.shape[0]
    for t in range(taps.shape[0]):
        if whole or _is_inside(t, taps, spans, place):
            cell = start + row(_Tap, taps, t).cell
            value = load_first(x, cell, lanes)
            # Rows of x are several streams, more than the hardware foresees.
            prefetch(x, cell + ahead)
            if winner is None:
                total = total + value
            else:
                # The first NaN beats everything before it, and nothing after it is greater.
                wins = ~(value <= best) & (best == best)
                best = select(wins, value, best)
                won = select(wins, number, won)
        number = number + one
    if winner is None:
        store_first(y, at, total * splat(x, 1 / (cells if cells else 1)), lanes)
    else:
        store_first(y, at, best, lanes)
        store_numbers(winner, at, won, lanes)


@tasks
def _gradient_rows(
    task, rows, step, sizes, tail, grad_x, grad_y, winner, spans, covers, stride, adds
):
    """A row of x takes what the rows of windows over it give, one window column at a time."""
    of, lanes = record(_Sizes, sizes), lanes_of(grad_x)
    width, channels = of.width, of.channels
    whole = channels // lanes * lanes
    for number in range(task * step, task * step + step):
        if number >= rows:
            break
        plane = number // of.height
        image = plane // of.depth * of.out_depth
        over_z = row(_Cover, covers, plane % of.depth)
        over_y = row(_Cover, covers, of.depth + number - plane * of.height)
        if adds:
            line = part(grad_x, number * width * channels, width * channels)
            for j in range(line.size):
                line[j] = 0
        for i in range(over_z.number):
            oz = over_z.first + i
            kz = over_z.cell - i * over_z.step
            for k in range(over_y.number):
                oy = over_y.first + k
                ky = over_y.cell - k * over_y.step
                at = ((image + oz) * of.out_height + oy) * of.out_width
                z, y = row(_Span, spans, oz), row(_Span, spans, of.out_depth + oy)
                lines = z.end - z.first
                lines *= y.end - y.first
                for kx in range(of.window_x):
                    column = row(_Cover, covers, of.depth + of.height + kx)
                    tap = splat(grad_x, (kz * of.window_y + ky) * of.window_x + kx)
                    place = (number * width + column.cell) * channels
                    for ox in range(column.first, column.first + column.number):
                        source = (at + ox) * channels
                        if winner is None:
                            x = row(_Span, spans, of.out_depth + of.out_height + ox)
                            cells = lines * (x.end - x.first)
                            tap = splat(grad_x, 1 / cells)
                        for c in range(0, whole, lanes):
                            _give(grad_x, place + c, grad_y, winner, source + c, tap, adds, lanes)
                        if tail is not None:
                            source += whole
                            _give(grad_x, place + whole, grad_y, winner, source, tap, adds, tail)
                        place += stride * channels


@_inlined
def _give(grad_x, place, grad_y, winner, source, tap, adds, lanes):
    """The share of one cell in the gradient of one window, for some channels."""
    grad = load_first(grad_y, source, lanes)
    if winner is None:
        grad = grad * tap
    else:
        won = load_numbers(grad_x, winner, source, lanes) == tap
        grad = select(won, grad, splat(grad_x, 0))
    if adds:
        grad = grad + load_first(grad_x, place, lanes)
    store_first(grad_x, place, grad, lanes)


@tasks
def _scatter(task, rows, sizes, grad_x, grad_y, winner, spans, taps):
    """One image per task: few channels make poor vectors, and integers none."""
    of = record(_Sizes, sizes)
    image = of.depth * of.height * of.width * of.channels
    target = grad_x[task * image : task * image + image]
    for j in range(image):
        target[j] = 0
    for line in range(task * rows, task * rows + rows):
        corner, oz, oy, lines = _windows_of_row(line, of, spans)
        for ox in range(of.out_width):
            place = oz, oy, of.out_depth + of.out_height + ox
            span = row(_Span, spans, place[2])
            start = (corner + span.start) * of.channels
            whole = lines * (span.end - span.first) == taps.shape[0]
            for c in range(of.channels):
                at = (line * of.out_width + ox) * of.channels + c
                tap = np.int64(winner[at])
                if whole or _is_inside(tap, taps, spans, place):
                    grad_x[start + row(_Tap, taps, tap).cell + c] += grad_y[at]


@tasks
def _take(task, rows, step, sizes, x, y, winner, spans, taps):
    of = record(_Sizes, sizes)
    for line in range(task * step, task * step + step):
        if line >= rows:
            break
        corner, oz, oy, _ = _windows_of_row(line, of, spans)
        for ox in range(of.out_width):
            place = oz, oy, of.out_depth + of.out_height + ox
            start = (corner + row(_Span, spans, place[2]).start) * of.channels
            for c in range(of.channels):
                at = (line * of.out_width + ox) * of.channels + c
                tap = np.int64(winner[at])
                inside = _is_inside(tap, taps, spans, place)
                y[at] = x[start + row(_Tap, taps, tap).cell + c] if inside else 0


@tasks
def _max_pool_integers(task, rows, step, sizes, x, y, winner, spans, taps, lowest):
    of = record(_Sizes, sizes)
    for line in range(task * step, task * step + step):
        if line >= rows:
            break
        corner, oz, oy, _ = _windows_of_row(line, of, spans)
        for ox in range(of.out_width):
            place = oz, oy, of.out_depth + of.out_height + ox
            start = (corner + row(_Span, spans, place[2]).start) * of.channels
            for c in range(of.channels):
                at = (line * of.out_width + ox) * of.channels + c
                y[at] = lowest
                winner[at] = 0
                for tap in range(taps.shape[0]):
                    cell = start + row(_Tap, taps, tap).cell + c
                    if _is_inside(tap, taps, spans, place) and x[cell] > y[at]:
                        y[at] = x[cell]
                        winner[at] = tap
