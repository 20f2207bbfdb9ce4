"""The gradient of a convolution for its kernel, on the micro-kernel.

It is a product of x, transposed and read in place, with grad_y: a row for each tap and channel, and
a sum over all pixels. The sum is cut into a number of parts that depends on the shapes alone.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.records import numbers, record, row, table
from nkeras_numba_cpu.emit.simd import address_of, lanes_of, load_first, store
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.emit.views import part as part_of
from nkeras_numba_cpu.launch.tasks import call_address, tasks
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products.direct import elements, fill
from nkeras_numba_cpu.products.geometry import (
    Axis,
    Shapes,
    blocks_of,
    forward_axes,
    tile_rows,
    tiles_of,
    vectors_for,
)
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, Call, MicroKernels, micro_kernels
from nkeras_numba_cpu.products.tables import NO_BOX, Box, Tile, Window, x_window

_PIECE = 4096  # elements of the kernel that one task adds up
_UNIT = 1 << 17  # elements of x that a sum over pixels reads again for each tile of the kernel
_PARTS = 1 << 18  # elements that the parts of a kernel's gradient have, if tasks are enough
_LEAST, _MANY = 200_000, 32  # multiplications of a task at least, parts of a sum at most


class Steps(NamedTuple):
    """What all products share; distances in x are in bytes, those in grad_y in elements."""

    a_tap: int
    a_step: int
    filters: int
    columns: int  # of a panel
    copied: int  # whether panels of grad_y are
    b_row: int


class Unit(NamedTuple):
    """Some outputs, over which a sum is made; places are in elements."""

    window: Window
    grad_y: int
    rows: int
    columns: int


class Panel(NamedTuple):
    """Columns of the kernel; places are in elements."""

    a: int
    c: int  # and in a pixel of grad_y
    columns: int


class KernelSchedule(NamedTuple):
    """What the gradient for the kernel launches."""

    steps: tuple[int, ...]  # Steps
    box: tuple[int, ...]  # Box
    units: np.ndarray  # Unit
    tiles: np.ndarray  # Tile
    panels: np.ndarray  # Panel
    blocks: int  # the sum is made in so many parts, each over a range of units
    some: int  # panels of one task
    work: int
    size: int  # of the kernel


@lru_cache(maxsize=512)
def kernel_schedule(shapes: Shapes, dtype: str) -> KernelSchedule:
    """The schedule of the gradient for the kernel, whose rows are taps times channels."""
    axes, groups = forward_axes(shapes)[0], shapes.groups
    z, y, x = axes
    channels, filters = shapes.x[-1], shapes.kernel[-1]
    size = np.dtype(dtype).itemsize
    kernels = micro_kernels(dtype, vectors_for(filters // groups, dtype))
    panels = -(-(filters // groups) // kernels.columns)
    padded = any(axis.padded for axis in axes)
    pixels = max(64, min(256, _UNIT // (channels * x.stride * y.stride * (2 if padded else 1))))
    columns = blocks_of(x.extent, min(x.extent, 256), even=True)
    rows = blocks_of(y.extent, min(y.extent, max(1, pixels // columns[0][1])))
    width = x.reach(columns[0][1]) * channels
    box = NO_BOX
    pitch, plane = x.size * channels, z.rate * y.size * x.size * channels
    if padded:
        height = y.reach(rows[0][1])
        box = Box(len(z.taps), height, z.rate, z.size, y.size, pitch, 1, width, width)
        pitch, plane = width, height * width
    units = []
    for n, i in itertools.product(range(shapes.x[0]), range(z.extent)):
        for (top, height), (left, count) in itertools.product(rows, columns):
            window = x_window(axes, n, i * z.stride - z.low, top, left, count, channels)
            place = ((n * z.extent + i) * y.extent + top) * x.extent + left
            units.append(Unit(window, grad_y=place * filters, rows=height, columns=count))
    work = 2 * math.prod(shapes.kernel) * shapes.x[0] * math.prod(shapes.spatial)
    panels *= groups
    # Small kernels need parts of the sum for many tasks, large ones have panels enough.
    total = math.prod(shapes.kernel)
    blocks = max(-(-16 // panels), min(_MANY, _PARTS // total))
    blocks = max(1, min(len(units), blocks, work // _LEAST // 2))
    steps = Steps(
        a_tap=y.stride * pitch * size,
        a_step=x.stride * channels * size,
        filters=filters,
        columns=kernels.columns,
        copied=int(filters != kernels.columns),
        b_row=x.extent * filters,
    )
    return KernelSchedule(
        numbers(steps),
        numbers(box),
        table(Unit, units),
        _kernel_tiles(axes, shapes, kernels, pitch, plane, size),
        _kernel_panels(shapes, kernels.columns, panels // groups),
        blocks,
        max(1, min(8, blocks * panels // 16)),
        work,
        total,
    )


def _kernel_panels(shapes: Shapes, columns: int, count: int) -> np.ndarray:
    """The panels of the kernel, `count` for each group."""
    channels, filters = shapes.kernel[-2], shapes.kernel[-1] // shapes.groups
    panels = [
        Panel(
            a=group * channels,
            c=group * filters + j * columns,
            columns=min(columns, filters - j * columns),
        )
        for group, j in itertools.product(range(shapes.groups), range(count))
    ]
    return table(Panel, panels)


def _kernel_tiles(
    axes: tuple[Axis, ...], shapes: Shapes, kernels: MicroKernels, pitch: int, plane: int, size: int
) -> np.ndarray:
    """The tiles of rows of the kernel: where their x and their results lie."""
    taps_z, taps_y, taps_x = (len(axis.taps) for axis in axes)
    channels, filters = shapes.x[-1], shapes.kernel[-1]
    depth = channels // shapes.groups
    if shapes.groups == 1 and (axes[2].rate == 1 or taps_x == 1):
        depth, taps_x = depth * taps_x, 1
    tiles = tiles_of(depth, tile_rows(depth, kernels.rows))
    addresses = kernels.table(*{count for _, count in tiles})
    made = []
    for kz, ky, kx in itertools.product(range(taps_z), range(taps_y), range(taps_x)):
        a = kz * plane + ky * axes[1].rate * pitch + kx * axes[2].rate * channels
        line = ((kz * taps_y + ky) * taps_x + kx) * depth
        made += [
            Tile(kernel=int(addresses[count]), a=(a + i) * size, c=(line + i) * filters * size)
            for i, count in tiles
        ]
    return table(Tile, made)


def grad_kernel(x: np.ndarray, grad_y: np.ndarray, schedule: KernelSchedule) -> np.ndarray:
    """The gradient for the kernel, flat; x and grad_y are contiguous."""
    parts = empty((schedule.blocks * schedule.size,), x.dtype)
    _grad_kernel(
        schedule.blocks * -(-len(schedule.panels) // schedule.some), schedule.work, x.reshape(-1),
        grad_y.reshape(-1), parts, schedule.blocks, schedule.some, schedule.steps, schedule.box,
        schedule.units, schedule.tiles, schedule.panels,
    )  # fmt: skip
    return parts if schedule.blocks == 1 else add_parts(parts, schedule.blocks)


def add_parts(parts: np.ndarray, count: int) -> np.ndarray:
    """The sum of `count` arrays that lie behind each other."""
    total = empty((parts.size // count,), parts.dtype)
    _add_parts(-(-total.size // _PIECE), parts.size, parts, total)
    return total


@tasks
def _add_parts(task, parts, total):
    first = task * _PIECE
    target = part_of(total, first, min(_PIECE, total.size - first))
    for part in range(parts.size // total.size):
        source = part_of(parts, part * total.size + first, target.size)
        for j in range(target.size):
            target[j] = source[j] if part == 0 else target[j] + source[j]


@tasks
def _grad_kernel(task, x, grad_y, parts, blocks, some, steps, box, units, tiles, panels):
    of, copied = record(Steps, steps), record(Box, box)
    columns, size, lanes = of.columns, x.itemsize, lanes_of(x)
    block = task % blocks
    first_panel = task // blocks * some
    last_panel = min(panels.shape[0], first_panel + some)
    scratch = allocate(x.dtype, elements(copied))
    # Vectors reach beyond the end of a row of grad_y, and such rows lie apart.
    largest = row(Unit, units, 0)
    pixels = largest.rows * largest.columns
    copy = allocate(x.dtype, pixels * columns * some * of.copied)
    first = units.shape[0] * block // blocks
    for u in range(first, units.shape[0] * (block + 1) // blocks):
        unit = row(Unit, units, u)
        fill(scratch, x, copied, unit.window)
        for i in range(unit.rows * unit.columns * of.copied):
            place = unit.grad_y + i // unit.columns * of.b_row + i % unit.columns * of.filters
            for p in range(first_panel, last_panel):
                panel = row(Panel, panels, p)
                for j in range(0, columns, lanes):
                    values = load_first(grad_y, place + panel.c + j, panel.columns - j)
                    store(copy, ((p - first_panel) * pixels + i) * columns + j, values)
        for p in range(first_panel, last_panel):
            panel = row(Panel, panels, p)
            a = address_of(scratch, 0) if copied.planes else address_of(x, unit.window.start)
            b, b_step, b_row = address_of(grad_y, unit.grad_y + panel.c), of.filters, of.b_row
            if of.copied:
                b = address_of(copy, (p - first_panel) * pixels * columns)
                b_step, b_row = columns, unit.columns * columns
            c = address_of(parts, block * (parts.size // blocks) + panel.c)
            for i in range(tiles.shape[0]):
                tile = row(Tile, tiles, i)
                call_address(
                    tile.kernel,
                    Call(
                        taps=unit.rows,
                        a_tap=of.a_tap,
                        b_tap=b_row * size,
                        depth=unit.columns,
                        a=a + panel.a * size + tile.a,
                        a_row=size,
                        a_step=of.a_step,
                        b=b,
                        b_step=b_step * size,
                        c=c + tile.c,
                        c_row=of.filters * size,
                        columns=panel.columns,
                        bias=0,
                        mode=ACCUMULATE if u > first else 0,
                        onto=0,
                    ),
                )
    release(scratch)
    release(copy)
