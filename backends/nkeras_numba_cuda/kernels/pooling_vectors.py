"""Pooling with four channels a thread: 128 bits of float32 are read and written at once.

Half types are computed in float32, and rounded once.

The gradients have two forms. Where windows lie apart, a thread serves a whole window: it reads the
gradient once and writes each cell of the window and of the gap behind it. Where windows overlap, a
thread serves a cell and gathers from the windows that meet it, in row-major order.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.functions import device_function
from nkeras_numba_cuda.device.intrinsics import udiv_32
from nkeras_numba_cuda.device.stored import STORED, load_widened, store_rounded
from nkeras_numba_cuda.device.vectors import load_4, store_4
from nkeras_numba_cuda.kernels.windows import AT, output_at, place_32
from nkeras_numba_cuda.launch import kernel


@device_function
def beats(value, best):
    """NaN beats all but NaN."""
    return value > best or (value != value and best == best)


@device_function
def best_of_4(lowest, a, b, c, d):
    """The first maximum and its number."""
    best, winner = lowest, 0
    if beats(a, best):
        best, winner = a, 0
    if beats(b, best):
        best, winner = b, 1
    if beats(c, best):
        best, winner = c, 2
    if beats(d, best):
        best, winner = d, 3
    return best, winner


@kernel("{T}[::1], uint8[::1], {T}[::1], float32, int64[::1]", T=STORED)
def max_pool_forward_4(y, winner, x, lowest, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(y.size, 4), cuda.gridsize(1)):
        n, o_0, o_1, o_2, four = place_32(i, count_0, count_1, count_2, fours)
        c = 4 * four
        m_0 = m_1 = m_2 = m_3 = lowest
        w_0 = w_1 = w_2 = w_3 = 0
        for k_0 in range(window_0):
            i_0 = o_0 * g[AT.stride_0] - g[AT.low_0] + k_0
            if i_0 < 0 or i_0 >= size_0:
                continue
            for k_1 in range(window_1):
                i_1 = o_1 * g[AT.stride_1] - g[AT.low_1] + k_1
                if i_1 < 0 or i_1 >= size_1:
                    continue
                row = ((n * size_0 + i_0) * size_1 + i_1) * size_2
                for k_2 in range(window_2):
                    i_2 = o_2 * g[AT.stride_2] - g[AT.low_2] + k_2
                    if i_2 < 0 or i_2 >= size_2:
                        continue
                    position = (k_0 * window_1 + k_1) * window_2 + k_2
                    v_0, v_1, v_2, v_3 = load_widened(x, (row + i_2) * channels + c)
                    if beats(v_0, m_0):
                        m_0, w_0 = v_0, position
                    if beats(v_1, m_1):
                        m_1, w_1 = v_1, position
                    if beats(v_2, m_2):
                        m_2, w_2 = v_2, position
                    if beats(v_3, m_3):
                        m_3, w_3 = v_3, position
        store_rounded(y, 4 * i, (m_0, m_1, m_2, m_3))
        store_4(winner, 4 * i, (w_0, w_1, w_2, w_3))


@kernel("{T}[::1], uint8[::1], {T}[::1], float32, int64[::1]", T=STORED)
def max_pool_forward_2x2(y, winner, x, lowest, g):
    """Windows of 2 x 2 that begin inside the image: four loads are on their way at once."""
    size_1, size_2 = g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(y.size, 4), cuda.gridsize(1)):
        n, _, o_1, o_2, four = place_32(i, count_0, count_1, count_2, fours)
        i_1, i_2 = o_1 * g[AT.stride_1], o_2 * g[AT.stride_2]
        first = ((n * size_1 + i_1) * size_2 + i_2) * channels + 4 * four
        # A cell beyond the edge is one before again, which never beats itself.
        right = channels if i_2 + 1 < size_2 else 0
        below = size_2 * channels if i_1 + 1 < size_1 else 0
        a_0, a_1, a_2, a_3 = load_widened(x, first)
        b_0, b_1, b_2, b_3 = load_widened(x, first + right)
        c_0, c_1, c_2, c_3 = load_widened(x, first + below)
        d_0, d_1, d_2, d_3 = load_widened(x, first + below + right)
        m_0, w_0 = best_of_4(lowest, a_0, b_0, c_0, d_0)
        m_1, w_1 = best_of_4(lowest, a_1, b_1, c_1, d_1)
        m_2, w_2 = best_of_4(lowest, a_2, b_2, c_2, d_2)
        m_3, w_3 = best_of_4(lowest, a_3, b_3, c_3, d_3)
        store_rounded(y, 4 * i, (m_0, m_1, m_2, m_3))
        store_4(winner, 4 * i, (w_0, w_1, w_2, w_3))


@kernel("{T}[::1], {T}[::1], uint8[::1], int64[::1], int64", T=STORED)
def max_pool_backward_apart_4(grad_x, grad_y, winner, g, windows):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    stride_0, stride_1, stride_2 = g[AT.stride_0], g[AT.stride_1], g[AT.stride_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    # Windows with the gap behind them cover the input, some of the last ones without an output.
    all_0 = udiv_32(size_0 + g[AT.low_0] + stride_0 - 1, stride_0)
    all_1 = udiv_32(size_1 + g[AT.low_1] + stride_1 - 1, stride_1)
    all_2 = udiv_32(size_2 + g[AT.low_2] + stride_2 - 1, stride_2)
    zero = np.float32(0)
    for i in range(cuda.grid(1), windows * fours, cuda.gridsize(1)):
        n, o_0, o_1, o_2, four = place_32(i, all_0, all_1, all_2, fours)
        c = 4 * four
        d_0 = d_1 = d_2 = d_3 = zero
        w_0 = w_1 = w_2 = w_3 = 0
        if o_0 < count_0 and o_1 < count_1 and o_2 < count_2:
            at = (((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2) * channels + c
            d_0, d_1, d_2, d_3 = load_widened(grad_y, at)
            b_0, b_1, b_2, b_3 = load_4(winner, at)
            w_0, w_1, w_2, w_3 = int(b_0), int(b_1), int(b_2), int(b_3)
        for k_0 in range(stride_0):
            i_0 = o_0 * stride_0 - g[AT.low_0] + k_0
            if i_0 < 0 or i_0 >= size_0:
                continue
            for k_1 in range(stride_1):
                i_1 = o_1 * stride_1 - g[AT.low_1] + k_1
                if i_1 < 0 or i_1 >= size_1:
                    continue
                row = ((n * size_0 + i_0) * size_1 + i_1) * size_2
                for k_2 in range(stride_2):
                    i_2 = o_2 * stride_2 - g[AT.low_2] + k_2
                    if i_2 < 0 or i_2 >= size_2:
                        continue
                    position = (k_0 * window_1 + k_1) * window_2 + k_2
                    if k_0 >= window_0 or k_1 >= window_1 or k_2 >= window_2:
                        position = -1
                    values = (
                        d_0 if w_0 == position else zero,
                        d_1 if w_1 == position else zero,
                        d_2 if w_2 == position else zero,
                        d_3 if w_3 == position else zero,
                    )
                    store_rounded(grad_x, (row + i_2) * channels + c, values)


@kernel("{T}[::1], {T}[::1], uint8[::1], int64[::1]", T=STORED)
def max_pool_backward_4(grad_x, grad_y, winner, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(grad_x.size, 4), cuda.gridsize(1)):
        n, i_0, i_1, i_2, four = place_32(i, size_0, size_1, size_2, fours)
        c = 4 * four
        s_0 = s_1 = s_2 = s_3 = np.float32(0)
        for k_0 in range(window_0):
            start_0 = i_0 + g[AT.low_0] - k_0
            o_0 = output_at(start_0, g[AT.stride_0], count_0)
            if o_0 < 0:
                continue
            for k_1 in range(window_1):
                start_1 = i_1 + g[AT.low_1] - k_1
                o_1 = output_at(start_1, g[AT.stride_1], count_1)
                if o_1 < 0:
                    continue
                for k_2 in range(window_2):
                    start_2 = i_2 + g[AT.low_2] - k_2
                    o_2 = output_at(start_2, g[AT.stride_2], count_2)
                    if o_2 < 0:
                        continue
                    position = (k_0 * window_1 + k_1) * window_2 + k_2
                    at = (((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2) * channels + c
                    b_0, b_1, b_2, b_3 = load_4(winner, at)
                    d_0, d_1, d_2, d_3 = load_widened(grad_y, at)
                    if b_0 == position:
                        s_0 += d_0
                    if b_1 == position:
                        s_1 += d_1
                    if b_2 == position:
                        s_2 += d_2
                    if b_3 == position:
                        s_3 += d_3
        store_rounded(grad_x, 4 * i, (s_0, s_1, s_2, s_3))


@kernel("{T}[::1], {T}[::1], int64[::1]", T=STORED)
def average_pool_forward_4(y, x, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(y.size, 4), cuda.gridsize(1)):
        n, o_0, o_1, o_2, four = place_32(i, count_0, count_1, count_2, fours)
        c = 4 * four
        start_0 = o_0 * g[AT.stride_0] - g[AT.low_0]
        start_1 = o_1 * g[AT.stride_1] - g[AT.low_1]
        start_2 = o_2 * g[AT.stride_2] - g[AT.low_2]
        first_0, last_0 = max(start_0, 0), min(start_0 + g[AT.window_0], size_0)
        first_1, last_1 = max(start_1, 0), min(start_1 + g[AT.window_1], size_1)
        first_2, last_2 = max(start_2, 0), min(start_2 + g[AT.window_2], size_2)
        s_0 = s_1 = s_2 = s_3 = np.float32(0)
        for i_0 in range(first_0, last_0):
            for i_1 in range(first_1, last_1):
                row = ((n * size_0 + i_0) * size_1 + i_1) * size_2
                for i_2 in range(first_2, last_2):
                    v_0, v_1, v_2, v_3 = load_widened(x, (row + i_2) * channels + c)
                    s_0, s_1, s_2, s_3 = s_0 + v_0, s_1 + v_1, s_2 + v_2, s_3 + v_3
        inside = max(last_0 - first_0, 0) * max(last_1 - first_1, 0) * max(last_2 - first_2, 0)
        cells = np.float32(max(inside, 1))
        store_rounded(y, 4 * i, (s_0 / cells, s_1 / cells, s_2 / cells, s_3 / cells))


@kernel("{T}[::1], {T}[::1], int64[::1], int64", T=STORED)
def average_pool_backward_apart_4(grad_x, grad_y, g, windows):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    stride_0, stride_1, stride_2 = g[AT.stride_0], g[AT.stride_1], g[AT.stride_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    all_0 = udiv_32(size_0 + g[AT.low_0] + stride_0 - 1, stride_0)
    all_1 = udiv_32(size_1 + g[AT.low_1] + stride_1 - 1, stride_1)
    all_2 = udiv_32(size_2 + g[AT.low_2] + stride_2 - 1, stride_2)
    zero = np.float32(0)
    for i in range(cuda.grid(1), windows * fours, cuda.gridsize(1)):
        n, o_0, o_1, o_2, four = place_32(i, all_0, all_1, all_2, fours)
        c = 4 * four
        first_0, first_1, first_2 = (
            o_0 * stride_0 - g[AT.low_0],
            o_1 * stride_1 - g[AT.low_1],
            o_2 * stride_2 - g[AT.low_2],
        )
        d_0 = d_1 = d_2 = d_3 = zero
        if o_0 < count_0 and o_1 < count_1 and o_2 < count_2:
            at = (((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2) * channels + c
            cells_0 = min(first_0 + window_0, size_0) - max(first_0, 0)
            cells_1 = min(first_1 + window_1, size_1) - max(first_1, 0)
            cells_2 = min(first_2 + window_2, size_2) - max(first_2, 0)
            cells = np.float32(cells_0 * cells_1 * cells_2)
            d_0, d_1, d_2, d_3 = load_widened(grad_y, at)
            d_0, d_1, d_2, d_3 = d_0 / cells, d_1 / cells, d_2 / cells, d_3 / cells
        for k_0 in range(max(0, -first_0), min(stride_0, size_0 - first_0)):
            for k_1 in range(max(0, -first_1), min(stride_1, size_1 - first_1)):
                row = ((n * size_0 + first_0 + k_0) * size_1 + first_1 + k_1) * size_2 + first_2
                for k_2 in range(max(0, -first_2), min(stride_2, size_2 - first_2)):
                    values = (d_0, d_1, d_2, d_3)
                    if k_0 >= window_0 or k_1 >= window_1 or k_2 >= window_2:
                        values = (zero, zero, zero, zero)
                    store_rounded(grad_x, (row + k_2) * channels + c, values)


@kernel("{T}[::1], {T}[::1], int64[::1]", T=STORED)
def average_pool_backward_4(grad_x, grad_y, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(grad_x.size, 4), cuda.gridsize(1)):
        n, i_0, i_1, i_2, four = place_32(i, size_0, size_1, size_2, fours)
        c = 4 * four
        s_0 = s_1 = s_2 = s_3 = np.float32(0)
        for k_0 in range(window_0):
            start_0 = i_0 + g[AT.low_0] - k_0
            o_0 = output_at(start_0, g[AT.stride_0], count_0)
            if o_0 < 0:
                continue
            cells_0 = min(i_0 - k_0 + window_0, size_0) - max(i_0 - k_0, 0)
            for k_1 in range(window_1):
                start_1 = i_1 + g[AT.low_1] - k_1
                o_1 = output_at(start_1, g[AT.stride_1], count_1)
                if o_1 < 0:
                    continue
                cells_1 = min(i_1 - k_1 + window_1, size_1) - max(i_1 - k_1, 0)
                row = ((n * count_0 + o_0) * count_1 + o_1) * count_2
                for k_2 in range(window_2):
                    start_2 = i_2 + g[AT.low_2] - k_2
                    o_2 = output_at(start_2, g[AT.stride_2], count_2)
                    if o_2 < 0:
                        continue
                    cells_2 = min(i_2 - k_2 + window_2, size_2) - max(i_2 - k_2, 0)
                    cells = np.float32(cells_0 * cells_1 * cells_2)
                    d_0, d_1, d_2, d_3 = load_widened(grad_y, (row + o_2) * channels + c)
                    s_0 += d_0 / cells
                    s_1 += d_1 / cells
                    s_2 += d_2 / cells
                    s_3 += d_3 / cells
        store_rounded(grad_x, 4 * i, (s_0, s_1, s_2, s_3))
