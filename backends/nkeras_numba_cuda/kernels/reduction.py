"""Reductions over any axes: sums, products, extremes, whether any or all hold, and where they are.

Neighbouring axes that are reduced together are one. The last of these goes first: it is a row where
it is the fastest one, of which a warp or a block takes care, else many columns, of which a block
has some. Where there are too few results to keep a device busy, each is made of partial ones, in a
second launch. How an array is cut follows from its shape alone, so that sums are the same each
time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.vectors import accesses
from nkeras_numba_cuda.device.warps import (
    WARP,
    best_in_team,
    in_team,
    larger,
    larger_number,
    plus,
    smaller,
    smaller_number,
    times,
)
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import (
    THREADS,
    WIDTHS,
    as_lines,
    blocks_for,
    by_width,
    team_for,
    width_for,
)
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import reduction as reference
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints

BLOCKS = 1024
"""So many are enough to keep any device busy."""
SERIAL = 16
"""So many elements at least are worth a thread of their own."""


class Reduction(NamedTuple):
    """How to reduce: kernels of rows by width of access, and the one of columns."""

    rows: dict[int, Kernel]
    columns: Kernel


def _row_kernel(name: str, join: Any, start: float, squared: bool, width: int) -> Kernel:
    read, _ = accesses(width)
    join_team = in_team(join)

    @kernel(
        "{T}[::1], {T}[::1], int64, int64, int64, int64, {T}",
        name=f"{name}_rows_{width}",
        threads=THREADS,
        T=WIDTHS[width],
    )
    def reduce_rows(y, x, size, chunks, length, team, divisor):
        shared = cuda.shared.array(WARP, y.dtype)
        held = cuda.local.array(width, y.dtype)
        team = min(team, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        for first in range(cuda.blockIdx.x * together, y.size, cuda.gridDim.x * together):
            item = first + udiv(cuda.threadIdx.x, team)
            row = udiv(item, chunks)
            begin = (item - row * chunks) * length
            end = min(begin + length, size) if item < y.size else begin
            total = y.dtype.type(start)
            for j in range(begin + lane * width, end, team * width):
                read(x, row * size + j, held)
                for k in range(width):
                    total = join(total, held[k] * held[k] if squared else held[k])
            total = join_team(total, team, shared)
            if lane == 0 and item < y.size:
                y[item] = total / divisor

    return reduce_rows


def _column_kernel(name: str, join: Any, start: float) -> Kernel:
    @kernel(
        "{T}[::1], {T}[::1], int64, int64, int64, int64, int64, {T}",
        name=f"{name}_columns",
        threads=THREADS,
        T=FLOATING,
    )
    def reduce_columns(y, x, size, step, chunks, length, tile, divisor):
        shared = cuda.shared.array(THREADS, y.dtype)
        wide = min(tile, cuda.blockDim.x)
        lines = udiv(cuda.blockDim.x, wide)
        lane = umod(cuda.threadIdx.x, wide)
        line = udiv(cuda.threadIdx.x, wide)
        tiles = udiv(step + tile - 1, tile)
        rest = udiv(cuda.blockIdx.x, tiles)
        from_column = (cuda.blockIdx.x - rest * tiles) * tile
        before = udiv(rest, chunks)
        begin = (rest - before * chunks) * length
        end = min(begin + length, size)
        for first in range(from_column, min(from_column + tile, step), wide):
            column = first + lane
            total = y.dtype.type(start)
            if column < step:
                for j in range(begin + line, end, lines):
                    total = join(total, x[(before * size + j) * step + column])
            if lines > 1:
                shared[cuda.threadIdx.x] = total
                cuda.syncthreads()
                if line == 0:
                    for other in range(1, lines):
                        total = join(total, shared[other * wide + lane])
                cuda.syncthreads()
            if line == 0 and column < step:
                y[rest * step + column] = total / divisor

    return reduce_columns


def _reduction(name: str, join: Any, start: float, widths: Iterable[int] = WIDTHS) -> Reduction:
    rows = {width: _row_kernel(name, join, start, False, width) for width in widths}
    return Reduction(rows, _column_kernel(name, join, start))


SUM = _reduction("sum", plus, 0.0)
LARGEST = _reduction("largest", larger, -math.inf)
SMALLEST = _reduction("smallest", smaller, math.inf)
PRODUCT = _reduction("product", times, 1.0, (1,))
LARGEST_NUMBER = _reduction("largest_number", larger_number, math.nan, (1,))
SMALLEST_NUMBER = _reduction("smallest_number", smaller_number, math.nan, (1,))
SQUARES = SUM._replace(
    rows=by_width(lambda width: _row_kernel("sum_of_squares", plus, 0.0, True, width))
)


def _groups(shape: Ints, axis: Ints) -> list[tuple[int, bool]]:
    """Sizes of neighbouring axes together, and whether they are reduced."""
    groups: list[tuple[int, bool]] = []
    for dimension, size in enumerate(shape):
        reduced = dimension in axis
        if groups and groups[-1][1] == reduced:
            groups[-1] = groups[-1][0] * size, reduced
        elif size != 1 or reduced:
            groups.append((size, reduced))
    return groups


def _chunks(size: int, each: int, blocks: int) -> tuple[int, int]:
    """Into how many chunks a reduction is cut, and how long they are.

    Args:
        size: how many elements are joined to one.
        each: how many elements at least make a chunk.
        blocks: how many blocks there are without.
    """
    count = max(1, min(size // each, -(-BLOCKS // blocks)))
    length = -(-size // (4 * count)) * 4
    return -(-size // length), length


def tiles_of(step: int) -> tuple[int, int]:
    """How many of so many columns a block has, and how many such tiles there are."""
    tile = min(WARP, 1 << (step - 1).bit_length())
    return tile, -(-step // tile)


def chunks_of_columns(before: int, size: int, step: int) -> tuple[int, int]:
    """Into how many chunks columns of `(before, size, step)` are cut, and how long they are."""
    tile, tiles = tiles_of(step)
    return _chunks(size, SERIAL * (THREADS // tile), before * tiles)


def _reduce_group(
    how: Reduction, x: Array, before: int, size: int, step: int, divisor: float
) -> Array:
    """One group: x `(before, size, step)` to `(before, step)`, flat, in one launch or two."""
    number = x.dtype.type
    tile, tiles = tiles_of(step)
    if step == 1:
        chunks, length = _chunks(size, SERIAL * THREADS, blocks_for(before, team_for(size)))
    else:
        chunks, length = chunks_of_columns(before, size, step)
    while True:
        last = chunks == 1
        y = empty((before * chunks * step,), x.dtype)
        by = number(divisor if last else 1)
        if step == 1:
            team, width = team_for(length), width_for(math.gcd(size, length), x)
            grid = blocks_for(y.size, team)
            run = how.rows[width if width in how.rows else 1]
            run.launch_blocks(grid, y, x, size, chunks, length, team, by)
        else:
            grid = before * chunks * tiles
            how.columns.launch_blocks(grid, y, x, size, step, chunks, length, tile, by)
        if last:
            return y
        x, size, chunks, length = y, chunks, 1, chunks
        if how is SQUARES:
            how = SUM


def reduce(
    how: Reduction, x: Array, axis: Ints, keepdims: bool = False, divisor: float = 1.0
) -> Array:
    """An array that is not empty, joined over axes.

    Args:
        how: what its elements come to.
        x: floating array.
        axis: the axes.
        keepdims: whether they stay, with size 1.
        divisor: by what the result is divided.
    """
    shape = tuple(
        1 if dimension in axis else size
        for dimension, size in enumerate(x.shape)
        if keepdims or dimension not in axis
    )
    groups = _groups(x.shape, axis) or [(1, True)]
    x = contiguous(x)
    if not any(reduced for _, reduced in groups):
        groups.append((1, True))
    while any(reduced for _, reduced in groups):
        at = max(i for i, (_, reduced) in enumerate(groups) if reduced)
        before, size, step = as_lines(tuple(size for size, _ in groups), at)
        del groups[at]
        final = not any(reduced for _, reduced in groups)
        x = _reduce_group(how, x, before, size, step, divisor if final else 1.0)
        how = SUM if how is SQUARES else how
    return x.reshape(shape)


def _own(name: str, how: Reduction) -> Callable[..., Any]:
    def run(x: Array, *, axis: Ints, keepdims: bool) -> Array:
        if x.size == 0 or x.dtype.name not in FLOATING:
            return getattr(reference, name)(x, axis=axis, keepdims=keepdims)
        return reduce(how, x, axis, keepdims)

    run.__name__ = name
    return OWN.register(in_float32(run))


reduce_sum = _own("reduce_sum", SUM)
reduce_prod = _own("reduce_prod", PRODUCT)
reduce_max = _own("reduce_max", LARGEST)
reduce_min = _own("reduce_min", SMALLEST)
reduce_fmax = _own("reduce_fmax", LARGEST_NUMBER)
reduce_fmin = _own("reduce_fmin", SMALLEST_NUMBER)


@OWN.register
@in_float32
def reduce_mean(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    """The sum, divided by the number of elements."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.reduce_mean(x, axis=axis, keepdims=keepdims)
    return reduce(SUM, x, axis, keepdims, math.prod(x.shape[a] for a in axis))


