"""Along one axis: the place of the largest element, running sums and products, sorting."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cpu.emit.records import numbers, record
from nkeras_numba_cpu.emit.simd import (
    lanes_of,
    load,
    select,
    splat,
    store_numbers,
    transpose_square,
)
from nkeras_numba_cpu.emit.views import allocate, release
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import tasks as numbered
from nkeras_numba_cpu.loops.folds import bound
from nkeras_numba_cpu.loops.operands import compute_dtype, is_half, operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy import reduction as reference

GRAIN = 32768  # elements that one task looks at
WIDTH = 512  # columns of a block
SHORT = 64  # elements of a row up to which several rows are looked at side by side
PIECE = 256  # elements whose extreme is found before its place is looked for


@KERNELS.register
def argmax(x: np.ndarray, *, axis: int, keepdims: bool) -> np.ndarray:
    return _place("max", x, axis, keepdims)


@KERNELS.register
def argmin(x: np.ndarray, *, axis: int, keepdims: bool) -> np.ndarray:
    return _place("min", x, axis, keepdims)


@KERNELS.register
def cumsum(x: np.ndarray, *, axis: int) -> np.ndarray:
    if x.dtype.kind == "c":
        return by_numpy(reference.cumsum, x, axis=axis)
    return _running("sum", x, axis)


@KERNELS.register
def cumprod(x: np.ndarray, *, axis: int) -> np.ndarray:
    if x.dtype.kind == "c":
        return by_numpy(reference.cumprod, x, axis=axis)
    return _running("prod", x, axis)


@KERNELS.register
def linear_recurrence(x: np.ndarray, factors: np.ndarray, *, axis: int) -> np.ndarray:
    """`y[i] = x[i] + factors[i] * y[i - 1]` along an axis."""
    if x.dtype.kind == "c":
        return by_numpy(reference.linear_recurrence, x, factors, axis=axis)
    result = empty(x.shape, compute_dtype(x.dtype))
    if x.size:
        tasks, cut = _blocks(x.shape, axis)
        given = operand(x).reshape(-1), operand(factors).reshape(-1)
        _linear_recurrence(tasks, 2 * x.size, *given, result.reshape(-1), cut)
    return stored(result, x.dtype)


@KERNELS.register
def sort(x: np.ndarray, *, axis: int) -> np.ndarray:
    return stored(by_numpy(_sorted, _widened(x), axis=axis), x.dtype)


@KERNELS.register
def argsort(x: np.ndarray, *, axis: int) -> np.ndarray:
    return by_numpy(_order, _widened(x), axis=axis)


def _sorted(x: np.ndarray, *, axis: int) -> np.ndarray:
    return np.sort(x, axis=axis)  # equal numbers are one: no need for the slower, stable kind


def _order(x: np.ndarray, *, axis: int) -> np.ndarray:
    """Numbers of 32 bits are sorted as parts of integers that end with their places."""
    if x.dtype.itemsize > 4:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int32)
    lines = np.moveaxis(x, axis, -1)
    keys = _ranks(lines).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(lines.shape[-1], dtype=np.uint64)
    keys.sort(axis=-1)
    return np.moveaxis(keys.astype(np.uint32).view(np.int32), -1, axis)


def _ranks(x: np.ndarray) -> np.ndarray:
    """uint32 in the order of x: equal for equal numbers, the largest for NaN."""
    if x.dtype.kind in "ub":
        return x.astype(np.uint32)
    sign = np.uint32(1 << 31)
    if x.dtype.kind == "i":
        return x.astype(np.int32).view(np.uint32) ^ sign
    bits = (x + np.float32(0)).view(np.uint32)  # the sum makes -0 the same as 0
    ranks = bits ^ ((bits >> np.uint32(31)) * ~sign | sign)  # all bits of negative numbers
    ranks[np.isnan(x)] = np.uint32(2**32 - 1)
    return ranks


def _widened(x: np.ndarray) -> np.ndarray:
    return operand(x) if is_half(x.dtype) else x


def _seen(x: np.ndarray) -> np.ndarray:
    """x flat, as the templates take it: bools are bytes."""
    flat = operand(x).reshape(-1)
    return flat.view(np.uint8) if flat.dtype == np.bool_ else flat


def _place(name: str, x: np.ndarray, axis: int, keepdims: bool) -> np.ndarray:
    kept = (1,) if keepdims else ()
    result = empty((*x.shape[:axis], *kept, *x.shape[axis + 1 :]), np.int32)
    if x.size == 0:
        if result.size:
            raise ValueError(
                f"reduction of shape {x.shape} over axis {short(axis)}: no elements to choose from"
            )
        return result
    flat = _seen(x)
    tasks, cut = _blocks(x.shape, axis)
    length, inner, rows = x.shape[axis], math.prod(x.shape[axis + 1 :]), result.size
    template = _place_in_rows if inner == 1 else _place_in_columns
    if inner == 1 and length <= SHORT and rows >= 16 and flat.dtype.kind == "f":
        template = _place_in_short_rows
    bound(template, name, flat.dtype)(tasks, flat.size, flat, result.reshape(-1), cut)
    return result


def _running(name: str, x: np.ndarray, axis: int) -> np.ndarray:
    if x.dtype == np.bool_:
        name = {"sum": "max", "prod": "min"}[name]
    result = empty(x.shape, compute_dtype(x.dtype))
    if x.size:
        flat, to = _seen(x), result.reshape(-1)
        tasks, cut = _blocks(x.shape, axis)
        to = to.view(np.uint8) if to.dtype == np.bool_ else to
        bound(_scan, name, flat.dtype)(tasks, flat.size, flat, to, cut)
    return stored(result, x.dtype)


class _Cut(NamedTuple):
    """How `(outer, length, inner)` elements are cut into blocks."""

    length: int  # of the axis
    inner: int
    across: int  # blocks that lie side by side
    width: int  # inner elements of a block
    group: int  # blocks of a task
    blocks: int


@lru_cache(maxsize=4096)
def _blocks(shape: tuple[int, ...], axis: int) -> tuple[int, tuple[int, ...]]:
    """Number of tasks, and a `_Cut`."""
    length, inner = shape[axis], math.prod(shape[axis + 1 :])
    across = -(-inner // WIDTH)
    width = -(-inner // across)
    blocks = math.prod(shape[:axis]) * across
    group = max(1, GRAIN // (length * width) // 16 * 16)
    return -(-blocks // group), numbers(_Cut(length, inner, across, width, group, blocks))


def combine(a: Any, b: Any) -> Any:
    """Stands for the function that a template is bound to."""
    raise TypeError("A template must be bound to a fold.")


def _place_in_rows(task, x, places, cut):
    of = record(_Cut, cut)
    length, group, blocks = of.length, of.group, of.blocks
    for block in range(task * group, min(task * group + group, blocks)):
        line = x[block * length : block * length + length]
        best, place = line[0], 0
        if length > PIECE:
            for start in range(0, length, PIECE):
                piece = line[start : start + PIECE]
                top = piece[0]
                for j in range(1, piece.size):
                    top = combine(top, piece[j])
                # Once best is NaN it stays: the comparison with itself is false.
                if (best == best) & (combine(best, top) != best):
                    best, place = top, start
            line = line[place : place + PIECE]
            j = 0
            while not ((line[j] == best) | ((line[j] != line[j]) & (best != best))):
                j += 1
            place += j
        else:
            for j in range(1, length):
                top = combine(best, line[j])
                if (best == best) & (top != best):
                    best, place = top, j
        places[block] = place


def _place_in_short_rows(task, x, places, cut):
    of = record(_Cut, cut)
    length, group, rows = of.length, of.group, of.blocks
    lanes = lanes_of(x)
    square = allocate(x.dtype, lanes * lanes)
    last = min(task * group + group, rows)
    row = task * group
    # A square that begins in a row may end in later ones, but not behind x.
    while row + lanes <= last and (row + lanes) * length + lanes <= x.size:
        transpose_square(x, row * length, length, square, 0, lanes)
        best, place = load(square, 0), splat(x, 0)
        for j in range(1, length):
            if j % lanes == 0:
                transpose_square(x, row * length + j, length, square, 0, lanes)
            top = combine(best, load(square, j % lanes * lanes))
            better = (best == best) & (top != best)
            place = select(better, splat(x, j), place)
            best = top
        store_numbers(places, row, place, lanes)
        row += lanes
    while row < last:
        line = x[row * length : row * length + length]
        best_here, place_here = line[0], 0
        for j in range(1, length):
            top_here = combine(best_here, line[j])
            if (best_here == best_here) & (top_here != best_here):
                best_here, place_here = top_here, j
        places[row] = place_here
        row += 1
    release(square)


def _place_in_columns(task, x, places, cut):
    of = record(_Cut, cut)
    length, inner, across, width = of.length, of.inner, of.across, of.width
    group, blocks = of.group, of.blocks
    best = allocate(x.dtype, width)
    for block in range(task * group, min(task * group + group, blocks)):
        n = block // across
        column = (block - n * across) * width
        size = min(width, inner - column)
        target = places[n * inner + column : n * inner + column + size]
        line = x[n * length * inner + column :]
        for j in range(size):
            best[j] = line[j]
            target[j] = 0
        for i in range(1, length):
            line = x[(n * length + i) * inner + column :]
            for j in range(size):
                old = best[j]
                top = combine(old, line[j])
                target[j] = i if (old == old) & (top != old) else target[j]
                best[j] = top
    release(best)


def _scan(task, x, y, cut):
    of = record(_Cut, cut)
    length, inner, across, width = of.length, of.inner, of.across, of.width
    group, blocks = of.group, of.blocks
    for block in range(task * group, min(task * group + group, blocks)):
        n = block // across
        column = (block - n * across) * width
        size = min(width, inner - column)
        start = n * length * inner + column
        if inner == 1:
            line, target = x[start : start + length], y[start : start + length]
            total = line[0]
            target[0] = total
            for i in range(1, length):
                total = combine(total, line[i])
                target[i] = total
        else:
            before = y[start : start + size]
            line = x[start : start + size]
            for j in range(size):
                before[j] = line[j]
            for i in range(1, length):
                line, target = x[start + i * inner :], y[start + i * inner :]
                for j in range(size):
                    target[j] = combine(before[j], line[j])
                before = target


@numbered
def _linear_recurrence(task, x, factors, y, cut):
    of = record(_Cut, cut)
    length, inner, across, width = of.length, of.inner, of.across, of.width
    group, blocks = of.group, of.blocks
    for block in range(task * group, min(task * group + group, blocks)):
        n = block // across
        column = (block - n * across) * width
        size = min(width, inner - column)
        start = n * length * inner + column
        for j in range(size):
            y[start + j] = x[start + j]
        for i in range(1, length):
            first = start + i * inner
            before, line, by, target = y[first - inner :], x[first:], factors[first:], y[first:]
            for j in range(size):
                target[j] = line[j] + by[j] * before[j]
