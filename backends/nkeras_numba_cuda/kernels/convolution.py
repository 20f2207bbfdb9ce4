"""Convolution of one to three dimensions, channels last: which kernels compute it."""

from __future__ import annotations

import math

from nkeras_numba_cuda.device.epilogues import epilogue_mode
from nkeras_numba_cuda.kernels import depthwise
from nkeras_numba_cuda.kernels.plain_convolution import (
    conv_backward_input,
    conv_backward_kernel,
    conv_forward,
    sum_of_parts,
)
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.windows import geometry
from nkeras_numba_cuda.launch import FLOATING
from nkeras_numba_cuda.memory import Array, constants, contiguous, empty
from nkeras_numpy import convolution as reference
from nkeras_numpy.linalg import epilogue
from nkeras_numpy.namespace import in_float32
from nkeras_numpy.windows import Ints, Pairs, output_sizes

PLAIN_THREADS = 65536
"""How many sums the gradient of a kernel is cut into at least, if there are as many rows."""


@OWN.register
def conv(
    x: Array, kernel: Array, *, strides: Ints, padding: Pairs, dilation: Ints, groups: int
) -> Array:
    """Correlation of `x (batch, *spatial, channels)` with the kernel."""
    settings = {"strides": strides, "padding": padding, "dilation": dilation}
    return conv_bias(x, kernel, None, groups=groups, activation="linear", **settings)


@OWN.register
@in_float32
def conv_bias(
    x: Array,
    kernel: Array,
    bias: Array | None,
    addend: Array | None = None,
    *,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
    activation: str,
) -> Array:
    """`activation(conv + bias + addend)`; the activation is "linear", "relu" or "relu6"."""
    settings = {"strides": strides, "padding": padding, "dilation": dilation}
    if x.dtype.name not in FLOATING:
        return reference.conv_bias(
            x, kernel, bias, addend, groups=groups, activation=activation, **settings
        )
    sizes, window, filters = x.shape[1:-1], kernel.shape[:-2], kernel.shape[-1]
    counts = output_sizes(sizes, window, strides, padding, dilation)
    y = empty((x.shape[0], *counts, filters), x.dtype)
    if x.size == 0 or kernel.size == 0:
        y.fill(0)
        return epilogue(y, bias, addend, activation)
    mode = epilogue_mode(bias, addend, activation)
    channels = x.shape[-1]
    packed = constants(
        *geometry(sizes, window, counts, channels, filters, groups, mode, **settings)
    )
    # What is not there is never read: the result stands in its place.
    given = [y if array is None else contiguous(array) for array in (bias, addend)]
    arrays = (y, contiguous(x), contiguous(kernel), *given)
    if x.dtype == "float32" and depthwise.suits(channels, filters, groups, *arrays):
        depthwise.depthwise_forward.launch(y.size // 4, *arrays, packed)
    else:
        conv_forward.launch(y.size, *arrays, packed)
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
    """Gradient of `conv` for its input; also a transposed convolution."""
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
    arrays = grad_x, contiguous(grad_y), contiguous(kernel)
    if grad_y.dtype == "float32" and depthwise.suits(channels, filters, groups, *arrays):
        depthwise.depthwise_backward_input.launch(grad_x.size // 4, *arrays, packed)
    else:
        conv_backward_input.launch(grad_x.size, *arrays, packed)
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
    rows = x.shape[0] * math.prod(counts[:-1])
    chunks = plain_chunks(kernel_shape, rows)
    parts = empty((chunks, *kernel_shape), x.dtype) if chunks > 1 else grad_kernel
    operands = contiguous(x), contiguous(grad_y), packed
    conv_backward_kernel.launch(parts.size, parts, *operands, rows, chunks)
    if chunks > 1:
        sum_of_parts.launch(grad_kernel.size, grad_kernel, parts, chunks)
    return grad_kernel


def plain_chunks(kernel_shape: Ints, rows: int) -> int:
    """Into how many sums the gradient of a kernel is cut."""
    return max(1, min(rows, PLAIN_THREADS // math.prod(kernel_shape)))
