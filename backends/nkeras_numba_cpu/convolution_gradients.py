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
from nkeras_numba_cpu.simd import address_of

_PIECE = 4096  # elements of the kernel that one task adds up


def grad_kernel(x: np.ndarray, grad_y: np.ndarray, plan: KernelPlan) -> np.ndarray:
    """The gradient for the kernel, flat; x and grad_y are contiguous."""
    parts = empty((plan.blocks * plan.size,), x.dtype)
    _grad_kernel(
        plan.blocks * len(plan.panels), plan.work, x.reshape(-1), grad_y.reshape(-1), parts,
        plan.blocks, plan.sizes, plan.box, plan.units, plan.tiles, plan.panels,
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
def _grad_kernel(task, x, grad_y, parts, blocks, sizes, box, units, tiles, panels):
    a_tap, a_step, filters, columns, copied, b_tap = sizes
    size = x.itemsize
    block = task % blocks
    panel = panels[task // blocks]
    c = address_of(parts, block * (parts.size // blocks) + panel[1])
    scratch = np.empty(box[0] * box[1] * box[8], x.dtype)
    # Vectors reach beyond the end of a row of grad_y, and such rows lie apart.
    panel_y = np.empty(units[0, 6] * units[0, 7] * columns * copied, x.dtype)
    first = units.shape[0] * block // blocks
    for u in range(first, units.shape[0] * (block + 1) // blocks):
        unit = units[u]
        fill(scratch, x, box, unit)
        a = (address_of(scratch, 0) if box[0] else address_of(x, unit[0])) + panel[0] * size
        start = unit[5] + panel[1]
        b, b_step, b_rows = address_of(grad_y, start), filters, b_tap
        if copied:
            b, b_step, b_rows = address_of(panel_y, 0), columns, unit[7] * columns
            for i in range(unit[6] * unit[7]):
                source = grad_y[start + i // unit[7] * b_tap + i % unit[7] * filters :]
                target = panel_y[i * columns :]
                for j in range(panel[2]):
                    target[j] = source[j]
                for j in range(panel[2], columns):
                    target[j] = 0
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
