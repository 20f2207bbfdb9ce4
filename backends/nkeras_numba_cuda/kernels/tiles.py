"""Products of matrices on tensor cores, tile by tile: what `matmul`, `dense` and `conv` share.

A block computes one tile of the result. It walks along the inner axis in steps: copies of steps to
come run into shared memory while the warps multiply what has arrived, each its part of the tile.
Where the numbers come from is an `Operand`: how a step of it is copied and how one number is read.

An operand is `inner_first` where numbers that follow each other in memory belong to the same row
(of the left matrix) or column (of the right one); otherwise they belong to the same place of the
inner axis. Neither is transposed in memory.

float32 is multiplied as sums of two numbers of 11 bits, whose products tensor cores add in float32:
high * high + high * low + low * high. Where infinities or overflow make this NaN, the sum is
computed again by the plain rule, so that it is what float32 gives.

Source: https://docs.nvidia.com/cuda/parallel-thread-execution (mma, ldmatrix, cp.async);
https://arxiv.org/abs/2203.03341 (float32 from products of tf32).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import inlined
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.device.tensor_cores import end_of_copies, wait_for_copies
from nkeras_numba_cuda.device.vectors import store_4, store_floats
from nkeras_numba_cuda.kernels.endings import completing
from nkeras_numba_cuda.kernels.fragments import Arithmetic, multiply_step
from nkeras_numba_cuda.kernels.plain_products import HALVES
from nkeras_numba_cuda.launch import Kernel, kernel

RESULT_GAP = 8
"""Numbers between two rows of results in shared memory, so that warps meet no bank twice."""
BAND = 8
"""Tiles of so many rows of tiles follow each other: what they read stays in the cache."""


class Tile(NamedTuple):
    """What a block computes at a time.

    Attributes:
        rows: rows of the result, of the block.
        columns: columns of the result, of the block.
        inner: length of a step along the inner axis.
        warp_rows: rows of the block's part that a warp computes, a multiple of 16.
        warp_columns: columns of it, a multiple of 16.
        stages: how many steps have room in shared memory.
    """

    rows: int
    columns: int
    inner: int
    warp_rows: int
    warp_columns: int
    stages: int

    @property
    def threads(self) -> int:
        """Threads of the block."""
        return 32 * (self.rows // self.warp_rows) * (self.columns // self.warp_columns)


class Panel(NamedTuple):
    """One operand's part of a step in shared memory.

    Attributes:
        lines: rows in shared memory, each of numbers that follow each other in device memory.
        length: numbers in a row.
        step: distance of two rows, chosen so that warps meet no bank twice.
        size: numbers in all, with what lies between the rows.
    """

    lines: int
    length: int
    step: int
    size: int


def panel(tile_size: int, inner: int, inner_first: bool, arithmetic: Arithmetic) -> Panel:
    """How an operand's part of a step lies in shared memory.

    Args:
        tile_size: rows or columns of the tile.
        inner: length of a step.
        inner_first: see above.
        arithmetic: how numbers are multiplied, which says how wide they are.
    """
    lines, length = (tile_size, inner) if inner_first else (inner, tile_size)
    step = length + (4 if inner_first and arithmetic.bytes == 4 else 8)
    return Panel(lines, length, step, lines * step)


class Operand(NamedTuple):
    """Where the numbers of one matrix come from, as functions that are compiled into the kernel.

    Attributes:
        inner_first: see above.
        numbers: how many numbers (int64) a thread keeps from `prepare` for `copy`.
        prepare: `(kept, g, batch, first, thread)`: work out what does not change from step to
            step; `first` is the first row or column of the tile.
        copy: `(shared, at, array, kept, g, k, end, thread)`: copy what stands at `k` and behind
            along the inner axis, zeros from `end` on and outside of the matrix.
        read: `(array, g, batch, line, k)`: one number, of a row or column `line`, as float32.
    """

    inner_first: bool
    numbers: int
    prepare: Callable[..., Any]
    copy: Callable[..., Any]
    read: Callable[..., Any]


class Product(NamedTuple):
    """The numbers that every kernel made here reads; records of operands begin with these.

    Attributes:
        rows: of the result.
        columns: of the result.
        inner: length of the sums.
        down: how many tiles the result is high.
        across: how many tiles it is wide.
        splits: into how many parts the sums are cut, each computed by other blocks.
        part: length of such a part, a multiple of the step.
        bias: whether there is one.
        addend: whether there is one.
        activation: a number of `endings.ACTIVATIONS`.
    """

    rows: int
    columns: int
    inner: int
    down: int
    across: int
    splits: int
    part: int
    bias: int
    addend: int
    activation: int


AT = places(Product)


class Result(NamedTuple):
    """Where results stand, as functions that are compiled into the kernel.

    Attributes:
        place: `(g, batch, row, column)`: where a number of the result stands.
        place_of_bias: `(g, batch, column)`: where its bias stands.
        in_fours: `(g)`: whether four columns can be written at once wherever a multiple of four
            begins.
    """

    place: Callable[..., Any]
    place_of_bias: Callable[..., Any]
    in_fours: Callable[..., Any]


@inlined
def _in_order(g, batch, row, column):
    return (batch * g[AT.rows] + row) * g[AT.columns] + column


@inlined
def _of_column(g, batch, column):
    return column


@inlined
def _by_columns(g):
    return g[AT.columns] & 3 == 0


IN_ORDER = Result(_in_order, _of_column, _by_columns)
"""Matrices of a batch behind each other, row by row, with one bias for all."""


def shared_bytes(
    tile: Tile, arithmetic: Arithmetic, left_inner_first: bool, right_inner_first: bool
) -> int:
    """Shared memory that a block takes."""
    left = panel(tile.rows, tile.inner, left_inner_first, arithmetic)
    right = panel(tile.columns, tile.inner, right_inner_first, arithmetic)
    results = 4 * tile.rows * (tile.columns + RESULT_GAP)
    return max(tile.stages * (left.size + right.size) * arithmetic.bytes, results)


def tile_product(
    tile: Tile,
    arithmetic: Arithmetic,
    left: Operand,
    right: Operand,
    result: Result = IN_ORDER,
) -> Callable[..., None]:
    """The kernel `(z, x, y, bias, addend, g)`, to be launched by blocks of `tile.threads`.

    Each part of the sums has `down * across` blocks; parts of a batch follow each other. Where
    there is one part, z is the result. Otherwise its memory takes the parts as float32, `(batch,
    splits, rows, columns)`, with columns rounded up to a multiple of 4.

    Args:
        tile: what a block computes.
        arithmetic: how numbers are multiplied.
        left: the left matrix, of `tile.rows` rows.
        right: the right matrix, of `tile.columns` columns.
        result: where results stand, if there is one part.
    """
    stages, inner = tile.stages, tile.inner
    tile_rows, tile_columns = tile.rows, tile.columns
    warp_rows, warp_columns = tile.warp_rows, tile.warp_columns
    warps_across = tile.columns // tile.warp_columns
    left_panel = panel(tile.rows, inner, left.inner_first, arithmetic)
    right_panel = panel(tile.columns, inner, right.inner_first, arithmetic)
    right_start, stage_size = left_panel.size, left_panel.size + right_panel.size
    ahead, waiting = stages - 1, stages - 2
    sums_count = tile.warp_rows * tile.warp_columns // 32
    left_numbers, right_numbers = left.numbers, right.numbers
    prepare_left, copy_left, read_left = left.prepare, left.copy, left.read
    prepare_right, copy_right, read_right = right.prepare, right.copy, right.read
    dtype = arithmetic.storage
    multiply = multiply_step(
        arithmetic,
        (tile.warp_rows, tile.warp_columns),
        (left.inner_first, right.inner_first),
        (left_panel.step, right_panel.step),
        inner,
    )
    start_of_left, start_of_right = multiply.start_of_left, multiply.start_of_right
    multiply_all = multiply.all
    place_sums = _placing(warp_rows, warp_columns, tile_columns + RESULT_GAP)
    write = _writing(tile, arithmetic, _again(read_left, read_right), result)

    def product(z, x, y, bias, addend, g):
        shared = cuda.shared.array(0, dtype)
        sums = cuda.local.array(sums_count, np.float32)
        left_kept = cuda.local.array(left_numbers, np.int64)
        right_kept = cuda.local.array(right_numbers, np.int64)
        thread = np.int32(cuda.threadIdx.x)
        lane, warp = thread & 31, thread >> 5
        tiles = g[AT.down] * g[AT.across]
        slab = udiv(cuda.blockIdx.x, tiles)
        tile = cuda.blockIdx.x - slab * tiles
        batch = udiv(slab, g[AT.splits])
        begin = (slab - batch * g[AT.splits]) * g[AT.part]
        end = min(begin + g[AT.part], g[AT.inner])
        band = udiv(tile, BAND * g[AT.across])
        height = min(g[AT.down] - band * BAND, BAND)
        place = tile - band * BAND * g[AT.across]
        row = (band * BAND + umod(place, height)) * tile_rows
        column = udiv(place, height) * tile_columns
        warp_row = (warp // warps_across) * warp_rows
        warp_column = (warp % warps_across) * warp_columns
        from_left = start_of_left(lane, warp_row)
        from_right = right_start + start_of_right(lane, warp_column)
        prepare_left(left_kept, g, batch, row, thread)
        prepare_right(right_kept, g, batch, column, thread)
        for i in range(sums_count):
            sums[i] = np.float32(0)
        filled = 0
        used = 0
        for k in range(begin - ahead * inner, end, inner):
            if k >= begin:
                wait_for_copies(waiting)
                cuda.syncthreads()
            coming = k + ahead * inner
            if coming < end:
                copy_left(shared, filled, x, left_kept, g, coming, end, thread)
                copy_right(shared, filled + right_start, y, right_kept, g, coming, end, thread)
                filled = filled + stage_size if filled < ahead * stage_size else 0
            end_of_copies()
            if k >= begin:
                multiply_all(shared, used + from_left, used + from_right, sums)
                used = used + stage_size if used < ahead * stage_size else 0
        wait_for_copies(0)
        cuda.syncthreads()
        results = cuda.shared.array(0, np.float32)
        place_sums(results, sums, lane, warp_row, warp_column)
        cuda.syncthreads()
        write(z, results, x, y, bias, addend, g, slab, batch, begin, end, row, column, thread)

    return product


@functools.cache
def _placing(warp_rows: int, warp_columns: int, step: int) -> Any:
    """A warp's sums go where the block finds them."""
    down, across = warp_rows // 16, warp_columns // 8

    @inlined
    def place_sums(results, sums, lane, row, column):
        start = (row + (lane >> 2)) * step + column + 2 * (lane & 3)
        for i in range(down):
            for j in range(across):
                at = 4 * (i * across + j)
                place = start + (16 * i * step + 8 * j)
                results[place] = sums[at]
                results[place + 1] = sums[at + 1]
                results[place + 8 * step] = sums[at + 2]
                results[place + (8 * step + 1)] = sums[at + 3]

    return place_sums


