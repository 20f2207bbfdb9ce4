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
from typing import Any

import numba
import numpy as np

from nkeras_numba_cpu.compile import OPTIONS
from nkeras_numba_cpu.drivers import tasks
from nkeras_numba_cpu.memory import empty, operand, stored
from nkeras_numba_cpu.simd import (
    lanes_of,
    load_first,
    load_numbers,
    prefetch,
    select,
    splat,
    store_first,
    store_numbers,
)

Pads = Sequence[tuple[int, int]]

_TASK_WORK = 32_768  # elements of x, or of windows where they overlap
_FEW = 5  # fewer channels than this are scattered one by one
_inlined = numba.njit(forceinline=True, **OPTIONS)


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
        _over_windows(_max_pool_integers, geometry, *arrays, lowest)
    elif y.size:
        _over_windows(_pool, geometry, _flat(source), _flat(y), _flat(winner))
    return stored(y, x.dtype), winner


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
        _over_windows(_take, geometry, _flat(source), _flat(y), _flat(operand(winner)))
    return stored(y, x.dtype)


def average_pool(
    x: np.ndarray, *, pool_size: tuple[int, ...], strides: tuple[int, ...], padding: Pads
) -> np.ndarray:
    """Mean over the cells of each window that lie inside x."""
    geometry = _geometry(x.shape, pool_size, strides, padding)
    source = operand(x)
    y = empty(geometry.shape, source.dtype)
    if y.size:
        _over_windows(_pool, geometry, _flat(source), _flat(y), None)
    return stored(y, x.dtype)


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


