"""Optimizer updates by gradients of rows that were taken from a variable.

The results are those of `take_grad` and then the update, bit by bit: a gradient of zero changes
nothing. Rows that no index names are left alone where the result is written over the variable, as
plans do.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.kernels.indexing import by_range, in_range, ranges_of
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import contiguous, move_line
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

Rate = float | np.ndarray


@KERNELS.register
def sgd_row_update(
    w: np.ndarray, grad_y: np.ndarray, indices: np.ndarray, *, learning_rate: Rate
) -> np.ndarray:
    return _updated(_descend, grad_y, indices, (w,), (_rate(learning_rate),))[0]


@KERNELS.register
def adagrad_row_update(
    w: np.ndarray,
    grad_y: np.ndarray,
    indices: np.ndarray,
    a: np.ndarray,
    *,
    learning_rate: Rate,
    epsilon: float,
) -> tuple[np.ndarray, ...]:
    settings = (_rate(learning_rate), np.array([epsilon], np.float64))
    return _updated(_descend_by_squares, grad_y, indices, (w, a), settings)


def _rate(learning_rate: Rate) -> np.ndarray:
    if isinstance(learning_rate, np.ndarray):
        return learning_rate
    return np.array([learning_rate], np.float64)


def _updated(
    kernel: Callable[..., None],
    grad_y: np.ndarray,
    indices: np.ndarray,
    old: tuple[np.ndarray, ...],
    settings: tuple[np.ndarray, ...],
) -> tuple[np.ndarray, ...]:
    if not grad_y.size:
        return tuple(contiguous(x) for x in old)
    values, rows = operand(grad_y).reshape(-1), operand(indices).reshape(-1)
    given = [operand(x) for x in old]
    results = [empty(x.shape, x.dtype) for x in given]
    n, length = len(old[0]), values.size // rows.size
    ranges, height = ranges_of(n, length)
    order, starts = by_range(rows, n, ranges, height)
    sums = empty((n * length,), values.dtype)  # only those of rows that are used
    flat = [x.reshape(-1) for x in (sums, *given, *results)]
    numbers = (n, length, height)
    kernel(ranges, values.size * 4, values, rows, order, starts, *settings, *flat, numbers)
    return tuple(stored(y, grad_y.dtype) for y in results)


@inner
def _keep(old, new, task, numbers):
    """Copy the rows of a task, unless they stay where they are."""
    n, length, height = numbers
    if old.ctypes.data != new.ctypes.data:
        first = task * height
        move_line(new, first * length, old, first * length, min(height, n - first) * length)


@inner
def _add_up(task, values, rows, order, starts, sums, numbers):
    """Add the gradients of each row that is used, in the order of the indices."""
    n, length, _ = numbers
    for k in range(starts[task], starts[task + 1]):
        start = in_range(rows[order[k]], n) * length
        sums[start : start + length] = 0
    for k in range(starts[task], starts[task + 1]):
        i = order[k]
        start = in_range(rows[i], n) * length
        source, target = values[i * length : (i + 1) * length], sums[start : start + length]
        for j in range(length):
            target[j] += source[j]


@tasks
def _descend(task, values, rows, order, starts, rate, sums, w, new_w, numbers):
    n, length, _ = numbers
    _keep(w, new_w, task, numbers)
    _add_up(task, values, rows, order, starts, sums, numbers)
    step = w.dtype.type(rate[0])
    for k in range(starts[task], starts[task + 1]):
        start = in_range(rows[order[k]], n) * length
        g, target = sums[start : start + length], new_w[start : start + length]
        for j in range(length):
            target[j] = target[j] - step * g[j]
            g[j] = 0  # where the row comes again, it stays as it is now


@tasks
def _descend_by_squares(
    task, values, rows, order, starts, rate, epsilon, sums, w, a, new_w, new_a, numbers
):
    n, length, _ = numbers
    _keep(w, new_w, task, numbers)
    _keep(a, new_a, task, numbers)
    _add_up(task, values, rows, order, starts, sums, numbers)
    step, small = w.dtype.type(rate[0]), w.dtype.type(epsilon[0])
    for k in range(starts[task], starts[task + 1]):
        start = in_range(rows[order[k]], n) * length
        g, target = sums[start : start + length], new_w[start : start + length]
        squares = new_a[start : start + length]
        for j in range(length):
            squares[j] = squares[j] + g[j] * g[j]
            target[j] = target[j] - step * g[j] / math.sqrt(squares[j] + small)
            g[j] = 0
