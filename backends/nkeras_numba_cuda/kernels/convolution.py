"""Convolution of one to three dimensions, channels last: one thread per element of the result.

Each kernel gathers, so every element is summed by one thread in a fixed order.
"""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.windows import AT, geometry
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty
from nkeras_numpy import convolution as reference
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints, Pairs, output_sizes


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def conv_forward(y, x, kernel, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters, groups = g[AT.channels], g[AT.filters], g[AT.groups]
    group_channels, group_filters = udiv(channels, groups), udiv(filters, groups)
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        rest = udiv(i, filters)
        f = i - rest * filters
        o_2 = umod(rest, count_2)
        rest = udiv(rest, count_2)
        o_1 = umod(rest, count_1)
        rest = udiv(rest, count_1)
        o_0 = umod(rest, count_0)
        n = udiv(rest, count_0)
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
        y[i] = total


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def conv_backward_input(grad_x, grad_y, kernel, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters, groups = g[AT.channels], g[AT.filters], g[AT.groups]
    group_channels, group_filters = udiv(channels, groups), udiv(filters, groups)
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        rest = udiv(i, channels)
        channel = i - rest * channels
        i_2 = umod(rest, size_2)
        rest = udiv(rest, size_2)
        i_1 = umod(rest, size_1)
        rest = udiv(rest, size_1)
        i_0 = umod(rest, size_0)
        n = udiv(rest, size_0)
        group = udiv(channel, group_channels)
        c = channel - group * group_channels
        total = grad_x.dtype.type(0)
        # A tap meets this cell from the output whose window starts `start` cells into the padded
        # input, if there is one: windows start at multiples of the stride.
        for k_0 in range(window_0):
            start_0 = i_0 + g[AT.low_0] - k_0 * g[AT.dilation_0]
            if (
                start_0 < 0
                or umod(start_0, g[AT.stride_0]) != 0
                or udiv(start_0, g[AT.stride_0]) >= count_0
            ):
                continue
            o_0 = udiv(start_0, g[AT.stride_0])
            for k_1 in range(window_1):
                start_1 = i_1 + g[AT.low_1] - k_1 * g[AT.dilation_1]
                if (
                    start_1 < 0
                    or umod(start_1, g[AT.stride_1]) != 0
                    or udiv(start_1, g[AT.stride_1]) >= count_1
                ):
                    continue
                o_1 = udiv(start_1, g[AT.stride_1])
                for k_2 in range(window_2):
                    start_2 = i_2 + g[AT.low_2] - k_2 * g[AT.dilation_2]
                    if (
                        start_2 < 0
                        or umod(start_2, g[AT.stride_2]) != 0
                        or udiv(start_2, g[AT.stride_2]) >= count_2
                    ):
                        continue
                    o_2 = udiv(start_2, g[AT.stride_2])
                    cell = ((n * count_0 + o_0) * count_1 + o_1) * count_2 + o_2
                    tap = (k_0 * window_1 + k_1) * window_2 + k_2
                    at_y = cell * filters + group * group_filters
                    at_kernel = (tap * group_channels + c) * filters + group * group_filters
                    for f in range(group_filters):
                        total += grad_y[at_y + f] * kernel[at_kernel + f]
        grad_x[i] = total


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1], int64", T=FLOATING)
def conv_backward_kernel(grad_kernel, x, grad_y, g, batch):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_1, window_2 = g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters, groups = g[AT.channels], g[AT.filters], g[AT.groups]
    group_channels, group_filters = udiv(channels, groups), udiv(filters, groups)
    for i in range(cuda.grid(1), grad_kernel.size, cuda.gridsize(1)):
        rest = udiv(i, filters)
        f = i - rest * filters
        tap = udiv(rest, group_channels)
        channel = rest - tap * group_channels + udiv(f, group_filters) * group_channels
        k_2 = umod(tap, window_2)
        tap = udiv(tap, window_2)
        k_1 = umod(tap, window_1)
        k_0 = udiv(tap, window_1)
        total = grad_kernel.dtype.type(0)
        for n in range(batch):
            part = grad_kernel.dtype.type(0)  # sums of sums lose less than one long sum
            for o_0 in range(count_0):
                i_0 = o_0 * g[AT.stride_0] - g[AT.low_0] + k_0 * g[AT.dilation_0]
                if i_0 < 0 or i_0 >= size_0:
                    continue
                for o_1 in range(count_1):
                    i_1 = o_1 * g[AT.stride_1] - g[AT.low_1] + k_1 * g[AT.dilation_1]
                    if i_1 < 0 or i_1 >= size_1:
                        continue
                    x_row = ((n * size_0 + i_0) * size_1 + i_1) * size_2
                    y_row = ((n * count_0 + o_0) * count_1 + o_1) * count_2
                    for o_2 in range(count_2):
                        i_2 = o_2 * g[AT.stride_2] - g[AT.low_2] + k_2 * g[AT.dilation_2]
                        if i_2 < 0 or i_2 >= size_2:
                            continue
                        cell_x, cell_y = x_row + i_2, y_row + o_2
                        part += x[cell_x * channels + channel] * grad_y[cell_y * filters + f]
            total += part
        grad_kernel[i] = total


@OWN.register
@in_float32
def conv(
    x: Array, kernel: Array, *, strides: Ints, padding: Pairs, dilation: Ints, groups: int
) -> Array:
    """Correlation of `x (batch, *spatial, channels)` with the kernel."""
    settings = {"strides": strides, "padding": padding, "dilation": dilation}
    if x.dtype.name not in FLOATING:
        return reference.conv(x, kernel, groups=groups, **settings)
    sizes, window, filters = x.shape[1:-1], kernel.shape[:-2], kernel.shape[-1]
    counts = output_sizes(sizes, window, strides, padding, dilation)
    y = empty((x.shape[0], *counts, filters), x.dtype)
    if x.size == 0 or kernel.size == 0:
        y.fill(0)
        return y
    packed = constants(*geometry(sizes, window, counts, x.shape[-1], filters, groups, **settings))
    conv_forward.launch(y.size, y, contiguous(x), contiguous(kernel), packed)
    return y


@OWN.register
@in_float32
def conv_grad_input(
    grad_y: Array,
    kernel: Array,
    *,
    input_shape: Ints,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
) -> Array:
    """Gradient of `conv` for its input."""
    settings = {"strides": strides, "padding": padding, "dilation": dilation}
    if grad_y.dtype.name not in FLOATING:
        return reference.conv_grad_input(
            grad_y, kernel, input_shape=input_shape, groups=groups, **settings
        )
    grad_x = empty(input_shape, grad_y.dtype)
    if grad_y.size == 0 or kernel.size == 0:
        grad_x.fill(0)
        return grad_x
    sizes, window, counts = input_shape[1:-1], kernel.shape[:-2], grad_y.shape[1:-1]
    channels, filters = input_shape[-1], kernel.shape[-1]
    packed = constants(*geometry(sizes, window, counts, channels, filters, groups, **settings))
    conv_backward_input.launch(grad_x.size, grad_x, contiguous(grad_y), contiguous(kernel), packed)
    return grad_x


@OWN.register
@in_float32
def conv_grad_kernel(
    x: Array,
    grad_y: Array,
    *,
    kernel_shape: Ints,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
) -> Array:
    """Gradient of `conv` for its kernel."""
    settings = {"strides": strides, "padding": padding, "dilation": dilation}
    if x.dtype.name not in FLOATING:
        return reference.conv_grad_kernel(
            x, grad_y, kernel_shape=kernel_shape, groups=groups, **settings
        )
    grad_kernel = empty(kernel_shape, x.dtype)
    if x.size == 0 or grad_y.size == 0:
        grad_kernel.fill(0)
        return grad_kernel
    sizes, window, counts = x.shape[1:-1], kernel_shape[:-2], grad_y.shape[1:-1]
    channels, filters = x.shape[-1], kernel_shape[-1]
    packed = constants(*geometry(sizes, window, counts, channels, filters, groups, **settings))
    conv_backward_kernel.launch(
        grad_kernel.size, grad_kernel, contiguous(x), contiguous(grad_y), packed, x.shape[0]
    )
    return grad_kernel
