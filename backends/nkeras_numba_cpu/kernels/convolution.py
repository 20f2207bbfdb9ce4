"""Convolutions of any rank and their gradients, channels last: which way they are computed.

The micro-kernel serves all that mix channels, see `products.direct` and `products.kernel_gradient`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from nkeras.core import config
from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.loops.operands import is_floating, operand, stored
from nkeras_numba_cpu.memory.capture import stays
from nkeras_numba_cpu.products import depthwise, few_channels, winograd, winograd_gradient
from nkeras_numba_cpu.products.direct import correlate
from nkeras_numba_cpu.products.geometry import Pads, Shapes
from nkeras_numba_cpu.products.kernel_gradient import grad_kernel, kernel_schedule
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, ACTIVATIONS
from nkeras_numba_cpu.products.schedules import convolution_schedule
from nkeras_numpy import convolution as reference

# `dtype.name` takes two microseconds.
_NAMES = {np.dtype(name): name for name in ("float32", "float64")}


@KERNELS.register
def conv(
    x: np.ndarray,
    kernel: np.ndarray,
    *,
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray:
    """Correlation of x with kernel `(*spatial, channels // groups, filters)`."""
    return _forward(
        x, kernel, None, Shapes(x.shape, kernel.shape, strides, padding, dilation, groups)
    )


@KERNELS.register
def conv_bias(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None = None,
    *,
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
    activation: str,
) -> np.ndarray:
    """`activation(conv + bias + addend)`; the activation is a name of `ACTIVATIONS`."""
    shapes = Shapes(x.shape, kernel.shape, strides, padding, dilation, groups)
    return _forward(x, kernel, bias, shapes, addend, activation)


def _forward(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    shapes: Shapes,
    addend: np.ndarray | None = None,
    activation: str = "linear",
) -> np.ndarray:
    if not (is_floating(x.dtype) and x.size and kernel.size):
        return by_numpy(
            reference.conv_bias, x, kernel, bias, addend, **_geometry(shapes), activation=activation
        )
    shape, size = _output(shapes)
    a, b = operand(x), operand(kernel)
    c, d = (None if array is None else operand(array) for array in (bias, addend))
    mode = ACTIVATIONS[activation] | (0 if addend is None else ACCUMULATE)
    if few_channels.fits(shapes) and bias is None and not mode:
        y = few_channels.correlate(a, b, shapes)
    elif _is_depthwise(shapes):
        y = depthwise.correlate(a, b, c, d, shapes, mode)
    else:
        y = _mixed(a, b, c, d, shapes, mode, size)
    return stored(y.reshape(shape), x.dtype)


@KERNELS.register
def conv_grad_input(
    grad_y: np.ndarray,
    kernel: np.ndarray,
    *,
    input_shape: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray:
    """Gradient of `conv` for x, of shape `input_shape`."""
    shapes = Shapes(input_shape, kernel.shape, strides, padding, dilation, groups)
    if not (is_floating(grad_y.dtype) and grad_y.size and kernel.size):
        return by_numpy(
            reference.conv_grad_input, grad_y, kernel, input_shape=input_shape, **_geometry(shapes)
        )
    a, b = operand(grad_y), operand(kernel)
    if _is_depthwise(shapes):
        grad_x = depthwise.grad_input(a, b, shapes)
    else:
        grad_x = _mixed(a, b, None, None, shapes, 0, math.prod(input_shape), backward=True)
    return stored(grad_x.reshape(input_shape), grad_y.dtype)


@KERNELS.register
def conv_grad_kernel(
    x: np.ndarray,
    grad_y: np.ndarray,
    *,
    kernel_shape: tuple[int, ...],
    strides: tuple[int, ...],
    padding: Pads,
    dilation: tuple[int, ...],
    groups: int,
) -> np.ndarray:
    """Gradient of `conv` for the kernel, of shape `kernel_shape`."""
    shapes = Shapes(x.shape, kernel_shape, strides, padding, dilation, groups)
    if not (is_floating(x.dtype) and x.size and grad_y.size):
        return by_numpy(
            reference.conv_grad_kernel, x, grad_y, kernel_shape=kernel_shape, **_geometry(shapes)
        )
    a, b = operand(x), operand(grad_y)
    if _is_depthwise(shapes):
        result = depthwise.grad_kernel(a, b, shapes)
    elif outputs := _winograd_outputs(shapes, _NAMES[a.dtype], False):
        schedule = winograd_gradient.gradient_schedule(shapes, _NAMES[a.dtype], outputs)
        result = winograd_gradient.grad_kernel(a, b, schedule, outputs)
    else:
        result = grad_kernel(a, b, kernel_schedule(shapes, _NAMES[a.dtype]))
    return stored(result.reshape(kernel_shape), x.dtype)


def _mixed(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None,
    shapes: Shapes,
    mode: int,
    size: int,
    backward: bool = False,
) -> np.ndarray:
    """A convolution that mixes channels, or its gradient for x, flat."""
    dtype = _NAMES[x.dtype]
    outputs = _winograd_outputs(shapes, dtype, backward)
    if not (outputs or backward or config.convolution_algorithm() == "direct"):
        outputs = 2 if winograd.suits_few_tiles(shapes, dtype) else 0
    if outputs:
        tiles = winograd.winograd_schedule(shapes, dtype, backward, outputs)
        return winograd.correlate(x, kernel, bias, addend, mode, tiles, outputs)
    schedule = convolution_schedule(shapes, dtype, backward, bias is not None, mode, stays(kernel))
    return correlate(x, kernel, bias, addend, schedule, size)


def _winograd_outputs(shapes: Shapes, dtype: str, backward: bool) -> int:
    """Rows of outputs of a tile of Winograd's algorithm, 0 where the direct way is taken."""
    algorithm = config.convolution_algorithm()
    if algorithm == "direct" or not winograd.suits(shapes, dtype, backward):
        return 0
    return 2 if algorithm == "winograd_f2" else 4


@lru_cache(maxsize=1024)
def _output(shapes: Shapes) -> tuple[tuple[int, ...], int]:
    """Shape and number of elements of the result."""
    shape = (shapes.x[0], *shapes.spatial, shapes.kernel[-1])
    return shape, math.prod(shape)


def _geometry(shapes: Shapes) -> dict[str, Any]:
    """What the reference takes, which computes with integers: BLAS has no part in it."""
    return {name: getattr(shapes, name) for name in ("strides", "padding", "dilation", "groups")}


def _is_depthwise(shapes: Shapes) -> bool:
    return shapes.groups > 1 and shapes.kernel[-2] == 1
