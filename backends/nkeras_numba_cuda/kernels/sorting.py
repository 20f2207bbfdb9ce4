"""Rows in order: a block sorts one, by comparing and exchanging pairs in shared memory.

Equal elements keep their order, for their places are compared too. NaN comes last in ascending
order and first in descending one, as in NumPy and in `top_k`. Longer rows go the way of CuPy.

Batcher: Sorting networks and their applications (AFIPS 1968), in its bitonic form.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.rows import THREADS
from nkeras_numba_cuda.launch import COMPUTED, kernel
from nkeras_numba_cuda.memory import Array, contiguous, empty
from nkeras_numpy import reduction, searching
from nkeras_numpy.namespace import in_float32

LONGEST = 1024
"""Elements of a row that a block takes."""


@device_function
def comes_first(a, i, b, j, length, descending):
    """Whether `a`, at place i of a row, comes before `b`; places behind the row come last."""
    if i >= length or j >= length:
        return i < j
    if a != a or b != b:
        if a != a and b != b:
            return i < j
        return (a != a) == descending
    if a == b:
        return i < j
    return (a > b) == descending


@kernel(
    "{T}[::1], int32[::1], {T}[::1], int64, int64, int64, boolean, boolean, boolean",
    threads=THREADS,
    T=COMPUTED,
)
def sort_rows(y, places, x, length, width, kept, descending, has_y, has_places):
    """The first `kept` elements of each row in order, and where they stood.

    `width` is the power of two that a row is filled up to.
    """
    values = cuda.shared.array(LONGEST, y.dtype)
    order = cuda.shared.array(LONGEST, np.int32)
    row = cuda.blockIdx.x
    for i in range(cuda.threadIdx.x, width, cuda.blockDim.x):
        values[i] = x[row * length + i] if i < length else x[row * length]
        order[i] = i
    cuda.syncthreads()
    size = 2
    while size <= width:
        distance = size // 2
        while distance > 0:
            for pair in range(cuda.threadIdx.x, width // 2, cuda.blockDim.x):
                low = 2 * pair - (pair & (distance - 1))
                high = low + distance
                a, b, i, j = values[low], values[high], order[low], order[high]
                is_upward = low & size == 0
                if comes_first(b, j, a, i, length, descending) == is_upward:
                    values[low], values[high], order[low], order[high] = b, a, j, i
            cuda.syncthreads()
            distance //= 2
        size *= 2
    for i in range(cuda.threadIdx.x, kept, cuda.blockDim.x):
        if has_y:
            y[row * kept + i] = values[i]
        if has_places:
            places[row * kept + i] = order[i]


def _sorted(
    x: Array, axis: int, kept: int, descending: bool, has_y: bool, has_places: bool
) -> tuple[Array, Array]:
    """Values and places along an axis, of which only what is wanted is written."""
    rows = contiguous(x.swapaxes(axis, -1))
    length, shape = rows.shape[-1], (*rows.shape[:-1], kept)
    y = empty(shape if has_y else (1,), x.dtype)
    places = empty(shape if has_places else (1,), np.int32)
    width = 1 << (length - 1).bit_length()
    settings = length, width, kept, descending, has_y, has_places
    sort_rows.launch_blocks(rows.size // length, y, places, rows, *settings)
    return y, places


def _is_for_us(x: Array, axis: int) -> bool:
    return x.dtype.name in COMPUTED and bool(x.size) and x.shape[axis] <= LONGEST


@OWN.register
@in_float32
def sort(x: Array, *, axis: int) -> Array:
    """The elements along an axis in ascending order."""
    if not _is_for_us(x, axis):
        return reduction.sort(x, axis=axis)
    return _sorted(x, axis, x.shape[axis], False, True, False)[0].swapaxes(axis, -1)


@OWN.register
@in_float32
def argsort(x: Array, *, axis: int) -> Array:
    """Where the elements along an axis stand in ascending order, as int32."""
    if not _is_for_us(x, axis):
        return reduction.argsort(x, axis=axis)
    return _sorted(x, axis, x.shape[axis], False, False, True)[1].swapaxes(axis, -1)


@OWN.register
@in_float32
def top_k(x: Array, *, k: int) -> tuple[Array, Array]:
    """The largest elements of rows in descending order, and their places."""
    if not _is_for_us(x, -1):
        return searching.top_k(x, k=k)
    return _sorted(x, -1, k, True, True, True)
