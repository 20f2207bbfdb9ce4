"""Squared distances of all pairs of rows: products have no part in it, which would cancel."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.launch.tasks import tasks

ROWS = 4  # rows of x that one task compares with all of y


def distances(x: np.ndarray, y: np.ndarray, result: np.ndarray) -> None:
    """Write them into `result (batch, rows, others)`, of `x (batch, rows, features)` and such y."""
    batch, rows, others = result.shape
    strips = -(-rows // ROWS)
    flat = (x.reshape(-1), y.reshape(-1), result.reshape(-1))
    work = result.size * (1 + x.shape[-1])
    _distances(batch * strips, work, *flat, (rows, others, x.shape[-1], strips))


@tasks(reassociate=True)
def _distances(task, x, y, result, numbers):
    rows, others, features, strips = numbers
    batch = task // strips
    first = (task - batch * strips) * ROWS
    a, b, c, d = first, min(first + 1, rows - 1), min(first + 2, rows - 1), min(first + 3, rows - 1)
    start = batch * rows
    in_a, in_b = (
        part(x, (start + a) * features, features),
        part(x, (start + b) * features, features),
    )
    in_c, in_d = (
        part(x, (start + c) * features, features),
        part(x, (start + d) * features, features),
    )
    for j in range(others):
        line = part(y, (batch * others + j) * features, features)
        of_a = of_b = of_c = of_d = result.dtype.type(0)
        for k in range(features):
            to_a, to_b = in_a[k] - line[k], in_b[k] - line[k]
            to_c, to_d = in_c[k] - line[k], in_d[k] - line[k]
            of_a += to_a * to_a
            of_b += to_b * to_b
            of_c += to_c * to_c
            of_d += to_d * to_d
        result[(start + d) * others + j] = of_d
        result[(start + c) * others + j] = of_c
        result[(start + b) * others + j] = of_b
        result[(start + a) * others + j] = of_a
