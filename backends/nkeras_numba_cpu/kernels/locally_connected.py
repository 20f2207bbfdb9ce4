"""Locally connected layers of any rank and their gradients, channels last: see `products.local`."""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.kernels.registry import KERNELS
from nkeras_numba_cpu.launch.numpy_calls import by_numpy
from nkeras_numba_cpu.loops.operands import is_floating, operand, stored
from nkeras_numba_cpu.products import local
from nkeras_numba_cpu.products.micro_kernel import ACCUMULATE, ACTIVATIONS
from nkeras_numpy import locally_connected as reference

Ints = tuple[int, ...]


@KERNELS.register
def locally_connected(
    x: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    addend: np.ndarray | None = None,
    *,
    window: Ints,
    strides: Ints,
    activation: str,
) -> np.ndarray:
    """`activation(windows of x @ kernels of the places + bias + addend)`."""
    if not (is_floating(x.dtype) and x.size and kernel.size):
        settings = {"window": window, "strides": strides, "activation": activation}
        return by_numpy(reference.locally_connected, x, kernel, bias, addend, **settings)
    of = local.local_of(x.shape, kernel.shape[-1], window, strides)
    with_bias, onto = (None if array is None else operand(array) for array in (bias, addend))
    mode = ACTIVATIONS[activation] | (0 if addend is None else ACCUMULATE)
    y = local.correlate(operand(x), operand(kernel), with_bias, onto, of, mode)
    counts = of.counts[3 - len(window) :]
    return stored(y.reshape(x.shape[0], *counts, of.filters), x.dtype)


@KERNELS.register
def locally_connected_grad_input(
    grad_y: np.ndarray, kernel: np.ndarray, *, input_shape: Ints, window: Ints, strides: Ints
) -> np.ndarray:
    """Gradient of `locally_connected` for x, of shape `input_shape`."""
    if not (is_floating(grad_y.dtype) and grad_y.size and kernel.size):
        settings = {"input_shape": input_shape, "window": window, "strides": strides}
        return by_numpy(reference.locally_connected_grad_input, grad_y, kernel, **settings)
    of = local.local_of(input_shape, kernel.shape[-1], window, strides)
    grad_x = local.grad_input(operand(grad_y), operand(kernel), of)
    return stored(grad_x.reshape(input_shape), grad_y.dtype)


@KERNELS.register
def locally_connected_grad_kernel(
    x: np.ndarray, grad_y: np.ndarray, *, window: Ints, strides: Ints
) -> np.ndarray:
    """Gradient of `locally_connected` for the kernel."""
    if not (is_floating(x.dtype) and x.size and grad_y.size):
        settings = {"window": window, "strides": strides}
        return by_numpy(reference.locally_connected_grad_kernel, x, grad_y, **settings)
    of = local.local_of(x.shape, grad_y.shape[-1], window, strides)
    grad_kernel = local.grad_kernel(operand(x), operand(grad_y), of)
    return stored(grad_kernel.reshape(of.places, of.depth, of.filters), x.dtype)
