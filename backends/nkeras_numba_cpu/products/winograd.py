"""Winograd's convolution for 3 x 3 windows with stride 1: a quarter of the multiplications.

A task computes a block of tiles, m x m outputs each, of all images: it transforms their input, then
for one panel of filters after the other multiplies by the transformed kernel, on the micro-kernel,
and transforms back, all within the second-level cache. The transforms round: with m = 4 the error
is about ten times that of the direct way.
"""

from __future__ import annotations

from functools import cache, lru_cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.records import numbers, record, row, stacked
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import (
    address_of,
    clamped,
    lanes_of,
    load,
    load_first,
    splat,
    store_first,
)
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.emit.views import part as part_of
from nkeras_numba_cpu.launch.tasks import Tasks, call_address
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.memory.capture import preparation
from nkeras_numba_cpu.products.direct import fill, packed
from nkeras_numba_cpu.products.geometry import (
    Axis,
    Shapes,
    backward_axes,
    forward_axes,
    vectors_for,
)
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, Call, limits, micro_kernels
from nkeras_numba_cpu.products.schedules import Packing
from nkeras_numba_cpu.products.schedules import packing as packing_of
from nkeras_numba_cpu.products.tables import Box, Panels, Window
from nkeras_numba_cpu.products.winograd_transforms import TRANSFORMS

_MANY = 32  # tasks that work is cut into
_INPUT = 1 << 16  # elements of the transformed input of a task, for the second-level cache
# Below these the transforms cost more than they save. The kernel's needs tiles that make up for it.
_LEAST_CHANNELS, _LEAST_TILES, _KERNEL_PER_TILE = 16, 12, 3500
# With few tiles, F(2x2, 3x3): its transformed kernel is less than half as large, and reading it is
# what takes the time.
_FEW_CHANNELS, _FEW_PIXELS, _FEW_SIDE = 64, 100, 8


class KernelSteps(NamedTuple):
    """How a kernel lies in memory, and the sizes of its transform."""

    panel: int
    tap: int
    row: int
    depth: int
    columns: int
    window: int
    size: int


class Sizes(NamedTuple):
    """What the tasks of a convolution share; distances are in elements."""

    depth: int
    filters: int
    y_row: int
    x_row: int
    pixel: int  # of the copy of x
    blocks: int  # of tiles
    block: int  # tiles of a block
    rows: int  # tiles that the micro-kernel takes at a time
    columns: int  # of a panel
    panels: int
    some: int  # panels of a task
    size: int  # of a transformed tile


class Patch(NamedTuple):
    """The part of an image that a tile is made of."""

    window: Window
    copied: int  # whether it must be, for what lies outside or for whole vectors


class Tile(NamedTuple):
    """A square of outputs."""

    patch: Patch
    y: int  # the first one
    rows: int
    columns: int


class Schedule(NamedTuple):
    """What one convolution launches."""

    packing: Packing | None  # None where the transform reads the kernel in place
    panels: int
    steps: tuple[int, ...]  # KernelSteps
    tasks: int
    work: int
    kernel_size: int  # of the transformed kernel
    y_size: int
    sizes: tuple[int, ...]  # Sizes
    box: tuple[int, ...]  # Box
    tiles: np.ndarray  # Tile
    micro: int


def suits(shapes: Shapes, dtype: str, backward: bool) -> bool:
    """Whether F(4x4, 3x3) is possible, and faster than the direct way."""
    if not _is_possible(shapes, dtype, _LEAST_CHANNELS):
        return False
    height, width = shapes.x[1:-1] if backward else shapes.spatial
    tiles = shapes.x[0] * height * width / 16
    matrix = shapes.kernel[-2] * shapes.kernel[-1]
    return min(height, width) >= 3 and tiles >= _LEAST_TILES + matrix / _KERNEL_PER_TILE


