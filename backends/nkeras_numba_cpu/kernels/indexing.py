"""Gather and scatter.

The op has checked the indices. A plan that is replayed does not check them again: the compiled code
counts negative indices from the end and clamps what is still out of range, as Keras on JAX does for
gathers, so that no index reaches other memory.

A scatter-add first sorts the indices into ranges of rows, one for each task, and keeps their order:
each task then fills its own rows, whatever the number of threads.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.reduction import reduce_sum
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import bits_of, contiguous, fill, move, move_line
from nkeras_numba_cpu.loops.folds import bound
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

GRAIN = 32768  # elements that one task moves
RANGES = 256  # at most so many ranges of rows


@KERNELS.register
def take(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    result = empty((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)
    if result.size:
        outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        _take(x, operand(indices).reshape(-1), result, (outer, x.shape[axis], inner))
    return result


@KERNELS.register
def take_grad(
    grad_y: np.ndarray, indices: np.ndarray, *, shape: tuple[int, ...], axis: int
) -> np.ndarray:
    """Zeros of `shape` with each slice of grad_y added where `take` found it."""
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    rows = operand(indices).reshape(-1)
    return _added(grad_y, rows, shape, (outer, shape[axis], inner))


@KERNELS.register
def take_along_axis(x: np.ndarray, indices: np.ndarray, *, axis: int) -> np.ndarray:
    x, indices = _aligned(x, indices, axis)
    result = empty(indices.shape, x.dtype)
    if result.size:
        tasks, numbers = _lines(indices.shape, axis, x.shape[axis])
        _pick_along(tasks, result.size, bits_of(x), indices.reshape(-1), bits_of(result), numbers)
    return result


@KERNELS.register
def take_along_axis_grad(
    grad_y: np.ndarray, indices: np.ndarray, *, shape: tuple[int, ...], axis: int
) -> np.ndarray:
    """Zeros of `shape` with grad_y added where `take_along_axis` found its elements."""
    wide = (*grad_y.shape[:axis], shape[axis], *grad_y.shape[axis + 1 :])
    if indices.shape != grad_y.shape:
        indices = np.broadcast_to(indices, grad_y.shape)
    indices = operand(indices)
    result = empty(wide, compute_dtype(grad_y.dtype))
    if not grad_y.size:
        fill(result, 0)
    elif result.size:
        source = operand(grad_y).reshape(-1)
        tasks, numbers = _lines(grad_y.shape, axis, shape[axis])
        _add_along(tasks, source.size, source, indices.reshape(-1), result.reshape(-1), numbers)
    if wide != shape:  # all elements of a dimension that take_along_axis broadcast add up
        result = reduce_sum(
            result, axis=tuple(d for d in range(len(shape)) if wide[d] != shape[d]), keepdims=True
        )
    return stored(result, grad_y.dtype)


@KERNELS.register
def gather_nd(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    depth = indices.shape[-1]
    result = empty((*indices.shape[:-1], *x.shape[depth:]), x.dtype)
    if result.size:
        rows = _flat_rows(indices, x.shape)
        _take(x, rows, result, (1, math.prod(x.shape[:depth]), math.prod(x.shape[depth:])))
    return result


@KERNELS.register
def scatter_nd(indices: np.ndarray, values: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros of `shape` with `values` added at `indices`."""
    depth = indices.shape[-1]
    canonical = (1, math.prod(shape[:depth]), math.prod(shape[depth:]))
    return _added(values, _flat_rows(indices, shape), shape, canonical)


