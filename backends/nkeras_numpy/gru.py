"""A whole sequence through a GRU; gates in the order update, reset, candidate."""

from __future__ import annotations

from nkeras_numpy.namespace import Array, in_float32, joined, namespace, stacked
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
def gru(
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    mask: Array | None,
    dropout: Array | None,
    *,
    reset_after: bool,
    reverse: bool,
) -> tuple[Array, Array, Array, Array]:
    """Outputs of each step, last state, gates after their functions, what meets the reset gate."""
    xp = namespace(x)
    units = h.shape[1]
    products = inputs(x, kernel, None)
    if bias is not None:
        products = products + (bias[0] if reset_after else bias)
    y = xp.empty((*x.shape[:2], units), products.dtype)
    gates, inner = xp.empty_like(products), xp.empty_like(y)
    first = None if dropout is None else dropout[:2]
    for step in order(x.shape[1], reverse):
        to_update, to_reset, to_candidate = xp.split(products[:, step], 3, axis=-1)
        if reset_after:
            through = recurrent(h, recurrent_kernel, dropout)
            through = through if bias is None else through + bias[1]
        else:
            through = recurrent(h, recurrent_kernel[:, : 2 * units], first)
        update = sigmoid(to_update + through[:, :units])
        reset = sigmoid(to_reset + through[:, units : 2 * units])
        if reset_after:
            middle = through[:, 2 * units :]
            candidate = xp.tanh(to_candidate + reset * middle)
        else:
            middle = reset * h if dropout is None else reset * h * dropout[2]
            candidate = xp.tanh(to_candidate + xp.matmul(middle, recurrent_kernel[:, 2 * units :]))
        h = kept(mask, step, update * h + (1 - update) * candidate, h)
        gates[:, step] = joined([update, reset, candidate], axis=-1)
        y[:, step], inner[:, step] = h, middle
    return y, h, gates, inner


@KERNELS.register
@in_float32
def gru_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    x: Array,
    h: Array,
    kernel: Array | None,
    recurrent_kernel: Array,
    bias: Array | None,
    y: Array,
    gates: Array,
    inner: Array,
    mask: Array | None,
    dropout: Array | None,
    *,
    reset_after: bool,
    reverse: bool,
    by_x: bool,
) -> tuple[Array | None, Array, Array | None, Array, Array | None]:
    """Gradients of `gru` by x, h, kernel, recurrent kernel and bias."""
    xp = namespace(x)
    units = h.shape[1]
    grad_h = xp.zeros_like(h) if grad_last_h is None else grad_last_h
    grad_z = xp.empty_like(gates)  # by the products of x
    grad_s = xp.empty_like(gates)  # by those of the state
    states = before(h, y, reverse)
    first = None if dropout is None else dropout[:2]
    for step in reversed(order(x.shape[1], reverse)):
        if grad_y is not None:
            grad_h = grad_h + grad_y[:, step]
        old, middle = states[:, step], inner[:, step]
        update, reset, candidate = xp.split(gates[:, step], 3, axis=-1)
        by_update = grad_h * (old - candidate) * update * (1 - update)
        by_candidate = grad_h * (1 - update) * (1 - candidate * candidate)
        if reset_after:
            by_reset = by_candidate * middle * reset * (1 - reset)
            rows = joined([by_update, by_reset, by_candidate * reset], axis=-1)
            through = recurrent_grad(rows, recurrent_kernel, dropout)
        else:
            by_middle = xp.matmul(by_candidate, recurrent_kernel[:, 2 * units :].T)
            by_middle = by_middle if dropout is None else by_middle * dropout[2]
            by_reset = by_middle * old * reset * (1 - reset)
            rows = joined([by_update, by_reset, by_candidate], axis=-1)
            block = recurrent_kernel[:, : 2 * units]
            through = by_middle * reset + recurrent_grad(rows[:, : 2 * units], block, first)
        zeros = xp.zeros_like(rows)
        grad_s[:, step] = kept(mask, step, rows, zeros)
        rows = joined([by_update, by_reset, by_candidate], axis=-1)
        grad_z[:, step] = kept(mask, step, rows, zeros)
        grad_h = kept(mask, step, grad_h * update + through, grad_h)
    grad_x, grad_kernel = inputs_grad(grad_z, x, kernel, by_x)
    if reset_after:
        grad_recurrent = recurrent_kernel_grad(grad_s, states, dropout)
        grad_bias = None if bias is None else stacked([grad_z.sum((0, 1)), grad_s.sum((0, 1))])
    else:
        parts = [
            recurrent_kernel_grad(grad_s[..., : 2 * units], states, first),
            recurrent_kernel_grad(grad_s[..., 2 * units :], inner, None),
        ]
        grad_recurrent = joined(parts, axis=1)
        grad_bias = bias_grad(grad_z, bias)
    return grad_x, grad_h, grad_kernel, grad_recurrent, grad_bias
