"""Recurrent layers' work on whole sequences, as primitives."""

from __future__ import annotations

from nkeras.core.gradient_rule import differentiate_decomposition, gradient_through
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients
from nkeras.ops.activation import sigmoid
from nkeras.ops.arranging import split
from nkeras.ops.core import zeros_like
from nkeras.ops.elementwise import square, tanh
from nkeras.ops.matrix_product import matmul
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import concatenate, expand_dims, reshape, stack, swapaxes

_RESULTS = ("y", "last_h", "last_c", "gates", "cells")
_GRADS = ("grad_x", "grad_h", "grad_c", "grad_kernel", "grad_recurrent_kernel", "grad_bias")


@primitive(outputs=_RESULTS)
def _lstm(
    x: Typed, h: Typed, c: Typed, kernel: Typed, recurrent_kernel: Typed, bias: Typed | None
) -> tuple[Spec, ...]:
    """A sequence through an LSTM with the gates in the order input, forget, candidate, output.

    x `(batch, time, features)`, h and c `(batch, units)`, kernel `(features, 4 * units)`,
    recurrent_kernel `(units, 4 * units)`, bias `(4 * units,)` or None. Gives the outputs
    `(batch, time, units)`, the last state and cell, and for the gradient the gates after their
    functions `(batch, time, 4 * units)` and all cells.
    """
    batch, time, features = x.shape
    units = recurrent_kernel.shape[0]
    wanted = {
        "h": (batch, units),
        "c": (batch, units),
        "kernel": (features, 4 * units),
        "recurrent_kernel": (units, 4 * units),
        "bias": (4 * units,),
    }
    given = {"h": h, "c": c, "kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": bias}
    for name, value in given.items():
        if value is not None and tuple(value.shape) != wanted[name]:
            raise ValueError(
                f"lstm: argument `{name}` must have shape {wanted[name]} for x of shape "
                f"{tuple(x.shape)}. Received shape: {tuple(value.shape)}"
            )
    if 0 in (time, features, units):
        raise ValueError(
            f"lstm: x {tuple(x.shape)} and {units} units must have a step, a feature and a unit."
        )
    state = Spec((batch, units), x.dtype)
    cells = Spec((batch, time, units), x.dtype)
    return cells, state, state, Spec((batch, time, 4 * units), x.dtype), cells


@_lstm.decomposition
def _lstm_steps(
    x: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent_kernel: Tensor, bias: Tensor | None
) -> tuple[Tensor, ...]:
    products = matmul(x, kernel)
    products = products if bias is None else products + bias
    outputs, gates, cells = [], [], []
    for step in range(x.shape[1]):
        i, f, g, o = split(products[:, step] + matmul(h, recurrent_kernel), 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * tanh(c)
        outputs.append(h)
        gates.append(concatenate([i, f, g, o], axis=-1))
        cells.append(c)
    return stack(outputs, 1), h, c, stack(gates, 1), stack(cells, 1)


@_lstm.vjp("x", "h", "c", "kernel", "recurrent_kernel", "bias")
def _(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    y: Tensor,
    gates: Tensor,
    cells: Tensor,
    grad_y: Tensor | None = None,
    grad_last_h: Tensor | None = None,
    grad_last_c: Tensor | None = None,
    grad_gates: Tensor | None = None,
    grad_cells: Tensor | None = None,
) -> Gradients:
    sources = x, h, c, kernel, recurrent_kernel
    if grad_gates is None and grad_cells is None:
        grads = _lstm_grad(grad_y, grad_last_h, grad_last_c, *sources, y, gates, cells)
        return (*grads[:5], None if bias is None else grads[5])
    # Only derivatives of derivatives ask for these.
    given = grad_y, grad_last_h, grad_last_c, grad_gates, grad_cells
    shapes = y, h, c, gates, cells
    filled = [
        zeros_like(like) if item is None else item for item, like in zip(given, shapes, strict=True)
    ]
    return gradient_through(_lstm_steps, (*sources, bias), filled)


@primitive(outputs=_GRADS)
def _lstm_grad(
    grad_y: Typed | None,
    grad_last_h: Typed | None,
    grad_last_c: Typed | None,
    x: Typed,
    h: Typed,
    c: Typed,
    kernel: Typed,
    recurrent_kernel: Typed,
    y: Typed,
    gates: Typed,
    cells: Typed,
) -> tuple[Spec, ...]:
    like = x, h, c, kernel, recurrent_kernel
    return (*(Spec(spec.shape, x.dtype) for spec in like), Spec(kernel.shape[1:], x.dtype))


@_lstm_grad.decomposition
def _(
    grad_y: Tensor | None,
    grad_last_h: Tensor | None,
    grad_last_c: Tensor | None,
    x: Tensor,
    h: Tensor,
    c: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    y: Tensor,
    gates: Tensor,
    cells: Tensor,
) -> tuple[Tensor, ...]:
    grad_h = zeros_like(h) if grad_last_h is None else grad_last_h
    grad_c = zeros_like(c) if grad_last_c is None else grad_last_c
    steps = []
    for step in reversed(range(x.shape[1])):
        i, f, g, o = split(gates[:, step], 4, axis=-1)
        if grad_y is not None:
            grad_h = grad_h + grad_y[:, step]
        bent = tanh(cells[:, step])
        grad_c = grad_c + grad_h * o * (1 - square(bent))
        before = cells[:, step - 1] if step else c
        parts = [
            grad_c * g * i * (1 - i),
            grad_c * before * f * (1 - f),
            grad_c * i * (1 - square(g)),
            grad_h * bent * o * (1 - o),
        ]
        steps.append(concatenate(parts, axis=-1))
        grad_c = grad_c * f
        grad_h = matmul(steps[-1], swapaxes(recurrent_kernel, 0, 1))
    grad_z = stack(steps[::-1], 1)
    states = concatenate([expand_dims(h, 1), y[:, :-1]], axis=1)
    rows = reshape(grad_z, (-1, grad_z.shape[-1]))
    return (
        matmul(grad_z, swapaxes(kernel, 0, 1)),
        grad_h,
        grad_c,
        matmul(swapaxes(reshape(x, (-1, x.shape[-1])), 0, 1), rows),
        matmul(swapaxes(reshape(states, (-1, h.shape[-1])), 0, 1), rows),
        reduce_sum(rows, axis=(0,), keepdims=False),
    )


differentiate_decomposition(_lstm_grad)

lstm = _lstm
