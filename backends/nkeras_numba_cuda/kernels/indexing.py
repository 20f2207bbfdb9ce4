"""Scatters without atomics: sort the targets, then one thread joins what lands on an element.

The sort is stable, so what meets is joined in index order and the result is the same every time.
Nothing waits for the device, as masks would, for whose size the host must know. `take` and its
gradient count negative indices from the end; a slice that is out of range is NaN, and gives nothing
back. Other gathers come from the reference kernels.
"""

from __future__ import annotations

import math

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.vectors import accesses
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import by_width, width_for
from nkeras_numba_cuda.launch import COMPUTED, Kernel, kernel
from nkeras_numba_cuda.memory import Array, array_module, contiguous, empty
from nkeras_numpy import indexing as reference
from nkeras_numpy.complexes import make_complex
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
    if values.dtype.kind == "c":
        parts = (values.real, values.imag)
        return make_complex(*[_add_at(shape, targets, part, rows, inner) for part in parts])
    if values.dtype.name not in COMPUTED:
        wide = _add_at(shape, targets, values.astype("int64"), rows, inner)
        return wide.astype(values.dtype)
    y = empty(shape, values.dtype)
    if values.size == 0 or y.size == 0:
        y.fill(0)
        return y
    order, starts = _segments(targets, rows)
    sum_segments.launch(
        y.size, y, contiguous(values), order, starts, rows, inner, math.prod(targets.shape)
    )
    return y


@kernel("int64[::1], int64[::1], int64[::1]")
def segment_starts(starts, targets, order):
    """How many targets are less than each row; `targets[order]` ascends."""
    for row in range(cuda.grid(1), starts.size, cuda.gridsize(1)):
        low, high = 0, order.size
        while low < high:
            middle = udiv(low + high, 2)
            if targets[order[middle]] < row:
                low = middle + 1
            else:
                high = middle
        starts[row] = low


def _segments(targets: Array, rows: int) -> tuple[Array, Array]:
    """Positions of the targets in their order, and where those of each row start among them."""
    targets = contiguous(targets.reshape(-1).astype("int64", copy=False))
    order = OWN["argsort"](targets, axis=0).astype("int64", copy=False)
    starts = empty((rows + 1,), "int64")
    segment_starts.launch(rows + 1, starts, targets, order)
    return order, starts


@kernel("int64[::1], {I}[::1], int64", I=("int32", "int64"))
def rows_from_start(targets, indices, rows):
    """Indices of which negative ones count from the end; `rows` for those out of range."""
    for i in range(cuda.grid(1), targets.size, cuda.gridsize(1)):
        row = np.int64(indices[i])
        if row < 0:
            row += rows
        targets[i] = row if row >= 0 and row < rows else rows


def _take_kernel(width: int) -> Kernel:
    read, write = accesses(width)

    @kernel(
        "{T}[::1], {T}[::1], {I}[::1], int64, int64, {T}",
        name=f"take_slices_{width}",
        T=COMPUTED if width == 1 else ("float32",),
        I=("int32", "int64"),
    )
    def take_slices(y, x, indices, rows, inner, outside):
        """`y (outer, indices, inner)` from `x (outer, rows, inner)`; inner in multiples."""
        held = cuda.local.array(width, y.dtype)
        for i in range(cuda.grid(1), udiv(y.size, width), cuda.gridsize(1)):
            at = i * width
            rest = udiv(at, inner)
            outer = udiv(rest, indices.size)
            row = np.int64(indices[rest - outer * indices.size])
            if row < 0:
                row += rows
            if row >= 0 and row < rows:
                read(x, (outer * rows + row) * inner + at - rest * inner, held)
            else:
                for k in range(width):
                    held[k] = outside
            write(y, at, held)

    return take_slices


take_slices = by_width(_take_kernel)


def _whole(indices: Array) -> Array:
    known = indices.dtype.name in ("int32", "int64")
    return contiguous(indices if known else indices.astype("int64"))