@KERNELS.register
def scatter_update(x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """Copy of x with `updates` written at `indices`; the last write wins."""
    depth = indices.shape[-1]
    if not (x.size and updates.size):
        return contiguous(x)
    rows = _flat_rows(indices, x.shape)
    result = empty(x.shape, x.dtype)
    n, inner = math.prod(x.shape[:depth]), math.prod(x.shape[depth:])
    ranges, height = ranges_of(n, inner)
    order, starts = by_range(rows, n, ranges, height)
    arrays = (bits_of(x), bits_of(updates), rows, order, starts, bits_of(result))
    _write_rows(ranges, x.size + updates.size, *arrays, (n, inner, height))
    return result


@KERNELS.register
def scatter_reduce(
    x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, reduction: str
) -> np.ndarray:
    """Copy of x with `updates` joined by max, min or mul to what stands at `indices`."""
    depth = indices.shape[-1]
    if not (x.size and updates.size):
        return contiguous(x)
    rows = _flat_rows(indices, x.shape)
    source, added = operand(x), operand(updates)
    result = empty(x.shape, source.dtype)
    n, inner = math.prod(x.shape[:depth]), math.prod(x.shape[depth:])
    ranges, height = ranges_of(n, inner)
    order, starts = by_range(rows, n, ranges, height)
    flat = [_numbers_of(array.reshape(-1)) for array in (source, added, result)]
    kernel = bound(_fold_rows, {"mul": "prod"}.get(reduction, reduction), flat[0].dtype)
    kernel(ranges, x.size + updates.size, *flat, rows, order, starts, (n, inner, height))
    return stored(result, x.dtype)


def _take(
    x: np.ndarray, rows: np.ndarray, result: np.ndarray, canonical: tuple[int, int, int]
) -> None:
    """Write the rows of x, seen as canonical (outer, n, inner), into `result`."""
    outer, n, inner = canonical
    if n == 0:
        raise ValueError(f"take: an axis of size 0 of {x.shape} has no elements to take")
    group = max(1, GRAIN // inner)
    total = outer * rows.size
    numbers = (n, inner, group, total)
    _take_rows(-(-total // group), result.size, bits_of(x), rows, bits_of(result), numbers)


def _added(
    values: np.ndarray,
    rows: np.ndarray,
    shape: tuple[int, ...],
    canonical: tuple[int, int, int],
) -> np.ndarray:
    """Zeros, seen as canonical (outer, n, inner), with values added at `rows` of n."""
    outer, n, inner = canonical
    result = empty(shape, compute_dtype(values.dtype))
    if not values.size:
        fill(result, 0)
    elif result.size:
        source = operand(values).reshape(-1)
        ranges, height = ranges_of(n, inner)
        order, starts = by_range(rows, n, ranges, height)
        work, numbers = source.size + result.size, (n, inner, height, ranges)
        _add_rows(outer * ranges, work, source, rows, order, starts, result.reshape(-1), numbers)
    return stored(result, values.dtype)


@lru_cache(maxsize=1024)
def ranges_of(n: int, inner: int) -> tuple[int, int]:
    """Into how many ranges n rows are divided, and how many rows a range has."""
    height = max(1, GRAIN // inner, -(-n // RANGES))
    return -(-n // height), height


def by_range(rows: np.ndarray, n: int, ranges: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions in `rows`, by range and then in their order, and where each range starts."""
    order, starts = empty((rows.size,), np.int32), empty((ranges + 1,), np.int32)
    _sort_rows(1, rows.size, rows, order, starts, (n, height))
    return order, starts


@lru_cache(maxsize=1024)
def _lines(shape: tuple[int, ...], axis: int, n: int) -> tuple[int, tuple[int, ...]]:
    """Number of tasks, and (positions, n, inner, width, across, group, blocks)."""
    positions, inner = shape[axis], math.prod(shape[axis + 1 :])
    width = min(inner, 512)
    across = -(-inner // width)
    blocks = math.prod(shape[:axis]) * across
    group = max(1, GRAIN // (max(positions, n) * width))
    return -(-blocks // group), (positions, n, inner, width, across, group, blocks)


def _aligned(x: np.ndarray, indices: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """x and indices broadcast against each other in all dimensions but the axis, contiguous."""
    if x.shape != indices.shape:
        sizes = [a if b == 1 else b for a, b in zip(x.shape, indices.shape, strict=True)]
        x_shape = (*sizes[:axis], x.shape[axis], *sizes[axis + 1 :])
        shape = (*sizes[:axis], indices.shape[axis], *sizes[axis + 1 :])
        x = x if x.shape == x_shape else np.broadcast_to(x, x_shape)
        indices = indices if indices.shape == shape else np.broadcast_to(indices, shape)
    return x, operand(indices)


def _flat_rows(indices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Coordinates `(..., depth)` as row numbers in `shape` with its first dimensions joined."""
    depth = indices.shape[-1]
    if depth == 1:
        return operand(indices).reshape(-1)
    rows = empty((math.prod(indices.shape[:-1]),), np.int64)
    if depth == 0:
        fill(rows, 0)
    elif rows.size:
        tasks = -(-rows.size // GRAIN)
        _join(tasks, rows.size * depth, operand(indices).reshape(-1), rows, shape[:depth])
    return rows


@inner
def in_range(index, size):
    """An index, counted from the end if it is negative, clamped to 0 .. size - 1."""
    i = np.int64(index)
    i = i + size if i < 0 else i
    return min(max(i, 0), size - 1)


@tasks
def _take_rows(task, x, rows, result, numbers):
    n, inner, group, total = numbers
    outer = task * group // rows.size
    i = task * group - outer * rows.size
    number, last = task * group, min(task * group + group, total)
    while number < last:
        end = min(rows.size, i + last - number)
        base = outer * n
        for k in range(i, end):
            row = base + in_range(rows[k], n)
            if inner == 1:
                move(result, number + k - i, x, row)
            else:
                move_line(result, (number + k - i) * inner, x, row * inner, inner)
        number += end - i
        i, outer = 0, outer + 1


@tasks
def _sort_rows(task, rows, order, starts, numbers):
    n, height = numbers
    starts[:] = 0
    for i in range(rows.size):
        starts[in_range(rows[i], n) // height + 1] += 1
    for k in range(1, starts.size):
        starts[k] += starts[k - 1]
    for i in range(rows.size):
        k = in_range(rows[i], n) // height
        order[starts[k]] = i
        starts[k] += 1
    for k in range(starts.size - 1, 0, -1):
        starts[k] = starts[k - 1]
    starts[0] = 0


@tasks
def _add_rows(task, values, rows, order, starts, result, numbers):
    n, inner, height, ranges = numbers
    outer = task // ranges
    part = task - outer * ranges
    own = result[(outer * n + part * height) * inner :]
    own = own[: min(height, n - part * height) * inner]
    for j in range(own.size):
        own[j] = 0
    for k in range(starts[part], starts[part + 1]):
        i = order[k]
        place = (in_range(rows[i], n) - part * height) * inner
        start = (outer * rows.size + i) * inner
        source, target = values[start : start + inner], own[place : place + inner]
        for j in range(inner):
            target[j] += source[j]


@tasks
def _write_rows(task, x, updates, rows, order, starts, result, numbers):
    n, inner, height = numbers
    first = task * height
    move_line(result, first * inner, x, first * inner, min(height, n - first) * inner)
    for k in range(starts[task], starts[task + 1]):
        i = order[k]
        move_line(result, in_range(rows[i], n) * inner, updates, i * inner, inner)


def _numbers_of(x: np.ndarray) -> np.ndarray:
    """Bools as bytes, as folds take them."""
    return x.view(np.uint8) if x.dtype == np.bool_ else x


def combine(a: Any, b: Any) -> Any:
    """Stands for the function that a template is bound to."""
    raise TypeError("A template must be bound to a fold.")


def _fold_rows(task, x, updates, result, rows, order, starts, numbers):
    n, inner, height = numbers
    first = task * height
    size = min(height, n - first) * inner
    source, own = part(x, first * inner, size), part(result, first * inner, size)
    for j in range(size):
        own[j] = source[j]
    for k in range(starts[task], starts[task + 1]):
        i = order[k]
        place = (in_range(rows[i], n) - first) * inner
        update, target = part(updates, i * inner, inner), part(own, place, inner)
        for j in range(inner):
            target[j] = combine(target[j], update[j])


@tasks
def _join(task, coordinates, rows, shape):
    depth = len(shape)
    for i in range(task * GRAIN, min(task * GRAIN + GRAIN, rows.size)):
        row = 0
        for d in range(depth):
            row = row * shape[d] + in_range(coordinates[i * depth + d], shape[d])
        rows[i] = row


@tasks
def _pick_along(task, x, indices, result, numbers):
    positions, n, inner, width, across, group, blocks = numbers
    for block in range(task * group, min(task * group + group, blocks)):
        outer = block // across
        first = (block - outer * across) * width
        last = min(first + width, inner)
        place = outer * positions * inner
        x_here = outer * n * inner
        if inner == 1:
            for i in range(place, place + positions):
                move(result, i, x, x_here + in_range(indices[i], n))
        else:
            for _ in range(positions):
                for j in range(first, last):
                    row = in_range(indices[place + j], n)
                    move(result, place + j, x, x_here + row * inner + j)
                place += inner


@tasks
def _add_along(task, values, indices, result, numbers):
    positions, n, inner, width, across, group, blocks = numbers
    for block in range(task * group, min(task * group + group, blocks)):
        outer = block // across
        first = (block - outer * across) * width
        last = min(first + width, inner)
        own = result[outer * n * inner : (outer + 1) * n * inner]
        for i in range(n):
            line = own[i * inner + first : i * inner + last]
            for j in range(line.size):
                line[j] = 0
        place = outer * positions * inner
        given, where = values[place:], indices[place:]
        if inner == 1:
            for i in range(positions):
                own[in_range(where[i], n)] += given[i]
        else:
            for i in range(positions):
                for j in range(i * inner + first, i * inner + last):
                    own[in_range(where[j], n) * inner + j - i * inner] += given[j]
