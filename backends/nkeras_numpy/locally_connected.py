"""Convolution whose kernel differs from place to place, channels last: the specification.

With ``x[window]`` what a position in the windows meets, ``(places, batch, channels)``, and
``kernel`` as ``(places, *window, channels, filters)``,

    y = sum over offset of x[window] @ kernel[:, offset]

and both gradients are the transposes of that line.
"""

import math

from nkeras_numpy.linalg import epilogue
from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS
from nkeras_numpy.windows import Ints, output_sizes, positions


def _counts(sizes: Ints, window: Ints, strides: Ints) -> Ints:
    return output_sizes(sizes, window, strides, ((0, 0),) * len(window), (1,) * len(window))


def _by_place(x: Array) -> Array:
    """``(batch, *places, channels)`` as ``(places, batch, channels)``."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]).swapaxes(0, 1)


def _from_places(rows: Array, shape: Ints) -> Array:
    """The inverse of ``_by_place``."""
    return rows.swapaxes(0, 1).reshape(shape)


@KERNELS.register
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
    """Each place's window of ``x (batch, *spatial, channels)`` times that place's kernel."""
    counts = _counts(x.shape[1:-1], window, strides)
    taps = kernel.reshape(len(kernel), *window, x.shape[-1], kernel.shape[-1])
    y = namespace(x).zeros((len(kernel), x.shape[0], kernel.shape[-1]), x.dtype)
    for offset, met in positions(window, strides, (1,) * len(window), counts):
        y += _by_place(x[met]) @ taps[(slice(None), *offset)]
    return epilogue(
        _from_places(y, (x.shape[0], *counts, kernel.shape[-1])), bias, addend, activation
    )


@KERNELS.register
@in_float32
def locally_connected_grad_input(
    grad_y: Array, kernel: Array, *, input_shape: Ints, window: Ints, strides: Ints
) -> Array:
    """Gradient of ``locally_connected`` for its input."""
    taps = kernel.reshape(len(kernel), *window, input_shape[-1], kernel.shape[-1])
    grad_rows = _by_place(grad_y)
    grad_x = namespace(grad_y).zeros(input_shape, grad_y.dtype)
    for offset, met in positions(window, strides, (1,) * len(window), grad_y.shape[1:-1]):
        grad_met = grad_rows @ taps[(slice(None), *offset)].swapaxes(1, 2)
        grad_x[met] += _from_places(grad_met, grad_x[met].shape)
    return grad_x


@KERNELS.register
@in_float32
def locally_connected_grad_kernel(x: Array, grad_y: Array, *, window: Ints, strides: Ints) -> Array:
    """Gradient of ``locally_connected`` for its kernel."""
    grad_rows = _by_place(grad_y)
    places, channels, filters = len(grad_rows), x.shape[-1], grad_y.shape[-1]
    grad_kernel = namespace(x).zeros((places, *window, channels, filters), x.dtype)
    for offset, met in positions(window, strides, (1,) * len(window), grad_y.shape[1:-1]):
        grad_kernel[(slice(None), *offset)] = _by_place(x[met]).swapaxes(1, 2) @ grad_rows
    return grad_kernel.reshape(places, math.prod(window) * channels, filters)
