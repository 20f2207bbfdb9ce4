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

from nkeras_numba_cpu.emit.records import numbers, record, row, table
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import (
    address_of,
    clamped,
    fma,
    lanes_of,
    load_first,
    splat,
    store,
    store_first,
)
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.launch.tasks import Tasks, tasks
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products import depthwise_tile
from nkeras_numba_cpu.products.direct import elements, fill
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
from nkeras_numba_cpu.products.tables import Box, Places, Window, places_of, x_window
from nkeras_numba_cpu.products.winograd import bind

_LEAST, _MANY = 20_000, 16  # multiplications of a task at least, tasks that large work is cut into
_UNIT = 128  # pixels whose x and grad_y stay in the first-level cache
_PIECE = 4096  # elements that one task repeats or adds up


_LARGEST_TILE = 49  # taps of a window whose products are written out one after the other
_NARROWEST = 3  # pixels of a row that is worth a tile of four
_FEW_ROWS = 8  # are not shared out, but channels are


class Steps(NamedTuple):
    """Distances of rows and pixels in the copy of x and in y; the channels."""

    x_row: int
    x_pixel: int
    y_row: int
    y_pixel: int
    channels: int


class TiledSteps(NamedTuple):
    """As `Steps` where x is read in place."""

    y_stride: int
    x_stride: int
    rate: int
    x_row: int
    y_row: int
    y_pixel: int
    channels: int
    height: int  # of x


class Part(NamedTuple):
    """What a task computes."""

    window: Window
    y: int  # the place of the first pixel
    rows: int
    columns: int
    first_channel: int
    end_channel: int


class Tap(NamedTuple):
    """Where it lies, in a window of the copy of x and in the kernel."""

    x: int
    kernel: int


class Phase(NamedTuple):
    """The launch of one phase; all distances are in elements."""

    kernel: Tasks
    steps: tuple[int, ...]  # Steps or TiledSteps
    box: tuple[int, ...]  # Box, or nothing where x is read in place
    parts: np.ndarray  # Part
    taps: np.ndarray  # Tap
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
        blocks, phase.work, x, grad_y.reshape(-1), parts, blocks, phase.steps, phase.box,
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
            phase.steps, phase.box, phase.parts, phase.taps,
        )  # fmt: skip


