"""Matrix products: one thread for each element of the result."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.records import places
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import COMPUTED, kernel
from nkeras_numba_cuda.memory import Array, array_module, constants, contiguous, empty
from nkeras_numpy import linalg as reference
from nkeras_numpy.namespace import in_float32


class Sizes(NamedTuple):
    """Sizes of the matrices, and distances in x and y."""

    rows: int
    inner: int
    columns: int
    x_batch: int
    x_row: int
    x_inner: int
    y_batch: int
    y_inner: int
    y_column: int


AT = places(Sizes)


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1]", T=COMPUTED)
def matmul_naive(z, x, y, g):
    rows, inner, columns = g[AT.rows], g[AT.inner], g[AT.columns]
    x_batch, x_row, x_inner = g[AT.x_batch], g[AT.x_row], g[AT.x_inner]
    y_batch, y_inner, y_column = g[AT.y_batch], g[AT.y_inner], g[AT.y_column]
    for i in range(cuda.grid(1), z.size, cuda.gridsize(1)):
        rest = udiv(i, columns)
        batch = udiv(rest, rows)
        left = batch * x_batch + umod(rest, rows) * x_row
        right = batch * y_batch + umod(i, columns) * y_column
        total = z.dtype.type(0)
        for k in range(inner):
            total += x[left + k * x_inner] * y[right + k * y_inner]
        z[i] = total


@OWN.register
@in_float32
def matmul(x: Array, y: Array) -> Array:
    """`numpy.matmul` of operands of rank 2 or more."""
    if x.dtype.name not in COMPUTED or y.dtype != x.dtype:
        return reference.matmul(x, y)
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    rows, inner, columns = x.shape[-2], x.shape[-1], y.shape[-1]
    z = empty((*batch, rows, columns), x.dtype)
    if inner == 0:
        z.fill(0)
        return z
    if z.size == 0:
        return z
    x, (x_batch, x_row, x_inner) = _operand(x, batch)
    y, (y_batch, y_inner, y_column) = _operand(y, batch)
    sizes = Sizes(rows, inner, columns, x_batch, x_row, x_inner, y_batch, y_inner, y_column)
    matmul_naive.launch(z.size, z, x, y, constants(*sizes))
    return z


def _operand(x: Array, batch: tuple[int, ...]) -> tuple[Array, tuple[int, int, int]]:
    """The array to read from, and its strides in elements: of the batch and of a matrix.

    A transposed matrix is read in place, and one matrix for the whole batch is not repeated.
    """
    if math.prod(x.shape[:-2]) == 1:
        x = x.reshape(x.shape[-2:])
        step = 0
    else:
        x = array_module().broadcast_to(x, batch + x.shape[-2:])
        step = x.shape[-2] * x.shape[-1]
    rows, columns = x.shape[-2:]
    transposed = x.swapaxes(-1, -2)
    if transposed.flags.c_contiguous and not x.flags.c_contiguous:
        return transposed, (step, 1, rows)
    return contiguous(x), (step, columns, 1)
