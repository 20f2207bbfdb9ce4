"""Convolutions of one to three dimensions: one thread gathers each element of the result.

They take any shape and dtype, with few instructions to spare: for float64, for little work, for
GPUs without tensor cores, and for the simulator. The sum of a kernel's gradient is cut into chunks
of rows of outputs, which `sum_of_parts` adds in order.
"""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.kernels.endings import completing
from nkeras_numba_cuda.kernels.windows import AT, output_at, place_of
from nkeras_numba_cuda.launch import FLOATING, Kernel, kernel


def _conv_forward(dtype: str) -> Kernel:
    complete = completing(dtype)

    def conv_forward(y, x, kernel, bias, addend, g):
        size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
        window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
        count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
        channels, filters, groups = g[AT.channels], g[AT.filters], g[AT.groups]
        group_channels, group_filters = udiv(channels, groups), udiv(filters, groups)
        for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
            n, o_0, o_1, o_2, f = place_of(i, count_0, count_1, count_2, filters)
            first = udiv(f, group_filters) * group_channels
            total = y.dtype.type(0)
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
                        at_x = cell * channels + first
                        at_kernel = tap * group_channels * filters + f
                        for c in range(group_channels):
                            total += x[at_x + c] * kernel[at_kernel + c * filters]
            y[i] = complete(total, bias, addend, f, i, g[AT.bias], g[AT.addend], g[AT.activation])

    arrays = ", ".join([f"{dtype}[::1]"] * 5)
    return kernel(f"{arrays}, int64[::1]", name=f"conv_forward_{dtype}")(conv_forward)


CONV_FORWARD = {dtype: _conv_forward(dtype) for dtype in FLOATING}
"""By dtype."""


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def conv_backward_input(grad_x, grad_y, kernel, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters, groups = g[AT.channels], g[AT.filters], g[AT.groups]
    group_channels, group_filters = udiv(channels, groups), udiv(filters, groups)
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        n, i_0, i_1, i_2, channel = place_of(i, size_0, size_1, size_2, channels)
        group = udiv(channel, group_channels)
        c = channel - group * group_channels
        total = grad_x.dtype.type(0)
        # A tap meets this cell from the output whose window starts `start` cells into the padded
        # input, if there is one: windows start at multiples of the stride.
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
                    at_y = cell * filters + group * group_filters
                    at_kernel = (tap * group_channels + c) * filters + group * group_filters
                    for f in range(group_filters):
                        total += grad_y[at_y + f] * kernel[at_kernel + f]
        grad_x[i] = total


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1], int64, int64", T=FLOATING)
def conv_backward_kernel(parts, x, grad_y, g, rows, chunks):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters, groups = g[AT.channels], g[AT.filters], g[AT.groups]
    group_channels, group_filters = udiv(channels, groups), udiv(filters, groups)
    for i in range(cuda.grid(1), parts.size, cuda.gridsize(1)):
        rest = udiv(i, filters)
        f = i - rest * filters
        tap = udiv(rest, group_channels)
        channel = rest - tap * group_channels + udiv(f, group_filters) * group_channels
        k_2 = umod(tap, window_2)
        tap = udiv(tap, window_2)
        k_1 = umod(tap, window_1)
        tap = udiv(tap, window_1)
        k_0 = umod(tap, window_0)
        chunk = udiv(tap, window_0)
        total = parts.dtype.type(0)
        for row in range(udiv(chunk * rows, chunks), udiv((chunk + 1) * rows, chunks)):
            o_1 = umod(row, count_1)
            rest = udiv(row, count_1)
            o_0 = umod(rest, count_0)
            n = udiv(rest, count_0)
            i_0 = o_0 * g[AT.stride_0] - g[AT.low_0] + k_0 * g[AT.dilation_0]
            i_1 = o_1 * g[AT.stride_1] - g[AT.low_1] + k_1 * g[AT.dilation_1]
            if i_0 < 0 or i_0 >= size_0 or i_1 < 0 or i_1 >= size_1:
                continue
            x_row, y_row = ((n * size_0 + i_0) * size_1 + i_1) * size_2, row * count_2
            part = parts.dtype.type(0)  # sums of sums lose less than one long sum
            for o_2 in range(count_2):
                i_2 = o_2 * g[AT.stride_2] - g[AT.low_2] + k_2 * g[AT.dilation_2]
                if i_2 < 0 or i_2 >= size_2:
                    continue
                cell_x, cell_y = x_row + i_2, y_row + o_2
                part += x[cell_x * channels + channel] * grad_y[cell_y * filters + f]
            total += part
        parts[i] = total


@kernel("{T}[::1], {T}[::1], int64", T=FLOATING)
def sum_of_parts(y, parts, count):
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        total = y.dtype.type(0)
        for part in range(count):
            total += parts[part * y.size + i]
        y[i] = total