@lru_cache(maxsize=256)
def _phases(shapes: Shapes, backward: bool) -> list[Phase]:
    filters = shapes.kernel[-1]
    phases = backward_axes(shapes) if backward else forward_axes(shapes)
    result = lift_sizes(shapes.x[1:-1] if backward else shapes.spatial)
    made = []
    for axes in phases:
        taps = max(1, math.prod(len(axis.taps) for axis in axes))
        work = shapes.x[0] * math.prod(axis.extent for axis in axes) * filters * taps
        rows = max(1, max(work // _MANY, _LEAST) // (axes[2].extent * filters * taps))
        places = places_of(axes, result, filters)
        window = _window(axes)
        if window is None:
            made.append(_phase(axes, shapes, rows, axes[2].extent, places, work))
        else:
            made.append(_tiled_phase(axes, shapes, window, places, work))
    return made


@lru_cache(maxsize=256)
def _kernel_phase(shapes: Shapes) -> tuple[Phase, int]:
    """The launch of the gradient for the kernel, and in how many parts it sums."""
    axes, extents = forward_axes(shapes)[0], lift_sizes(shapes.spatial)
    columns = min(extents[2], 2 * _UNIT)
    places = places_of(axes, extents, shapes.kernel[-1])
    work = shapes.x[0] * math.prod(extents) * math.prod(shapes.kernel)
    phase = _phase(axes, shapes, max(1, _UNIT // columns), columns, places, work)
    return phase, max(1, min(len(phase.parts), _MANY, work // _LEAST))


def _phase(
    axes: tuple[Axis, ...],
    shapes: Shapes,
    height: int,
    width: int,
    places: Places,
    work: int,
) -> Phase:
    """One phase in blocks of up to `height` rows and `width` columns."""
    z, y, x = axes
    filters = shapes.kernel[-1]
    rows = blocks_of(y.extent, min(y.extent, height), even=True)
    columns = blocks_of(x.extent, min(x.extent, width), even=True)
    reach, pitch = y.reach(rows[0][1]), x.reach(columns[0][1]) * filters
    box = Box(len(z.taps), reach, z.rate, z.size, y.size, x.size * filters, 1, pitch, pitch)
    plane = reach * pitch
    taps = [
        Tap(x=iz * plane + iy * y.rate * pitch + ix * x.rate * filters, kernel=tap)
        for (iz, iy, ix), tap in zip(
            itertools.product(*(range(len(axis.taps)) for axis in axes)),
            _taps(axes, shapes),
            strict=True,
        )
    ]
    steps = Steps(
        x_row=y.stride * pitch,
        x_pixel=x.stride * filters,
        y_row=places.row,
        y_pixel=places.pixel,
        channels=filters,
    )
    return Phase(
        _correlate,
        numbers(steps),
        numbers(box),
        _parts(axes, shapes, rows, columns, [(0, filters)], places),
        table(Tap, taps),
        2 * work,
    )


def _tiled_phase(
    axes: tuple[Axis, ...],
    shapes: Shapes,
    window: tuple[int, int, int],
    places: Places,
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
    steps = TiledSteps(
        y_stride=y.stride,
        x_stride=x.stride,
        rate=y.rate,
        x_row=x.size * filters,
        y_row=places.row,
        y_pixel=places.pixel,
        channels=filters,
        height=y.size,
    )
    return Phase(
        _tiled(*window),
        numbers(steps),
        (),
        _parts(axes, shapes, rows, [(0, x.extent)], channels, places),
        table(Tap, [Tap(x=0, kernel=tap) for tap in _taps(axes, shapes)]),
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
    taps = itertools.product(*(axis.taps for axis in axes))
    return [((z * window_y + y) * window_x + x) * shapes.kernel[-1] for z, y, x in taps]


def _parts(
    axes: tuple[Axis, ...],
    shapes: Shapes,
    rows: list[tuple[int, int]],
    columns: list[tuple[int, int]],
    channels: list[tuple[int, int]],
    places: Places,
) -> np.ndarray:
    made = []
    z = axes[0]
    for n, i in itertools.product(range(shapes.x[0]), range(z.extent)):
        front = i * z.stride - z.low
        for (top, count), (left, number) in itertools.product(rows, columns):
            window = x_window(axes, n, front, top, left, number, shapes.kernel[-1])
            made += [
                Part(
                    window=window,
                    y=places.at(n, i, top, left),
                    rows=count,
                    columns=number,
                    first_channel=first,
                    end_channel=end,
                )
                for first, end in channels
            ]
    return table(Part, made)


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
def _correlate(task, x, kernel, bias, has_bias, addend, y, mode, steps, box, parts, taps):
    of, copied, part = record(Steps, steps), record(Box, box), row(Part, parts, task)
    lanes, zero = lanes_of(x), splat(x, 0)
    low, high = limits(x, mode)
    # Loads that cross a cache line cost twice, so x is copied even where nothing is padded.
    scratch = allocate(x.dtype, elements(copied) + lanes)
    source = scratch[-(address_of(scratch, 0) // x.itemsize) % lanes :]
    fill(source, x, copied, part.window)
    for pixel in range(part.rows * part.columns):
        line, column = pixel // part.columns, pixel % part.columns
        for channel in range(0, of.channels, lanes):
            count = of.channels - channel
            total = load_first(bias, channel, count) if has_bias else zero
            i = line * of.x_row + column * of.x_pixel + channel
            for t in range(taps.shape[0]):
                tap = row(Tap, taps, t)
                weight = load_first(kernel, tap.kernel + channel, count)
                total = fma(load_first(source, i + tap.x, count), weight, total)
            place = part.y + line * of.y_row + column * of.y_pixel + channel
            if mode & ACCUMULATE:
                total = total + load_first(addend, place, count)
            store_first(y, place, clamped(total, low, high), count)
    release(scratch)


def _correlate_tiles(task, x, kernel, bias, has_bias, addend, y, mode, steps, box, parts, taps):
    """As `_correlate`, for a window of known size, four neighbouring pixels at a time."""
    of, part = record(TiledSteps, steps), row(Part, parts, task)
    window, channels, y_pixel = part.window, of.channels, of.y_pixel
    # Read once: whatever is stored might be a part of the table.
    window_top, window_before, window_stop = window.top, window.before, window.stop
    columns, end_channel = part.columns, part.end_channel
    lanes, zero = lanes_of(x), splat(x, 0)
    low, high = limits(x, mode)
    first_tap = row(Tap, taps, 0).kernel
    tap = row(Tap, taps, 1).kernel - first_tap
    for line in range(part.rows):
        top = line * of.y_stride
        for column in range(0, columns, 4):
            # The last four pixels may be in part those before, computed again to the same value.
            column = max(0, min(column, columns - 4))
            left = column * of.x_stride * channels
            i = window.start + top * of.x_row + left
            o = part.y + line * of.y_row + column * y_pixel
            for channel in range(part.first_channel, end_channel, lanes):
                count = end_channel - channel
                start = load_first(bias, channel, count) if has_bias else zero
                a, b, c, d = window_tile(
                    x, i + channel, channels, of.rate * of.x_row, window_top + top, of.rate,
                    of.height, left - window_before, window_stop - window_before, kernel,
                    first_tap + channel, tap, start, count,
                )  # fmt: skip
                o1 = o + channel
                o2, o3, o4 = o1 + y_pixel, o1 + 2 * y_pixel, o1 + 3 * y_pixel
                if not mode & ACCUMULATE and count >= lanes and columns >= 4:
                    store(y, o1, clamped(a, low, high))
                    store(y, o2, clamped(b, low, high))
                    store(y, o3, clamped(c, low, high))
                    store(y, o4, clamped(d, low, high))
                    continue
                # Of a row of less than four pixels only these are there.
                n2, n3, n4 = count * (columns > 1), count * (columns > 2), count * (columns > 3)
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
    origin = _tiled, (rows, columns, stride)
    return bind(_correlate_tiles, f"{rows}x{columns}_{stride}", names, origin)


@tasks
def _grad_kernel(task, x, grad_y, sums, blocks, steps, box, parts, taps):
    of, copied = record(Steps, steps), record(Box, box)
    lanes, zero, last = lanes_of(x), splat(x, 0), taps.shape[0] - 1
    scratch = allocate(x.dtype, elements(copied) + lanes)
    source = scratch[-(address_of(scratch, 0) // x.itemsize) % lanes :]
    base = task * (sums.size // blocks)
    unit = parts.shape[0] * task // blocks
    for i in range(taps.shape[0] * of.channels):
        sums[base + i] = 0
    for u in range(unit, parts.shape[0] * (task + 1) // blocks):
        part = row(Part, parts, u)
        fill(source, x, copied, part.window)
        for channel in range(0, of.channels, lanes):
            count = of.channels - channel
            for t in range(0, taps.shape[0], 3):
                tap_0, tap_1 = row(Tap, taps, t), row(Tap, taps, min(t + 1, last))
                tap_2 = row(Tap, taps, min(t + 2, last))
                s0, s1, s2 = zero, zero, zero
                for line in range(part.rows):
                    a, b = line * of.x_row + channel, part.y + line * of.y_row + channel
                    for o in range(part.columns):
                        grad = load_first(grad_y, b + o * of.y_pixel, count)
                        i = a + o * of.x_pixel
                        s0 = fma(load_first(source, i + tap_0.x, count), grad, s0)
                        s1 = fma(load_first(source, i + tap_1.x, count), grad, s1)
                        s2 = fma(load_first(source, i + tap_2.x, count), grad, s2)
                # A tap that is there twice is stored twice, not added twice.
                o = base + channel
                s0 = load_first(sums, o + tap_0.kernel, count) + s0
                s1 = load_first(sums, o + tap_1.kernel, count) + s1
                s2 = load_first(sums, o + tap_2.kernel, count) + s2
                store_first(sums, o + tap_0.kernel, s0, count)
                store_first(sums, o + tap_1.kernel, s1, count)
                store_first(sums, o + tap_2.kernel, s2, count)
    release(scratch)
