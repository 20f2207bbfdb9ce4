"""A whole sequence through a GRU as one primitive.

Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078
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
from nkeras.ops.matrix_product import matmul
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

_RESULTS = ("y", "last_h", "gates", "inner")
_GRADS = ("grad_x", "grad_h", "grad_kernel", "grad_recurrent_kernel", "grad_bias")
_CONSTANT = ("mask", "dropout")


@primitive(outputs=_RESULTS, flat=_CONSTANT)
def _gru(
    x: Typed,
    h: Typed,
    kernel: Typed | None,
    recurrent_kernel: Typed,
    bias: Typed | None,
    mask: Typed | None,
    dropout: Typed | None,
    *,
    reset_after: bool,
    reverse: bool,
) -> tuple[Spec, ...]:
    """A sequence through a GRU with the gates in the order update, reset, candidate.

    x `(batch, time, features)`, h `(batch, units)`, kernel `(features, 3 * units)` or None where x
    are products already, recurrent_kernel `(units, 3 * units)`, bias `(3 * units,)`, or with
    `reset_after` `(2, 3 * units)` for the products of x and of the state, or None; mask bool
    `(batch, time)` or None: where it is False, the state stays. dropout `(3, batch, units)` or
    None: factors of the state for each gate. With `reverse` the last step comes first. Gives the
    states `(batch, time, units)`, the last one, and for the gradient the gates after their
    functions `(batch, time, 3 * units)` and what meets the reset gate: with `reset_after` the
    product of the state for the candidate, else the reset state.
    """
    found = batch, time, _, units = sizes("gru", x, recurrent_kernel)
    wanted = common(x, 3, found, kernel, recurrent_kernel, mask, dropout)
    bias_shape = (2, 3 * units) if reset_after else (3 * units,)
    check_shapes("gru", x, wanted | {"h": (h, (batch, units)), "bias": (bias, bias_shape)})
    states = Spec((batch, time, units), x.dtype)
    gates = Spec((batch, time, 3 * units), x.dtype)
    return states, Spec((batch, units), x.dtype), gates, states


@_gru.decomposition
def _gru_steps(
    x: Tensor,
    h: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    dropout: Tensor | None,
    reset_after: bool,
    reverse: bool,
) -> tuple[Tensor, ...]:
    units = h.shape[1]
    own = getitem(bias, 0) if bias is not None and reset_after else bias
    products = inputs(x, kernel, own)
    columns = (slice(None), slice(None, 2 * units))
    gated = None if dropout is None else getitem(dropout, slice(None, 2))
    states, gates, inner = [], [], []
    for step in order(x.shape[1], reverse):
        to_gates = split(getitem(products, (slice(None), step)), 3, axis=-1)
        if reset_after:
            through = recurrent(h, recurrent_kernel, dropout)
            through = through + getitem(bias, 1) if bias is not None else through
        else:
            through = recurrent(h, getitem(recurrent_kernel, columns), gated)
        parts = split(through, 3 if reset_after else 2, axis=-1)
        update, reset = sigmoid(to_gates[0] + parts[0]), sigmoid(to_gates[1] + parts[1])
        if reset_after:
            middle = parts[2]
            candidate = tanh(to_gates[2] + reset * middle)
        else:
            middle = reset * h if dropout is None else reset * h * getitem(dropout, 2)
            last = getitem(recurrent_kernel, (slice(None), slice(2 * units, None)))
            candidate = tanh(to_gates[2] + matmul(middle, last))
        h = kept(mask, step, update * h + (1.0 - update) * candidate, h)
        states.append(h)
        gates.append(concatenate([update, reset, candidate], axis=-1))
        inner.append(middle)
    made = [stack(in_time(one, reverse), 1) for one in (states, gates, inner)]
    return made[0], h, made[1], made[2]


@_gru.vjp("x", "h", "kernel", "recurrent_kernel", "bias")
def _(
    x: Tensor,
    h: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    dropout: Tensor | None,
    y: Tensor,
    gates: Tensor,
    inner: Tensor,
    reset_after: bool,
    reverse: bool,
    wanted: frozenset[str],
    grad_y: Tensor | None = None,
    grad_last_h: Tensor | None = None,
    grad_gates: Tensor | None = None,
    grad_inner: Tensor | None = None,
) -> Gradients:
    sources = x, h, kernel, recurrent_kernel, bias
    if grad_gates is None and grad_inner is None:
        return _gru_grad(
            grad_y,
            grad_last_h,
            *sources,
            *(y, gates, inner, mask, dropout),
            reset_after=reset_after,
            reverse=reverse,
            by_x="x" in wanted,
        )

    def steps(*sources: Tensor) -> tuple[Tensor, ...]:
        return _gru_steps(
            *sources, mask=mask, dropout=dropout, reset_after=reset_after, reverse=reverse
        )

    return gradients_through(steps, sources, (grad_y, grad_last_h, grad_gates, grad_inner))


@primitive(outputs=_GRADS, flat=("y", "gates", "inner", *_CONSTANT))
def _gru_grad(
    grad_y: Typed | None,
    grad_last_h: Typed | None,
    x: Typed,
    h: Typed,
    kernel: Typed | None,
    recurrent_kernel: Typed,
    bias: Typed | None,
    y: Typed,
    gates: Typed,
    inner: Typed,
    mask: Typed | None,
    dropout: Typed | None,
    *,
    reset_after: bool,
    reverse: bool,
    by_x: bool,
) -> tuple[Spec | None, ...]:
    """Gradients of `gru`; y, gates and inner are what it gave."""
    return gradient_specs(by_x, x, h, kernel, recurrent_kernel, bias)


@_gru_grad.decomposition
def _(
    grad_y: Tensor | None,
    grad_last_h: Tensor | None,
    x: Tensor,
    h: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    y: Tensor,
    gates: Tensor,
    inner: Tensor,
    mask: Tensor | None,
    dropout: Tensor | None,
    reset_after: bool,
    reverse: bool,
    by_x: bool,
) -> tuple[Tensor | None, ...]:
    def steps(*sources: Tensor) -> tuple[Tensor, ...]:
        return _gru_steps(
            *sources, mask=mask, dropout=dropout, reset_after=reset_after, reverse=reverse
        )

    sources = x, h, kernel, recurrent_kernel, bias
    found = gradients_through(steps, sources, (grad_y, grad_last_h))
    return (found[0] if by_x else None, *found[1:])


differentiate_decomposition(_gru_grad)

gru = _gru