def suits_few_tiles(shapes: Shapes, dtype: str) -> bool:
    """Whether F(2x2, 3x3) is faster where F(4x4, 3x3) is not, for one image or a few.

    Predictions transform the kernel once; where each call does, as eagerly, it is faster too.
    """
    if not _is_possible(shapes, dtype, _FEW_CHANNELS):
        return False
    height, width = shapes.spatial
    return min(height, width) >= _FEW_SIDE and shapes.x[0] * height * width >= _FEW_PIXELS


def _is_possible(shapes: Shapes, dtype: str, least_channels: int) -> bool:
    return (
        dtype == "float32"
        and shapes.groups == 1
        and shapes.kernel[:-2] == (3, 3)
        and (shapes.strides, shapes.dilation) == ((1, 1), (1, 1))
        and min(shapes.kernel[-2:]) >= least_channels
    )


def correlate(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None,
    mode: int,
    schedule: Schedule,
    outputs: int,
) -> np.ndarray:
    """The convolution, or its gradient for x, flat; x and kernel are contiguous.

    Args:
        x: the input, or the gradient of the output.
        kernel: `(3, 3, channels, filters)`.
        bias: `(filters,)` or None.
        addend: what is added to the result, of its shape, or None.
        mode: bits of `micro_kernel`: the activation, and ACCUMULATE where there is an addend.
        schedule: the schedule.
        outputs: 2 or 4, the m of the schedule.
    """
    _, convolve = _kernels(outputs)
    flat = kernel.reshape(-1)
    transformed = _transformed(flat, schedule, outputs)
    y = empty((schedule.y_size,), x.dtype)
    some = flat if bias is None else bias
    addend = y if addend is None else addend.reshape(-1)
    convolve(
        schedule.tasks, schedule.work, x.reshape(-1), transformed, some, bias is not None, addend,
        y, mode, schedule.micro, schedule.sizes, schedule.box, schedule.tiles,
    )  # fmt: skip
    return y


@preparation
def _transformed(kernel: np.ndarray, schedule: Schedule, outputs: int) -> np.ndarray:
    """The kernel as the products take it."""
    if schedule.packing is not None:
        kernel = packed(kernel, schedule.packing)
    target = empty((schedule.kernel_size,), kernel.dtype)
    transform, _ = _kernels(outputs)
    transform(schedule.panels, schedule.kernel_size, kernel, target, schedule.steps)
    return target


