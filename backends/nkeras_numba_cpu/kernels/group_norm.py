"""Normalization of groups of channels in each sample, channels last.

As in `batch_norm`, a first pass sums up parts of the rows, and another one maps the rows; in
between a task for each sample puts its parts together. A part is some rows of one sample.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from nkeras_numba_cpu.emit.registers import lane_count
from nkeras_numba_cpu.emit.simd import lanes_of
from nkeras_numba_cpu.kernels.batch_norm import (
    LOW,
    TALL,
    add_moments,
    add_products,
    gradient_rows,
    normalize_rows,
)
from nkeras_numba_cpu.kernels.layer_norm import add_parts
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.launch.tasks import tasks
from nkeras_numba_cpu.loops.operands import operand, stored
from nkeras_numba_cpu.memory.allocation import empty
from nkeras_numpy import group_norm as reference

_PART_WORK = 32_768  # elements of a part, about


class _Parts(NamedTuple):
    rows: int  # of a sample
    step: int  # rows of a part; the last one of a sample may have fewer
    pieces: int  # parts of a sample
    tail: int | None  # channels behind the last full vector, None for 0


@functools.lru_cache(maxsize=1024)
def _parts(shape: tuple[int, ...], dtype: np.dtype) -> _Parts:
    rows, channels = math.prod(shape[1:-1]), shape[-1]
    step = -(-rows // max(1, min(rows, rows * channels // _PART_WORK)))
    return _Parts(rows, step, -(-rows // step), channels % lane_count(dtype) or None)


def _vector(x: np.ndarray | None) -> np.ndarray | None:
    return None if x is None else operand(x)


@KERNELS.register
def group_norm(
    x: np.ndarray,
    gamma: np.ndarray | None,
    beta: np.ndarray | None,
    *,
    groups: int,
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean 0 and variance 1 in each group, times gamma plus beta; mean, and 1 / deviation."""
    if x.size == 0:
        return by_numpy(reference.group_norm, x, gamma, beta, groups=groups, epsilon=epsilon)
    source = operand(x)
    batch, channels = x.shape[0], x.shape[-1]
    rows, step, pieces, tail = _parts(x.shape, source.dtype)
    sums = empty((batch * pieces, 2, channels), source.dtype)
    flat = source.reshape(-1)
    _moments(batch * pieces, 2 * x.size, rows, step, pieces, tail, flat, sums)
    mean, inverse = empty((batch, groups), source.dtype), empty((batch, groups), source.dtype)
    vectors = empty((batch, 3, channels), source.dtype)
    arrays = sums, _vector(gamma), _vector(beta), mean, inverse, vectors
    _statistics(batch, sums.size, rows, step, pieces, *arrays, epsilon)
    y = empty(x.shape, source.dtype)
    _map(batch * pieces, x.size, rows, step, pieces, tail, flat, vectors, y.reshape(-1))
    return stored(y, x.dtype), stored(mean, x.dtype), stored(inverse, x.dtype)


