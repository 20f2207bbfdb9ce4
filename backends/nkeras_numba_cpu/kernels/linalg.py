"""Matrix products. No BLAS for floats: its own threads would fight with the ones of our kernels."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill, filled
from nkeras_numba_cpu.loops.operands import compute_dtype, is_floating, operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numba_cpu.products import dots, gemm, integers
from nkeras_numba_cpu.products.distances import distances
from nkeras_numba_cpu.products.gemm import Shape
from nkeras_numba_cpu.products.micro_kernel import ACTIVATIONS
from nkeras_numpy import linalg as reference

_ROWS = 8192  # vectors of a task


@KERNELS.register
def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`numpy.matmul` for operands of rank 2 or more; batch dimensions broadcast."""
    kind = x.dtype.kind
    if kind in "bc":
        return by_numpy(reference.matmul, x, y)
    # One matrix for the whole batch: the batch is more rows.
    joined = y.ndim == 2 and (x.ndim == 2 or x.flags.c_contiguous)
    shape, sizes, batches = _shapes(x.shape, y.shape, joined)
    if 0 in shape or sizes[2] == 0:
        return filled(shape, x.dtype, 0)
    if kind in "iu":
        return integers.product(x, y)
    a, transposed_a = _as_it_lies(x)
    b, transposed_b = _as_it_lies(y)
    if sizes[1] == 1 and not (transposed_a or any(batches)):  # a column is a row, as it lies
        y = dots.product(b, a, (1, sizes[0], sizes[2])).reshape(shape)
    elif transposed_b and not (transposed_a or any(batches)) and dots.is_faster(sizes):
        y = dots.product(a, b, sizes).reshape(shape)
    else:
        y = gemm.product(
            a,
            b,
            sizes,
            transposed_a=transposed_a,
            transposed_b=transposed_b,
            batches=batches,
            shape=shape,
        )
    return stored(y, x.dtype)


@KERNELS.register
def cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cross products of vectors of three components."""
    if x.dtype.kind == "c":
        return by_numpy(reference.cross, x, y)
    result = empty(x.shape, compute_dtype(x.dtype))
    if x.size:
        rows = x.size // 3
        given = operand(x).reshape(rows, 3), operand(y).reshape(rows, 3), result.reshape(rows, 3)
        _cross(-(-rows // _ROWS), 2 * x.size, *given)
    return stored(result, x.dtype)


@tasks
def _cross(task, x, y, normal):
    for i in range(task * _ROWS, min(task * _ROWS + _ROWS, x.shape[0])):
        a, b, c = x[i, 0], x[i, 1], x[i, 2]
        u, v, w = y[i, 0], y[i, 1], y[i, 2]
        normal[i, 0] = b * w - c * v
        normal[i, 1] = c * u - a * w
        normal[i, 2] = a * v - b * u


@lru_cache(maxsize=4096)
def _shapes(
    x: Shape, y: Shape, joined: bool
) -> tuple[Shape, tuple[int, int, int], tuple[Shape, Shape]]:
    """Shape of a product; its rows, columns and depth; how the matrices of both are arranged."""
    (rows, inner), columns = x[-2:], y[-1]
    if joined:
        return (*x[:-1], columns), (math.prod(x[:-1]), columns, inner), ((), ())
    batches = x[:-2], y[:-2]
    return (*np.broadcast_shapes(*batches), rows, columns), (rows, columns, inner), batches


@KERNELS.register
def dense(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None = None,
    *,
    activation: str,
) -> np.ndarray:
    """`activation(x @ kernel + bias + addend)`; activation is a name of `ACTIVATIONS`."""
    if not is_floating(x.dtype):
        return by_numpy(reference.dense, x, kernel, bias, addend, activation=activation)
    inner, columns = kernel.shape
    shape = (*x.shape[:-1], columns)
    rows = math.prod(x.shape[:-1])
    if rows == 0 or columns == 0:
        return empty(shape, x.dtype)
    if inner == 0:
        raise ValueError("dense: a kernel must have inputs")  # refused by the shape rule
    b, transposed = _as_it_lies(kernel)
    y = gemm.product(
        operand(x),
        b,
        (rows, columns, inner),
        transposed_b=transposed,
        bias=None if bias is None else operand(bias),
        addend=None if addend is None else operand(addend),
        mode=ACTIVATIONS[activation],
        shape=shape,
    )
    return stored(y, x.dtype)


@KERNELS.register
def cdist_squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sums of squared differences of all pairs of rows."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    result = empty((*batch, x.shape[-2], y.shape[-2]), compute_dtype(x.dtype))
    if result.size and not x.shape[-1]:
        fill(result, 0)
    elif result.size:
        of_x, of_y = (operand(np.broadcast_to(z, (*batch, *z.shape[-2:]))) for z in (x, y))
        whole = [z.reshape(-1, *z.shape[-2:]) for z in (of_x, of_y, result)]
        distances(*whole)
    return stored(result, x.dtype)


def _as_it_lies(x: np.ndarray) -> tuple[np.ndarray, bool]:
    """A contiguous array, and whether its last two axes are exchanged."""
    flags = x.flags
    if flags.carray and x.dtype.itemsize > 2:
        return x, False
    if not flags.c_contiguous and x.ndim >= 2:
        turned = x.swapaxes(-1, -2)
        if turned.flags.c_contiguous:
            return operand(turned), True
    return operand(x), False
