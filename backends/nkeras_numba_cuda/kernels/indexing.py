"""Scatter-adds without atomics: sort the targets, then one thread sums what lands on an element.

The sort is stable, so an element is summed in index order and the result is the same every time.
Gathers come from the reference kernels.
"""

from __future__ import annotations

import math

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.launch import COMPUTED, kernel
from nkeras_numba_cuda.memory import Array, array_module, contiguous, empty
from nkeras_numpy import indexing as reference
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints


@kernel("{T}[::1], {T}[::1], int64[::1], int64[::1], int64, int64, int64", T=COMPUTED)
def sum_segments(y, values, order, starts, rows, inner, sources):
    """`y (outer, rows, inner)`: row `r` sums `values[:, order[starts[r] : starts[r + 1]]]`."""
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, inner)
        outer = udiv(rest, rows)
        row = rest - outer * rows
        column = umod(i, inner)
        total = y.dtype.type(0)
        for place in range(starts[row], starts[row + 1]):
            total += values[(outer * sources + order[place]) * inner + column]
        y[i] = total


def _add_at(shape: Ints, targets: Array, values: Array, rows: int, inner: int) -> Array:
    """Zeros of `shape (outer, rows, inner)`, `values (outer, targets, inner)` added at targets."""
    y = empty(shape, values.dtype)
    if values.size == 0 or y.size == 0:
        y.fill(0)
        return y
    xp = array_module()
    targets = targets.reshape(-1).astype("int64")
    order = xp.argsort(targets, kind="stable")
    starts = xp.searchsorted(targets[order], xp.arange(rows + 1))
    sum_segments.launch(
        y.size,
        y,
        contiguous(values),
        order.astype("int64", copy=False),
        starts.astype("int64", copy=False),
        rows,
        inner,
        targets.size,
    )
    return y


@OWN.register
@in_float32
def take_grad(grad_y: Array, indices: Array, *, shape: Ints, axis: int) -> Array:
    """Each slice of `grad_y` added to where `take` found it."""
    if grad_y.dtype.name not in COMPUTED:
        return reference.take_grad(grad_y, indices, shape=shape, axis=axis)
    return _add_at(shape, indices, grad_y, shape[axis], math.prod(shape[axis + 1 :]))


@OWN.register
@in_float32
def take_along_axis_grad(grad_y: Array, indices: Array, *, shape: Ints, axis: int) -> Array:
    """Each element of `grad_y` added to where `take_along_axis` found it."""
    if grad_y.dtype.name not in COMPUTED:
        return reference.take_along_axis_grad(grad_y, indices, shape=shape, axis=axis)
    xp, rank = array_module(), len(shape)
    targets = indices.astype("int64") * math.prod(shape[axis + 1 :])
    for dimension, size in enumerate(shape):
        if dimension != axis:
            steps = xp.arange(size) * math.prod(shape[dimension + 1 :])
            targets = targets + steps.reshape((size,) + (1,) * (rank - dimension - 1))
    return _add_at(shape, targets, grad_y, math.prod(shape), 1)


@OWN.register
@in_float32
def scatter_nd(indices: Array, values: Array, *, shape: Ints) -> Array:
    """Zeros of `shape` with `values` added at `indices (..., depth)`."""
    if values.dtype.name not in COMPUTED:
        return reference.scatter_nd(indices, values, shape=shape)
    depth = indices.shape[-1]
    targets = array_module().zeros(indices.shape[:-1], "int64")
    for dimension in range(depth):
        step = math.prod(shape[dimension + 1 : depth])
        targets = targets + indices[..., dimension].astype("int64") * step
    return _add_at(shape, targets, values, math.prod(shape[:depth]), math.prod(shape[depth:]))
