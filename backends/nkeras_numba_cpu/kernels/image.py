"""Resampling of images along an axis.

The table of an axis says which cells each new one is made of. Where much lies behind the axis, a
row of the table is some sums of whole lines. Where little does, such as the channels behind the
width, the table is spread over the elements of a line, so that these are summed side by side.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from nkeras.backend.resampling import rows
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 32768  # elements that one task makes
NARROW = 16  # fewer elements than these behind the axis are no line worth a loop of its own


@KERNELS.register
def resample(
    x: np.ndarray,
    *,
    axis: int,
    size: int,
    method: str,
    antialias: bool,
    scale: float,
    translation: float,
    transposed: bool,
) -> np.ndarray:
    """Each cell along an axis is a weighted sum of some cells of x."""
    result = empty((*x.shape[:axis], size, *x.shape[axis + 1 :]), compute_dtype(x.dtype))
    before, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    if not (result.size and before):
        fill(result, 0)
        return stored(result, x.dtype)
    key = (before, size, method, antialias, scale, translation, transposed)
    source, target = operand(x).reshape(-1), result.reshape(-1)
    outer = math.prod(x.shape[:axis])
    if inner < NARROW:
        cells, weights = spread(key, inner, result.dtype.str)
        group = max(1, GRAIN // (size * inner))
        numbers = (outer, before * inner, size * inner, len(cells), group)
        work = target.size * len(cells)
        _sum_elements(-(-outer // group), work, source, target, cells, weights, numbers)
    else:
        cells, weights = table(key, result.dtype.str)
        group = max(1, GRAIN // inner)
        numbers = (outer, before, size, inner, cells.shape[1], group)
        count, work = -(-outer * size // group), target.size * cells.shape[1]
        _sum_lines(count, work, source, target, cells, weights, numbers)
    return stored(result, x.dtype)


@lru_cache(maxsize=256)
def table(key: tuple, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of an axis, as loops take them."""
    table = rows(*key)
    return table.cells, np.ascontiguousarray(table.weights, np.dtype(dtype))


@lru_cache(maxsize=256)
def spread(key: tuple, inner: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """By term and element of a line: which element of the old line, and its weight."""
    table = rows(*key)
    cells = table.cells.T[:, :, None] * inner + np.arange(inner, dtype=np.int32)
    weights = np.repeat(table.weights.T, inner, axis=1)
    cells = cells.reshape(len(cells), -1).astype(np.int32)
    return np.ascontiguousarray(cells), np.ascontiguousarray(weights, np.dtype(dtype))


@tasks
def _sum_lines(task, x, y, cells, weights, numbers):
    outer, before, size, inner, terms, group = numbers
    for line in range(task * group, min(task * group + group, outer * size)):
        image = line // size
        i = line - image * size
        target = part(y, line * inner, inner)
        for t in range(terms):
            weight = weights[i, t]
            source = part(x, (image * before + cells[i, t]) * inner, inner)
            if t == 0:
                for j in range(inner):
                    target[j] = weight * source[j]
            elif weight != 0:
                for j in range(inner):
                    target[j] += weight * source[j]


@tasks
def _sum_elements(task, x, y, cells, weights, numbers):
    outer, before, size, terms, group = numbers
    for line in range(task * group, min(task * group + group, outer)):
        source, target = part(x, line * before, before), part(y, line * size, size)
        first, factor = cells[0], weights[0]
        for j in range(size):
            target[j] = factor[j] * source[np.uint64(first[j])]
        zero = y.dtype.type(0)
        for t in range(1, terms):
            others, factors = cells[t], weights[t]
            for j in range(size):
                product = factors[j] * source[np.uint64(others[j])]
                target[j] += product if factors[j] != 0 else zero
