"""Gradients of a dense layer: two products and a sum, as one call."""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cpu.kernels.linalg import matmul
from nkeras_numba_cpu.kernels.reduction import reduce_sum
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.kernels.shape import reshape
from nkeras_numba_cpu.loops.copies import contiguous
from nkeras_numba_cpu.loops.operands import is_half, operand, stored


@KERNELS.register
def dense_grad(
    grad_y: np.ndarray,
    x: np.ndarray,
    kernel: np.ndarray,
    *,
    by: tuple[str, ...],
) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Gradients by x, kernel and bias of a linear `dense`."""
    dtype = x.dtype
    if is_half(dtype):  # once for all of them
        grad_y, x = operand(grad_y), operand(x) if "kernel" in by else x
        kernel = operand(kernel) if "x" in by else kernel
    rows, grad = _rows(x), _rows(grad_y)
    return (
        stored(matmul(grad, _plain(kernel).T), dtype).reshape(x.shape) if "x" in by else None,
        stored(matmul(rows.T, grad), dtype) if "kernel" in by else None,
        stored(reduce_sum(grad, axis=(0,), keepdims=False), dtype) if "bias" in by else None,
    )


def _plain(x: np.ndarray) -> np.ndarray:
    return x if x.flags.c_contiguous else contiguous(x)


def _rows(x: np.ndarray) -> np.ndarray:
    return x if x.ndim == 2 else reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))
