"""Batch normalization over all axes but the last.

x is seen as rows of channels, and cut into parts that depend on its shape alone. A first pass sums
up each part, in one pass over memory: sums of the distance from its first row, so that nothing
cancels where the mean is large. A second pass puts the parts' sums together, in order, and maps the
rows. Vectors run over the channels, a few rows at a time.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import fma, lanes_of, load_first, root, select, splat, store_first
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.copies import fill, filled
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy import batch_norm as reference

_PART_WORK = 32_768  # elements of a part, at least
_PARTS = 32  # so that putting sums together stays cheap
# Rows that a vector goes down before the next one. More would keep sums and factors in registers
# for longer, but memory is fastest where it is read, and even more where it is written, in order.
TALL, LOW = 4, 2
_inlined = functools.partial(inner, forceinline=True)


@KERNELS.register
def batch_norm(
    x: np.ndarray, gamma: np.ndarray | None, beta: np.ndarray | None, *, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x normalized by its own statistics, times gamma plus beta; mean and variance."""
    source = operand(x)
    channels = x.shape[-1]
    mean, variance = empty((channels,), source.dtype), empty((channels,), source.dtype)
    y = empty(x.shape, source.dtype)
    if x.size == 0:
        return _of_nothing(x.dtype, y, mean, variance)
    rows, step, count, tail = _parts(x.shape, source.dtype)
    sums = empty((count, 2, channels), source.dtype)
    flat = source.reshape(-1)
    _moments(count, x.size, rows, step, tail, flat, sums)
    vectors = empty((count, 3, channels), source.dtype)
    arrays = flat, sums, _vector(gamma), _vector(beta), mean, variance, vectors, y.reshape(-1)
    _normalize(count, x.size, rows, step, tail, *arrays, epsilon)
    return stored(y, x.dtype), stored(mean, x.dtype), stored(variance, x.dtype)


@KERNELS.register
def batch_norm_inference(
    x: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    *,
    epsilon: float,
) -> np.ndarray:
    """x normalized by given statistics, times gamma plus beta."""
    source = operand(x)
    y = empty(x.shape, source.dtype)
    if x.size:
        rows, step, count, tail = _parts(x.shape, source.dtype)
        arrays = source.reshape(-1), None, _vector(gamma), _vector(beta)
        vectors = empty((count, 3, x.shape[-1]), source.dtype)
        arrays = *arrays, operand(mean), operand(variance), vectors, y.reshape(-1)
        _normalize(count, x.size, rows, step, tail, *arrays, epsilon)
    return stored(y, x.dtype)


