"""Depthwise convolution, vectorised over channels, with the sums of four pixels in registers.

A channel with several filters is a convolution of repeated channels; the gradient for x then is a
sum over these.
"""

from __future__ import annotations

import itertools
import math
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.simd import (
    address_of,
    clamped,
    fma,
    lane_count,
    lanes_of,
    load_first,
    splat,
    store_first,
)
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.launch.tasks import Tasks, tasks
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products import depthwise_tile
from nkeras_numba_cpu.products.direct import fill
from nkeras_numba_cpu.products.geometry import (
    Axis,
    Shapes,
    backward_axes,
    blocks_of,
    forward_axes,
    halves,
    lift_sizes,
)
from nkeras_numba_cpu.products.kernel_gradient import add_parts
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, limits
from nkeras_numba_cpu.products.schedules import Box, x_window
from nkeras_numba_cpu.products.winograd import bind

_LEAST, _MANY = 20_000, 16  # multiplications of a task at least, tasks that large work is cut into
_UNIT = 128  # pixels whose x and grad_y stay in the first-level cache
_PIECE = 4096  # elements that one task repeats or adds up


_LARGEST_TILE = 49  # taps of a window whose products are written out one after the other
_NARROWEST = 3  # pixels of a row that is worth a tile of four
_FEW_ROWS = 8  # are not shared out, but channels are


class Phase(NamedTuple):
    """The launch of one phase; sizes and tables count elements."""

    kernel: Tasks

    sizes: tuple[int, ...]
    box: tuple[int, ...]  # see `Box`
    parts: np.ndarray  # x, see `fill`; y, rows, columns, first channel and the one behind the last
    taps: np.ndarray  # where a tap lies in x, and in the kernel
    work: int


