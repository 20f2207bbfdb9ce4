"""Convolution of one to three dimensions, channels last: which kernels compute it."""

from __future__ import annotations

import math

from nkeras_numba_cuda.kernels import depthwise, tile_convolution
from nkeras_numba_cuda.kernels.convolution_sizes import Convolution, convolution
from nkeras_numba_cuda.kernels.endings import ACTIVATIONS
from nkeras_numba_cuda.kernels.fragments import Arithmetic
from nkeras_numba_cuda.kernels.plain_convolution import (
    CONV_FORWARD,
    conv_backward_input,
    conv_backward_kernel,
    sum_of_parts,
)
from nkeras_numba_cuda.kernels.products import arithmetic_for
from nkeras_numba_cuda.kernels.registry import OWN
from nkeras_numba_cuda.kernels.tile_choice import Choice
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
    c = convolution(x.shape, kernel.shape, strides, padding, dilation, groups)
    found = _on_tensor_cores("forward", x, kernel, c)
    if found is None:
        settings = {"strides": strides, "padding": padding, "dilation": dilation}
        return _plain_forward(
            x, kernel, bias, addend, groups=groups, activation=activation, **settings
        )
    y = empty((x.shape[0], *c.counts[5 - x.ndim :], c.filters), x.dtype)
    terms = [None if term is None else contiguous(term) for term in (bias, addend)]
    operands = contiguous(x), contiguous(kernel)
    return tile_convolution.run("forward", *found, c, y, *operands, *terms, activation=activation)


@in_float32
def _plain_forward(
    x: Array,
    kernel: Array,
    bias: Array | None,
    addend: Array | None,
    *,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
    activation: str,
) -> Array:
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
    after = int(bias is not None), int(addend is not None), ACTIVATIONS.index(activation)
    channels = x.shape[-1]
    packed = constants(
        *geometry(sizes, window, counts, channels, filters, groups, after, **settings)
    )
    # What is not there is never read: the result stands in its place.
    given = [y if array is None else contiguous(array) for array in (bias, addend)]
    arrays = (y, contiguous(x), contiguous(kernel), *given)
    if x.dtype.name == "float32" and depthwise.suits(channels, filters, groups, *arrays):
        depthwise.depthwise_forward.launch(y.size // 4, *arrays, packed)
    else:
        CONV_FORWARD[x.dtype.name].launch(y.size, *arrays, packed)
    return y


@OWN.register
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
    c = convolution(input_shape, kernel.shape, strides, padding, dilation, groups)
    found = _on_tensor_cores("backward_input", grad_y, kernel, c)
    if found is None:
        settings = {"strides": strides, "padding": padding, "dilation": dilation}
        return _plain_backward_input(
            grad_y, kernel, input_shape=input_shape, groups=groups, **settings
        )
    grad_x = empty(input_shape, grad_y.dtype)
    operands = contiguous(grad_y), contiguous(kernel)
    return tile_convolution.run("backward_input", *found, c, grad_x, *operands)


@in_float32
def _plain_backward_input(
    grad_y: Array,
    kernel: Array,
    *,
    input_shape: Ints,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
) -> Array:
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
    if grad_y.dtype.name == "float32" and depthwise.suits(channels, filters, groups, *arrays):
        depthwise.depthwise_backward_input.launch(grad_x.size // 4, *arrays, packed)
    else:
        conv_backward_input.launch(grad_x.size, *arrays, packed)
    return grad_x


@OWN.register
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
    c = convolution(x.shape, kernel_shape, strides, padding, dilation, groups)
    found = _on_tensor_cores("backward_kernel", x, grad_y, c)
    if found is None:
        settings = {"strides": strides, "padding": padding, "dilation": dilation}
        return _plain_backward_kernel(
            x, grad_y, kernel_shape=kernel_shape, groups=groups, **settings
        )
    grad_kernel = empty(kernel_shape, x.dtype)
    operands = contiguous(x), contiguous(grad_y)
    return tile_convolution.run("backward_kernel", *found, c, grad_kernel, *operands)


@in_float32
def _plain_backward_kernel(
    x: Array,
    grad_y: Array,
    *,
    kernel_shape: Ints,
    strides: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
) -> Array:
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


def _on_tensor_cores(
    name: str, x: Array, y: Array, c: Convolution
) -> tuple[Arithmetic, Choice] | None:
    """How tensor cores compute a product of a convolution; None where plain kernels do."""
    arithmetic = arithmetic_for(x.dtype.name)
    if arithmetic is None or x.size == 0 or y.size == 0:
        return None
    chosen = tile_convolution.choice(arithmetic, c, name)
    return None if chosen is None else (arithmetic, chosen)
