"""Layer and RMS normalization over the last axis: a task is some rows, which stay in the cache.

Gradients by gamma and beta are summed up for each task, and then over the tasks, in order.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import (
    first_lanes,
    fma,
    lanes_of,
    load_first,
    splat,
    store_first,
    sum_of,
)
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import filled
from nkeras_numba_cpu.loops.operands import compute_dtype, operand, stored
from nkeras_numba_cpu.memory.allocation import empty

_TASK_WORK = 16_384  # elements of a task, at least
_PARTS = 32  # tasks of a gradient, so that adding up their sums stays cheap
_inlined = functools.partial(inner, forceinline=True)


@KERNELS.register
def layer_norm(
    x: np.ndarray, gamma: np.ndarray | None, beta: np.ndarray | None, *, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each row with mean 0 and variance 1, times gamma plus beta; mean, and 1 / deviation."""
    mean = empty(x.shape[:-1], compute_dtype(x.dtype))
    y, inverse = _forward(x, gamma, beta, mean, epsilon)
    return y, stored(mean, x.dtype), inverse


@KERNELS.register
def rms_norm(
    x: np.ndarray, scale: np.ndarray | None, *, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Each row divided by the root of its mean square, times scale; and that factor."""
    return _forward(x, scale, None, None, epsilon)


@KERNELS.register
def layer_norm_grad(
    grad_y: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray | None,
    mean: np.ndarray,
    inverse: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `layer_norm` by x, gamma and beta."""
    grad_x, sums = _backward(grad_y, x, gamma, operand(mean), inverse)
    return grad_x, sums[0], sums[1]


@KERNELS.register
def rms_norm_grad(
    grad_y: np.ndarray, x: np.ndarray, scale: np.ndarray | None, inverse: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of `rms_norm` by x and scale."""
    grad_x, sums = _backward(grad_y, x, scale, None, inverse)
    return grad_x, sums[0]


def _vector(x: np.ndarray | None) -> np.ndarray | None:
    return None if x is None else operand(x)


def _flat(x: np.ndarray | None) -> np.ndarray | None:
    return None if x is None else x.reshape(-1)


@functools.lru_cache(maxsize=1024)
def _parts(
    shape: tuple[int, ...], dtype: np.dtype, most: int | None
) -> tuple[int, int, int, int | None]:
    """Rows, rows of a task, tasks, and the elements behind the last full vector, None for 0."""
    rows, size = math.prod(shape[:-1]), shape[-1]
    count = max(1, min(rows * size // _TASK_WORK, rows, most or rows))
    step = -(-rows // count)
    return rows, step, -(-rows // step), size % lane_count(dtype) or None


def _forward(
    x: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    mean: np.ndarray | None,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray]:
    source = operand(x)
    y, inverse = empty(x.shape, source.dtype), empty(x.shape[:-1], source.dtype)
    if x.size:
        rows, step, count, tail = _parts(x.shape, source.dtype, None)
        arrays = _flat(source), _vector(gamma), _vector(beta), _flat(mean), _flat(inverse), _flat(y)
        _normalize(count, 4 * x.size, rows, step, x.shape[-1], tail, *arrays, epsilon)
    return stored(y, x.dtype), stored(inverse, x.dtype)


def _backward(
    grad_y: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray | None,
    mean: np.ndarray | None,
    inverse: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    grad, source = operand(grad_y), operand(x)
    grad_x = empty(x.shape, grad.dtype)
    size = x.shape[-1]
    if x.size == 0:
        return stored(grad_x, grad_y.dtype), filled((2, size), grad_y.dtype, 0)
    rows, step, count, tail = _parts(x.shape, grad.dtype, _PARTS)
    sums = empty((count, 2, size), grad.dtype)
    arrays = _flat(grad), _flat(source), _vector(gamma), _flat(mean), _flat(operand(inverse))
    _gradient(count, 6 * x.size, rows, step, tail, *arrays, _flat(grad_x), sums)
    total = sums[0]
    if count > 1:
        total = empty((2, size), grad.dtype)
        add_parts(1, 0, sums, total)
    return stored(grad_x, grad_y.dtype), stored(total, grad_y.dtype)


@tasks
def _normalize(task, rows, step, size, tail, x, gamma, beta, mean, inverse, y, epsilon):
    one, count = x.dtype.type(1), x.dtype.type(size)
    for row in range(task * step, task * step + step):
        if row >= rows:
            break
        at = row * size
        middle = splat(x, 0)
        if mean is not None:
            number = _sum(x, at, size, tail) / count
            middle = splat(x, number)
            mean[row] = number
        variance = _squares(x, at, size, tail, middle) / count
        number = one / np.sqrt(variance + x.dtype.type(epsilon))
        inverse[row] = number
        factor = splat(x, number)
        lanes = lanes_of(x)
        whole = size // lanes * lanes
        for c in range(0, whole, lanes):
            _store_row(x, at, c, gamma, beta, middle, factor, y, lanes)
        if tail is not None:
            _store_row(x, at, whole, gamma, beta, middle, factor, y, tail)


@_inlined
def _sum(x, at, size, tail):
    lanes = lanes_of(x)
    total = second = splat(x, 0)
    for c in range(0, size // (2 * lanes)):
        total = total + load_first(x, at + 2 * c * lanes, lanes)
        second = second + load_first(x, at + (2 * c + 1) * lanes, lanes)
    rest = size % (2 * lanes)
    at += size - rest
    if rest >= lanes:
        total = total + load_first(x, at, lanes)
    if tail is not None:
        second = second + load_first(x, at + rest - tail, tail)
    return sum_of(total + second)


@_inlined
def _squares(x, at, size, tail, middle):
    """Sum of the squared distances from the middle."""
    lanes = lanes_of(x)
    total = second = splat(x, 0)
    for c in range(0, size // (2 * lanes)):
        value = load_first(x, at + 2 * c * lanes, lanes) - middle
        total = fma(value, value, total)
        value = load_first(x, at + (2 * c + 1) * lanes, lanes) - middle
        second = fma(value, value, second)
    rest = size % (2 * lanes)
    at += size - rest
    if rest >= lanes:
        value = load_first(x, at, lanes) - middle
        total = fma(value, value, total)
    if tail is not None:
        value = first_lanes(load_first(x, at + rest - tail, tail) - middle, tail)
        second = fma(value, value, second)
    return sum_of(total + second)


@_inlined
def _store_row(x, at, c, gamma, beta, middle, factor, y, lanes):
    value = (load_first(x, at + c, lanes) - middle) * factor
    if gamma is not None:
        value = value * load_first(gamma, c, lanes)
    if beta is not None:
        value = value + load_first(beta, c, lanes)
    store_first(y, at + c, value, lanes)


@tasks
def _gradient(task, rows, step, tail, grad_y, x, gamma, mean, inverse, grad_x, sums):
    size = sums.shape[2]
    lanes = lanes_of(x)
    whole = size // lanes * lanes
    own = sums[task]
    for i in range(own.size):
        own[i // size, i % size] = 0
    for row in range(task * step, task * step + step):
        if row >= rows:
            break
        at = row * size
        factor = splat(x, inverse[row])
        middle = splat(x, 0)
        if mean is not None:
            middle = splat(x, mean[row])
        total = products = splat(x, 0)
        for c in range(0, whole, lanes):
            total, products = _add_row(
                total, products, grad_y, x, gamma, at, c, middle, factor, own, lanes
            )
        if tail is not None:
            total, products = _add_row(
                total, products, grad_y, x, gamma, at, whole, middle, factor, own, tail
            )
        share = splat(x, sum_of(products) / x.dtype.type(size))
        base = splat(x, 0)
        if mean is not None:
            base = splat(x, sum_of(total) / x.dtype.type(size))
        for c in range(0, whole, lanes):
            _store_gradient(grad_y, x, gamma, at, c, middle, factor, base, share, grad_x, lanes)
        if tail is not None:
            _store_gradient(grad_y, x, gamma, at, whole, middle, factor, base, share, grad_x, tail)


@_inlined
def _add_row(total, products, grad_y, x, gamma, at, c, middle, factor, own, lanes):
    """Sums along a row, and those of gamma and beta over the rows."""
    size = own.shape[1]
    grad = load_first(grad_y, at + c, lanes)
    normalized = (load_first(x, at + c, lanes) - middle) * factor
    store_first(own, c, fma(grad, normalized, load_first(own, c, lanes)), lanes)
    store_first(own, size + c, grad + load_first(own, size + c, lanes), lanes)
    if gamma is not None:
        grad = grad * load_first(gamma, c, lanes)
    return total + grad, fma(grad, normalized, products)


@_inlined
def _store_gradient(grad_y, x, gamma, at, c, middle, factor, base, share, grad_x, lanes):
    grad = load_first(grad_y, at + c, lanes)
    if gamma is not None:
        grad = grad * load_first(gamma, c, lanes)
    normalized = (load_first(x, at + c, lanes) - middle) * factor
    store_first(grad_x, at + c, (grad - base - normalized * share) * factor, lanes)


@tasks
def add_parts(task, sums, total):
    for i in range(total.shape[0]):
        for c in range(total.shape[1]):
            total[i, c] = 0
    for part in range(sums.shape[0]):
        for i in range(total.shape[0]):
            source, target = sums[part, i], total[i]
            for c in range(target.size):
                target[c] += source[c]
