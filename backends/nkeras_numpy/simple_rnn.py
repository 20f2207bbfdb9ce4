"""A whole sequence through a simple recurrent layer: `h = tanh(x @ kernel + h @ recurrent)`."""

from __future__ import annotations

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.recurrent import (
    before,
    bias_grad,
    inputs,
    inputs_grad,
    kept,
    order,
    recurrent,
    recurrent_grad,
    recurrent_kernel_grad,
)
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def simple_rnn(
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
) -> tuple[Array, Array]:
    """Outputs of each step, and the last one."""
    xp = namespace(x)
    products = inputs(x, kernel, bias)
    y = xp.empty_like(products)
    for step in order(x.shape[1], reverse):
        z = products[:, step] + recurrent(h, recurrent_kernel, dropout)
        h = kept(mask, step, xp.tanh(z), h)
        y[:, step] = h
    return y, h


@KERNELS.register
@in_float32
def simple_rnn_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    y: Array,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array | None, Array, Array | None]:
    """Gradients of `simple_rnn` by x, h, kernel, recurrent kernel and bias."""
    xp = namespace(x)
    grad_h = xp.zeros_like(h) if grad_last_h is None else grad_last_h
    grad_z = xp.empty_like(y)
    for step in reversed(order(x.shape[1], reverse)):
        if grad_y is not None:
            grad_h = grad_h + grad_y[:, step]
        rows = grad_h * (1 - y[:, step] * y[:, step])
        grad_z[:, step] = kept(mask, step, rows, xp.zeros_like(rows))
        grad_h = kept(mask, step, recurrent_grad(rows, recurrent_kernel, dropout), grad_h)
    grad_x, grad_kernel = inputs_grad(grad_z, x, kernel, by_x)
    grad_recurrent = recurrent_kernel_grad(grad_z, before(h, y, reverse), dropout)
    return grad_x, grad_h, grad_kernel, grad_recurrent, bias_grad(grad_z, bias)
