"""A whole sequence through an LSTM; gates in the order input, forget, candidate, output."""

from __future__ import annotations

from nkeras_numpy.namespace import Array, in_float32, joined, namespace
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
    sigmoid,
)
from nkeras_numpy.registry import KERNELS


@KERNELS.register
@in_float32
def lstm(
    x: Array,
    h: Array,
    c: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
) -> tuple[Array, Array, Array, Array, Array]:
    """Outputs of each step, last state, last cell, gates after their functions, cells."""
    xp = namespace(x)
    products = inputs(x, kernel, bias)
    y = xp.empty((*x.shape[:2], h.shape[1]), products.dtype)
    gates, cells = xp.empty_like(products), xp.empty_like(y)
    for step in order(x.shape[1], reverse):
        z = products[:, step] + recurrent(h, recurrent_kernel, dropout)
        i, f, g, o = xp.split(z, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), xp.tanh(g), sigmoid(o)
        cell = f * c + i * g
        c = kept(mask, step, cell, c)
        h = kept(mask, step, o * xp.tanh(cell), h)
        gates[:, step] = joined([i, f, g, o], axis=-1)
        y[:, step], cells[:, step] = h, c
    return y, h, c, gates, cells


@KERNELS.register
@in_float32
def lstm_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    grad_last_c: Array | None,
    x: Array,
    h: Array,
    c: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    y: Array,
    gates: Array,
    cells: Array,
    mask: Array | None,
    dropout: Array | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array, Array | None, Array, Array | None]:
    """Gradients of `lstm` by x, h, c, kernel, recurrent kernel and bias."""
    xp = namespace(x)
    grad_h = xp.zeros_like(h) if grad_last_h is None else grad_last_h
    grad_c = xp.zeros_like(c) if grad_last_c is None else grad_last_c
    grad_z = xp.empty_like(gates)
    states, old_cells = before(h, y, reverse), before(c, cells, reverse)
    for step in reversed(order(x.shape[1], reverse)):
        i, f, g, o = xp.split(gates[:, step], 4, axis=-1)
        if grad_y is not None:
            grad_h = grad_h + grad_y[:, step]
        bent = xp.tanh(cells[:, step])
        grad_cell = grad_c + grad_h * o * (1 - bent * bent)
        parts = [
            grad_cell * g * i * (1 - i),
            grad_cell * old_cells[:, step] * f * (1 - f),
            grad_cell * i * (1 - g * g),
            grad_h * bent * o * (1 - o),
        ]
        rows = joined(parts, axis=-1)
        grad_z[:, step] = kept(mask, step, rows, xp.zeros_like(rows))
        grad_c = kept(mask, step, grad_cell * f, grad_c)
        through = recurrent_grad(rows, recurrent_kernel, dropout)
        grad_h = kept(mask, step, through, grad_h)
    grad_x, grad_kernel = inputs_grad(grad_z, x, kernel, by_x)
    grad_recurrent = recurrent_kernel_grad(grad_z, states, dropout)
    return grad_x, grad_h, grad_c, grad_kernel, grad_recurrent, bias_grad(grad_z, bias)
