"""Matrix products. No BLAS for floats: its own threads would fight with the ones of our kernels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from nkeras_numba_cpu import gemm
from nkeras_numba_cpu.compile import jit
from nkeras_numba_cpu.memory import empty, is_floating, operand, stored

# One task computes ROWS x COLUMNS results in a small buffer. Both are constants of the compiled
# code: with constant distances between the rows LLVM needs few overlap checks and vectorises over
# the columns.
ROWS = 4
COLUMNS = 256


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`numpy.matmul` for operands of rank 2 or more; batch dimensions broadcast."""
    if not is_floating(x.dtype):
        return np.matmul(x, y)
    inner, columns = x.shape[-1], y.shape[-1]
    if y.ndim == 2 and (x.ndim == 2 or x.flags.c_contiguous):
        shape = (*x.shape[:-1], columns)  # one matrix for the whole batch: the batch is more rows
        batch: tuple[int, ...] = ()
        rows = math.prod(x.shape[:-1])
    else:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        rows = x.shape[-2]
        shape = (*batch, rows, columns)
    if 0 in shape or inner == 0:
        return np.zeros(shape, x.dtype)
    a, transposed_a = _as_it_lies(x)
    b, transposed_b = _as_it_lies(y)
    if not batch:
        flat = gemm.product(
            a, b, (rows, columns, inner), transposed_a=transposed_a, transposed_b=transposed_b
        )
    else:
        flat = gemm.product(
            a,
            b,
            (rows, columns, inner),
            transposed_a=transposed_a,
            transposed_b=transposed_b,
            a_offsets=_offsets(x.shape, batch),
            b_offsets=_offsets(y.shape, batch),
        )
    return stored(flat.reshape(shape), x.dtype)


def dense(
    x: np.ndarray, kernel: np.ndarray, bias: np.ndarray | None, *, activation: str
) -> np.ndarray:
    """`activation(x @ kernel + bias)`; activation is "linear" or "relu"."""
    inner, columns = kernel.shape
    shape = (*x.shape[:-1], columns)
    rows = math.prod(x.shape[:-1])
    if rows == 0 or columns == 0:
        return empty(shape, x.dtype)
    if inner == 0:
        raise ValueError("dense: a kernel must have inputs")  # refused by the shape rule
    b, transposed = _as_it_lies(kernel)
    flat = gemm.product(
        operand(x),
        b,
        (rows, columns, inner),
        transposed_b=transposed,
        bias=None if bias is None else operand(bias),
        relu=activation == "relu",
    )
    return stored(flat.reshape(shape), x.dtype)


def _as_it_lies(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """A contiguous array, and whether its last two axes are exchanged."""
    if not x.flags.c_contiguous and x.ndim >= 2:
        turned = x.swapaxes(-1, -2)
        if turned.flags.c_contiguous:
            return operand(turned), True
    return operand(x), False


@lru_cache(maxsize=1024)
def _offsets(shape: tuple[int, ...], batch: tuple[int, ...]) -> np.ndarray:
    """Where the matrices of an array begin, in elements, for each matrix of the broadcast batch."""
    own = shape[:-2]
    starts = np.arange(math.prod(own), dtype=np.int64).reshape(own) * math.prod(shape[-2:])
    return np.ascontiguousarray(np.broadcast_to(starts, batch)).reshape(-1)


@jit
def add_products(tile, columns, a, starts, a_step, depth, b, b_start, b_step):
    """Add to tile[r * COLUMNS + j] the products a[starts[r] + k a_step] b[b_start + k b_step + j].

    They are summed over k < depth: the inner loop of matrix products and of convolutions in all
    directions. Four steps of k are taken per pass over the tile, so that each load and store of it
    serves four multiplications.
    """
    row_0 = tile[0:COLUMNS]
    row_1 = tile[COLUMNS : 2 * COLUMNS]
    row_2 = tile[2 * COLUMNS : 3 * COLUMNS]
    row_3 = tile[3 * COLUMNS : 4 * COLUMNS]
    start_0, start_1, start_2, start_3 = starts
    k = 0
    while k + 4 <= depth:
        p = k * a_step
        q = p + a_step
        r = q + a_step
        s = r + a_step
        a_00, a_01, a_02, a_03 = a[start_0 + p], a[start_0 + q], a[start_0 + r], a[start_0 + s]
        a_10, a_11, a_12, a_13 = a[start_1 + p], a[start_1 + q], a[start_1 + r], a[start_1 + s]
        a_20, a_21, a_22, a_23 = a[start_2 + p], a[start_2 + q], a[start_2 + r], a[start_2 + s]
        a_30, a_31, a_32, a_33 = a[start_3 + p], a[start_3 + q], a[start_3 + r], a[start_3 + s]
        begin = b_start + k * b_step
        b_0 = b[begin : begin + columns]
        b_1 = b[begin + b_step : begin + b_step + columns]
        b_2 = b[begin + 2 * b_step : begin + 2 * b_step + columns]
        b_3 = b[begin + 3 * b_step : begin + 3 * b_step + columns]
        for j in range(columns):
            c_0, c_1, c_2, c_3 = b_0[j], b_1[j], b_2[j], b_3[j]
            row_0[j] = row_0[j] + a_00 * c_0 + a_01 * c_1 + a_02 * c_2 + a_03 * c_3
            row_1[j] = row_1[j] + a_10 * c_0 + a_11 * c_1 + a_12 * c_2 + a_13 * c_3
            row_2[j] = row_2[j] + a_20 * c_0 + a_21 * c_1 + a_22 * c_2 + a_23 * c_3
            row_3[j] = row_3[j] + a_30 * c_0 + a_31 * c_1 + a_32 * c_2 + a_33 * c_3
        k += 4
    while k < depth:
        p = k * a_step
        a_00, a_10, a_20, a_30 = a[start_0 + p], a[start_1 + p], a[start_2 + p], a[start_3 + p]
        begin = b_start + k * b_step
        b_0 = b[begin : begin + columns]
        for j in range(columns):
            c_0 = b_0[j]
            row_0[j] += a_00 * c_0
            row_1[j] += a_10 * c_0
            row_2[j] += a_20 * c_0
            row_3[j] += a_30 * c_0
        k += 1
