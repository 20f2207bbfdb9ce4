"""A whole sequence through an LSTM; gates in the order input, forget, candidate, output."""

from __future__ import annotations

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.registry import KERNELS


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + namespace(x).exp(-x))


@KERNELS.register
@in_float32
def lstm(
    x: Array,
    h: Array,
    c: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Outputs of each step, last state, last cell, gates after their functions, cells."""
    xp = namespace(x)
    products = xp.matmul(x, kernel)
    products = products if bias is None else products + bias
    outputs, gates, cells = [], [], []
    for step in range(x.shape[1]):
        z = products[:, step] + xp.matmul(h, recurrent_kernel)
        i, f, g, o = xp.split(z, 4, axis=-1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), xp.tanh(g), _sigmoid(o)
        c = f * c + i * g
        h = o * xp.tanh(c)
        outputs.append(h)
        gates.append(xp.concatenate([i, f, g, o], axis=-1))
        cells.append(c)
    return xp.stack(outputs, 1), h, c, xp.stack(gates, 1), xp.stack(cells, 1)


@KERNELS.register
@in_float32
def lstm_grad(
    grad_y: Array | None,
    grad_last_h: Array | None,
    grad_last_c: Array | None,
    x: Array,
    h: Array,
    c: Array,
    kernel: Array,
    recurrent_kernel: Array,
    y: Array,
    gates: Array,
    cells: Array,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Gradients of ``lstm`` by x, h, c, kernel, recurrent kernel and bias."""
    xp = namespace(x)
    grad_h = xp.zeros_like(h) if grad_last_h is None else grad_last_h
    grad_c = xp.zeros_like(c) if grad_last_c is None else grad_last_c
    grad_z = xp.empty_like(gates)
    for step in reversed(range(x.shape[1])):
        i, f, g, o = xp.split(gates[:, step], 4, axis=-1)
        if grad_y is not None:
            grad_h = grad_h + grad_y[:, step]
        bent = xp.tanh(cells[:, step])
        grad_c = grad_c + grad_h * o * (1 - bent * bent)
        before = cells[:, step - 1] if step else c
        parts = [
            grad_c * g * i * (1 - i),
            grad_c * before * f * (1 - f),
            grad_c * i * (1 - g * g),
            grad_h * bent * o * (1 - o),
        ]
        grad_z[:, step] = xp.concatenate(parts, axis=-1)
        grad_c = grad_c * f
        grad_h = xp.matmul(grad_z[:, step], recurrent_kernel.T)
    states = xp.concatenate([h[:, None], y[:, :-1]], axis=1)
    rows = grad_z.reshape(-1, grad_z.shape[-1])
    return (
        xp.matmul(grad_z, kernel.T),
        grad_h,
        grad_c,
        xp.matmul(x.reshape(-1, x.shape[-1]).T, rows),
        xp.matmul(states.reshape(-1, states.shape[-1]).T, rows),
        xp.sum(rows, axis=0),
    )
