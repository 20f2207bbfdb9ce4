"""Gather and scatter. Indices are in range and never negative.

Scatter-adds of floats are compiled: a task owns a set of columns and walks through all indices in
order, so that the result is the same for any number of threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.memory import is_floating, operand, stored

# Columns per task of a scatter-add.
COLUMNS = 64


def take(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    return np.asarray(np.take(x, indices, axis=axis))


def take_grad(
    grad_y: np.ndarray, indices: np.ndarray, *, shape: tuple[int, ...], axis: int
) -> np.ndarray:
    """Zeros of `shape` with each slice of grad_y added where `take` found it."""
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    return _scatter_add(grad_y, indices, shape, (outer, shape[axis], inner))


def take_along_axis(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    return np.take_along_axis(x, indices, axis=axis)


def take_along_axis_grad(
    grad_y: np.ndarray, indices: np.ndarray, *, shape: tuple[int, ...], axis: int
) -> np.ndarray:
    """Zeros of `shape` with grad_y added where `take_along_axis` found its elements."""
    cells = np.zeros(grad_y.shape, np.int64)
    for d, size in enumerate(shape):
        if d == axis:
            coordinate = indices.astype(np.int64)
        else:  # all elements of a dimension that `take_along_axis` broadcast add to its one cell
            along = np.arange(grad_y.shape[d]) if size > 1 else np.zeros(1, np.int64)
            coordinate = along.reshape(-1, *(1,) * (len(shape) - d - 1))
        cells += coordinate * math.prod(shape[d + 1 :])
    return _scatter_add(grad_y, cells, shape, (1, math.prod(shape), 1))


def gather_nd(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    depth = indices.shape[-1]
    shape = (*indices.shape[:-1], *x.shape[depth:])
    if depth == 0:
        return np.broadcast_to(x, shape)
    return np.asarray(x[tuple(np.moveaxis(indices, -1, 0))]).reshape(shape)


def scatter_nd(indices: np.ndarray, values: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros of `shape` with `values` added at `indices`."""
    depth = indices.shape[-1]
    rows = _flat_index(indices, shape)
    return _scatter_add(
        values, rows, shape, (1, math.prod(shape[:depth]), math.prod(shape[depth:]))
    )


def scatter_update(x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """Copy of x with `updates` written at `indices`; the last write wins."""
    depth = indices.shape[-1]
    result = np.array(x, order="C")
    rows = _flat_index(indices, x.shape)
    if x.size and rows.size:
        table = result.reshape(math.prod(x.shape[:depth]), -1)
        table[rows] = updates.reshape(rows.size, -1)
    return result


def _flat_index(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Coordinates `(..., depth)` as row numbers in `shape` with its first dimensions joined."""
    depth = indices.shape[-1]
    rows = np.zeros(indices.shape[:-1], np.int64)
    for d in range(depth):
        rows += indices[..., d].astype(np.int64) * math.prod(shape[d + 1 : depth])
    return rows.reshape(-1)


def _scatter_add(
    values: np.ndarray,
    rows: np.ndarray,
    shape: tuple[int, ...],
    canonical: tuple[int, int, int],
) -> np.ndarray:
    """Zeros, seen as canonical (outer, n, inner), with values added at `rows` of n."""
    outer, _, inner = canonical
    floating = is_floating(values.dtype)
    source = operand(values)
    result = np.zeros(canonical, source.dtype)
    if values.size and result.size:
        index = operand(np.asarray(rows, np.int64)).reshape(-1)
        source = source.reshape(outer, index.size, inner)
        if floating:
            _add_rows(source.size, source, index, result)
        else:
            np.add.at(result.swapaxes(0, 1), index, source.swapaxes(0, 1))
    return stored(result.reshape(shape), values.dtype)


@parallel
def _add_rows(values, index, result):
    outer, _, inner = result.shape
    blocks = (inner + COLUMNS - 1) // COLUMNS
    for task in prange(outer * blocks):
        first = task % blocks * COLUMNS
        last = min(first + COLUMNS, inner)
        n = task // blocks
        for i in range(index.size):
            target = result[n, index[i], first:last]
            source = values[n, i, first:last]
            for j in range(last - first):
                target[j] += source[j]
