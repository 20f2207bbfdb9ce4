"""The gradient of a convolution for its kernel, on the micro-kernel.

It is a product of x, transposed and read in place, with grad_y: a row for each tap and channel, and
a sum over all pixels. The sum is cut into a number of parts that depends on the shapes alone.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.convolution_direct import fill
from nkeras_numba_cpu.convolution_plans import KernelPlan
from nkeras_numba_cpu.drivers import call_address, tasks
from nkeras_numba_cpu.memory import empty
from nkeras_numba_cpu.micro import ACCUMULATE
from nkeras_numba_cpu.simd import address_of, lanes_of, load_first, store

_PIECE = 4096  # elements of the kernel that one task adds up


def grad_kernel(x: np.ndarray, grad_y: np.ndarray, plan: KernelPlan) -> np.ndarray:
    """The gradient for the kernel, flat; x and grad_y are contiguous."""
    parts = empty((plan.blocks * plan.size,), x.dtype)
    _grad_kernel(
        plan.blocks * -(-len(plan.panels) // plan.some), plan.work, x.reshape(-1),
        grad_y.reshape(-1), parts, plan.blocks, plan.some, plan.sizes, plan.box, plan.units,
        plan.tiles, plan.panels,
    )  # fmt: skip
    return parts if plan.blocks == 1 else add_parts(parts, plan.blocks)


def add_parts(parts: np.ndarray, count: int) -> np.ndarray:
    """The sum of `count` arrays that lie behind each other."""
    total = empty((parts.size // count,), parts.dtype)
    _add_parts(-(-total.size // _PIECE), parts.size, parts, total)
    return total


@tasks
def _add_parts(task, parts, total):
    first = task * _PIECE
    target = total[first : first + _PIECE]
    for part in range(parts.size // total.size):
        source = parts[part * total.size + first :]
        for j in range(target.size):
            target[j] = source[j] if part == 0 else target[j] + source[j]


@tasks
def _grad_kernel(task, x, grad_y, parts, blocks, some, sizes, box, units, tiles, panels):
    a_tap, a_step, filters, columns, copied, b_tap = sizes
    size, lanes = x.itemsize, lanes_of(x)
    block = task % blocks
    first_panel = task // blocks * some
    last_panel = min(panels.shape[0], first_panel + some)
    scratch = np.empty(box[0] * box[1] * box[8], x.dtype)
    # Vectors reach beyond the end of a row of grad_y, and such rows lie apart.
    pixels = units[0, 6] * units[0, 7]
    copy = np.empty(pixels * columns * some * copied, x.dtype)
    first = units.shape[0] * block // blocks
    for u in range(first, units.shape[0] * (block + 1) // blocks):
        unit = units[u]
        fill(scratch, x, box, unit)
        for i in range(unit[6] * unit[7] * copied):
            place = unit[5] + i // unit[7] * b_tap + i % unit[7] * filters
            for p in range(first_panel, last_panel):
                for j in range(0, columns, lanes):
                    values = load_first(grad_y, place + panels[p, 1] + j, panels[p, 2] - j)
                    store(copy, ((p - first_panel) * pixels + i) * columns + j, values)
        for p in range(first_panel, last_panel):
            panel = panels[p]
            a = (address_of(scratch, 0) if box[0] else address_of(x, unit[0])) + panel[0] * size
            b, b_step, b_rows = address_of(grad_y, unit[5] + panel[1]), filters, b_tap
            if copied:
                b = address_of(copy, (p - first_panel) * pixels * columns)
                b_step, b_rows = columns, unit[7] * columns
            c = address_of(parts, block * (parts.size // blocks) + panel[1])
            for i in range(tiles.shape[0]):
                tile = tiles[i]
                call_address(
                    tile[0],
                    (
                        unit[6],
                        a_tap,
                        b_rows * size,
                        unit[7],
                        a + tile[1],
                        size,
                        a_step,
                        b,
                        b_step * size,
                        c + tile[2],
                        filters * size,
                        panel[2],
                        0,
                        ACCUMULATE if u > first else 0,
                    ),
                )