@functools.cache
def _writing(tile: Tile, arithmetic: Arithmetic, again: Any, result: Result) -> Any:
    """The block's results, four at a time, to device memory."""
    step = tile.columns + RESULT_GAP
    fours_across = tile.columns // 4
    fours, threads = tile.rows * fours_across, tile.threads
    is_split_number = arithmetic.bytes == 4
    complete = completing(arithmetic.dtype)
    place_of, place_of_bias, in_fours = result

    @inlined
    def checked(total, x, y, g, batch, row, column, begin, end):
        if is_split_number and total != total:
            return again(x, y, g, batch, row, column, begin, end)
        return total

    @inlined
    def write(z, results, x, y, bias, addend, g, slab, batch, begin, end, row, column, thread):
        rows, columns = g[AT.rows], g[AT.columns]
        has_bias, has_addend, activation = g[AT.bias], g[AT.addend], g[AT.activation]
        parts = g[AT.splits] > 1
        is_whole = in_fours(g)
        padded = (columns + 3) & ~3
        for number in range(thread, fours, threads):
            line = number // fours_across
            r, c = row + line, column + 4 * (number - line * fours_across)
            if r >= rows or c >= columns:
                continue
            place = line * step + (c - column)
            a, b = results[place], results[place + 1]
            d, e = results[place + 2], results[place + 3]
            total = a + b + d + e
            if is_split_number and total != total:
                a = checked(a, x, y, g, batch, r, c, begin, end)
                b = checked(b, x, y, g, batch, r, min(c + 1, columns - 1), begin, end)
                d = checked(d, x, y, g, batch, r, min(c + 2, columns - 1), begin, end)
                e = checked(e, x, y, g, batch, r, min(c + 3, columns - 1), begin, end)
            if parts:
                store_floats(z, (slab * rows + r) * padded + c, (a, b, d, e))
                continue
            at, own = place_of(g, batch, r, c), place_of_bias(g, batch, c)
            first = complete(a, bias, addend, own, at, has_bias, has_addend, activation)
            if is_whole:
                second = complete(
                    b, bias, addend, own + 1, at + 1, has_bias, has_addend, activation
                )
                third = complete(d, bias, addend, own + 2, at + 2, has_bias, has_addend, activation)
                fourth = complete(
                    e, bias, addend, own + 3, at + 3, has_bias, has_addend, activation
                )
                store_4(z, at, (first, second, third, fourth))
                continue
            z[at] = first
            if c + 1 < columns:
                z[at + 1] = complete(
                    b, bias, addend, own + 1, at + 1, has_bias, has_addend, activation
                )
            if c + 2 < columns:
                z[at + 2] = complete(
                    d, bias, addend, own + 2, at + 2, has_bias, has_addend, activation
                )
            if c + 3 < columns:
                z[at + 3] = complete(
                    e, bias, addend, own + 3, at + 3, has_bias, has_addend, activation
                )

    return write


