"""Pooling of any dtype and of any number of channels: one thread per element of the result.

The gradients gather from the windows that meet a cell, in row-major order of the position inside
the window.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.device.stored import rounded, widened
from nkeras_numba_cuda.kernels.windows import AT, output_at, place_of
from nkeras_numba_cuda.launch import COMPUTED, FLOATING, kernel

WINNERS = ("uint8", "int32")  # the second for windows of more than 256 cells
HALVES = ("float16", "uint16")  # as in `device.stored`
MOVED = (*COMPUTED, *HALVES)
AVERAGED = (*FLOATING, *HALVES)
LOWEST = tuple((dtype, "float32" if dtype in HALVES else dtype) for dtype in MOVED)


@kernel(
    "{arguments}, int64[::1]",
    arguments=tuple(
        f"{dtype}[::1], {winner}[::1], {dtype}[::1], {lowest}"
        for dtype, lowest in LOWEST
        for winner in WINNERS
    ),
)
def max_pool_forward(y, winner, x, lowest, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, o_0, o_1, o_2, c = place_of(i, count_0, count_1, count_2, channels)
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
                    value = widened(x[cell * channels + c])
                    if value > best or (value != value and best == best):  # NaN wins
                        best = value
                        best_position = position
        y[i] = rounded(y, best)
        winner[i] = best_position


@kernel("{T}[::1], {T}[::1], {W}[::1], int64[::1]", T=MOVED, W=WINNERS)
def max_pool_backward(grad_x, grad_y, winner, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        n, i_0, i_1, i_2, c = place_of(i, size_0, size_1, size_2, channels)
        total = widened(grad_x.dtype.type(0))
        for k_0 in range(g[AT.window_0]):
            start_0 = i_0 + g[AT.low_0] - k_0
            o_0 = output_at(start_0, g[AT.stride_0], count_0)
            if o_0 < 0:
                continue
            for k_1 in range(g[AT.window_1]):
                start_1 = i_1 + g[AT.low_1] - k_1
                o_1 = output_at(start_1, g[AT.stride_1], count_1)
                if o_1 < 0:
                    continue
                for k_2 in range(g[AT.window_2]):
                    start_2 = i_2 + g[AT.low_2] - k_2
                    o_2 = output_at(start_2, g[AT.stride_2], count_2)
                    if o_2 < 0:
                        continue
                    cell = ((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2
                    at = cell * channels + c
                    if winner[at] == (k_0 * g[AT.window_1] + k_1) * g[AT.window_2] + k_2:
                        total += widened(grad_y[at])
        grad_x[i] = rounded(grad_x, total)


@kernel("{T}[::1], {T}[::1], {W}[::1], int64[::1]", T=MOVED, W=WINNERS)
def max_pool_gather(y, x, winner, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, o_0, o_1, o_2, c = place_of(i, count_0, count_1, count_2, channels)
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


@kernel("{T}[::1], {T}[::1], int64[::1]", T=AVERAGED)
def average_pool_forward(y, x, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, o_0, o_1, o_2, c = place_of(i, count_0, count_1, count_2, channels)
        start_0, start_1, start_2 = (
            o_0 * g[AT.stride_0] - g[AT.low_0],
            o_1 * g[AT.stride_1] - g[AT.low_1],
            o_2 * g[AT.stride_2] - g[AT.low_2],
        )
        first_0, last_0 = max(start_0, 0), min(start_0 + g[AT.window_0], size_0)
        first_1, last_1 = max(start_1, 0), min(start_1 + g[AT.window_1], size_1)
        first_2, last_2 = max(start_2, 0), min(start_2 + g[AT.window_2], size_2)
        total = widened(y.dtype.type(0))
        for i_0 in range(first_0, last_0):
            for i_1 in range(first_1, last_1):
                row = ((n * size_0 + i_0) * size_1 + i_1) * size_2
                for i_2 in range(first_2, last_2):
                    total += widened(x[(row + i_2) * channels + c])
        cells = max(last_0 - first_0, 0) * max(last_1 - first_1, 0) * max(last_2 - first_2, 0)
        y[i] = rounded(y, total / np.float32(max(cells, 1)))


@kernel("{T}[::1], {T}[::1], int64[::1]", T=AVERAGED)
def average_pool_backward(grad_x, grad_y, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        n, i_0, i_1, i_2, c = place_of(i, size_0, size_1, size_2, channels)
        total = widened(grad_x.dtype.type(0))
        for k_0 in range(g[AT.window_0]):
            start_0 = i_0 + g[AT.low_0] - k_0
            o_0 = output_at(start_0, g[AT.stride_0], count_0)
            if o_0 < 0:
                continue
            cells_0 = min(i_0 - k_0 + g[AT.window_0], size_0) - max(i_0 - k_0, 0)
            for k_1 in range(g[AT.window_1]):
                start_1 = i_1 + g[AT.low_1] - k_1
                o_1 = output_at(start_1, g[AT.stride_1], count_1)
                if o_1 < 0:
                    continue
                cells_1 = min(i_1 - k_1 + g[AT.window_1], size_1) - max(i_1 - k_1, 0)
                row = (n * count_0 + o_0) * count_1 + o_1
                for k_2 in range(g[AT.window_2]):
                    start_2 = i_2 + g[AT.low_2] - k_2
                    o_2 = output_at(start_2, g[AT.stride_2], count_2)
                    if o_2 < 0:
                        continue
                    cells_2 = min(i_2 - k_2 + g[AT.window_2], size_2) - max(i_2 - k_2, 0)
                    cells = np.float32(cells_0 * cells_1 * cells_2)
                    at = (row * count_2 + o_2) * channels + c
                    total += widened(grad_y[at]) / cells
        grad_x[i] = rounded(grad_x, total)