@lru_cache(maxsize=256)
def winograd_schedule(shapes: Shapes, dtype: str, backward: bool, outputs: int) -> Schedule:
    """The schedule of a convolution, or of its gradient for x, in tiles of outputs x outputs."""
    _, y, x = (backward_axes(shapes) if backward else forward_axes(shapes))[0]
    matrix = shapes.kernel[-2] * shapes.kernel[-1]
    taps = [(ky * 3 + kx) * matrix for ky in y.taps for kx in x.taps]
    channels = shapes.x[-1] if backward else shapes.kernel[-1]
    kernels = micro_kernels(dtype, vectors_for(channels, dtype))
    packing = packing_of(shapes, backward, kernels.columns, taps)
    of = Panels(*packing.panels)
    panels, columns, depth, filters = of.panels, of.columns, of.depth, of.stored
    inputs, lanes = outputs + 2, lane_count(dtype)
    steps = KernelSteps(
        panel=9 * depth * columns,
        tap=depth * columns,
        row=columns,
        depth=depth,
        columns=columns,
        window=3,
        size=inputs,
    )
    if not backward and filters % columns == 0:
        packing, steps = None, steps._replace(panel=columns, tap=depth * filters, row=filters)
    tiles = stacked(
        Tile,
        patch=tile_patches(shapes.x[0], y, x, depth, lanes, outputs, inputs),
        **_tile_places(shapes.x[0], y.extent, x.extent, filters, outputs),
    )
    rows = -(-len(tiles) // -(-len(tiles) // kernels.rows)) if len(tiles) < 56 else kernels.rows
    fit = _INPUT // (inputs * inputs * depth * rows)
    block = rows * max(1, min(-(-len(tiles) // rows), 4 if fit > 4 else fit))
    blocks = -(-len(tiles) // block)
    parts = min(panels, max(1, _MANY // 2 // blocks))
    some = -(-panels // parts)
    padded = -(-depth // lanes) * lanes
    pixels = shapes.x[0] * y.extent * x.extent
    sizes = Sizes(
        depth=depth,
        filters=filters,
        y_row=x.extent * filters,
        x_row=x.size * depth,
        pixel=padded,
        blocks=blocks,
        block=block,
        rows=rows,
        columns=columns,
        panels=panels,
        some=some,
        size=inputs,
    )
    return Schedule(
        packing,
        panels,
        numbers(steps),
        blocks * -(-panels // some),
        2 * pixels * filters * depth * 9,
        panels * inputs * inputs * depth * columns,
        pixels * filters,
        numbers(sizes),
        numbers(tile_box(inputs, y.size, x.size, depth, padded)),
        tiles,
        int(kernels.table(rows)[rows]),
    )


def tile_box(reach: int, height: int, width: int, channels: int, padded: int) -> Box:
    """The copy of a tile of reach x reach pixels of an image, each with its channels padded."""
    parts = (reach, channels, padded)
    if padded == channels:
        parts = (1, reach * channels, reach * channels)
    return Box(1, reach, 0, 1, height, width * channels, *parts)


def tile_patches(
    batch: int, y: Axis, x: Axis, channels: int, lanes: int, step: int, reach: int
) -> dict[str, Any]:
    """The columns of a table of `Patch`.

    Tiles begin `step` rows or columns apart and have `reach` of them.
    """
    n, top, left = np.ix_(range(batch), range(0, y.extent, step), range(0, x.extent, step))
    n, top, left = np.broadcast_arrays(n, top - y.low, left - x.low)
    before = np.clip(-left, 0, reach)
    stop = np.maximum(before, np.minimum(reach, x.size - left))
    copied = (before > 0) | (stop < reach) | (top < 0) | (top + reach > y.size)
    copied |= channels % lanes != 0
    start = ((n * y.size + top) * x.size + left) * channels
    window = {"start": start, "top": top, "front": 0}
    window |= {"before": before * channels, "stop": stop * channels}
    return {"window": window, "copied": copied}


def _tile_places(
    batch: int, height: int, width: int, filters: int, outputs: int
) -> dict[str, np.ndarray]:
    """For each tile where its outputs begin, and how many rows and columns of them there are."""
    n, top, left = np.broadcast_arrays(
        *np.ix_(range(batch), range(0, height, outputs), range(0, width, outputs))
    )
    return {
        "y": ((n * height + top) * width + left) * filters,
        "rows": np.minimum(outputs, height - top),
        "columns": np.minimum(outputs, width - left),
    }


@cache
def _kernels(outputs: int) -> tuple[Tasks, Tasks]:
    """The two compiled functions for tiles of outputs x outputs."""
    bound = TRANSFORMS[outputs]._asdict()
    return (
        bind(_transform_kernel, outputs, bound, (_kernel, (outputs, 0))),
        bind(_convolve, outputs, bound, (_kernel, (outputs, 1))),
    )


def _kernel(outputs: int, place: int) -> Tasks:
    return _kernels(outputs)[place]


def bind(function: Any, suffix: Any, names: dict[str, Any], origin: Any) -> Tasks:
    """The function with these names as globals, under a name of its own for the disk cache.

    Args:
        function: the template.
        suffix: of the name.
        names: what replaces globals.
        origin: as in `Tasks`.
    """
    bound = FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    bound.__qualname__ = f"{function.__qualname__}_{suffix}"
    bound.__module__ = function.__module__
    return Tasks(bound, origin=origin)


to_input: Any = None  # what `bind` replaces
to_kernel: Any = None
to_output: Any = None


def _transform_kernel(task, kernel, target, steps):
    # Sizes are no constants, or LLVM would write out all loops: thrice as long to compile.
    of = record(KernelSteps, steps)
    depth, columns, window, size = of.depth, of.columns, of.window, of.size
    lanes = lanes_of(kernel)
    between = allocate(kernel.dtype, size * window * lanes)
    for k in range(0, depth * columns, lanes):
        start = task * of.panel + k // columns * of.row + k % columns
        for i in range(window):
            place = start + i * of.tap
            to_kernel(kernel, place, window * of.tap, between, i * lanes, window * lanes)
        for i in range(size):
            place = (task * size + i) * size * depth * columns + k
            to_kernel(between, i * window * lanes, lanes, target, place, depth * columns)
    release(between)


def _convolve(task, x, kernel, bias, has_bias, addend, y, mode, micro, sizes, box, tiles):
    of, copied = record(Sizes, sizes), record(Box, box)
    depth, filters, pixel, columns, size = of.depth, of.filters, of.pixel, of.columns, of.size
    lanes, zero, bytes = lanes_of(x), splat(x, 0), x.itemsize
    low, high = limits(x, mode)
    first_tile = task % of.blocks * of.block
    count = min(of.block, tiles.shape[0] - first_tile)
    # A vector more from row to row, or rows would meet in few places of the cache.
    pitch = pixel + lanes
    plane, product = of.block * pitch + lanes, of.block * columns + lanes
    v = allocate(x.dtype, size * size * (plane + product + pixel + lanes) + size * lanes)
    m = part_of(v, size * size * plane, size * size * product)
    between = part_of(m, size * size * product, size * size * lanes)
    patch = part_of(between, size * size * lanes, size * size * pixel + size * lanes)
    for t in range(count):
        part = row(Tile, tiles, first_tile + t).patch
        source, start, line = x, part.window.start, of.x_row
        if part.copied:
            fill(patch, x, copied, part.window)
            source, start, line = patch, 0, size * pixel
        for c in range(0, depth, lanes):
            for i in range(size):
                to_input(source, start + i * pixel + c, line, between, i * lanes, size * lanes)
            for i in range(size):
                place = i * size * plane + t * pitch + c
                to_input(between, i * size * lanes, lanes, v, place, plane)
    first_panel = task // of.blocks * of.some
    for panel in range(first_panel, min(of.panels, first_panel + of.some)):
        for xi in range(size * size):
            for first in range(0, count, of.rows):
                call_address(
                    micro,
                    Call(
                        taps=1,
                        a_tap=0,
                        b_tap=0,
                        depth=depth,
                        a=address_of(v, xi * plane + first * pitch),
                        a_row=pitch * bytes,
                        a_step=bytes,
                        b=address_of(kernel, (panel * size * size + xi) * depth * columns),
                        b_step=columns * bytes,
                        c=address_of(m, xi * product + first * columns),
                        c_row=columns * bytes,
                        columns=columns,
                        bias=0,
                        mode=0,
                        onto=0,
                    ),
                )
        for t in range(count):
            tile = row(Tile, tiles, first_tile + t)
            for f in range(0, min(columns, filters - panel * columns), lanes):
                channel = panel * columns + f
                stored = filters - channel
                start = load_first(bias, channel, stored) if has_bias else zero
                for i in range(size):
                    place = i * product + t * columns + f
                    to_output(m, place, size * product, between, i * lanes, size * lanes)
                for r in range(tile.rows):
                    to_output(between, r * size * lanes, lanes, patch, 0, lanes)
                    place = tile.y + r * of.y_row + channel
                    for s in range(tile.columns):
                        value = load(patch, s * lanes) + start
                        if mode & ACCUMULATE:
                            value = value + load_first(addend, place + s * filters, stored)
                        store_first(y, place + s * filters, clamped(value, low, high), stored)
    release(v)
