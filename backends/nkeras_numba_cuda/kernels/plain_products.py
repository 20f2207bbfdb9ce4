"""Products of matrices of any dtype, size and GPU: small tiles in shared memory, no tensor cores.

A block of `side * side` threads computes a tile of `4 * side` rows and columns, each thread 4 x 4
of it. The simulator has one thread, and so tiles of 4 x 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import SIMULATOR, TARGET, cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.kernels.endings import completing, widening
from nkeras_numba_cuda.launch import COMPUTED, Kernel, kernel

SIDE = 1 if SIMULATOR else 16
DEPTH = 8
STEP = 4 * SIDE + 4  # of rows in shared memory; 128-bit accesses, and banks met rarely twice
SIZE = STEP * DEPTH
HALVES = ("bfloat16", "float16")


class Sizes(NamedTuple):
    """Sizes, distances in memory, and what follows the product, as in `tiles.Product`."""

    rows: int
    columns: int
    inner: int
    down: int
    across: int
    bias: int
    addend: int
    activation: int
    left_batch: int
    left_row: int
    left_inner: int
    right_batch: int
    right_inner: int
    right_column: int


AT = places(Sizes)


def _plain_product(dtype: str) -> Callable[..., None]:
    computed = np.dtype("float32" if dtype in HALVES else dtype).type
    widen, complete = widening(dtype), completing(dtype)
    count = 4 * SIDE * DEPTH

    def plain_product(z, x, y, bias, addend, g):
        left = cuda.shared.array(SIZE, computed)
        right = cuda.shared.array(SIZE, computed)
        sums = cuda.local.array(16, computed)
        rows, columns, inner = g[AT.rows], g[AT.columns], g[AT.inner]
        left_row, left_inner = g[AT.left_row], g[AT.left_inner]
        right_inner, right_column = g[AT.right_inner], g[AT.right_column]
        tiles = g[AT.down] * g[AT.across]
        batch = udiv(cuda.blockIdx.x, tiles)
        place = cuda.blockIdx.x - batch * tiles
        first_row = udiv(place, g[AT.across]) * 4 * SIDE
        first_column = umod(place, g[AT.across]) * 4 * SIDE
        thread = cuda.threadIdx.x
        row, column = 4 * (thread // SIDE), 4 * (thread % SIDE)
        for i in range(16):
            sums[i] = 0
        for start in range(0, inner, DEPTH):
            for number in range(thread, count, SIDE * SIDE):
                if left_inner == 1:
                    line, k = number // DEPTH, number % DEPTH
                else:
                    line, k = number % (4 * SIDE), number // (4 * SIDE)
                left[k * STEP + line] = 0
                if first_row + line < rows and start + k < inner:
                    at = batch * g[AT.left_batch] + (first_row + line) * left_row
                    left[k * STEP + line] = widen(x[at + (start + k) * left_inner])
            for number in range(thread, count, SIDE * SIDE):
                if right_inner == 1:
                    line, k = number // DEPTH, number % DEPTH
                else:
                    line, k = number % (4 * SIDE), number // (4 * SIDE)
                right[k * STEP + line] = 0
                if first_column + line < columns and start + k < inner:
                    at = batch * g[AT.right_batch] + (first_column + line) * right_column
                    right[k * STEP + line] = widen(y[at + (start + k) * right_inner])
            cuda.syncthreads()
            for k in range(DEPTH):
                for i in range(4):
                    a = left[k * STEP + row + i]
                    for j in range(4):
                        sums[4 * i + j] += a * right[k * STEP + column + j]
            cuda.syncthreads()
        for i in range(4):
            for j in range(4):
                r, c = first_row + row + i, first_column + column + j
                if r < rows and c < columns:
                    at = (batch * rows + r) * columns + c
                    z[at] = complete(
                        sums[4 * i + j],
                        bias,
                        addend,
                        c,
                        at,
                        g[AT.bias],
                        g[AT.addend],
                        g[AT.activation],
                    )

    plain_product.__name__ = f"plain_product_{dtype}"
    return plain_product


def _kernel(dtype: str) -> Kernel:
    stored = "uint16" if dtype in HALVES else dtype
    arrays = ", ".join([f"{stored}[::1]"] * 5)
    make = kernel(f"{arrays}, int64[::1]", threads=SIDE * SIDE)
    return make(_plain_product(dtype))


_TAKEN = HALVES if TARGET == "numba-cuda" else ()  # the other target has no numbers of 16 bits
PLAIN = {dtype: _kernel(dtype) for dtype in (*COMPUTED, *_TAKEN)}
"""By dtype."""
