"""Max and average pooling of one to three dimensions, channels last.

One thread per element of the result. The gradients gather from the windows that meet a cell, in
row-major order of the position inside the window.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.windows import AT, geometry
from nkeras_numba_cuda.launch import COMPUTED, FLOATING, kernel
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty
from nkeras_numpy import pooling as reference
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints, Pairs, output_sizes

WINNERS = ("uint8", "int32")  # the second for windows of more than 256 cells


@kernel("{T}[::1], {W}[::1], {T}[::1], {T}, int64[::1]", T=COMPUTED, W=WINNERS)
def max_pool_forward(y, winner, x, lowest, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, channels)
        c = i - rest * channels
        o_2 = umod(rest, count_2)
        rest = udiv(rest, count_2)
        o_1 = umod(rest, count_1)
        rest = udiv(rest, count_1)
        o_0 = umod(rest, count_0)
        n = udiv(rest, count_0)
        best = lowest
        best_position = 0
        position = -1
        for k_0 in range(g[AT.window_0]):
            i_0 = o_0 * g[AT.stride_0] - g[AT.low_0] + k_0
            for k_1 in range(g[AT.window_1]):
                i_1 = o_1 * g[AT.stride_1] - g[AT.low_1] + k_1
                for k_2 in range(g[AT.window_2]):
                    i_2 = o_2 * g[AT.stride_2] - g[AT.low_2] + k_2
                    position += 1
                    inside = i_0 >= 0 and i_0 < size_0 and i_1 >= 0 and i_1 < size_1
                    if not inside or i_2 < 0 or i_2 >= size_2:
                        continue  # counts as `lowest`, which never wins but where all are lowest
                    cell = ((n * size_0 + i_0) * size_1 + i_1) * size_2 + i_2
                    value = x[cell * channels + c]
                    if value > best or (value != value and best == best):  # NaN wins
                        best = value
                        best_position = position
        y[i] = best
        winner[i] = best_position


@kernel("{T}[::1], {T}[::1], {W}[::1], int64[::1]", T=COMPUTED, W=WINNERS)
def max_pool_backward(grad_x, grad_y, winner, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        rest = udiv(i, channels)
        c = i - rest * channels
        i_2 = umod(rest, size_2)
        rest = udiv(rest, size_2)
        i_1 = umod(rest, size_1)
        rest = udiv(rest, size_1)
        i_0 = umod(rest, size_0)
        n = udiv(rest, size_0)
        total = grad_x.dtype.type(0)
        for k_0 in range(g[AT.window_0]):
            start_0 = i_0 + g[AT.low_0] - k_0
            if (
                start_0 < 0
                or umod(start_0, g[AT.stride_0]) != 0
                or udiv(start_0, g[AT.stride_0]) >= count_0
            ):
                continue
            o_0 = udiv(start_0, g[AT.stride_0])
            for k_1 in range(g[AT.window_1]):
                start_1 = i_1 + g[AT.low_1] - k_1
                if (
                    start_1 < 0
                    or umod(start_1, g[AT.stride_1]) != 0
                    or udiv(start_1, g[AT.stride_1]) >= count_1
                ):
                    continue
                o_1 = udiv(start_1, g[AT.stride_1])
                for k_2 in range(g[AT.window_2]):
                    start_2 = i_2 + g[AT.low_2] - k_2
                    if (
                        start_2 < 0
                        or umod(start_2, g[AT.stride_2]) != 0
                        or udiv(start_2, g[AT.stride_2]) >= count_2
                    ):
                        continue
                    o_2 = udiv(start_2, g[AT.stride_2])
                    cell = ((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2
                    at = cell * channels + c
                    if winner[at] == (k_0 * g[AT.window_1] + k_1) * g[AT.window_2] + k_2:
                        total += grad_y[at]
        grad_x[i] = total


@kernel("{T}[::1], {T}[::1], {W}[::1], int64[::1]", T=COMPUTED, W=WINNERS)
def max_pool_gather(y, x, winner, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, channels)
        c = i - rest * channels
        o_2 = umod(rest, count_2)
        rest = udiv(rest, count_2)
        o_1 = umod(rest, count_1)
        rest = udiv(rest, count_1)
        o_0 = umod(rest, count_0)
        n = udiv(rest, count_0)
        position = int(winner[i])
        rest = udiv(position, g[AT.window_2])
        i_0 = o_0 * g[AT.stride_0] - g[AT.low_0] + udiv(rest, g[AT.window_1])
        i_1 = o_1 * g[AT.stride_1] - g[AT.low_1] + umod(rest, g[AT.window_1])
        i_2 = o_2 * g[AT.stride_2] - g[AT.low_2] + umod(position, g[AT.window_2])
        inside = i_0 >= 0 and i_0 < size_0 and i_1 >= 0 and i_1 < size_1
        if inside and i_2 >= 0 and i_2 < size_2:
            cell = ((n * size_0 + i_0) * size_1 + i_1) * size_2 + i_2
            y[i] = x[cell * channels + c]
        else:
            y[i] = y.dtype.type(0)


@kernel("{T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def average_pool_forward(y, x, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, channels)
        c = i - rest * channels
        o_2 = umod(rest, count_2)
        rest = udiv(rest, count_2)
        o_1 = umod(rest, count_1)
        rest = udiv(rest, count_1)
        o_0 = umod(rest, count_0)
        n = udiv(rest, count_0)
        start_0, start_1, start_2 = (
            o_0 * g[AT.stride_0] - g[AT.low_0],
            o_1 * g[AT.stride_1] - g[AT.low_1],
            o_2 * g[AT.stride_2] - g[AT.low_2],
        )
        first_0, last_0 = max(start_0, 0), min(start_0 + g[AT.window_0], size_0)
        first_1, last_1 = max(start_1, 0), min(start_1 + g[AT.window_1], size_1)
        first_2, last_2 = max(start_2, 0), min(start_2 + g[AT.window_2], size_2)
        total = y.dtype.type(0)
        for i_0 in range(first_0, last_0):
            for i_1 in range(first_1, last_1):
                row = ((n * size_0 + i_0) * size_1 + i_1) * size_2
                for i_2 in range(first_2, last_2):
                    total += x[(row + i_2) * channels + c]
        cells = max(last_0 - first_0, 0) * max(last_1 - first_1, 0) * max(last_2 - first_2, 0)
        y[i] = total / y.dtype.type(max(cells, 1))


@kernel("{T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def average_pool_backward(grad_x, grad_y, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        rest = udiv(i, channels)
        c = i - rest * channels
        i_2 = umod(rest, size_2)
        rest = udiv(rest, size_2)
        i_1 = umod(rest, size_1)
        rest = udiv(rest, size_1)
        i_0 = umod(rest, size_0)
        n = udiv(rest, size_0)
        total = grad_x.dtype.type(0)
        for k_0 in range(g[AT.window_0]):
            start_0 = i_0 + g[AT.low_0] - k_0
            if (
                start_0 < 0
                or umod(start_0, g[AT.stride_0]) != 0
                or udiv(start_0, g[AT.stride_0]) >= count_0
            ):
                continue
            cells_0 = min(i_0 - k_0 + g[AT.window_0], size_0) - max(i_0 - k_0, 0)
            for k_1 in range(g[AT.window_1]):
                start_1 = i_1 + g[AT.low_1] - k_1
                if (
                    start_1 < 0
                    or umod(start_1, g[AT.stride_1]) != 0
                    or udiv(start_1, g[AT.stride_1]) >= count_1
                ):
                    continue
                cells_1 = min(i_1 - k_1 + g[AT.window_1], size_1) - max(i_1 - k_1, 0)
                row = (n * count_0 + udiv(start_0, g[AT.stride_0])) * count_1 + udiv(
                    start_1, g[AT.stride_1]
                )
                for k_2 in range(g[AT.window_2]):
                    start_2 = i_2 + g[AT.low_2] - k_2
                    if (
                        start_2 < 0
                        or umod(start_2, g[AT.stride_2]) != 0
                        or udiv(start_2, g[AT.stride_2]) >= count_2
                    ):
                        continue
                    cells_2 = min(i_2 - k_2 + g[AT.window_2], size_2) - max(i_2 - k_2, 0)
                    cells = grad_x.dtype.type(cells_0 * cells_1 * cells_2)
                    at = (row * count_2 + udiv(start_2, g[AT.stride_2])) * channels + c
                    total += grad_y[at] / cells
        grad_x[i] = total


def _pack(input_shape: Ints, counts: Ints, pool_size: Ints, strides: Ints, padding: Pairs) -> Array:
    settings = {"strides": strides, "padding": padding, "dilation": (1,) * len(pool_size)}
    return constants(*geometry(input_shape[1:-1], pool_size, counts, input_shape[-1], **settings))


def _lowest(dtype: np.dtype) -> np.generic:
    """The value that padding has in a maximum."""
    return dtype.type(-np.inf if dtype.kind == "f" else np.iinfo(dtype).min)


@OWN.register
@in_float32
def max_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Pairs) -> tuple[Array, Array]:
    """Maximum of each window, and where in the window it is first found."""
    if x.dtype.name not in COMPUTED:
        return reference.max_pool(x, pool_size=pool_size, strides=strides, padding=padding)
    counts = output_sizes(x.shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    shape = (x.shape[0], *counts, x.shape[-1])
    y, winner = empty(shape, x.dtype), empty(shape, reference.winner_dtype(pool_size))
    packed = _pack(x.shape, counts, pool_size, strides, padding)
    max_pool_forward.launch(y.size, y, winner, contiguous(x), _lowest(x.dtype), packed)
    return y, winner


@OWN.register
@in_float32
def max_pool_grad(
    grad_y: Array,
    winner: Array,
    *,
    input_shape: Ints,
    pool_size: Ints,
    strides: Ints,
    padding: Pairs,
) -> Array:
    """Each element of `grad_y` added to the cell that won its window."""
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    if grad_y.dtype.name not in COMPUTED:
        return reference.max_pool_grad(grad_y, winner, input_shape=input_shape, **settings)
    grad_x = empty(input_shape, grad_y.dtype)
    if grad_y.size == 0:
        grad_x.fill(0)
        return grad_x
    packed = _pack(input_shape, grad_y.shape[1:-1], **settings)
    max_pool_backward.launch(grad_x.size, grad_x, contiguous(grad_y), contiguous(winner), packed)
    return grad_x


@OWN.register
@in_float32
def max_pool_take(
    x: Array, winner: Array, *, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """`x` at the winners, zero where padding won."""
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    if x.dtype.name not in COMPUTED:
        return reference.max_pool_take(x, winner, **settings)
    y = empty(winner.shape, x.dtype)
    packed = _pack(x.shape, winner.shape[1:-1], **settings)
    max_pool_gather.launch(y.size, y, contiguous(x), contiguous(winner), packed)
    return y


@OWN.register
@in_float32
def average_pool(x: Array, *, pool_size: Ints, strides: Ints, padding: Pairs) -> Array:
    """Mean over the cells of each window that lie inside `x`."""
    if x.dtype.name not in FLOATING:
        return reference.average_pool(x, pool_size=pool_size, strides=strides, padding=padding)
    counts = output_sizes(x.shape[1:-1], pool_size, strides, padding, (1,) * len(pool_size))
    y = empty((x.shape[0], *counts, x.shape[-1]), x.dtype)
    packed = _pack(x.shape, counts, pool_size, strides, padding)
    average_pool_forward.launch(y.size, y, contiguous(x), packed)
    return y


@OWN.register
@in_float32
def average_pool_grad(
    grad_y: Array, *, input_shape: Ints, pool_size: Ints, strides: Ints, padding: Pairs
) -> Array:
    """Each element of `grad_y` spread evenly over the cells of its window."""
    settings = {"pool_size": pool_size, "strides": strides, "padding": padding}
    if grad_y.dtype.name not in FLOATING:
        return reference.average_pool_grad(grad_y, input_shape=input_shape, **settings)
    grad_x = empty(input_shape, grad_y.dtype)
    if grad_y.size == 0:
        grad_x.fill(0)
        return grad_x
    packed = _pack(input_shape, grad_y.shape[1:-1], **settings)
    average_pool_backward.launch(grad_x.size, grad_x, contiguous(grad_y), packed)
    return grad_x
