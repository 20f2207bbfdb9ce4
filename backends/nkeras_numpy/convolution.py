"""Convolution of any rank, channels last: a matrix product per position of the kernel.

With ``padded[window]`` the part of the padded input that kernel position ``offset`` meets,

    y = sum over offset of padded[window] @ kernel[offset]

and both gradients are the transposes of that line.
"""

import math

from nkeras_numpy.linalg import epilogue
from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import (
    Ints,
    Pairs,
    crop_spatial,
    output_sizes,
    pad_spatial,
    padded_zeros,
    positions,
)


def _rows_by_group(x: Array, groups: int) -> Array:
    """``(batch, *spatial, channels)`` as ``(groups, rows, channels // groups)``."""
    rows, channels = math.prod(x.shape[:-1]), x.shape[-1]
    return x.reshape(rows, groups, channels // groups).swapaxes(0, 1)


def _join_groups(rows: Array, shape: Ints) -> Array:
    """The inverse of ``_rows_by_group``."""
    return rows.swapaxes(0, 1).reshape(shape)


def _matrix_by_group(tap: Array, groups: int) -> Array:
    """``(channels // groups, filters)`` as ``(groups, channels // groups, filters // groups)``."""
    channels, filters = tap.shape
    return tap.reshape(channels, groups, filters // groups).swapaxes(0, 1)


@KERNELS.register
@in_float32
def conv(
    x: Array, kernel: Array, *, strides: Ints, padding: Pairs, dilation: Ints, groups: int
) -> Array:
    """Correlation of ``x (batch, *spatial, channels)`` with the kernel."""
    window, filters = kernel.shape[:-2], kernel.shape[-1]
    counts = output_sizes(x.shape[1:-1], window, strides, padding, dilation)
    padded = pad_spatial(x, padding)
    rows = x.shape[0] * math.prod(counts)
    y = namespace(x).zeros((groups, rows, filters // groups), x.dtype)
    for offset, met in positions(window, strides, dilation, counts):
        y += _rows_by_group(padded[met], groups) @ _matrix_by_group(kernel[offset], groups)
    return _join_groups(y, (x.shape[0], *counts, filters))


@KERNELS.register
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
    """``activation(conv + bias + addend)``; activation is "linear", "relu" or "relu6"."""
    y = conv(x, kernel, strides=strides, padding=padding, dilation=dilation, groups=groups)
    return epilogue(y, bias, addend, activation)


@KERNELS.register
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
    """Gradient of ``conv`` for its input: each output spreads over the cells it was made of."""
    window, counts = kernel.shape[:-2], grad_y.shape[1:-1]
    grad_rows = _rows_by_group(grad_y, groups)
    grad_padded = padded_zeros(namespace(grad_y), input_shape, padding, grad_y.dtype)
    for offset, met in positions(window, strides, dilation, counts):
        matrix = _matrix_by_group(kernel[offset], groups)
        grad_met = grad_rows @ matrix.swapaxes(1, 2)
        grad_padded[met] += _join_groups(grad_met, grad_padded[met].shape)
    return crop_spatial(grad_padded, input_shape, padding)


@KERNELS.register
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
    """Gradient of ``conv`` for its kernel."""
    window, counts = kernel_shape[:-2], grad_y.shape[1:-1]
    padded = pad_spatial(x, padding)
    grad_rows = _rows_by_group(grad_y, groups)
    grad_kernel = namespace(x).zeros(kernel_shape, x.dtype)
    for offset, met in positions(window, strides, dilation, counts):
        grad_matrix = _rows_by_group(padded[met], groups).swapaxes(1, 2) @ grad_rows
        grad_kernel[offset] = _join_groups(grad_matrix, kernel_shape[-2:])
    return grad_kernel
