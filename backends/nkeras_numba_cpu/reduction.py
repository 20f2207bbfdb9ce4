"""Reductions, running sums and products, and sorting.

Sums and extremes of floats are compiled. An array is seen as `(outer, reduced, inner)`; one task
reduces a block of fixed size, whatever the number of threads, and the results of the blocks are
reduced in turn. Everything else is NumPy's, which is as fast and keeps the same order.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.memory import (
    compute_dtype,
    empty,
    is_floating,
    is_half,
    operand,
    stored,
)

Axes = tuple[int, ...]

# A block is ROWS x COLUMNS elements, or, where the reduced elements lie side by side, ROWS times
# LANES of them.
ROWS = 256
COLUMNS = 512
LANES = 32


def reduce_sum(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    if not is_floating(x.dtype):
        return np.asarray(np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype))
    return stored(_float_sum(x, axis, keepdims), x.dtype)


def reduce_mean(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    total = _float_sum(x, axis, keepdims)
    count = total.dtype.type(math.prod(x.shape[a] for a in axis))
    with np.errstate(all="ignore"):
        return stored(np.asarray(total / count), x.dtype)


def reduce_prod(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    values = operand(x) if x.ndim else x  # NumPy's order follows the layout: let it be one
    with np.errstate(all="ignore"):
        product = np.prod(values, axis=axis, keepdims=keepdims, dtype=compute_dtype(x.dtype))
        return stored(np.asarray(product), x.dtype)


def reduce_max(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    if x.size == 0:
        return _empty_result(x, axis, keepdims, x.dtype)
    if not is_floating(x.dtype):
        return np.asarray(np.max(x, axis=axis, keepdims=keepdims))
    return _extreme_float(x, axis, keepdims, 1)


def reduce_min(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    if x.size == 0:
        return _empty_result(x, axis, keepdims, x.dtype)
    if not is_floating(x.dtype):
        return np.asarray(np.min(x, axis=axis, keepdims=keepdims))
    return _extreme_float(x, axis, keepdims, -1)


def reduce_any(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return np.asarray(np.any(x, axis=axis, keepdims=keepdims))


def reduce_all(x: np.ndarray, *, axis: Axes, keepdims: bool) -> np.ndarray:
    return np.asarray(np.all(x, axis=axis, keepdims=keepdims))


def argmax(x: np.ndarray, *, axis: int, keepdims: bool) -> np.ndarray:
    if x.size == 0:
        return _empty_result(x, (axis,), keepdims, np.int32)
    return np.asarray(np.argmax(_widened(x), axis=axis, keepdims=keepdims), np.int32)


def argmin(x: np.ndarray, *, axis: int, keepdims: bool) -> np.ndarray:
    if x.size == 0:
        return _empty_result(x, (axis,), keepdims, np.int32)
    return np.asarray(np.argmin(_widened(x), axis=axis, keepdims=keepdims), np.int32)


def cumsum(x: np.ndarray, *, axis: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return stored(np.cumsum(x, axis=axis, dtype=compute_dtype(x.dtype)), x.dtype)


def cumprod(x: np.ndarray, *, axis: int) -> np.ndarray:
    with np.errstate(all="ignore"):
        return stored(np.cumprod(x, axis=axis, dtype=compute_dtype(x.dtype)), x.dtype)


def sort(x: np.ndarray, *, axis: int) -> np.ndarray:
    return stored(np.sort(_widened(x), axis=axis, kind="stable"), x.dtype)


def argsort(x: np.ndarray, *, axis: int) -> np.ndarray:
    return np.argsort(_widened(x), axis=axis, kind="stable").astype(np.int32)


def _widened(x: np.ndarray) -> np.ndarray:
    return operand(x) if is_half(x.dtype) else x


def _empty_result(x: np.ndarray, axis: Axes, keepdims: bool, dtype: Any) -> np.ndarray:
    """The empty result of choosing from no elements."""
    result = empty(_reduced_shape(x.shape, axis, keepdims), dtype)
    if result.size:
        raise ValueError(f"reduction of shape {x.shape} over axis {axis}: no elements to choose")
    return result


def _reduced_shape(shape: tuple[int, ...], axis: Axes, keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if a in axis else size for a, size in enumerate(shape))
    return tuple(size for a, size in enumerate(shape) if a not in axis)


def _canonical(x: np.ndarray, axis: Axes) -> np.ndarray:
    """x, not empty, as a contiguous `(outer, reduced, inner)`."""
    kept = [a for a in range(x.ndim) if a not in axis]
    if axis and list(axis) != list(range(axis[0], axis[-1] + 1)):  # apart: bring them to the end
        x = x.transpose(*kept, *axis)
        axis = tuple(range(len(kept), x.ndim))
    first = axis[0] if axis else x.ndim
    reduced = math.prod(x.shape[a] for a in axis)
    outer = math.prod(x.shape[:first])
    return operand(x).reshape(outer, reduced, x.size // (outer * reduced))


def _float_sum(x: np.ndarray, axis: Axes, keepdims: bool) -> np.ndarray:
    """Sum in the compute dtype, not yet rounded to the one of x."""
    shape = _reduced_shape(x.shape, axis, keepdims)
    if x.size == 0:
        return np.zeros(shape, compute_dtype(x.dtype))
    blocks = _canonical(x, axis)
    while blocks.shape[1] > 1:
        parts, rows = _parts(blocks)
        _sum_blocks(blocks.size, blocks, parts, rows)
        blocks = parts
    result = blocks.reshape(shape)
    return result.copy() if np.may_share_memory(result, x) else result


def _extreme_float(x: np.ndarray, axis: Axes, keepdims: bool, sign: int) -> np.ndarray:
    """Maximum for sign 1, minimum for -1."""
    blocks = _canonical(x, axis)
    while blocks.shape[1] > 1:
        parts, rows = _parts(blocks)
        _extreme_blocks(blocks.size, blocks, parts, rows, blocks.dtype.type(sign))
        blocks = parts
    result = stored(blocks.reshape(_reduced_shape(x.shape, axis, keepdims)), x.dtype)
    return result.copy() if np.may_share_memory(result, x) else result


def _parts(blocks: np.ndarray) -> tuple[np.ndarray, int]:
    """The array for the results of the blocks, and the number of reduced elements in each block."""
    outer, reduced, inner = blocks.shape
    rows = ROWS * LANES if inner == 1 else ROWS
    return empty((outer, -(-reduced // rows), inner), blocks.dtype), rows


@parallel
def _sum_blocks(x, parts, rows):
    outer, reduced, inner = x.shape
    count = parts.shape[1]
    zero = x.dtype.type(0)
    column_blocks = (inner + COLUMNS - 1) // COLUMNS
    flat = x.ravel()
    for task in prange(outer * count * column_blocks):
        column = task % column_blocks * COLUMNS
        block = task // column_blocks % count
        n = task // (column_blocks * count)
        first, last = block * rows, min(block * rows + rows, reduced)
        if inner == 1:
            line = flat[n * reduced + first : n * reduced + last]
            total = zero
            whole = 0
            if line.size >= 2 * LANES:
                lanes = np.zeros(LANES, x.dtype)
                whole = line.size // LANES * LANES
                for start in range(0, whole, LANES):
                    piece = line[start : start + LANES]
                    for j in range(LANES):
                        lanes[j] += piece[j]
                for j in range(LANES):
                    total += lanes[j]
            for i in range(whole, line.size):
                total += line[i]
            parts[n, block, 0] = total
        else:
            end = min(column + COLUMNS, inner)
            target = parts[n, block, column:end]
            target[:] = zero
            for row in range(first, last):
                source = x[n, row, column:end]
                for j in range(end - column):
                    target[j] += source[j]


@parallel
def _extreme_blocks(x, parts, rows, sign):
    outer, reduced, inner = x.shape
    count = parts.shape[1]
    column_blocks = (inner + COLUMNS - 1) // COLUMNS
    flat = x.ravel()
    for task in prange(outer * count * column_blocks):
        column = task % column_blocks * COLUMNS
        block = task // column_blocks % count
        n = task // (column_blocks * count)
        first, last = block * rows, min(block * rows + rows, reduced)
        if inner == 1:
            line = flat[n * reduced + first : n * reduced + last]
            best = line[0]
            whole = 0
            if line.size >= 2 * LANES:
                lanes = np.empty(LANES, x.dtype)
                for j in range(LANES):
                    lanes[j] = line[j]
                whole = line.size // LANES * LANES
                for start in range(LANES, whole, LANES):
                    piece = line[start : start + LANES]
                    for j in range(LANES):
                        value, old = piece[j], lanes[j]
                        wins = (sign * value > sign * old) | (value != value)
                        lanes[j] = value if wins else old
                for j in range(LANES):
                    value = lanes[j]
                    best = value if (sign * value > sign * best) | (value != value) else best
            for i in range(whole, line.size):
                value = line[i]
                best = value if (sign * value > sign * best) | (value != value) else best
            parts[n, block, 0] = best
        else:
            end = min(column + COLUMNS, inner)
            target = parts[n, block, column:end]
            for j in range(end - column):
                target[j] = x[n, first, column + j]
            for row in range(first + 1, last):
                source = x[n, row, column:end]
                for j in range(end - column):
                    value, old = source[j], target[j]
                    wins = (sign * value > sign * old) | (value != value)
                    target[j] = value if wins else old
