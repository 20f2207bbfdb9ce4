"""Locally connected layers, channels last: one thread gathers each element of the result."""

from __future__ import annotations

from nkeras_numba_cuda.cuda import cuda
from nkeras_numba_cuda.device.intrinsics import udiv, umod
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.windows import AT, geometry, output_at, place_of
from nkeras_numba_cuda.launch import FLOATING, kernel
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty
from nkeras_numpy import locally_connected as reference
from nkeras_numpy.linalg import epilogue
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints, output_sizes


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def locally_connected_forward(y, x, kernel, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters = g[AT.channels], g[AT.filters]
    line = window_2 * channels
    for i in range(cuda.grid(1), y.size, cuda.gridsize(1)):
        n, o_0, o_1, o_2, at_kernel = place_of(i, count_0, count_1, count_2, filters)
        place = (o_0 * count_1 + o_1) * count_2 + o_2
        at_kernel += place * window_0 * window_1 * line * filters
        total = y.dtype.type(0)
        for k_0 in range(window_0):
            i_0 = o_0 * g[AT.stride_0] + k_0
            for k_1 in range(window_1):
                i_1 = o_1 * g[AT.stride_1] + k_1
                cell = ((n * size_0 + i_0) * size_1 + i_1) * size_2 + o_2 * g[AT.stride_2]
                for j in range(line):
                    total += x[cell * channels + j] * kernel[at_kernel]
                    at_kernel += filters
        y[i] = total


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1]", T=FLOATING)
def locally_connected_backward_input(grad_x, grad_y, kernel, g):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters = g[AT.channels], g[AT.filters]
    for i in range(cuda.grid(1), grad_x.size, cuda.gridsize(1)):
        n, i_0, i_1, i_2, c = place_of(i, size_0, size_1, size_2, channels)
        total = grad_x.dtype.type(0)
        # A tap meets this cell from the place whose window starts at `start`, if there is one.
        for k_0 in range(window_0):
            start_0 = i_0 - k_0
            o_0 = output_at(start_0, g[AT.stride_0], count_0)
            if o_0 < 0:
                continue
            for k_1 in range(window_1):
                start_1 = i_1 - k_1
                o_1 = output_at(start_1, g[AT.stride_1], count_1)
                if o_1 < 0:
                    continue
                for k_2 in range(window_2):
                    start_2 = i_2 - k_2
                    o_2 = output_at(start_2, g[AT.stride_2], count_2)
                    if o_2 < 0:
                        continue
                    place = (o_0 * count_1 + o_1) * count_2 + o_2
                    tap = ((place * window_0 + k_0) * window_1 + k_1) * window_2 + k_2
                    at_y = (n * count_0 * count_1 * count_2 + place) * filters
                    at_kernel = (tap * channels + c) * filters
                    for f in range(filters):
                        total += grad_y[at_y + f] * kernel[at_kernel + f]
        grad_x[i] = total


@kernel("{T}[::1], {T}[::1], {T}[::1], int64[::1], int64", T=FLOATING)
def locally_connected_backward_kernel(grad_kernel, x, grad_y, g, batch):
    size_0, size_1, size_2 = g[AT.size_0], g[AT.size_1], g[AT.size_2]
    window_0, window_1, window_2 = g[AT.window_0], g[AT.window_1], g[AT.window_2]
    count_0, count_1, count_2 = g[AT.count_0], g[AT.count_1], g[AT.count_2]
    channels, filters = g[AT.channels], g[AT.filters]
    image, output = size_0 * size_1 * size_2 * channels, count_0 * count_1 * count_2 * filters
    for i in range(cuda.grid(1), grad_kernel.size, cuda.gridsize(1)):
        rest, k_1, k_2, c, f = place_of(i, window_1, window_2, channels, filters)
        k_0 = umod(rest, window_0)
        place = udiv(rest, window_0)
        o_2 = umod(place, count_2)
        rest = udiv(place, count_2)
        o_1 = umod(rest, count_1)
        o_0 = udiv(rest, count_1)
        i_0 = o_0 * g[AT.stride_0] + k_0
        i_1 = o_1 * g[AT.stride_1] + k_1
        i_2 = o_2 * g[AT.stride_2] + k_2
        at_x = ((i_0 * size_1 + i_1) * size_2 + i_2) * channels + c
        at_y = place * filters + f
        total = grad_kernel.dtype.type(0)
        for n in range(batch):
            total += x[at_x + n * image] * grad_y[at_y + n * output]
        grad_kernel[i] = total


