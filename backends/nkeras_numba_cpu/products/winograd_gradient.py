"""The gradient for the kernel by Winograd's transforms: a quarter of the multiplications.

The convolution of a tile is A^T [(G g G^T) * (B^T d B)] A, so the gradient for g is
G^T [sum over tiles of (A y A^T) * (B^T d B)] G for the gradients y of its outputs. The sums are
products of matrices, (channels, tiles) by (tiles, filters), one for each element of a transformed
tile. They are made in a number of parts that depends on the shapes alone.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.simd import address_of, lane_count, lanes_of, load, store_first
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.emit.views import part as part_of
from nkeras_numba_cpu.launch.tasks import Tasks, call_address
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products.direct import fill
from nkeras_numba_cpu.products.geometry import (
    Axis,
    Shapes,
    forward_axes,
    tile_rows,
    tiles_of,
    vectors_for,
)
from nkeras_numba_cpu.products.kernel_gradient import add_parts
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, micro_kernels
from nkeras_numba_cpu.products.schedules import Box
from nkeras_numba_cpu.products.winograd import bind, tile_table
from nkeras_numba_cpu.products.winograd_transforms import TRANSFORMS

_BLOCK = 28  # tiles that are transformed at a time
_LEAST = 128  # tiles of a part: adding the parts up costs little beside


class Schedule(NamedTuple):
    """What the gradient launches."""

    tasks: int
    work: int
    parts: int
    size: int  # of the transformed kernel
    sizes: tuple[int, ...]
    box_x: tuple[int, ...]  # see `Box`
    box_y: tuple[int, ...]
    tiles_x: np.ndarray  # see `tile_table`
    tiles_y: np.ndarray
    rows: np.ndarray  # micro-kernel, first row of the kernel


def grad_kernel(x: np.ndarray, grad_y: np.ndarray, schedule: Schedule, outputs: int) -> np.ndarray:
    """The gradient for the kernel, flat; x and grad_y are contiguous."""
    multiply, transform_back = _kernels(outputs)
    sums = empty((schedule.parts * schedule.size,), x.dtype)
    multiply(
        schedule.tasks, schedule.work, x.reshape(-1), grad_y.reshape(-1), sums, schedule.sizes,
        schedule.box_x, schedule.box_y, schedule.tiles_x, schedule.tiles_y, schedule.rows,
    )  # fmt: skip
    if schedule.parts > 1:
        sums = add_parts(sums, schedule.parts)
    _, depth, filters, columns, panels, *_ = schedule.sizes
    grad = empty((9 * depth * filters,), x.dtype)
    transform_back(panels, schedule.size, sums, grad, (depth, filters, columns, 3, outputs + 2))
    return grad


@lru_cache(maxsize=256)
def gradient_schedule(shapes: Shapes, dtype: str, outputs: int) -> Schedule:
    """The schedule of the gradient for the kernel, in tiles of outputs x outputs."""
    _, y, x = forward_axes(shapes)[0]
    depth, filters = shapes.kernel[-2:]
    inputs, lanes = outputs + 2, lane_count(dtype)
    kernels = micro_kernels(dtype, vectors_for(filters, dtype))
    columns = kernels.columns
    panels = -(-filters // columns)
    of_y, of_x = (Axis(axis.extent, axis.extent, 1, 0, (0,), 1) for axis in (y, x))
    tiles_x = tile_table(shapes.x[0], y, x, depth, lanes, outputs, inputs)
    tiles_y = tile_table(shapes.x[0], of_y, of_x, filters, lanes, outputs, outputs)
    parts = max(1, min(-(-16 // panels), len(tiles_x) // _LEAST))
    some = max(1, min(4, parts * panels // 8))
    most = 8 if depth % 8 == 0 else tile_rows(depth, kernels.rows)
    rows = tiles_of(depth, min(most, kernels.rows))
    addresses = kernels.table(*{count for _, count in rows})
    padded_x, padded_y = (-(-size // lanes) * lanes for size in (depth, filters))
    sizes = (
        parts, depth, filters, columns, panels, some, padded_x, padded_y, x.size * depth,
        x.extent * filters, outputs, inputs,
    )  # fmt: skip
    return Schedule(
        parts * -(-panels // some),
        2 * shapes.x[0] * y.extent * x.extent * 9 * depth * filters,
        parts,
        inputs * inputs * panels * depth * columns,
        sizes,
        _box(inputs, y.size, x.size, depth, padded_x),
        _box(outputs, y.extent, x.extent, filters, padded_y),
        tiles_x,
        tiles_y,
        np.array([(int(addresses[count]), first) for first, count in rows], np.int64),
    )


def _box(reach: int, height: int, width: int, channels: int, padded: int) -> tuple[int, ...]:
    parts = (reach, channels, padded)
    if padded == channels:
        parts = (1, reach * channels, reach * channels)
    return tuple(Box(1, reach, 0, 1, height, width * channels, *parts))


@cache
def _kernels(outputs: int) -> tuple[Tasks, Tasks]:
    """The two compiled functions for tiles of outputs x outputs."""
    bound = TRANSFORMS[outputs]._asdict()
    return bind(_multiply, outputs, bound), bind(_transform_back, outputs, bound)


to_input: Any = None  # what `bind` replaces
from_output: Any = None
from_kernel: Any = None


def _multiply(task, x, grad_y, sums, sizes, box_x, box_y, tiles_x, tiles_y, rows):
    parts, depth, filters, columns, panels, some, pixel_x, pixel_y, row_x, row_y = sizes[:10]
    outputs, size = sizes[10], sizes[11]
    lanes, bytes, elements = lanes_of(x), x.itemsize, size * size
    part, first_panel = task % parts, task // parts * some
    some = min(some, panels - first_panel)
    pitch = pixel_x + lanes
    plane, product = _BLOCK * pitch + lanes, _BLOCK * columns * some + lanes
    v = allocate(x.dtype, elements * (plane + product + pixel_x + pixel_y + lanes))
    w = part_of(v, elements * plane, elements * product)
    between = part_of(w, elements * product, elements * lanes)
    patch_x = part_of(between, elements * lanes, elements * pixel_x)
    patch_y = part_of(patch_x, elements * pixel_x, elements * pixel_y)
    begin, end = tiles_x.shape[0] * part // parts, tiles_x.shape[0] * (part + 1) // parts
    for block in range(begin, end, _BLOCK):
        count = min(_BLOCK, end - block)
        for t in range(count):
            tile = tiles_x[block + t]
            source, start, row = x, tile[0], row_x
            if tile[5]:
                fill(patch_x, x, box_x, tile)
                source, start, row = patch_x, 0, size * pixel_x
            for c in range(0, depth, lanes):
                for i in range(size):
                    place = start + i * pixel_x + c
                    to_input(source, place, row, between, i * lanes, size * lanes)
                for i in range(size):
                    place = i * size * plane + t * pitch + c
                    to_input(between, i * size * lanes, lanes, v, place, plane)
            tile = tiles_y[block + t]
            source, start, row = grad_y, tile[0], row_y
            if tile[5]:
                fill(patch_y, grad_y, box_y, tile)
                source, start, row = patch_y, 0, outputs * pixel_y
            first = first_panel * columns
            for f in range(0, min(columns * some, filters - first), lanes):
                for i in range(outputs):
                    place = start + i * pixel_y + first + f
                    from_output(source, place, row, between, i * lanes, outputs * lanes)
                for i in range(size):
                    place = i * size * product + f // columns * _BLOCK * columns
                    place += t * columns + f % columns
                    from_output(between, i * outputs * lanes, lanes, w, place, product)
        for xi in range(elements):
            for p in range(some):
                target = ((part * elements + xi) * panels + first_panel + p) * depth * columns
                for r in range(rows.shape[0]):
                    call_address(
                        rows[r, 0],
                        (
                            1,
                            0,
                            0,
                            count,
                            address_of(v, xi * plane + rows[r, 1]),
                            bytes,
                            pitch * bytes,
                            address_of(w, xi * product + p * _BLOCK * columns),
                            columns * bytes,
                            address_of(sums, target + rows[r, 1] * columns),
                            columns * bytes,
                            columns,
                            0,
                            ACCUMULATE if block > begin else 0,
                            0,
                        ),
                    )
    release(v)


def _transform_back(task, sums, grad, sizes):
    depth, filters, columns, window, size = sizes
    lanes = lanes_of(sums)
    between = allocate(sums.dtype, window * (size + window) * lanes)
    matrix = depth * columns
    step = sums.size // (size * size)
    for k in range(0, matrix, lanes):
        channel, filter = k // columns, task * columns + k % columns
        for i in range(size):
            place = i * step + task * matrix + k
            from_kernel(sums, place, size * step, between, i * lanes, size * lanes)
        for i in range(window):
            last = window * size * lanes
            from_kernel(between, i * size * lanes, lanes, between, last, lanes)
            for j in range(window):
                value = load(between, last + j * lanes)
                place = ((i * window + j) * depth + channel) * filters + filter
                store_first(grad, place, value, filters - filter)
    release(between)