@functools.cache
def _again(read_left: Any, read_right: Any) -> Any:
    """One sum by the plain rule."""

    @inlined
    def again(x, y, g, batch, row, column, begin, end):
        total = np.float32(0)
        for k in range(begin, end):
            total += read_left(x, g, batch, row, k) * read_right(y, g, batch, column, k)
        return total

    return again


def sum_kernel(name: str, dtype: str, result: Result = IN_ORDER) -> Kernel:
    """The kernel `(z, parts, bias, addend, g)` that sums the parts of products, in their order.

    Args:
        name: in the list of kernels.
        dtype: of the result.
        result: where results stand.
    """
    complete = completing(dtype)
    place_of, place_of_bias, _ = result
    stored = "uint16" if dtype in HALVES else dtype

    @kernel(f"{stored}[::1], float32[::1], {stored}[::1], {stored}[::1], int64[::1]", name=name)
    def sum_of_parts(z, parts, bias, addend, g):
        rows, columns, splits = g[AT.rows], g[AT.columns], g[AT.splits]
        has_bias, has_addend, activation = g[AT.bias], g[AT.addend], g[AT.activation]
        padded = (columns + 3) & ~3
        area, size = rows * padded, rows * columns
        for i in range(cuda.grid(1), z.size, cuda.gridsize(1)):
            batch = udiv(i, size)
            rest = i - batch * size
            row, column = udiv(rest, columns), umod(rest, columns)
            part = batch * splits * area + row * padded + column
            total = parts[part]
            for number in range(1, splits):
                total += parts[part + number * area]
            at, own = place_of(g, batch, row, column), place_of_bias(g, batch, column)
            z[at] = complete(total, bias, addend, own, at, has_bias, has_addend, activation)

    return sum_of_parts
