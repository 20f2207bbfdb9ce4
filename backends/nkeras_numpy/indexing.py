"""Gather and scatter. Indices are in range and never negative.

A scatter adds in index order with NumPy. CuPy adds with atomics, in no fixed order.
"""

import math
from typing import Any

import numpy as np

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import Ints


@KERNELS.register
def take(x: Array, indices: Array, *, axis: int) -> Array:
    xp = namespace(x)
    return xp.asarray(xp.take(x, indices, axis=axis))


@KERNELS.register
@in_float32
def take_grad(grad_y: Array, indices: Array, *, shape: Ints, axis: int) -> Array:
    """Zeros of ``shape`` with each slice of ``grad_y`` added where ``take`` found it."""
    xp = namespace(grad_y)
    grad_x = xp.zeros(shape, grad_y.dtype)
    rank = indices.ndim
    slices = xp.moveaxis(grad_y, tuple(range(axis, axis + rank)), tuple(range(rank)))
    xp.add.at(xp.moveaxis(grad_x, axis, 0), indices, slices)
    return grad_x


def _along_axis(xp: Any, indices: Array, shape: Ints, axis: int) -> tuple[Array, ...]:
    """Index arrays that pick ``indices`` on ``axis`` and walk along in every other dimension."""
    rank = len(shape)
    return tuple(
        indices
        if d == axis
        else xp.arange(size).reshape((1,) * d + (size,) + (1,) * (rank - d - 1))
        for d, size in enumerate(shape)
    )


@KERNELS.register
def take_along_axis(x: Array, indices: Array, *, axis: int) -> Array:
    return x[_along_axis(namespace(x), indices, x.shape, axis)]


@KERNELS.register
@in_float32
def take_along_axis_grad(grad_y: Array, indices: Array, *, shape: Ints, axis: int) -> Array:
    xp = namespace(grad_y)
    grad_x = xp.zeros(shape, grad_y.dtype)
    xp.add.at(grad_x, _along_axis(xp, indices, shape, axis), grad_y)
    return grad_x


def _coordinates(indices: Array) -> tuple[Array, ...]:
    """``(..., depth)`` as ``depth`` flat index arrays."""
    depth = indices.shape[-1]
    rows = indices.reshape(math.prod(indices.shape[:-1]), depth)
    return tuple(rows[:, d] for d in range(depth))


@KERNELS.register
def gather_nd(x: Array, indices: Array) -> Array:
    rest = x.shape[indices.shape[-1] :]
    return x[_coordinates(indices)].reshape(indices.shape[:-1] + rest)


@KERNELS.register
@in_float32
def scatter_nd(indices: Array, values: Array, *, shape: Ints) -> Array:
    xp = namespace(values)
    result = xp.zeros(shape, values.dtype)
    where = _coordinates(indices)
    xp.add.at(result, where, values.reshape(where[0].shape + shape[len(where) :]))
    return result


@KERNELS.register
def scatter_update(x: Array, indices: Array, updates: Array) -> Array:
    xp = namespace(x)
    where = _coordinates(indices)
    rows, depth = where[0].size, len(where)
    # Only NumPy promises that the last write wins: drop the writes that a later one covers.
    order = xp.arange(rows, dtype=np.int32)
    last = xp.zeros(x.shape[:depth], np.int32)
    xp.maximum.at(last, where, order)
    kept = last[where] == order
    result = x.copy()
    result[tuple(i[kept] for i in where)] = updates.reshape((rows, *x.shape[depth:]))[kept]
    return result


@KERNELS.register
@in_float32
def scatter_reduce(x: Array, indices: Array, updates: Array, *, reduction: str) -> Array:
    xp = namespace(x)
    result, where = x.copy(), _coordinates(indices)
    updates = updates.reshape((where[0].size, *x.shape[len(where) :]))
    if reduction != "mul":
        (xp.maximum if reduction == "max" else xp.minimum).at(result, where, updates)
        return result
    # CuPy has no multiply.at: one update of each place in each round.
    left = xp.arange(where[0].size, dtype=np.int32)
    while left.size:
        at = tuple(i[left] for i in where)
        first = xp.full(x.shape[: len(where)], where[0].size, np.int32)
        xp.minimum.at(first, at, left)
        chosen = first[at] == left
        now = tuple(i[chosen] for i in at)
        result[now] = result[now] * updates[left[chosen]]
        left = left[~chosen]
    return result
