"""Shape, layout and dtype changes: views where NumPy has them, else launches of copies."""

from __future__ import annotations

import builtins
import math
from typing import Any

import ml_dtypes  # noqa: F401  makes "bfloat16" a dtype name that NumPy knows
import numpy as np

from nkeras.core.errors import short
from nkeras_numba_cpu.emit.views import part
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.casts import converted
from nkeras_numba_cpu.loops.copies import (
    GRAIN,
    bits_of,
    contiguous,
    copy,
    fill,
    move,
    move_line,
)
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy import shape as reference

Index = tuple[tuple[int, int | None, int] | int, ...]
Pairs = tuple[tuple[int, int], ...]

# Elements of a cell that is repeated: more are copied as lines, fewer one by one.
_LONG_CELL, _SHORT_CELL = 1024, 12


@KERNELS.register
def reshape(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    if not x.flags.c_contiguous:
        x = contiguous(x)
    return x.reshape(shape)


@KERNELS.register
def transpose(x: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    return x.transpose(axes)


@KERNELS.register
def broadcast_to(x: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(x, shape)


@KERNELS.register
def repeat(x: np.ndarray, *, repeats: tuple[int, ...]) -> np.ndarray:
    """Two axes in one launch, the last ones first: lines of cells, and each line several times."""
    if x.size == 0 or 0 in repeats:
        shape = tuple(size * times for size, times in zip(x.shape, repeats, strict=True))
        return empty(shape, x.dtype)
    axes = [axis for axis, times in enumerate(repeats) if times > 1]
    while axes:
        axis, cell = -1, axes.pop()
        size = math.prod(x.shape[cell + 1 :])
        if size >= _LONG_CELL:
            axis, cell, size = cell, x.ndim, 1
        elif axes:
            axis = axes.pop()
        x = _repeated(x, axis, cell, size, repeats)
    return x


def _repeated(
    x: np.ndarray, axis: int, cell: int, size: int, repeats: tuple[int, ...]
) -> np.ndarray:
    """x repeated along `axis` and along `cell`, behind which `size` elements follow.

    An `axis` below 0 is none, and so is a `cell` behind the last axis: elements are the cells then.
    """
    times = repeats[axis] if axis >= 0 else 1
    each = repeats[cell] if cell < x.ndim else 1
    shape = tuple(
        n * (times if i == axis else each if i == cell else 1) for i, n in enumerate(x.shape)
    )
    result = empty(shape, x.dtype)
    line = math.prod(x.shape[axis + 1 :]) // size
    rows = x.size // (line * size)
    elements = line * each * size * times
    chunks = min(line, -(-elements // GRAIN))
    width = -(-line // chunks)
    step = max(1, GRAIN // elements)
    chunks = -(-line // width)
    arrays = bits_of(x), bits_of(result)
    count = -(-rows // step) * chunks
    _repeat(count, result.size, *arrays, rows, step, chunks, width, line, times, each, size)
    return result


@tasks
def _repeat(task, source, target, rows, step, chunks, width, line, times, each, size):
    """Some rows, or some cells of one: each cell `each` times, then all of them `times` times."""
    block = task // chunks
    first = (task - block * chunks) * width
    count = min(width, line - first)
    for row in range(block * step, min(rows, block * step + step)):
        start = (row * line + first) * size
        place = (row * times * line + first) * each * size
        if each == 1:
            move_line(target, place, source, start, count * size)
        elif each == 2 and size == 1:
            cells, pairs = part(source, start, count), part(target, place, 2 * count)
            for j in range(count):
                pairs[2 * j] = cells[j]
                pairs[2 * j + 1] = cells[j]
        elif size < _SHORT_CELL:
            to = place
            for j in range(count):
                for _ in range(each):
                    for k in range(size):
                        move(target, to + k, source, start + j * size + k)
                    to += size
        else:
            for j in range(count):
                for i in range(each):
                    to = place + (j * each + i) * size
                    move_line(target, to, source, start + j * size, size)
        for i in range(1, times):
            to = place + i * line * each * size
            move_line(target, to, target, place, count * each * size)


@KERNELS.register
def concatenate(*xs: np.ndarray, axis: int) -> np.ndarray:
    first = xs[0].shape
    result = empty((*first[:axis], sum(x.shape[axis] for x in xs), *first[axis + 1 :]), xs[0].dtype)
    start = 0
    for x in xs:
        stop = start + x.shape[axis]
        copy(x, result[_along(axis, start, stop)])
        start = stop
    return result


@KERNELS.register
def stack(*xs: np.ndarray, axis: int) -> np.ndarray:
    shape = xs[0].shape
    result = empty((*shape[:axis], len(xs), *shape[axis:]), xs[0].dtype)
    before = (builtins.slice(None),) * axis
    for i, x in enumerate(xs):
        copy(x, result[(*before, i, ...)])
    return result


@KERNELS.register
def slice(x: np.ndarray, *, index: Index) -> np.ndarray:
    return x[(*_as_slices(index), ...)]  # the ellipsis keeps a rank 0 result an array


@KERNELS.register
def slice_grad(grad_y: np.ndarray, *, shape: tuple[int, ...], index: Index) -> np.ndarray:
    """Zeros of `shape` with grad_y where `slice` took its elements."""
    result = empty(shape, grad_y.dtype)
    removed = [axis for axis, part in enumerate(index) if isinstance(part, int)]
    if removed:
        grad_y = np.expand_dims(grad_y, removed)
    index = tuple([(part, part + 1, 1) if isinstance(part, int) else part for part in index])
    if all(step == 1 for _, _, step in index):
        widths = tuple(
            (start, size - start - length)
            for (start, _, _), size, length in zip(index, shape, grad_y.shape, strict=True)
        )
        _frame(grad_y, result, widths, 0)
    else:
        fill(result, 0)
        copy(grad_y, result[(*_as_slices(index), ...)])
    return result


@KERNELS.register
def slice_update(x: np.ndarray, updates: np.ndarray, *, index: Index) -> np.ndarray:
    """A copy of x with updates where `slice` would take its elements."""
    result = empty(x.shape, x.dtype)
    copy(x, result)
    copy(updates, result[(*_as_slices(index), ...)])
    return result


@KERNELS.register
def pad(x: np.ndarray, *, pad_width: Pairs, mode: str, constant: Any) -> np.ndarray:
    if mode not in ("constant", "reflect", "symmetric"):
        raise ValueError(
            f"pad: mode must be 'constant', 'reflect' or 'symmetric', received {short(mode)}"
        )
    if x.ndim == 0:
        return x
    shape = tuple(size + sum(pair) for size, pair in zip(x.shape, pad_width, strict=True))
    result = empty(shape, x.dtype)
    if mode == "constant":
        _frame(x, result, pad_width, constant)
        return result
    if x.size == 0 and result.size:
        raise ValueError(
            f"pad: mode {short(mode)} has nothing to mirror in an array of shape {x.shape}"
        )
    copy(x, result[_inner(pad_width, shape)])
    for axis, (low, high) in enumerate(pad_width):
        # Later dimensions of what is mirrored are not padded yet: those parts come with their axis.
        part = result[(..., *_inner(pad_width, shape)[axis + 1 :])] if axis + 1 < x.ndim else result
        _mirror(part, axis, low, shape[axis] - high, mode)
    return result


@KERNELS.register
def flip(x: np.ndarray, *, axis: tuple[int, ...]) -> np.ndarray:
    return np.flip(x, axis)


@KERNELS.register
def bitcast(x: np.ndarray, *, dtype: str) -> np.ndarray:
    return contiguous(x).view(np.dtype(dtype))


@KERNELS.register
def cast(x: np.ndarray, *, dtype: str) -> np.ndarray:
    target = np.dtype(dtype)
    if "c" in (x.dtype.kind, target.kind):
        return by_numpy(reference.cast, x, dtype=dtype)
    return converted(x, target)


def _as_slices(index: Index) -> tuple[builtins.slice | int, ...]:
    return tuple([part if isinstance(part, int) else builtins.slice(*part) for part in index])


def _along(axis: int, start: int, stop: int) -> tuple[builtins.slice, ...]:
    return (*(builtins.slice(None),) * axis, builtins.slice(start, stop))


def _inner(pad_width: Pairs, shape: tuple[int, ...]) -> tuple[builtins.slice, ...]:
    """Where the padded array lies in the result."""
    return tuple(
        builtins.slice(low, size - high) for (low, high), size in zip(pad_width, shape, strict=True)
    )


def _frame(x: np.ndarray, result: np.ndarray, pad_width: Pairs, value: Any) -> None:
    """Write x into the middle of `result` and one value around it."""
    part = result
    for axis, (low, high) in enumerate(pad_width):
        size = part.shape[axis]
        if low:
            fill(part[_along(axis, 0, low)], value)
        if high:
            fill(part[_along(axis, size - high, size)], value)
        if low or high:
            part = part[_along(axis, low, size - high)]
    copy(x, part)


def _mirror(part: np.ndarray, axis: int, first: int, last: int, mode: str) -> None:
    """Fill `part` before `first` and from `last` along an axis by reflecting what lies between.

    Where the padding is wider than that, its mirror image is mirrored in turn.
    """
    skip = int(mode == "reflect" and last - first > 1)
    size = part.shape[axis]
    low, high = first, last
    while low > 0 or high < size:
        length = high - low
        count = min(low, length - skip)
        if count:
            _copy_mirrored(part, axis, low + skip, low - count, count)
        low_after = low - count
        count = min(size - high, length - skip)
        if count:
            _copy_mirrored(part, axis, high - skip - count, high, count)
        low, high = low_after, high + count


def _copy_mirrored(part: np.ndarray, axis: int, start: int, place: int, count: int) -> None:
    source = part[_along(axis, start, start + count)]
    copy(np.flip(source, axis), part[_along(axis, place, place + count)])
