"""Softmax and its logarithm, with their gradients.

Along the last axis a task owns some rows; along another axis the loops run over neighbouring
columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.vector_math import exp, log, maximum, subtract
from nkeras_numba_cpu.emit.views import allocate, part, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import Tasks, tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty

ROWS = 2048  # elements of the rows of one task
COLUMNS = 256  # columns of one task
WORK = 20  # simple operations for each element, roughly


@KERNELS.register
def softmax(x: np.ndarray, *, axis: int) -> np.ndarray:
    return _softmax_family(x, axis, False)


@KERNELS.register
def log_softmax(x: np.ndarray, *, axis: int) -> np.ndarray:
    return _softmax_family(x, axis, True)


@KERNELS.register
def softmax_grad(grad_y: np.ndarray, y: np.ndarray, *, axis: int) -> np.ndarray:
    """`y * (grad_y - sum(grad_y * y))`."""
    return _gradient(grad_y, y, axis, False)


@KERNELS.register
def log_softmax_grad(grad_y: np.ndarray, y: np.ndarray, *, axis: int) -> np.ndarray:
    """`grad_y - exp(y) * sum(grad_y)`."""
    return _gradient(grad_y, y, axis, True)


def row_tasks(rows: int, n: int) -> tuple[int, int]:
    """How many rows a task owns, and how many tasks that makes."""
    step = max(1, ROWS // n)
    return step, -(-rows // step)


def _softmax_family(x: np.ndarray, axis: int, logarithm: bool) -> np.ndarray:
    source = operand(x)
    y = empty(source.shape, source.dtype)
    if x.size:
        _launch(_rows, _columns, x.size * WORK, axis, [source, y], logarithm)
    return stored(y, x.dtype)


def _gradient(grad_y: np.ndarray, y: np.ndarray, axis: int, logarithm: bool) -> np.ndarray:
    value = operand(y)
    grad_x = empty(value.shape, value.dtype)
    if y.size:
        work = y.size * (WORK if logarithm else 4)
        arrays = [operand(grad_y), value, grad_x]
        _launch(_gradient_rows, _gradient_columns, work, axis, arrays, logarithm)
    return stored(grad_x, y.dtype)


def _launch(
    rows: Tasks, columns: Tasks, work: int, axis: int, arrays: list[np.ndarray], logarithm: bool
) -> None:
    """The kernel for rows where the axis is the last one, else that for columns."""
    shape, size = arrays[0].shape, arrays[0].size
    wanted = logarithm or None  # None is a type: what it switches off is not compiled
    n, inner = shape[axis], math.prod(shape[axis + 1 :])
    flat = [array.reshape(-1) for array in arrays]
    if inner == 1:
        step, count = row_tasks(size // n, n)
        rows(count, work, *flat, n, step, wanted)
    else:
        count = size // (n * inner) * -(-inner // COLUMNS)
        columns(count, work, *flat, n, inner, wanted)


def summing(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels, with sums in the order that suits vector instructions."""
    return inner(function, fastmath={"contract", "reassoc", "nsz"})


@tasks(reassociate=True)
def _rows(task, x, y, n, step, logarithm):
    start = task * step * n
    for first in range(start, min(start + step * n, x.size), n):
        softmax_row(part(x, first, n), part(y, first, n), logarithm)


@summing
def softmax_row(x, y, logarithm):
    """Softmax of a row; its logarithm, unless `logarithm` is None."""
    largest, total = x[0], y.dtype.type(0)
    for j in range(x.size):
        largest = maximum(largest, x[j])
    for j in range(x.size):
        y[j] = exp(subtract(x[j], largest))
    # In a loop of its own: where y begins a few elements behind x, LLVM takes a loop over both one
    # by one, and the order of the sum would depend on where arrays lie.
    for j in range(x.size):
        total += y[j]
    if logarithm is not None:
        difference = log(total)
        for j in range(x.size):
            # Not one difference: the maximum may be large against the logarithm.
            y[j] = subtract(subtract(x[j], largest), difference)
    else:
        scale = y.dtype.type(1) / total
        for j in range(x.size):
            y[j] *= scale


@tasks(reassociate=True)
def _gradient_rows(task, grad_y, y, grad_x, n, step, logarithm):
    start = task * step * n
    size = min(step * n, y.size - start)
    if logarithm is not None:
        value, target = part(y, start, size), part(grad_x, start, size)
        for j in range(size):
            target[j] = exp(value[j])
    for first in range(start, start + size, n):
        grad, value, target = part(grad_y, first, n), part(y, first, n), part(grad_x, first, n)
        total = y.dtype.type(0)
        if logarithm is not None:
            for j in range(n):
                total += grad[j]
            for j in range(n):
                target[j] = grad[j] - target[j] * total
        else:
            for j in range(n):
                total += grad[j] * value[j]
            for j in range(n):
                target[j] = value[j] * (grad[j] - total)


@inner
def _block(task, n, inner):
    """Where the columns of a task begin, and how many they are."""
    blocks = (inner + COLUMNS - 1) // COLUMNS
    outer = task // blocks
    first = (task - outer * blocks) * COLUMNS
    return outer * n * inner + first, min(COLUMNS, inner - first)


@tasks
def _columns(task, x, y, n, inner, logarithm):
    start, width = _block(task, n, inner)
    stop = start + n * inner
    largest, total = allocate(x.dtype, width), allocate(x.dtype, width)
    for j in range(width):
        largest[j], total[j] = x[start + j], 0
    for i in range(start, stop, inner):
        row = part(x, i, width)
        for j in range(width):
            largest[j] = maximum(largest[j], row[j])
    for i in range(start, stop, inner):
        row, target = part(x, i, width), part(y, i, width)
        for j in range(width):
            target[j] = exp(row[j] - largest[j])
        for j in range(width):
            total[j] += target[j]
    for j in range(width):
        total[j] = log(total[j]) if logarithm is not None else y.dtype.type(1) / total[j]
    for i in range(start, stop, inner):
        row, target = part(x, i, width), part(y, i, width)
        if logarithm is not None:
            for j in range(width):
                target[j] = row[j] - largest[j]
            for j in range(width):
                target[j] -= total[j]
        else:
            for j in range(width):
                target[j] *= total[j]
    release(largest)
    release(total)


@tasks
def _gradient_columns(task, grad_y, y, grad_x, n, inner, logarithm):
    start, width = _block(task, n, inner)
    total = allocate(y.dtype, width)
    for j in range(width):
        total[j] = 0
    for i in range(start, start + n * inner, inner):
        grad, value = part(grad_y, i, width), part(y, i, width)
        for j in range(width):
            total[j] += grad[j] if logarithm is not None else grad[j] * value[j]
    for i in range(start, start + n * inner, inner):
        grad, value, target = part(grad_y, i, width), part(y, i, width), part(grad_x, i, width)
        if logarithm is not None:
            for j in range(width):
                target[j] = grad[j] - exp(value[j]) * total[j]
        else:
            for j in range(width):
                target[j] = value[j] * (grad[j] - total[j])
    release(total)
