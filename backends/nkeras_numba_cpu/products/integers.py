"""Products of matrices of integers, which wrap round; micro-kernels are for floats."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand
from nkeras_numba_cpu.memory.allocation import empty

ROWS = 4  # rows of the result that one task computes
WIDTH = 1024  # columns that are added up together, in the first-level cache


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`numpy.matmul` of integers, for operands of rank 2 or more; there are elements everywhere."""
    if x.ndim > 2 and y.ndim == 2:  # one matrix for the whole batch: the batch is more rows
        whole = product(operand(x).reshape(-1, x.shape[-1]), y)
        return whole.reshape(*x.shape[:-1], y.shape[-1])
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    rows, depth, columns = x.shape[-2], x.shape[-1], y.shape[-1]
    x = operand(np.broadcast_to(x, (*batch, rows, depth)))
    y = operand(np.broadcast_to(y, (*batch, depth, columns)))
    result = empty((*batch, rows, columns), x.dtype)
    strips = -(-rows // ROWS)
    count = result.size // (rows * columns) * strips
    flat = (x.reshape(-1), y.reshape(-1), result.reshape(-1))
    _product(count, result.size * depth, *flat, (rows, depth, columns, strips))
    return result


@tasks
def _product(task, x, y, result, numbers):
    rows, depth, columns, strips = numbers
    batch = task // strips
    first = (task - batch * strips) * ROWS
    a, b, c, d = first, min(first + 1, rows - 1), min(first + 2, rows - 1), min(first + 3, rows - 1)
    x = part(x, batch * rows * depth, rows * depth)
    y = part(y, batch * depth * columns, depth * columns)
    result = part(result, batch * rows * columns, rows * columns)
    sums = allocate(result.dtype, 4 * WIDTH)
    for column in range(0, columns, WIDTH):
        size = min(WIDTH, columns - column)
        of_a, of_b = part(sums, 0, size), part(sums, WIDTH, size)
        of_c, of_d = part(sums, 2 * WIDTH, size), part(sums, 3 * WIDTH, size)
        for j in range(4 * WIDTH):
            sums[j] = 0
        for k in range(depth):
            line = part(y, k * columns + column, size)
            in_a, in_b = x[a * depth + k], x[b * depth + k]
            in_c, in_d = x[c * depth + k], x[d * depth + k]
            for j in range(size):
                of_a[j] += in_a * line[j]
                of_b[j] += in_b * line[j]
                of_c[j] += in_c * line[j]
                of_d[j] += in_d * line[j]
        _write(of_d, result, d * columns + column)
        _write(of_c, result, c * columns + column)
        _write(of_b, result, b * columns + column)
        _write(of_a, result, a * columns + column)
    release(sums)


@inner
def _write(sums, result, start):
    line = part(result, start, sums.size)
    for j in range(sums.size):
        line[j] = sums[j]