def correlate(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None,
    shapes: Shapes,
    mode: int,
) -> np.ndarray:
    """`activation(convolution + bias + addend)`, flat; all arrays are contiguous."""
    filters = shapes.kernel[-1]
    y = empty((shapes.x[0] * math.prod(shapes.spatial) * filters,), x.dtype)
    x = _repeated(x.reshape(-1), filters // shapes.x[-1])
    _launch(x, kernel, bias, addend, y, _phases(shapes, False), mode)
    return y


def grad_input(grad_y: np.ndarray, kernel: np.ndarray, shapes: Shapes) -> np.ndarray:
    """The gradient for x, flat; grad_y and kernel are contiguous."""
    times = shapes.kernel[-1] // shapes.x[-1]
    grad_x = empty((math.prod(shapes.x) * times,), grad_y.dtype)
    _launch(grad_y.reshape(-1), kernel, None, None, grad_x, _phases(shapes, True), 0)
    if times == 1:
        return grad_x
    total = empty((math.prod(shapes.x),), grad_y.dtype)
    _add_neighbours(-(-total.size // _PIECE), grad_x.size, grad_x, total, times)
    return total


def grad_kernel(x: np.ndarray, grad_y: np.ndarray, shapes: Shapes) -> np.ndarray:
    """The gradient for the kernel, flat; x and grad_y are contiguous."""
    phase, blocks = _kernel_phase(shapes)
    size = math.prod(shapes.kernel)
    x = _repeated(x.reshape(-1), shapes.kernel[-1] // shapes.x[-1])
    parts = empty((blocks * size,), x.dtype)
    _grad_kernel(
        blocks, phase.work, x, grad_y.reshape(-1), parts, blocks, phase.sizes, phase.box,
        phase.parts, phase.taps,
    )  # fmt: skip
    return parts if blocks == 1 else add_parts(parts, blocks)


def _launch(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None,
    y: np.ndarray,
    phases: list[Phase],
    mode: int,
) -> None:
    kernel = kernel.reshape(-1)
    some = kernel if bias is None else bias
    addend = y if addend is None else addend.reshape(-1)
    for phase in phases:
        phase.kernel(
            len(phase.parts), phase.work, x, kernel, some, bias is not None, addend, y, mode,
            phase.sizes, phase.box, phase.parts, phase.taps,
        )  # fmt: skip


@lru_cache(maxsize=256)
def _phases(shapes: Shapes, backward: bool) -> list[Phase]:
    filters = shapes.kernel[-1]
    phases = backward_axes(shapes) if backward else forward_axes(shapes)
    result = lift_sizes(shapes.x[1:-1] if backward else shapes.spatial)
    step = [result[1] * result[2] * filters, result[2] * filters, filters]
    table = []
    for axes in phases:
        steps = [s * axis.step for s, axis in zip(step, axes, strict=True)]
        start = sum(s * axis.first for s, axis in zip(step, axes, strict=True))
        taps = max(1, math.prod(len(axis.taps) for axis in axes))
        work = shapes.x[0] * math.prod(axis.extent for axis in axes) * filters * taps
        rows = max(1, max(work // _MANY, _LEAST) // (axes[2].extent * filters * taps))
        where = (result[0] * step[0], *steps, start)
        window = _window(axes)
        if window is None:
            table.append(_phase(axes, shapes, rows, axes[2].extent, where, work))
        else:
            table.append(_tiled_phase(axes, shapes, window, where, work))
    return table


@lru_cache(maxsize=256)
def _kernel_phase(shapes: Shapes) -> tuple[Phase, int]:
    """The launch of the gradient for the kernel, and in how many parts it sums."""
    axes, filters = forward_axes(shapes)[0], shapes.kernel[-1]
    z, y, x = (axis.extent for axis in axes)
    columns = min(x, 2 * _UNIT)
    where = (z * y * x * filters, y * x * filters, x * filters, filters, 0)
    work = shapes.x[0] * z * y * x * math.prod(shapes.kernel)
    phase = _phase(axes, shapes, max(1, _UNIT // columns), columns, where, work)
    return phase, max(1, min(len(phase.parts), _MANY, work // _LEAST))


def _phase(
    axes: tuple[Axis, ...],
    shapes: Shapes,
    height: int,
    width: int,
    where: tuple[int, ...],
    work: int,
) -> Phase:
    """One phase in blocks of up to `height` rows and `width` columns.

    `where` has the steps of the result from image to image, plane to plane, row to row and pixel to
    pixel, and where it begins.
    """
    z, y, x = axes
    filters = shapes.kernel[-1]
    rows = blocks_of(y.extent, min(y.extent, height), even=True)
    columns = blocks_of(x.extent, min(x.extent, width), even=True)
    reach, pitch = y.reach(rows[0][1]), x.reach(columns[0][1]) * filters
    box = Box(len(z.taps), reach, z.rate, z.size, y.size, x.size * filters, 1, pitch, pitch)
    plane = reach * pitch
    taps = [
        (iz * plane + iy * y.rate * pitch + ix * x.rate * filters, tap)
        for (iz, iy, ix), tap in zip(
            itertools.product(*(range(len(axis.taps)) for axis in axes)),
            _taps(axes, shapes),
            strict=True,
        )
    ]
    return Phase(
        _correlate,
        (y.stride * pitch, x.stride * filters, where[2], where[3], filters),
        tuple(box),
        _parts(axes, shapes, rows, columns, [(0, filters)], where),
        np.array(taps, np.int64).reshape(-1, 2),
        2 * work,
    )


def _tiled_phase(
    axes: tuple[Axis, ...],
    shapes: Shapes,
    window: tuple[int, int, int],
    where: tuple[int, ...],
    work: int,
) -> Phase:
    """One phase in tiles of four pixels, as `_phase`: a task has some rows, or some channels."""
    z, y, x = axes
    filters, planes = shapes.kernel[-1], shapes.x[0] * z.extent
    wanted = -(-max(1, min(_MANY, work // _LEAST)) // planes)
    rows, channels = [(0, y.extent)], [(0, filters)]
    if y.extent < _FEW_ROWS:  # what was made before is likely to be shared out by channels, too
        lanes = lane_count(np.float32)
        size = halves(-(-filters // lanes), wanted) * lanes
        channels = [(first, first + count) for first, count in blocks_of(filters, size)]
    else:
        rows = blocks_of(y.extent, halves(y.extent, wanted), even=True)
    return Phase(
        _tiled(*window),
        (y.stride, x.stride, y.rate, x.size * filters, where[2], where[3], filters, y.size),
        (),
        _parts(axes, shapes, rows, [(0, x.extent)], channels, where),
        np.array([(0, tap) for tap in _taps(axes, shapes)], np.int64),
        2 * work,
    )


def _window(axes: tuple[Axis, ...]) -> tuple[int, int, int] | None:
    """Rows, columns and stride of the window, where there is a kernel for it."""
    z, y, x = axes
    is_plane = len(z.taps) == 1 and not z.padded and x.rate == x.step == y.step == 1
    fits = 1 < len(y.taps) * len(x.taps) <= _LARGEST_TILE and x.extent >= _NARROWEST
    return (len(y.taps), len(x.taps), x.stride) if is_plane and fits else None


def _taps(axes: tuple[Axis, ...], shapes: Shapes) -> list[int]:
    """Where the taps of a phase lie in the kernel."""
    _, window_y, window_x = lift_sizes(shapes.kernel[:-2])
    places = itertools.product(*(axis.taps for axis in axes))
    return [((z * window_y + y) * window_x + x) * shapes.kernel[-1] for z, y, x in places]


def _parts(
    axes: tuple[Axis, ...],
    shapes: Shapes,
    rows: list[tuple[int, int]],
    columns: list[tuple[int, int]],
    channels: list[tuple[int, int]],
    where: tuple[int, ...],
) -> np.ndarray:
    table = []
    z = axes[0]
    for n, i in itertools.product(range(shapes.x[0]), range(z.extent)):
        front = i * z.stride - z.low
        for (top, count), (left, number) in itertools.product(rows, columns):
            window = x_window(axes, n, front, top, left, number, shapes.kernel[-1])
            place = n * where[0] + i * where[1] + top * where[2] + left * where[3] + where[4]
            table += [(*window, place, count, number, *some) for some in channels]
    return np.array(table, np.int64)


def _repeated(x: np.ndarray, times: int) -> np.ndarray:
    """Flat x with each element `times` times in a row."""
    if times == 1:
        return x
    result = empty((x.size * times,), x.dtype)
    _repeat(-(-x.size // _PIECE), result.size, x, result, times)
    return result


@tasks
def _repeat(task, x, y, times):
    for i in range(task * _PIECE, min(x.size, (task + 1) * _PIECE)):
        for j in range(times):
            y[i * times + j] = x[i]


@tasks
def _add_neighbours(task, x, y, times):
    for i in range(task * _PIECE, min(y.size, (task + 1) * _PIECE)):
        total = x[i * times]
        for j in range(1, times):
            total += x[i * times + j]
        y[i] = total


@tasks
def _correlate(task, x, kernel, bias, has_bias, addend, y, mode, sizes, box, parts, taps):
    x_row, x_pixel, y_row, y_pixel, channels = sizes
    part = parts[task]
    lanes, zero = lanes_of(x), splat(x, 0)
    low, high = limits(x, mode)
    # Loads that cross a cache line cost twice, so x is copied even where nothing is padded.
    scratch = allocate(x.dtype, box[0] * box[1] * box[8] + lanes)
    source = scratch[-(address_of(scratch, 0) // x.itemsize) % lanes :]
    fill(source, x, box, part)
    for pixel in range(part[6] * part[7]):
        row, column = pixel // part[7], pixel % part[7]
        for channel in range(0, channels, lanes):
            count = channels - channel
            total = load_first(bias, channel, count) if has_bias else zero
            i = row * x_row + column * x_pixel + channel
            for t in range(taps.shape[0]):
                weight = load_first(kernel, taps[t, 1] + channel, count)
                total = fma(load_first(source, i + taps[t, 0], count), weight, total)
            place = part[5] + row * y_row + column * y_pixel + channel
            if mode & ACCUMULATE:
                total = total + load_first(addend, place, count)
            store_first(y, place, clamped(total, low, high), count)
    release(scratch)


def _correlate_tiles(task, x, kernel, bias, has_bias, addend, y, mode, sizes, box, parts, taps):
    """As `_correlate`, for a window of known size, four neighbouring pixels at a time."""
    y_stride, x_stride, rate, x_row, y_row, y_pixel, channels, height = sizes
    part = parts[task]
    lanes, zero = lanes_of(x), splat(x, 0)
    low, high = limits(x, mode)
    first_tap, tap = taps[0, 1], taps[1, 1] - taps[0, 1]
    for row in range(part[6]):
        top = row * y_stride
        for column in range(0, part[7], 4):
            # The last four pixels may be in part those before, computed again to the same value.
            column = max(0, min(column, part[7] - 4))
            left = column * x_stride * channels
            i, o = part[0] + top * x_row + left, part[5] + row * y_row + column * y_pixel
            for channel in range(part[8], part[9], lanes):
                count = part[9] - channel
                start = load_first(bias, channel, count) if has_bias else zero
                a, b, c, d = window_tile(
                    x, i + channel, channels, rate * x_row, part[1] + top, rate, height,
                    left - part[3], part[4] - part[3], kernel, first_tap + channel, tap, start,
                    count,
                )  # fmt: skip
                o1 = o + channel
                o2, o3, o4 = o1 + y_pixel, o1 + 2 * y_pixel, o1 + 3 * y_pixel
                # Of a row of less than four pixels only these are there.
                n2, n3, n4 = count * (part[7] > 1), count * (part[7] > 2), count * (part[7] > 3)
                if mode & ACCUMULATE:
                    a, b = a + load_first(addend, o1, count), b + load_first(addend, o2, n2)
                    c, d = c + load_first(addend, o3, n3), d + load_first(addend, o4, n4)
                store_first(y, o1, clamped(a, low, high), count)
                store_first(y, o2, clamped(b, low, high), n2)
                store_first(y, o3, clamped(c, low, high), n3)
                store_first(y, o4, clamped(d, low, high), n4)


window_tile: Any = None  # what `_tiled` replaces


@cache
def _tiled(rows: int, columns: int, stride: int) -> Tasks:
    """The kernel for windows of rows x columns."""
    names = {"window_tile": depthwise_tile.window_tile(rows, columns, stride)}
    return bind(_correlate_tiles, f"{rows}x{columns}_{stride}", names)


@tasks
def _grad_kernel(task, x, grad_y, sums, blocks, sizes, box, parts, taps):
    x_row, x_pixel, y_row, y_pixel, channels = sizes
    lanes, zero, last = lanes_of(x), splat(x, 0), taps.shape[0] - 1
    scratch = allocate(x.dtype, box[0] * box[1] * box[8] + lanes)
    source = scratch[-(address_of(scratch, 0) // x.itemsize) % lanes :]
    base = task * (sums.size // blocks)
    unit = parts.shape[0] * task // blocks
    for i in range(taps.shape[0] * channels):
        sums[base + i] = 0
    for u in range(unit, parts.shape[0] * (task + 1) // blocks):
        part = parts[u]
        fill(source, x, box, part)
        for channel in range(0, channels, lanes):
            count = channels - channel
            for t in range(0, taps.shape[0], 3):
                t1, t2 = min(t + 1, last), min(t + 2, last)
                s0, s1, s2 = zero, zero, zero
                for row in range(part[6]):
                    a, b = row * x_row + channel, part[5] + row * y_row + channel
                    for o in range(part[7]):
                        grad = load_first(grad_y, b + o * y_pixel, count)
                        i = a + o * x_pixel
                        s0 = fma(load_first(source, i + taps[t, 0], count), grad, s0)
                        s1 = fma(load_first(source, i + taps[t1, 0], count), grad, s1)
                        s2 = fma(load_first(source, i + taps[t2, 0], count), grad, s2)
                # A tap that is there twice is stored twice, not added twice.
                o = base + channel
                s0 = load_first(sums, o + taps[t, 1], count) + s0
                s1 = load_first(sums, o + taps[t1, 1], count) + s1
                s2 = load_first(sums, o + taps[t2, 1], count) + s2
                store_first(sums, o + taps[t, 1], s0, count)
                store_first(sums, o + taps[t1, 1], s1, count)
                store_first(sums, o + taps[t2, 1], s2, count)
    release(scratch)