def _packed(sizes: Ints, window: Ints, strides: Ints, channels: int, filters: int) -> Array:
    none, ones = ((0, 0),) * len(window), (1,) * len(window)
    settings = {"strides": strides, "padding": none, "dilation": ones}
    counts = output_sizes(sizes, window, **settings)
    return constants(*geometry(sizes, window, counts, channels, filters, **settings))


@OWN.register
@in_float32
def locally_connected(
    x: Array,
    kernel: Array,
    bias: Array | None,
    addend: Array | None = None,
    *,
    window: Ints,
    strides: Ints,
    activation: str,
) -> Array:
    """Each place's window of `x (batch, *spatial, channels)` times that place's kernel."""
    if x.dtype.name not in FLOATING or x.size == 0 or kernel.size == 0:
        settings = {"window": window, "strides": strides, "activation": activation}
        return reference.locally_connected(x, kernel, bias, addend, **settings)
    filters = kernel.shape[-1]
    none, ones = ((0, 0),) * len(window), (1,) * len(window)
    counts = output_sizes(x.shape[1:-1], window, strides, none, ones)
    y = empty((x.shape[0], *counts, filters), x.dtype)
    packed = _packed(x.shape[1:-1], window, strides, x.shape[-1], filters)
    locally_connected_forward.launch(y.size, y, contiguous(x), contiguous(kernel), packed)
    return epilogue(y, bias, addend, activation)


@OWN.register
@in_float32
def locally_connected_grad_input(
    grad_y: Array, kernel: Array, *, input_shape: Ints, window: Ints, strides: Ints
) -> Array:
    """Gradient of `locally_connected` for its input."""
    if grad_y.dtype.name not in FLOATING or grad_y.size == 0 or kernel.size == 0:
        settings = {"input_shape": input_shape, "window": window, "strides": strides}
        return reference.locally_connected_grad_input(grad_y, kernel, **settings)
    grad_x = empty(input_shape, grad_y.dtype)
    sizes, channels, filters = input_shape[1:-1], input_shape[-1], kernel.shape[-1]
    packed = _packed(sizes, window, strides, channels, filters)
    arrays = grad_x, contiguous(grad_y), contiguous(kernel), packed
    locally_connected_backward_input.launch(grad_x.size, *arrays)
    return grad_x


@OWN.register
@in_float32
def locally_connected_grad_kernel(x: Array, grad_y: Array, *, window: Ints, strides: Ints) -> Array:
    """Gradient of `locally_connected` for its kernel."""
    if x.dtype.name not in FLOATING or x.size == 0 or grad_y.size == 0:
        settings = {"window": window, "strides": strides}
        return reference.locally_connected_grad_kernel(x, grad_y, **settings)
    sizes, counts = x.shape[1:-1], grad_y.shape[1:-1]
    channels, filters = x.shape[-1], grad_y.shape[-1]
    places, depth = 1, channels
    for count, size in zip(counts, window, strict=True):
        places, depth = places * count, depth * size
    grad_kernel = empty((places, depth, filters), x.dtype)
    packed = _packed(sizes, window, strides, channels, filters)
    arrays = grad_kernel, contiguous(x), contiguous(grad_y), packed, x.shape[0]
    locally_connected_backward_kernel.launch(grad_kernel.size, *arrays)
    return grad_kernel