@OWN.register
@in_float32
def sum_of_squares(x: Array) -> Array:
    """Of all elements, of rank 0."""
    if x.size == 0 or x.dtype.name not in FLOATING:
        return reference.sum_of_squares(x)
    return reduce(SQUARES, x.reshape(-1), (0,))


@kernel("boolean[::1], boolean[::1], int64, int64, int64, int64, boolean")
def any_of_lines(y, x, size, step, chunks, length, wanted):
    """`y (before, chunks, step)`: `wanted` where one of the elements of a chunk is so."""
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, step)
        before = udiv(rest, chunks)
        begin = (rest - before * chunks) * length
        found = not wanted
        for j in range(begin, min(begin + length, size)):
            if x[(before * size + j) * step + i - rest * step] == wanted:
                found = wanted
        y[i] = found


def _some(x: Array, axis: Ints, keepdims: bool, wanted: bool) -> Array:
    """`wanted` where one of the elements along the axes is so."""
    shape = tuple(
        1 if dimension in axis else size
        for dimension, size in enumerate(x.shape)
        if keepdims or dimension not in axis
    )
    groups, x = _groups(x.shape, axis), contiguous(x)
    for at in reversed(range(len(groups))):
        if groups[at][1]:
            before, size, step = as_lines(tuple(size for size, _ in groups), at)
            groups[at] = 1, False
            while size > 1:
                chunks = -(-size // (SERIAL * WARP))
                y = empty((before * chunks * step,), "bool")
                length = -(-size // chunks)
                any_of_lines.launch(y.size, y, x, size, step, chunks, length, wanted)
                x, size = y, chunks
    return x.reshape(shape)


@OWN.register
def reduce_any(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    """Whether one of the elements holds."""
    if x.size == 0:
        return reference.reduce_any(x, axis=axis, keepdims=keepdims)
    return _some(x, axis, keepdims, True)


@OWN.register
def reduce_all(x: Array, *, axis: Ints, keepdims: bool) -> Array:
    """Whether all elements hold."""
    if x.size == 0:
        return reference.reduce_all(x, axis=axis, keepdims=keepdims)
    return _some(x, axis, keepdims, False)


def _place_kernels(name: str, join: Any) -> tuple[Kernel, Kernel]:
    """Where the extreme of a row or line stands; of equal ones the first, NaN before numbers."""
    best = best_in_team(join)

    @kernel("int32[::1], {T}[::1], int64, int64", name=f"{name}_rows", threads=THREADS, T=FLOATING)
    def place_rows(y, x, size, team):
        shared = cuda.shared.array(WARP, x.dtype)
        places = cuda.shared.array(WARP, y.dtype)
        team = min(team, cuda.blockDim.x)
        together = udiv(cuda.blockDim.x, team)
        lane = umod(cuda.threadIdx.x, team)
        for first in range(cuda.blockIdx.x * together, y.size, cuda.gridDim.x * together):
            item = first + udiv(cuda.threadIdx.x, team)
            start = min(item, y.size - 1) * size
            value, place = x[start], y.dtype.type(0)
            for j in range(lane, size, team):
                other = x[start + j]
                if value == value and join(value, other) != value:
                    value, place = other, y.dtype.type(j)
            place = best(value, place, team, shared, places)
            if lane == 0 and item < y.size:
                y[item] = place

    @kernel("int32[::1], {T}[::1], int64, int64", name=f"{name}_lines", T=FLOATING)
    def place_lines(y, x, size, step):
        for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
            start = udiv(i, step) * size * step + umod(i, step)
            value, place = x[start], y.dtype.type(0)
            for j in range(1, size):
                other = x[start + j * step]
                if value == value and join(value, other) != value:
                    value, place = other, y.dtype.type(j)
            y[i] = place

    return place_rows, place_lines


def _place(name: str, kernels: tuple[Kernel, Kernel]) -> Callable[..., Any]:
    rows, lines = kernels

    def run(x: Array, *, axis: int, keepdims: bool) -> Array:
        if x.size == 0 or x.dtype.name not in FLOATING:
            return getattr(reference, name)(x, axis=axis, keepdims=keepdims)
        before, size, step = as_lines(x.shape, axis)
        y = empty((before * step,), "int32")
        if step == 1:
            team = team_for(size)
            rows.launch_blocks(blocks_for(before, team), y, contiguous(x), size, team)
        else:
            lines.launch(y.size, y, contiguous(x), size, step)
        middle = (1,) if keepdims else ()
        return y.reshape((*x.shape[:axis], *middle, *x.shape[axis + 1 :]))

    run.__name__ = name
    return OWN.register(in_float32(run))


argmax = _place("argmax", _place_kernels("argmax", larger))
argmin = _place("argmin", _place_kernels("argmin", smaller))
