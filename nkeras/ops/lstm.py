"""A whole sequence through an LSTM as one primitive.

Source: Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735
"""

from __future__ import annotations

from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients
from nkeras.ops.activation import sigmoid
from nkeras.ops.arranging import split
from nkeras.ops.elementwise import tanh
from nkeras.ops.recurrent import (
    check_shapes,
    common,
    gradient_specs,
    gradients_through,
    in_time,
    inputs,
    kept,
    order,
    recurrent,
    sizes,
)
from nkeras.ops.shape import concatenate, stack
from nkeras.ops.subscripts import getitem

_RESULTS = ("y", "last_h", "last_c", "gates", "cells")
_GRADS = ("grad_x", "grad_h", "grad_c", "grad_kernel", "grad_recurrent_kernel", "grad_bias")
_CONSTANT = ("mask", "dropout")


@primitive(outputs=_RESULTS, flat=_CONSTANT)
def _lstm(
    x: Typed,
    h: Typed,
    c: Typed,
    kernel: Typed | None,
    recurrent_kernel: Typed,
    bias: Typed | None,
    mask: Typed | None,
    dropout: Typed | None,
    *,
    reverse: bool,
) -> tuple[Spec, ...]:
    """A sequence through an LSTM with the gates in the order input, forget, candidate, output.

    x `(batch, time, features)`, h and c `(batch, units)`, kernel `(features, 4 * units)` or None
    where x are products already, recurrent_kernel `(units, 4 * units)`, bias `(4 * units,)` or
    None, mask bool `(batch, time)` or None: where it is False, state and cell stay. dropout
    `(4, batch, units)` or None: factors of the state for each gate. With `reverse` the last step
    comes first. Gives the states `(batch, time, units)`, the last state and cell, and for the
    gradient the gates after their functions `(batch, time, 4 * units)` and all cells.
    """
    found = batch, time, _, units = sizes("lstm", x, recurrent_kernel)
    wanted = common(x, 4, found, kernel, recurrent_kernel, mask, dropout)
    wanted |= {"h": (h, (batch, units)), "c": (c, (batch, units)), "bias": (bias, (4 * units,))}
    check_shapes("lstm", x, wanted)
    state = Spec((batch, units), x.dtype)
    cells = Spec((batch, time, units), x.dtype)
    return cells, state, state, Spec((batch, time, 4 * units), x.dtype), cells


@_lstm.decomposition
def _lstm_steps(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    dropout: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, ...]:
    products = inputs(x, kernel, bias)
    states, gates, cells = [], [], []
    for step in order(x.shape[1], reverse):
        z = getitem(products, (slice(None), step)) + recurrent(h, recurrent_kernel, dropout)
        i, f, g, o = split(z, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        cell = f * c + i * g
        c, h = kept(mask, step, cell, c), kept(mask, step, o * tanh(cell), h)
        states.append(h)
        gates.append(concatenate([i, f, g, o], axis=-1))
        cells.append(c)
    made = [stack(in_time(one, reverse), 1) for one in (states, gates, cells)]
    return made[0], h, c, made[1], made[2]


@_lstm.vjp("x", "h", "c", "kernel", "recurrent_kernel", "bias")
def _(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    dropout: Tensor | None,
    y: Tensor,
    gates: Tensor,
    cells: Tensor,
    reverse: bool,
    wanted: frozenset[str],
    grad_y: Tensor | None = None,
    grad_last_h: Tensor | None = None,
    grad_last_c: Tensor | None = None,
    grad_gates: Tensor | None = None,
    grad_cells: Tensor | None = None,
) -> Gradients:
    sources = x, h, c, kernel, recurrent_kernel, bias
    grads = grad_y, grad_last_h, grad_last_c
    if grad_gates is None and grad_cells is None:
        saved = y, gates, cells, mask, dropout
        return _lstm_grad(*grads, *sources, *saved, reverse=reverse, by_x="x" in wanted)

    def steps(*sources: Tensor) -> tuple[Tensor, ...]:
        return _lstm_steps(*sources, mask=mask, dropout=dropout, reverse=reverse)

    return gradients_through(steps, sources, (*grads, grad_gates, grad_cells))


@primitive(outputs=_GRADS, flat=("y", "gates", "cells", *_CONSTANT))
def _lstm_grad(
    grad_y: Typed | None,
    grad_last_h: Typed | None,
    grad_last_c: Typed | None,
    x: Typed,
    h: Typed,
    c: Typed,
    kernel: Typed | None,
    recurrent_kernel: Typed,
    bias: Typed | None,
    y: Typed,
    gates: Typed,
    cells: Typed,
    mask: Typed | None,
    dropout: Typed | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[Spec | None, ...]:
    """Gradients of `lstm`; y, gates and cells are what it gave."""
    return gradient_specs(by_x, x, h, c, kernel, recurrent_kernel, bias)


@_lstm_grad.decomposition
def _(
    grad_y: Tensor | None,
    grad_last_h: Tensor | None,
    grad_last_c: Tensor | None,
    x: Tensor,
    h: Tensor,
    c: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    y: Tensor,
    gates: Tensor,
    cells: Tensor,
    mask: Tensor | None,
    dropout: Tensor | None,
    reverse: bool,
    by_x: bool,
) -> tuple[Tensor | None, ...]:
    def steps(*sources: Tensor) -> tuple[Tensor, ...]:
        return _lstm_steps(*sources, mask=mask, dropout=dropout, reverse=reverse)

    sources = x, h, c, kernel, recurrent_kernel, bias
    found = gradients_through(steps, sources, (grad_y, grad_last_h, grad_last_c))
    return (found[0] if by_x else None, *found[1:])


differentiate_decomposition(_lstm_grad)

lstm = _lstm
