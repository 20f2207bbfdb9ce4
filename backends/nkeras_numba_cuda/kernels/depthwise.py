"""Depthwise convolutions of float32, four channels a thread: as many filters as channels.

Others, of several filters for a channel or of odd channels, are served by `plain_convolution`, as
is the gradient for the kernel: none of them has a loop over a group.
"""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv_32
from nkeras_numba_cuda.device.vectors import load_4, store_4
from nkeras_numba_cuda.kernels.endings import completing
from nkeras_numba_cuda.kernels.windows import AT, in_fours, output_at, place_32
from nkeras_numba_cuda.launch import kernel
from nkeras_numba_cuda.memory import Array

complete = completing("float32")


def suits(channels: int, filters: int, groups: int, *arrays: Array) -> bool:
    """Whether these kernels take a convolution."""
    return groups == channels == filters and in_fours(channels, *arrays)


@kernel("float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], int64[::1]")
def depthwise_forward(y, x, kernel, bias, addend, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    has_bias, has_addend, activation = g[AT.bias], g[AT.addend], g[AT.activation]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(y.size, 4), cuda.gridsize(1)):
        n, o_0, o_1, o_2, four = place_32(i, count_0, count_1, count_2, fours)
        c = 4 * four
        s_0 = s_1 = s_2 = s_3 = y.dtype.type(0)
        for k_0 in range(window_0):
            i_0 = o_0 * g[AT.stride_0] - g[AT.low_0] + k_0 * g[AT.dilation_0]
            if i_0 < 0 or i_0 >= size_0:
                continue
            for k_1 in range(window_1):
                i_1 = o_1 * g[AT.stride_1] - g[AT.low_1] + k_1 * g[AT.dilation_1]
                if i_1 < 0 or i_1 >= size_1:
                    continue
                for k_2 in range(window_2):
                    i_2 = o_2 * g[AT.stride_2] - g[AT.low_2] + k_2 * g[AT.dilation_2]
                    if i_2 < 0 or i_2 >= size_2:
                        continue
                    cell = ((n * size_0 + i_0) * size_1 + i_1) * size_2 + i_2
                    tap = (k_0 * window_1 + k_1) * window_2 + k_2
                    a_0, a_1, a_2, a_3 = load_4(x, cell * channels + c)
                    b_0, b_1, b_2, b_3 = load_4(kernel, tap * channels + c)
                    s_0 += a_0 * b_0
                    s_1 += a_1 * b_1
                    s_2 += a_2 * b_2
                    s_3 += a_3 * b_3
        at = 4 * i
        s_0 = complete(s_0, bias, addend, c, at, has_bias, has_addend, activation)
        s_1 = complete(s_1, bias, addend, c + 1, at + 1, has_bias, has_addend, activation)
        s_2 = complete(s_2, bias, addend, c + 2, at + 2, has_bias, has_addend, activation)
        s_3 = complete(s_3, bias, addend, c + 3, at + 3, has_bias, has_addend, activation)
        store_4(y, 4 * i, (s_0, s_1, s_2, s_3))


@kernel("float32[::1], float32[::1], float32[::1], int64[::1]")
def depthwise_backward_input(grad_x, grad_y, kernel, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels = g[AT.channels]
    fours = udiv_32(channels, 4)
    for i in range(cuda.grid(1), udiv_32(grad_x.size, 4), cuda.gridsize(1)):
        n, i_0, i_1, i_2, four = place_32(i, size_0, size_1, size_2, fours)
        c = 4 * four
        s_0 = s_1 = s_2 = s_3 = grad_x.dtype.type(0)
        # As in `conv_backward_input`: windows start at multiples of the stride.
        for k_0 in range(window_0):
            start_0 = i_0 + g[AT.low_0] - k_0 * g[AT.dilation_0]
            o_0 = output_at(start_0, g[AT.stride_0], count_0)
            if o_0 < 0:
                continue
            for k_1 in range(window_1):
                start_1 = i_1 + g[AT.low_1] - k_1 * g[AT.dilation_1]
                o_1 = output_at(start_1, g[AT.stride_1], count_1)
                if o_1 < 0:
                    continue
                for k_2 in range(window_2):
                    start_2 = i_2 + g[AT.low_2] - k_2 * g[AT.dilation_2]
                    o_2 = output_at(start_2, g[AT.stride_2], count_2)
                    if o_2 < 0:
                        continue
                    cell = ((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2
                    tap = (k_0 * window_1 + k_1) * window_2 + k_2
                    a_0, a_1, a_2, a_3 = load_4(grad_y, cell * channels + c)
                    b_0, b_1, b_2, b_3 = load_4(kernel, tap * channels + c)
                    s_0 += a_0 * b_0
                    s_1 += a_1 * b_1
                    s_2 += a_2 * b_2
                    s_3 += a_3 * b_3
        store_4(grad_x, 4 * i, (s_0, s_1, s_2, s_3))