@KERNELS.register
def group_norm_grad(
    grad_y: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray | None,
    mean: np.ndarray,
    inverse: np.ndarray,
    *,
    groups: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of `group_norm` by x, gamma and beta."""
    if x.size == 0:
        arrays = grad_y, x, gamma, mean, inverse
        return by_numpy(reference.group_norm_grad, *arrays, groups=groups)
    grad, source = operand(grad_y), operand(x)
    batch, channels = x.shape[0], x.shape[-1]
    rows, step, pieces, tail = _parts(x.shape, source.dtype)
    sums = empty((batch * pieces, 2, channels), grad.dtype)
    means = empty((batch * pieces, channels), grad.dtype)
    flat = grad.reshape(-1), source.reshape(-1)
    layout = rows, step, pieces, tail
    _gradient_sums(batch * pieces, 2 * x.size, *layout, *flat, operand(mean), means, sums)
    vectors, shares = (empty((batch, 3, channels), grad.dtype) for _ in range(2))
    arrays = sums, _vector(gamma), operand(inverse), vectors, shares
    _gradient_vectors(batch, sums.size, rows, pieces, *arrays)
    grad_x = empty(x.shape, grad.dtype)
    _map_gradient(batch * pieces, 2 * x.size, *layout, *flat, means, vectors, grad_x.reshape(-1))
    total = empty((3, channels), grad.dtype)
    add_parts(1, 0, shares, total)
    total = stored(total, grad_y.dtype)
    return stored(grad_x, grad_y.dtype), total[0], total[1]


@tasks
def _moments(task, rows, step, pieces, tail, x, sums):
    """Mean of each part, and sum of the squared distances from it."""
    channels = sums.shape[2]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    part = sums[task]
    for i in range(part.size):
        part[i // channels, i % channels] = 0
    piece = task % pieces
    first = task // pieces * rows + piece * step
    count = min(step, rows - piece * step)
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


@tasks
def _statistics(task, rows, step, pieces, sums, gamma, beta, mean, inverse, vectors, epsilon):
    """Put the parts of a sample together; what its rows are mapped by."""
    channels, groups = sums.shape[2], mean.shape[1]
    width = channels // groups
    one = sums.dtype.type(1)
    own = vectors[task]
    for g in range(groups):
        middle = sums.dtype.type(0)
        for piece in range(pieces):
            share = sums.dtype.type(min(step, rows - piece * step)) / sums.dtype.type(rows * width)
            part = sums[task * pieces + piece]
            for c in range(g * width, g * width + width):
                middle += part[0, c] * share
        spread = sums.dtype.type(0)
        for piece in range(pieces):
            count = sums.dtype.type(min(step, rows - piece * step))
            part = sums[task * pieces + piece]
            for c in range(g * width, g * width + width):
                distance = part[0, c] - middle
                spread += part[1, c] + distance * distance * count
        variance = spread / sums.dtype.type(rows * width)
        factor = one / np.sqrt(variance + sums.dtype.type(epsilon))
        mean[task, g] = middle
        inverse[task, g] = factor
        for c in range(g * width, g * width + width):
            own[0, c] = middle
            own[1, c] = factor if gamma is None else factor * gamma[c]
            own[2, c] = 0 if beta is None else beta[c]


@tasks
def _map(task, rows, step, pieces, tail, x, vectors, y):
    channels = vectors.shape[2]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    own = vectors[task // pieces]
    piece = task % pieces
    first = task // pieces * rows + piece * step
    stop = first + min(step, rows - piece * step)
    for row in range(first, stop, LOW):
        for c in range(0, whole, lanes):
            normalize_rows(x, y, row * channels + c, stop - row, own, c, lanes)
        if tail is not None:
            normalize_rows(x, y, row * channels + whole, stop - row, own, whole, tail)


@tasks
def _gradient_sums(task, rows, step, pieces, tail, grad_y, x, mean, means, sums):
    """Sums of grad_y, and of grad_y times x without its mean, in each part."""
    channels, groups = sums.shape[2], mean.shape[1]
    width = channels // groups
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    part, middle = sums[task], means[task]
    for c in range(channels):
        part[0, c] = 0
        part[1, c] = 0
        middle[c] = mean[task // pieces, c // width]
    piece = task % pieces
    first = task // pieces * rows + piece * step
    stop = first + min(step, rows - piece * step)
    for row in range(first, stop, TALL):
        for c in range(0, whole, lanes):
            add_products(grad_y, x, row * channels + c, stop - row, middle, part, c, lanes)
        if tail is not None:
            add_products(grad_y, x, row * channels + whole, stop - row, middle, part, whole, tail)


@tasks
def _gradient_vectors(task, rows, pieces, sums, gamma, inverse, vectors, shares):
    """Put the parts of a sample together: what grad_y and x are mapped by, and its shares."""
    channels, groups = sums.shape[2], inverse.shape[1]
    width = channels // groups
    own, share = vectors[task], shares[task]
    for c in range(channels):
        share[0, c] = 0
        share[1, c] = 0
        share[2, c] = 0
    for piece in range(pieces):
        part = sums[task * pieces + piece]
        for c in range(channels):
            share[1, c] += part[0, c]
            share[0, c] += part[1, c]
    for g in range(groups):
        factor = inverse[task, g]
        total = products = sums.dtype.type(0)
        for c in range(g * width, g * width + width):
            weight = sums.dtype.type(1) if gamma is None else gamma[c]
            total += share[1, c] * weight
            products += share[0, c] * weight
        count = sums.dtype.type(rows * width)
        for c in range(g * width, g * width + width):
            own[0, c] = factor if gamma is None else factor * gamma[c]
            own[1, c] = -factor * factor * factor * products / count
            own[2, c] = -factor * total / count
            share[0, c] *= factor


@tasks
def _map_gradient(task, rows, step, pieces, tail, grad_y, x, means, vectors, grad_x):
    channels = vectors.shape[2]
    lanes = lanes_of(x)
    whole = channels // lanes * lanes
    own, middle = vectors[task // pieces], means[task]
    piece = task % pieces
    first = task // pieces * rows + piece * step
    stop = first + min(step, rows - piece * step)
    for row in range(first, stop, LOW):
        at, left = row * channels, stop - row
        for c in range(0, whole, lanes):
            gradient_rows(grad_y, x, grad_x, at + c, left, middle, own, c, lanes)
        if tail is not None:
            gradient_rows(grad_y, x, grad_x, at + whole, left, middle, own, whole, tail)
