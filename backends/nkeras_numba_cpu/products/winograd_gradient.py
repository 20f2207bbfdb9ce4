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

from nkeras_numba_cpu.emit.records import numbers, record, row, stacked, table
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import address_of, lanes_of, load, store_first
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
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, Call, micro_kernels
from nkeras_numba_cpu.products.tables import Box
from nkeras_numba_cpu.products.winograd import Patch, bind, tile_box, tile_patches
from nkeras_numba_cpu.products.winograd_transforms import TRANSFORMS

_BLOCK = 28  # tiles that are transformed at a time
_LEAST = 128  # tiles of a part: adding the parts up costs little beside


class Sizes(NamedTuple):
    """What the tasks share; distances are in elements."""

    parts: int  # that the sums are made in
    depth: int
    filters: int
    columns: int  # of a panel
    panels: int
    some: int  # panels of a task
    pixel_x: int  # of the copies
    pixel_y: int
    row_x: int
    row_y: int
    outputs: int
    size: int  # of a transformed tile


class KernelSizes(NamedTuple):
    """What transforming the kernel back needs to know."""

    depth: int
    filters: int
    columns: int  # of a panel
    window: int
    size: int  # of a transformed tile


class Rows(NamedTuple):
    """As many rows of the kernel as are in registers at a time."""

    kernel: int  # the address of the micro-kernel for so many
    first: int


class Schedule(NamedTuple):
    """What the gradient launches."""

    tasks: int
    work: int
    parts: int
    panels: int
    size: int  # of the transformed kernel
    sizes: tuple[int, ...]  # Sizes
    kernel_sizes: tuple[int, ...]  # KernelSizes
    box_x: tuple[int, ...]  # Box
    box_y: tuple[int, ...]
    tiles_x: np.ndarray  # Patch
    tiles_y: np.ndarray
    rows: np.ndarray  # Rows
    kernel: int  # its elements


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
    grad = empty((schedule.kernel,), x.dtype)
    transform_back(schedule.panels, schedule.size, sums, grad, schedule.kernel_sizes)
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
    of_images = tile_patches(shapes.x[0], y, x, depth, lanes, outputs, inputs)
    of_outputs = tile_patches(shapes.x[0], of_y, of_x, filters, lanes, outputs, outputs)
    tiles_x, tiles_y = stacked(Patch, **of_images), stacked(Patch, **of_outputs)
    parts = max(1, min(-(-16 // panels), len(tiles_x) // _LEAST))
    some = max(1, min(4, parts * panels // 8))
    most = 8 if depth % 8 == 0 else tile_rows(depth, kernels.rows)
    rows = tiles_of(depth, min(most, kernels.rows))
    addresses = kernels.table(*{count for _, count in rows})
    padded_x, padded_y = (-(-size // lanes) * lanes for size in (depth, filters))
    sizes = Sizes(
        parts=parts,
        depth=depth,
        filters=filters,
        columns=columns,
        panels=panels,
        some=some,
        pixel_x=padded_x,
        pixel_y=padded_y,
        row_x=x.size * depth,
        row_y=x.extent * filters,
        outputs=outputs,
        size=inputs,
    )
    kernel_sizes = KernelSizes(depth, filters, columns, window=3, size=inputs)
    return Schedule(
        parts * -(-panels // some),
        2 * shapes.x[0] * y.extent * x.extent * 9 * depth * filters,
        parts,
        panels,
        inputs * inputs * panels * depth * columns,
        numbers(sizes),
        numbers(kernel_sizes),
        numbers(tile_box(inputs, y.size, x.size, depth, padded_x)),
        numbers(tile_box(outputs, y.extent, x.extent, filters, padded_y)),
        tiles_x,
        tiles_y,
        table(Rows, [Rows(int(addresses[count]), first) for first, count in rows]),
        9 * depth * filters,
    )


@cache
def _kernels(outputs: int) -> tuple[Tasks, Tasks]:
    """The two compiled functions for tiles of outputs x outputs."""
    bound = TRANSFORMS[outputs]._asdict()
    return (
        bind(_multiply, outputs, bound, (_kernel, (outputs, 0))),
        bind(_transform_back, outputs, bound, (_kernel, (outputs, 1))),
    )


def _kernel(outputs: int, place: int) -> Tasks:
    return _kernels(outputs)[place]


to_input: Any = None  # what `bind` replaces
from_output: Any = None
from_kernel: Any = None


def _multiply(task, x, grad_y, sums, sizes, box_x, box_y, tiles_x, tiles_y, rows):
    of, of_x, of_y = record(Sizes, sizes), record(Box, box_x), record(Box, box_y)
    parts, columns, panels, outputs, size = of.parts, of.columns, of.panels, of.outputs, of.size
    pixel_x, pixel_y = of.pixel_x, of.pixel_y
    lanes, bytes, elements = lanes_of(x), x.itemsize, size * size
    part, first_panel = task % parts, task // parts * of.some
    some = min(of.some, panels - first_panel)
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
            tile = row(Patch, tiles_x, block + t)
            source, start, line = x, tile.window.start, of.row_x
            if tile.copied:
                fill(patch_x, x, of_x, tile.window)
                source, start, line = patch_x, 0, size * pixel_x
            for c in range(0, of.depth, lanes):
                for i in range(size):
                    place = start + i * pixel_x + c
                    to_input(source, place, line, between, i * lanes, size * lanes)
                for i in range(size):
                    place = i * size * plane + t * pitch + c
                    to_input(between, i * size * lanes, lanes, v, place, plane)
            tile = row(Patch, tiles_y, block + t)
            source, start, line = grad_y, tile.window.start, of.row_y
            if tile.copied:
                fill(patch_y, grad_y, of_y, tile.window)
                source, start, line = patch_y, 0, outputs * pixel_y
            first = first_panel * columns
            for f in range(0, min(columns * some, of.filters - first), lanes):
                for i in range(outputs):
                    place = start + i * pixel_y + first + f
                    from_output(source, place, line, between, i * lanes, outputs * lanes)
                for i in range(size):
                    place = i * size * product + f // columns * _BLOCK * columns
                    place += t * columns + f % columns
                    from_output(between, i * outputs * lanes, lanes, w, place, product)
        for xi in range(elements):
            for p in range(some):
                matrix = (part * elements + xi) * panels + first_panel + p
                target = matrix * of.depth * columns
                for r in range(rows.shape[0]):
                    some_rows = row(Rows, rows, r)
                    call_address(
                        some_rows.kernel,
                        Call(
                            taps=1,
                            a_tap=0,
                            b_tap=0,
                            depth=count,
                            a=address_of(v, xi * plane + some_rows.first),
                            a_row=bytes,
                            a_step=pitch * bytes,
                            b=address_of(w, xi * product + p * _BLOCK * columns),
                            b_step=columns * bytes,
                            c=address_of(sums, target + some_rows.first * columns),
                            c_row=columns * bytes,
                            columns=columns,
                            bias=0,
                            mode=ACCUMULATE if block > begin else 0,
                            onto=0,
                        ),
                    )
    release(v)


def _transform_back(task, sums, grad, sizes):
    of = record(KernelSizes, sizes)
    columns, window, size = of.columns, of.window, of.size
    lanes = lanes_of(sums)
    between = allocate(sums.dtype, window * (size + window) * lanes)
    matrix = of.depth * columns
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
                place = ((i * window + j) * of.depth + channel) * of.filters + filter
                store_first(grad, place, value, of.filters - filter)
    release(between)
