"""Softmax and its logarithm, with their gradients: one row per task."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.memory import empty, operand, stored

# exp costs about as much as this many simple operations.
_EXP_WORK = 10


def softmax(x: np.ndarray, *, axis: int) -> np.ndarray:
    return _softmax_family(x, axis, False)


def log_softmax(x: np.ndarray, *, axis: int) -> np.ndarray:
    return _softmax_family(x, axis, True)


def softmax_grad(grad_y: np.ndarray, y: np.ndarray, *, axis: int) -> np.ndarray:
    """`y * (grad_y - sum(grad_y * y))`."""
    return _gradient(grad_y, y, axis, False)


def log_softmax_grad(grad_y: np.ndarray, y: np.ndarray, *, axis: int) -> np.ndarray:
    """`grad_y - exp(y) * sum(grad_y)`."""
    return _gradient(grad_y, y, axis, True)


def _rows(x: np.ndarray, axis: int) -> np.ndarray:
    """x as contiguous `(rows, n)` with `axis` last."""
    return operand(np.moveaxis(x, axis, -1)).reshape(-1, x.shape[axis])


def _from_rows(rows: np.ndarray, like: np.ndarray, axis: int) -> np.ndarray:
    shape = (*like.shape[:axis], *like.shape[axis + 1 :], like.shape[axis])
    return stored(np.moveaxis(rows.reshape(shape), -1, axis), like.dtype)


def _softmax_family(x: np.ndarray, axis: int, logarithm: bool) -> np.ndarray:
    if x.size == 0:
        return empty(x.shape, x.dtype)
    rows = _rows(x, axis)
    result = empty(rows.shape, rows.dtype)
    _softmax_rows(x.size * _EXP_WORK, rows, result, logarithm)
    return _from_rows(result, x, axis)


def _gradient(grad_y: np.ndarray, y: np.ndarray, axis: int, logarithm: bool) -> np.ndarray:
    if y.size == 0:
        return empty(y.shape, y.dtype)
    rows = _rows(y, axis)
    result = empty(rows.shape, rows.dtype)
    work = y.size * (_EXP_WORK if logarithm else 2)
    _gradient_rows(work, _rows(grad_y, axis), rows, result, logarithm)
    return _from_rows(result, y, axis)


@parallel
def _softmax_rows(x, y, logarithm):
    count, n = x.shape
    for row in prange(count):
        source, target = x[row], y[row]
        # A NaN may or may not become the maximum: in both cases it makes the sum, and the row, NaN.
        maximum = source[0]
        for j in range(1, n):
            maximum = source[j] if source[j] > maximum else maximum
        total = y.dtype.type(0)
        for j in range(n):
            target[j] = math.exp(source[j] - maximum)
            total += target[j]
        if logarithm:
            log_total = math.log(total)
            for j in range(n):
                target[j] = source[j] - maximum - log_total
        else:
            for j in range(n):
                target[j] /= total


@parallel
def _gradient_rows(grad_y, y, grad_x, logarithm):
    count, n = y.shape
    for row in prange(count):
        grad, value, target = grad_y[row], y[row], grad_x[row]
        total = y.dtype.type(0)
        if logarithm:
            for j in range(n):
                total += grad[j]
            for j in range(n):
                target[j] = grad[j] - math.exp(value[j]) * total
        else:
            for j in range(n):
                total += grad[j] * value[j]
            for j in range(n):
                target[j] = value[j] * (grad[j] - total)
