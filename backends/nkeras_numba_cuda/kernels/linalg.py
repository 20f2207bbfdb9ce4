"""Products of matrices, and a dense layer forward and backward."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nkeras_numba_cuda.kernels.plain_products import PLAIN
from nkeras_numba_cuda.kernels.products import Matrix, product
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.memory import Array, array_module, contiguous, empty
from nkeras_numpy.namespace import HALF_TYPES, in_float32
from nkeras_numpy.reduction import reduce_sum


@OWN.register
def matmul(x: Array, y: Array) -> Array:
    """`numpy.matmul` of operands of rank 2 or more."""
    if x.dtype.name not in PLAIN:
        return _of_other_dtypes(matmul, x, y)
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    shape = (*batch, x.shape[-2], y.shape[-1])
    if x.shape[-1] == 0 or 0 in shape:
        return _zeros(shape, x.dtype)
    if math.prod(y.shape[:-2]) == 1 and x.flags.c_contiguous:  # one product of many rows
        x = x.reshape(1, -1, x.shape[-1])
        return product(_matrix(x, (1,)), _matrix(y, (1,)), 1).reshape(shape)
    left, right = _matrix(x, batch), _matrix(y, batch)
    if left.transposed and right.transposed:
        left = _matrix(contiguous(x), batch)
    return product(left, right, math.prod(batch)).reshape(shape)


@OWN.register
def dense(
    x: Array, kernel: Array, bias: Array | None, addend: Array | None = None, *, activation: str
) -> Array:
    """`activation(x @ kernel + bias + addend)`."""
    is_plain = (name := x.dtype.name) in PLAIN
    if not is_plain and name in HALF_TYPES:
        return in_float32(dense)(x, kernel, bias, addend, activation=activation)
    if not is_plain:
        product_of = matmul(x, kernel)
        total = sum((term for term in (bias, addend) if term is not None), product_of)
        return _activated(total, activation).astype(x.dtype)
    shape = (*x.shape[:-1], kernel.shape[1])
    if 0 in shape:
        return _zeros(shape, x.dtype)
    rows = contiguous(x).reshape(-1, x.shape[-1])
    terms = (None if term is None else contiguous(term) for term in (bias, addend))
    y = product(_matrix(rows, ()), _matrix(kernel, ()), 1, *terms, activation=activation)
    return y.reshape(shape)


@OWN.register
def dense_grad(
    grad_y: Array, x: Array, kernel: Array, *, by: tuple[str, ...]
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients by x, kernel and bias of a linear `dense`."""
    rows, grad_rows = x.reshape(-1, x.shape[-1]), grad_y.reshape(-1, grad_y.shape[-1])
    sum_up = OWN.get("reduce_sum", reduce_sum)
    return (
        matmul(grad_rows, contiguous(kernel).T).reshape(x.shape) if "x" in by else None,
        matmul(contiguous(rows).T, grad_rows) if "kernel" in by else None,
        sum_up(grad_rows, axis=(0,), keepdims=False) if "bias" in by else None,
    )


@OWN.register
def int8_matmul(x: Array, y: Array) -> Array:
    """The product of matrices of int8 as int32."""
    return matmul(x.astype(np.int32), y.astype(np.int32))


@OWN.register
@in_float32
def int8_dense(
    x: Array, kernel: Array, scale: Array, bias: Array, *, low: int, high: int, epsilon: float
) -> Array:
    """A dense layer by integers: each row of x is rounded to multiples of its largest value."""
    xp, dtype = array_module(), x.dtype
    own = (high / (xp.abs(x).max(-1, keepdims=True) + dtype.type(epsilon))).astype(dtype)
    integers = xp.clip(xp.rint(x * own), low, high).astype(np.int32)
    y = matmul(integers, kernel.astype(np.int32)).astype(dtype) / (scale * own)
    return (y if bias is None else y + bias).astype(dtype)


def _matrix(x: Array, batch: tuple[int, ...]) -> Matrix:
    """The matrices as they lie in memory.

    A transposed matrix is read in place, and one matrix for the whole batch is not repeated.
    """
    rows, columns = x.shape[-2:]
    if math.prod(x.shape[:-2]) == 1:
        x, step = x.reshape(rows, columns), 0
    else:
        x, step = array_module().broadcast_to(x, (*batch, rows, columns)), rows * columns
    turned = x.swapaxes(-1, -2)
    if turned.flags.c_contiguous and not x.flags.c_contiguous:
        return Matrix(turned, rows, columns, True, step)
    return Matrix(contiguous(x), rows, columns, False, step)


def _of_other_dtypes(function: Callable[..., Array], x: Array, y: Array) -> Array:
    """Products of dtypes without a kernel, through one that has one."""
    dtype = x.dtype
    if dtype.name in HALF_TYPES:
        return in_float32(function)(x, y)
    if dtype.kind == "c":
        parts = [contiguous(part) for part in (x.real, x.imag, y.real, y.imag)]
        real, imaginary, other_real, other_imaginary = parts
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        z = empty((*batch, x.shape[-2], y.shape[-1]), dtype)
        z.real = function(real, other_real) - function(imaginary, other_imaginary)
        z.imag = function(real, other_imaginary) + function(imaginary, other_real)
        return z
    wide = np.int64 if dtype.itemsize > 2 else np.int32
    z = function(x.astype(wide), y.astype(wide))
    return z != 0 if dtype.kind == "b" else z.astype(dtype)


def _activated(x: Array, activation: str) -> Array:
    xp = array_module()
    if activation in ("relu", "relu6"):
        x = xp.where(x < 0, 0, x)
    return xp.where(x > 6, 6, x) if activation == "relu6" else x


def _zeros(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    z = empty(shape, dtype)
    z.fill(0)
    return z
