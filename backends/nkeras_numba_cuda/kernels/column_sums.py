"""Sums over the rows of a matrix that gradients of normalizations are made of."""

from __future__ import annotations

from typing import Any

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import square_root, udiv, umod
from nkeras_numba_cuda.kernels.reduction import SUM, chunks_of_columns, reduce, tiles_of
from nkeras_numba_cuda.kernels.rows import THREADS
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel
from nkeras_numba_cuda.memory import Array, empty

BY_COLUMN, BY_ROW, BY_GROUP = 0, 1, 2
"""What has a mean and a deviation of its own."""


def _kernel(name: str, kind: int) -> Kernel:
    @kernel(
        "{T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}[::1], {T}, int64, int64, int64, int64, "
        "int64, int64",
        name=name,
        threads=THREADS,
        T=FLOATING,
    )
    def sums(y, grad_y, x, mean, spread, epsilon, rows, columns, length, tile, positions, channels):
        """`y (2, chunks, columns)`: sums of `grad_y * normalized`, and of `grad_y`."""
        shared = cuda.shared.array((2, THREADS), y.dtype)
        wide = min(tile, cuda.blockDim.x)
        lines = udiv(cuda.blockDim.x, wide)
        lane = umod(cuda.threadIdx.x, wide)
        line = udiv(cuda.threadIdx.x, wide)
        tiles = udiv(columns + tile - 1, tile)
        chunk = udiv(cuda.blockIdx.x, tiles)
        from_column = (cuda.blockIdx.x - chunk * tiles) * tile
        begin = chunk * length
        end = min(begin + length, rows)
        one = y.dtype.type(1)
        for first in range(from_column, min(from_column + tile, columns), wide):
            column = first + lane
            by_x, plain = y.dtype.type(0), y.dtype.type(0)
            if column < columns:
                middle, inverse = y.dtype.type(0), one
                if kind == BY_COLUMN:
                    middle = mean[column]
                    inverse = one / square_root(spread[column] + epsilon)
                for row in range(begin + line, end, lines):
                    if kind == BY_ROW:
                        middle = mean[row] if mean.size > 0 else middle
                        inverse = spread[row]
                    elif kind == BY_GROUP:
                        at = udiv(row, positions) * udiv(columns, channels) + udiv(column, channels)
                        middle, inverse = mean[at], spread[at]
                    at_x = row * columns + column
                    grad = grad_y[at_x]
                    by_x += grad * ((x[at_x] - middle) * inverse)
                    plain += grad
            if lines > 1:
                shared[0, cuda.threadIdx.x] = by_x
                shared[1, cuda.threadIdx.x] = plain
                cuda.syncthreads()
                if line == 0:
                    for other in range(1, lines):
                        by_x += shared[0, other * wide + lane]
                        plain += shared[1, other * wide + lane]
                cuda.syncthreads()
            if line == 0 and column < columns:
                y[chunk * columns + column] = by_x
                y[(udiv(y.size, 2 * columns) + chunk) * columns + column] = plain

    return sums


_KERNELS = {
    BY_COLUMN: _kernel("sums_of_columns", BY_COLUMN),
    BY_ROW: _kernel("sums_of_rows", BY_ROW),
    BY_GROUP: _kernel("sums_of_groups", BY_GROUP),
}


def sums(
    kind: int,
    grad_y: Array,
    x: Array,
    mean: Array,
    spread: Array,
    *,
    epsilon: float = 0.0,
    positions: int = 1,
    channels: int = 1,
) -> Any:
    """The sums of `grad_y * (x - mean) * inverse` and of `grad_y`, over all axes but the last.

    Args:
        kind: what has a mean of its own: columns, rows, or groups of channels in a sample.
        grad_y: contiguous, not empty.
        x: likewise.
        mean: the means; empty where there are none.
        spread: `1 / deviation`; for columns the variances.
        epsilon: what is added to these.
        positions: rows of a sample.
        channels: columns of a group.
    """
    columns = x.shape[-1]
    rows = x.size // columns
    chunks, length = chunks_of_columns(1, rows, columns)
    tile, tiles = tiles_of(columns)
    y = empty((2, chunks, columns), x.dtype)
    number = x.dtype.type(epsilon)
    arrays = y, grad_y, x, mean, spread
    sizes = rows, columns, length, tile, positions, channels
    _KERNELS[kind].launch_blocks(chunks * tiles, *arrays, number, *sizes)
    return reduce(SUM, y, (1,)) if chunks > 1 else y.reshape(2, columns)