@KERNELS.register
def fold_batch_norm(
    kernel: np.ndarray,
    bias: np.ndarray | None,
    mean: np.ndarray,
    variance: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    *,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Once for each change of the weights: not worth a loop of its own."""
    arrays = kernel, bias, mean, variance, gamma, beta
    return by_numpy(reference.fold_batch_norm, *arrays, epsilon=epsilon)


@KERNELS.register
def batch_norm_grad(
    grad_y: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray | None,
    mean: np.ndarray,
    variance: np.ndarray,
    *,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `batch_norm` by x, gamma and beta."""
    grad, source = operand(grad_y), operand(x)
    channels = x.shape[-1]
    grad_x = empty(x.shape, grad.dtype)
    results = empty((2, channels), grad.dtype)
    if x.size == 0:
        fill(results, 0)
    else:
        rows, step, count, tail = _parts(x.shape, grad.dtype)
        sums = empty((count, 2, channels), grad.dtype)
        flat = grad.reshape(-1), source.reshape(-1)
        mean, variance = operand(mean), operand(variance)
        _gradient_sums(count, 2 * x.size, rows, step, tail, *flat, mean, sums)
        vectors = empty((count, 3, channels), grad.dtype)
        arrays = *flat, sums, _vector(gamma), mean, variance, vectors, grad_x.reshape(-1)
        _gradient(count, 2 * x.size, rows, step, tail, *arrays, results, epsilon)
    results = stored(results, grad_y.dtype)
    return stored(grad_x, grad_y.dtype), results[0], results[1]


def _of_nothing(dtype: np.dtype, y: Any, mean: Any, variance: Any) -> Any:
    """As NumPy: the mean of no numbers is NaN."""
    mean, variance = filled(mean.shape, dtype, np.nan), filled(mean.shape, dtype, np.nan)
    return y.astype(dtype), mean, variance


@functools.lru_cache(maxsize=1024)
def _parts(shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int, int, int | None]:
    """Rows, rows of a part, parts, and the channels behind the last full vector, None for 0."""
    rows, channels = math.prod(shape[:-1]), shape[-1]
    count = max(1, min(_PARTS, rows * channels // _PART_WORK, rows))
    step = -(-rows // count)
    return rows, step, -(-rows // step), channels % lane_count(dtype) or None


def _vector(x: np.ndarray | None) -> np.ndarray | None:
    return None if x is None else operand(x)


@_inlined
def _rows_of(part, rows, step):
    return rows - part * step if part * step + step > rows else step


@tasks
def _moments(task, rows, step, tail, x, sums):
    """Mean of each part, and sum of the squared distances from it."""
    channels = sums.shape[2]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    part = sums[task]
    for i in range(part.size):
        part[i // channels, i % channels] = 0
    first = task * step
    count = _rows_of(task, rows, step)
    for row in range(first, first + count, TALL):
        left = first + count - row
        for c in range(0, whole, lanes):
            add_moments(x, first * channels + c, row * channels + c, left, part, c, lanes)
        if tail is not None:
            c = whole
            add_moments(x, first * channels + c, row * channels + c, left, part, c, tail)
    for c in range(channels):
        mean = part[0, c] / count
        squares = part[1, c] - part[0, c] * mean
        shift = x[first * channels + c]
        part[0, c] = mean + (shift if shift - shift == 0 else 0)
        part[1, c] = 0 if squares < 0 else squares


@_inlined
def add_moments(x, first, at, left, part, c, lanes):
    """Sums over a few rows of the distance from the first row and of its square."""
    channels = part.shape[1]
    zero = splat(x, 0)
    shift = load_first(x, first, lanes)
    shift = select(shift - shift == zero, shift, zero)  # 0 for NaN and infinity
    total, squares = load_first(part, c, lanes), load_first(part, channels + c, lanes)
    for i in range(TALL):
        if i < left:
            value = load_first(x, at + i * channels, lanes) - shift
            total = total + value
            squares = fma(value, value, squares)
    store_first(part, c, total, lanes)
    store_first(part, channels + c, squares, lanes)


@tasks
def _normalize(task, rows, step, tail, x, sums, gamma, beta, mean, variance, vectors, y, epsilon):
    channels = mean.shape[0]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    own = vectors[task]
    for c in range(0, whole, lanes):
        _prepare(task, rows, step, sums, gamma, beta, mean, variance, own, epsilon, c, lanes)
    if tail is not None:
        _prepare(task, rows, step, sums, gamma, beta, mean, variance, own, epsilon, whole, tail)
    stop = task * step + _rows_of(task, rows, step)
    for row in range(task * step, stop, LOW):
        for c in range(0, whole, lanes):
            normalize_rows(x, y, row * channels + c, stop - row, own, c, lanes)
        if tail is not None:
            normalize_rows(x, y, row * channels + whole, stop - row, own, whole, tail)


@_inlined
def _prepare(task, rows, step, sums, gamma, beta, mean, variance, own, epsilon, c, lanes):
    """Put the parts' statistics together; what x is mapped by."""
    channels = mean.shape[0]
    zero = splat(mean, 0)
    if sums is None:
        middle, spread = load_first(mean, c, lanes), load_first(variance, c, lanes)
    else:
        middle = spread = zero
        for part in range(sums.shape[0]):
            share = splat(mean, _rows_of(part, rows, step))
            middle = fma(load_first(sums, part * 2 * channels + c, lanes), share, middle)
        middle = middle / splat(mean, rows)
        for part in range(sums.shape[0]):
            share = splat(mean, _rows_of(part, rows, step))
            distance = load_first(sums, part * 2 * channels + c, lanes) - middle
            spread = spread + load_first(sums, (part * 2 + 1) * channels + c, lanes)
            spread = fma(distance * distance, share, spread)
        spread = spread / splat(mean, rows)
        if task == 0:
            store_first(mean, c, middle, lanes)
            store_first(variance, c, spread, lanes)
    factor = splat(mean, 1) / root(spread + splat(mean, epsilon))
    if gamma is not None:
        factor = factor * load_first(gamma, c, lanes)
    shift = zero
    if beta is not None:
        shift = load_first(beta, c, lanes)
    store_first(own, c, middle, lanes)
    store_first(own, channels + c, factor, lanes)
    store_first(own, 2 * channels + c, shift, lanes)


@_inlined
def normalize_rows(x, y, at, left, own, c, lanes):
    channels = own.shape[1]
    middle, factor = load_first(own, c, lanes), load_first(own, channels + c, lanes)
    shift = load_first(own, 2 * channels + c, lanes)
    for i in range(LOW):
        if i < left:
            place = at + i * channels
            store_first(y, place, fma(load_first(x, place, lanes) - middle, factor, shift), lanes)


@tasks
def _gradient_sums(task, rows, step, tail, grad_y, x, mean, sums):
    """Sums of grad_y, and of grad_y times x without its mean, in each part."""
    channels = sums.shape[2]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    part = sums[task]
    for i in range(part.size):
        part[i // channels, i % channels] = 0
    stop = task * step + _rows_of(task, rows, step)
    for row in range(task * step, stop, TALL):
        for c in range(0, whole, lanes):
            add_products(grad_y, x, row * channels + c, stop - row, mean, part, c, lanes)
        if tail is not None:
            add_products(grad_y, x, row * channels + whole, stop - row, mean, part, whole, tail)


@_inlined
def add_products(grad_y, x, at, left, mean, part, c, lanes):
    channels = part.shape[1]
    middle = load_first(mean, c, lanes)
    total, products = load_first(part, c, lanes), load_first(part, channels + c, lanes)
    for i in range(TALL):
        if i < left:
            grad = load_first(grad_y, at + i * channels, lanes)
            total = total + grad
            products = fma(grad, load_first(x, at + i * channels, lanes) - middle, products)
    store_first(part, c, total, lanes)
    store_first(part, channels + c, products, lanes)


@tasks
def _gradient(
    task, rows, step, tail, grad_y, x, sums, gamma, mean, variance, vectors, grad_x, results,
    epsilon,
):  # fmt: skip
    channels = mean.shape[0]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    own = vectors[task]
    for c in range(0, whole, lanes):
        _prepare_gradient(task, rows, sums, gamma, variance, own, results, epsilon, c, lanes)
    if tail is not None:
        _prepare_gradient(task, rows, sums, gamma, variance, own, results, epsilon, whole, tail)
    stop = task * step + _rows_of(task, rows, step)
    for row in range(task * step, stop, LOW):
        at, left = row * channels, stop - row
        for c in range(0, whole, lanes):
            gradient_rows(grad_y, x, grad_x, at + c, left, mean, own, c, lanes)
        if tail is not None:
            gradient_rows(grad_y, x, grad_x, at + whole, left, mean, own, whole, tail)


@_inlined
def _prepare_gradient(task, rows, sums, gamma, variance, own, results, epsilon, c, lanes):
    """Put the parts' sums together; what grad_y and x are mapped by."""
    channels = variance.shape[0]
    zero = splat(variance, 0)
    total = products = zero
    for part in range(sums.shape[0]):
        total = total + load_first(sums, part * 2 * channels + c, lanes)
        products = products + load_first(sums, (part * 2 + 1) * channels + c, lanes)
    inverse = splat(variance, 1) / root(load_first(variance, c, lanes) + splat(variance, epsilon))
    if task == 0:
        store_first(results, c, products * inverse, lanes)
        store_first(results, channels + c, total, lanes)
    factor = inverse
    if gamma is not None:
        factor = inverse * load_first(gamma, c, lanes)
    share = zero - factor / splat(variance, rows)
    store_first(own, c, factor, lanes)
    store_first(own, channels + c, share * inverse * inverse * products, lanes)
    store_first(own, 2 * channels + c, share * total, lanes)


@_inlined
def gradient_rows(grad_y, x, grad_x, at, left, mean, own, c, lanes):
    channels = own.shape[1]
    middle = load_first(mean, c, lanes)
    factor, slope = load_first(own, c, lanes), load_first(own, channels + c, lanes)
    shift = load_first(own, 2 * channels + c, lanes)
    for i in range(LOW):
        if i < left:
            place = at + i * channels
            value = fma(load_first(x, place, lanes) - middle, slope, shift)
            store_first(grad_x, place, fma(load_first(grad_y, place, lanes), factor, value), lanes)
