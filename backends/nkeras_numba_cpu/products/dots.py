"""Few rows times a matrix that lies transposed: dot products of lines as they lie in memory.

To pack such a matrix into panels, as `gemm` does, takes longer than this for up to `ROWS` rows, and
for small products.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.memory.allocation import empty

ROWS = 8
_SMALL = 1 << 15  # multiplications
# Elements of the matrix for one task; and how many of them, times rows, are the work of one
# operation: most of it is waiting for the matrix.
_READS, _SPEED = 1 << 16, 8


def is_faster(sizes: tuple[int, int, int]) -> bool:
    """Than a product with a packed matrix; sizes are rows, columns, inner."""
    rows, columns, inner = sizes
    return rows <= ROWS or rows * columns * inner <= _SMALL


def product(a: np.ndarray, b: np.ndarray, sizes: tuple[int, int, int]) -> np.ndarray:
    """`a @ b.T` of contiguous float arrays, `(rows, inner)` and `(columns, inner)`, flat."""
    rows, columns, inner = sizes
    c = empty((rows * columns,), a.dtype)
    step = max(4, _READS // inner // 4 * 4)
    work = rows * columns * inner // _SPEED
    _dots(-(-columns // step), work, a.reshape(-1), b.reshape(-1), inner, step, c)
    return c


@tasks(reassociate=True)
def _dots(task, a, b, inner, step, c):
    rows = a.size // inner
    columns = c.size // rows
    first, last = task * step, min(task * step + step, columns)
    whole = first + (last - first) // 4 * 4
    for i in range(rows):
        row, target = part(a, i * inner, inner), part(c, i * columns, columns)
        for j in range(first, whole, 4):
            lines = part(b, j * inner, 4 * inner)
            u, v = part(lines, 0, inner), part(lines, inner, inner)
            x, y = part(lines, 2 * inner, inner), part(lines, 3 * inner, inner)
            of_u = of_v = of_x = of_y = c.dtype.type(0)
            for k in range(inner):
                of_u += row[k] * u[k]
                of_v += row[k] * v[k]
                of_x += row[k] * x[k]
                of_y += row[k] * y[k]
            target[j], target[j + 1], target[j + 2], target[j + 3] = of_u, of_v, of_x, of_y
        for j in range(whole, last):
            line = part(b, j * inner, inner)
            total = c.dtype.type(0)
            for k in range(inner):
                total += row[k] * line[k]
            target[j] = total