@OWN.register
def take(x: Array, indices: Array, *, axis: int) -> Array:
    """Slices of x along an axis."""
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    rows, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    if x.dtype.name not in COMPUTED or not x.size or 0 in shape:
        return reference.take(x, indices, axis=axis)
    x, y = contiguous(x), empty(shape, x.dtype)
    width = width_for(inner, x)
    outside = x.dtype.type(math.nan if x.dtype.kind == "f" else 0)
    take_slices[width].launch(y.size // width, y, x, _whole(indices), rows, inner, outside)
    return y


@OWN.register
@in_float32
def take_grad(grad_y: Array, indices: Array, *, shape: Ints, axis: int) -> Array:
    """Each slice of `grad_y` added to where `take` found it."""
    targets = empty(indices.shape, "int64")
    rows_from_start.launch(targets.size, targets, _whole(indices), shape[axis])
    return _add_at(shape, targets, grad_y, shape[axis], math.prod(shape[axis + 1 :]))


@OWN.register
@in_float32
def take_along_axis_grad(grad_y: Array, indices: Array, *, shape: Ints, axis: int) -> Array:
    """Each element of `grad_y` added to where `take_along_axis` found it."""
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
    depth = indices.shape[-1]
    targets = _targets(indices, shape)
    return _add_at(shape, targets, values, math.prod(shape[:depth]), math.prod(shape[depth:]))


def _targets(indices: Array, shape: Ints) -> Array:
    """The row that each index names, of all rows in one dimension."""
    depth = indices.shape[-1]
    targets = array_module().zeros(indices.shape[:-1], "int64")
    for dimension in range(depth):
        step = math.prod(shape[dimension + 1 : depth])
        targets = targets + indices[..., dimension].astype("int64") * step
    return targets


LAST, LARGEST, SMALLEST, PRODUCT = range(4)
_JOINTS = {"max": LARGEST, "min": SMALLEST, "mul": PRODUCT}


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1], int64[::1], int64, int64", T=COMPUTED)
def join_segments(y, x, values, order, starts, inner, joint):
    """`x (rows, inner)`, each row joined with its `values[order[...]]`, one after the other."""
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        row = udiv(i, inner)
        column = umod(i, inner)
        joined = x[i]
        for place in range(starts[row], starts[row + 1]):
            value = values[order[place] * inner + column]
            if joint == LAST:
                joined = value
            elif joint == PRODUCT:
                joined = joined * value
            elif joint == LARGEST:
                joined = value if value > joined or value != value else joined
            else:
                joined = value if value < joined or value != value else joined
        y[i] = joined


def _join(x: Array, indices: Array, values: Array, joint: int) -> Array:
    """A copy of x where rows that the indices name are joined with their values."""
    x = contiguous(x)
    y = empty(x.shape, x.dtype)
    if values.size == 0 or y.size == 0:
        return x.copy()
    depth = indices.shape[-1]
    order, starts = _segments(_targets(indices, x.shape), math.prod(x.shape[:depth]))
    inner = math.prod(x.shape[depth:])
    join_segments.launch(y.size, y, x, contiguous(values), order, starts, inner, joint)
    return y


@OWN.register
def scatter_update(x: Array, indices: Array, updates: Array) -> Array:
    """Copy of x with `updates` at `indices`; the last of several is kept."""
    if x.dtype.itemsize == 16:
        real = scatter_update(x.real, indices, updates.real)
        return make_complex(real, scatter_update(x.imag, indices, updates.imag))
    x, updates = contiguous(x), contiguous(updates)
    words = f"int{8 * x.dtype.itemsize}"  # values are moved, so any of that size will do
    wide = "int64" if words == "int64" else "int32"
    seen = [array.view(words).astype(wide, copy=False) for array in (x, updates)]
    return _join(seen[0], indices, seen[1], LAST).astype(words, copy=False).view(x.dtype)


@OWN.register
@in_float32
def scatter_reduce(x: Array, indices: Array, updates: Array, *, reduction: str) -> Array:
    """Copy of x where each place is joined with all its updates; NaN is kept."""
    if x.dtype.kind == "c" or x.dtype.name == "uint64":
        return reference.scatter_reduce(x, indices, updates, reduction=reduction)
    wide = x.dtype.name if x.dtype.name in COMPUTED else "int64"
    seen = [array.astype(wide, copy=False) for array in (x, updates)]
    return _join(seen[0], indices, seen[1], _JOINTS[reduction]).astype(x.dtype, copy=False)