class _Geometry:
    """What kernels know of one combination of shapes.

    Attributes:
        shape: of y.
        winner: dtype of the winners.
        sizes: spatial sizes of x, of y and of the window, strides, low padding (three numbers
            each), channels.
        windows: number of rows of y; how many of them make a task.
        cells: the same for rows of x.
        overlap: whether a cell may belong to several windows.
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
        one, zero = (1,) * (3 - len(pool_size)), (0,) * (3 - len(pool_size))
        lows = (low for low, _ in padding)
        sizes, out = (*one, *shape[1:-1]), (*one, *counts)
        self.sizes = (*sizes, *out, *one, *pool_size, *one, *strides, *zero, *lows, shape[-1])
        self.overlap = any(k > stride for k, stride in zip(pool_size, strides, strict=True))
        windows = math.prod(self.shape)
        self.work = max(windows * math.prod(pool_size), math.prod(shape))
        self.windows = _parts(shape[0] * out[0] * out[1], self.work)
        self.cells = _parts(shape[0] * sizes[0] * sizes[1], self.work)


def _parts(rows: int, work: int) -> tuple[int, int]:
    return rows, max(1, _TASK_WORK * rows // max(work, 1))


_geometry = functools.lru_cache(maxsize=1024)(_Geometry)


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1)


def _over_windows(
    kernel: Any, geometry: _Geometry, x: Any, y: Any, winner: Any, *more: int
) -> None:
    rows, step = geometry.windows
    kernel(-(-rows // step), geometry.work, rows, step, x, y, winner, geometry.sizes, *more)


def _gradient(
    geometry: _Geometry, grad_y: np.ndarray, winner: Any, input_shape: tuple[int, ...]
) -> np.ndarray:
    if grad_y.size == 0 or 0 in input_shape:
        return np.zeros(input_shape, grad_y.dtype)
    grad = operand(grad_y)
    grad_x = empty(input_shape, grad.dtype)
    arrays = _flat(grad_x), _flat(grad), winner
    if winner is not None and (input_shape[-1] < _FEW or grad.dtype.kind != "f"):
        images = input_shape[0]
        _scatter(images, grad.size, geometry.windows[0] // images, *arrays, geometry.sizes)
    else:
        rows, step = geometry.cells
        more = geometry.sizes, geometry.overlap
        _gradient_rows(-(-rows // step), geometry.work, rows, step, *arrays, *more)
    return stored(grad_x, grad_y.dtype)


@tasks
def _pool(task, rows, step, x, y, winner, sizes):
    """Maximum and winner, or the mean where `winner` is None."""
    out_width, channels = sizes[5], sizes[15]
    width, window_x, stride_x, low_x = sizes[2], sizes[8], sizes[11], sizes[14]
    lanes = lanes_of(x)
    ahead = sizes[10] * width * channels  # to the next row of y: two streams confuse the hardware
    cells = np.empty(sizes[6] * sizes[7] * window_x, np.int64)
    numbers = np.empty(cells.size, x.dtype)
    for row in range(task * step, min(task * step + step, rows)):
        corner = _corner(row, sizes)
        count = clipped = -1
        for ox in range(out_width):
            left = ox * stride_x - low_x
            if count < 0 or clipped or left < 0 or left + window_x > width:
                clipped = left < 0 or left + window_x > width
                count = _list_cells(cells, numbers, row, left, sizes)
            start = (corner + left) * channels
            at = (row * out_width + ox) * channels
            for c in range(0, channels - lanes + 1, lanes):
                _pool_window(x, start + c, ahead, cells, numbers, count, y, winner, at + c, lanes)
            c = channels // lanes * lanes
            if c < channels:
                _pool_window(
                    x, start + c, ahead, cells, numbers, count, y, winner, at + c, channels - c
                )


@_inlined
def _corner(row, sizes):
    """The number of the cell of x, perhaps outside, where the windows of a row of y begin."""
    depth, height, width, out_depth, out_height, _ = sizes[:6]
    plane = row // out_height
    z, y = plane % out_depth * sizes[9] - sizes[12], row % out_height * sizes[10] - sizes[13]
    return ((plane // out_depth * depth + z) * height + y) * width


@numba.njit(**OPTIONS)
def _list_cells(cells, numbers, row, left, sizes):
    """The cells of a window that lie inside x, relative to its corner, with their numbers."""
    depth, height, width, out_depth, out_height, _, window_z, window_y, window_x = sizes[:9]
    z = row // out_height % out_depth * sizes[9] - sizes[12]
    y = row % out_height * sizes[10] - sizes[13]
    count = 0
    for kz in range(max(-z, 0), min(window_z, depth - z)):
        for ky in range(max(-y, 0), min(window_y, height - y)):
            for kx in range(max(-left, 0), min(window_x, width - left)):
                cells[count] = ((kz * height + ky) * width + kx) * sizes[15]
                numbers[count] = (kz * window_y + ky) * window_x + kx
                count += 1
    return count


@_inlined
def _pool_window(x, start, ahead, cells, numbers, count, y, winner, at, lanes):
    """Some channels of one window."""
    if winner is None:
        total = splat(x, 0)
        for i in range(count):
            total = total + load_first(x, start + cells[i], lanes)
            prefetch(x, start + cells[i] + ahead)
        store_first(y, at, total * splat(x, 1 / max(count, 1)), lanes)
    else:
        best, place = splat(x, -np.inf), splat(x, 0)
        for i in range(count):
            value = load_first(x, start + cells[i], lanes)
            prefetch(x, start + cells[i] + ahead)
            # The first NaN beats everything before it, and nothing after it is greater.
            wins = ~(value <= best) & (best == best)
            best = select(wins, value, best)
            place = select(wins, splat(x, numbers[i]), place)
        store_first(y, at, best, lanes)
        store_numbers(winner, at, place, lanes)


@tasks
def _gradient_rows(task, rows, step, grad_x, grad_y, winner, sizes, overlap):
    """A row of x takes what the rows of windows over it give, one window column at a time."""
    depth, height, width, out_depth, out_height, out_width = sizes[:6]
    window_z, window_y, window_x, stride_z, stride_y, stride_x, low_z, low_y, low_x = sizes[6:15]
    channels = sizes[15]
    lanes = lanes_of(grad_x)
    covers = window_x >= stride_x and (out_width - 1) * stride_x + window_x - low_x >= width
    weights = np.ones(out_width, grad_x.dtype)
    for row in range(task * step, min(task * step + step, rows)):
        plane = row // height
        z, y = plane % depth + low_z, row % height + low_y
        first_z, stop_z = max((z - window_z) // stride_z + 1, 0), min(z // stride_z + 1, out_depth)
        first_y, stop_y = max((y - window_y) // stride_y + 1, 0), min(y // stride_y + 1, out_height)
        if overlap or not covers or first_z >= stop_z or first_y >= stop_y:
            line = grad_x[row * width * channels : (row + 1) * width * channels]
            for j in range(line.size):
                line[j] = 0
        for oz in range(first_z, stop_z):
            for oy in range(first_y, stop_y):
                if winner is None:
                    cells = _inside(oz * stride_z - low_z, window_z, depth)
                    cells *= _inside(oy * stride_y - low_y, window_y, height)
                    for ox in range(out_width):
                        inside = _inside(ox * stride_x - low_x, window_x, width)
                        weights[ox] = grad_x.dtype.type(1) / max(cells * inside, 1)
                at = ((plane // depth * out_depth + oz) * out_height + oy) * out_width
                number = ((z - oz * stride_z) * window_y + y - oy * stride_y) * window_x
                for kx in range(window_x):
                    shift = kx - low_x
                    tap = splat(grad_x, number + kx)
                    first_x = max(0, (stride_x - 1 - shift) // stride_x)
                    for ox in range(first_x, min(out_width, (width - 1 - shift) // stride_x + 1)):
                        place = (row * width + ox * stride_x + shift) * channels
                        source = (at + ox) * channels
                        weight = splat(grad_x, weights[ox])
                        for c in range(0, channels - lanes + 1, lanes):
                            _give(
                                grad_x, place + c, grad_y, winner, source + c, weight, tap,
                                overlap, lanes,
                            )  # fmt: skip
                        c = channels // lanes * lanes
                        if c < channels:
                            _give(
                                grad_x, place + c, grad_y, winner, source + c, weight, tap,
                                overlap, channels - c,
                            )  # fmt: skip


@_inlined
def _give(grad_x, place, grad_y, winner, source, weight, tap, overlap, lanes):
    """The share of one cell in the gradient of one window, for some channels."""
    grad = load_first(grad_y, source, lanes)
    if winner is None:
        grad = grad * weight
    else:
        won = load_numbers(grad_x, winner, source, lanes) == tap
        grad = select(won, grad, splat(grad_x, 0))
    if overlap:
        grad = grad + load_first(grad_x, place, lanes)
    store_first(grad_x, place, grad, lanes)


@_inlined
def _inside(start, window, size):
    return min(start + window, size) - max(start, 0)


@tasks
def _scatter(task, rows, grad_x, grad_y, winner, sizes):
    """One image per task: few channels make poor vectors, and integers none."""
    depth, height, width, out_depth, out_height, out_width, window_z, window_y, window_x = sizes[:9]
    channels = sizes[15]
    first = task * depth * height * width
    for j in range(first * channels, (first + depth * height * width) * channels):
        grad_x[j] = 0
    cells = np.empty(window_z * window_y * window_x, np.int64)
    for tap in range(cells.size):
        line = tap // window_x
        ky, kx = line % window_y, tap % window_x
        cells[tap] = ((line // window_y * height + ky) * width + kx) * channels
    for row in range(task * rows, task * rows + rows):
        corner = _corner(row, sizes)
        z = row // out_height % out_depth * sizes[9] - sizes[12]
        y = row % out_height * sizes[10] - sizes[13]
        whole = 0 <= z <= depth - window_z and 0 <= y <= height - window_y
        for ox in range(out_width):
            left = ox * sizes[11] - sizes[14]
            for c in range(channels):
                at = (row * out_width + ox) * channels + c
                if whole and 0 <= left <= width - window_x:
                    grad_x[(corner + left) * channels + cells[winner[at]] + c] += grad_y[at]
                else:
                    cell = _winner_cell(winner[at], row, ox, corner, sizes)
                    if cell >= 0:
                        grad_x[cell * channels + c] += grad_y[at]


@_inlined
def _winner_cell(tap, row, ox, corner, sizes):
    """The number of the cell that won window `ox` of a row of y, or -1 for padding."""
    depth, height, width, out_depth, out_height, _, _, window_y, window_x = sizes[:9]
    line = np.uint32(tap) // np.uint32(window_x)
    left = ox * sizes[11] - sizes[14]
    kx = np.int64(np.uint32(tap) - line * np.uint32(window_x))
    kz = np.int64(line // np.uint32(window_y))
    ky = np.int64(line) - kz * window_y
    z = row // out_height % out_depth * sizes[9] - sizes[12] + kz
    y = row % out_height * sizes[10] - sizes[13] + ky
    inside = 0 <= left + kx < width and 0 <= y < height and 0 <= z < depth
    return corner + left + (kz * height + ky) * width + kx if inside else -1


@tasks
def _take(task, rows, step, x, y, winner, sizes):
    out_width, channels = sizes[5], sizes[15]
    for row in range(task * step, min(task * step + step, rows)):
        corner = _corner(row, sizes)
        for ox in range(out_width):
            for c in range(channels):
                at = (row * out_width + ox) * channels + c
                cell = _winner_cell(winner[at], row, ox, corner, sizes)
                y[at] = x[cell * channels + c] if cell >= 0 else 0


@tasks
def _max_pool_integers(task, rows, step, x, y, winner, sizes, lowest):
    out_width, channels = sizes[5], sizes[15]
    for row in range(task * step, min(task * step + step, rows)):
        corner = _corner(row, sizes)
        for ox in range(out_width):
            for c in range(channels):
                at = (row * out_width + ox) * channels + c
                y[at] = lowest
                winner[at] = 0
                for tap in range(sizes[6] * sizes[7] * sizes[8]):
                    cell = _winner_cell(tap, row, ox, corner, sizes)
                    if cell >= 0 and x[cell * channels + c] > y[at]:
                        y[at] = x[cell * channels + c]
                        winner[at] = tap
