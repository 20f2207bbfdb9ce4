"""A whole sequence through a simple recurrent layer as one primitive."""

from __future__ import annotations

from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.core.typing import Gradients
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
from nkeras.ops.shape import stack
from nkeras.ops.subscripts import getitem

_GRADS = ("grad_x", "grad_h", "grad_kernel", "grad_recurrent_kernel", "grad_bias")
_CONSTANT = ("mask", "dropout")


@primitive(outputs=("y", "last_h"), flat=_CONSTANT)
def _simple_rnn(
    x: Typed,
    h: Typed,
    kernel: Typed | None,
    recurrent_kernel: Typed,
    bias: Typed | None,
    mask: Typed | None,
    dropout: Typed | None,
    *,
    reverse: bool,
) -> tuple[Spec, Spec]:
    """`h = tanh(x @ kernel + bias + h @ recurrent_kernel)` for each step of a sequence.

    x `(batch, time, features)`, h `(batch, units)`, kernel `(features, units)` or None where x are
    products already, recurrent_kernel `(units, units)`, bias `(units,)` or None, mask bool
    `(batch, time)` or None: where it is False, the state stays. dropout `(1, batch, units)` or
    None: factors of the state in its product. With `reverse` the last step comes first. Gives the
    states `(batch, time, units)` and the last one.
    """
    found = batch, time, _, units = sizes("simple_rnn", x, recurrent_kernel)
    wanted = common(x, 1, found, kernel, recurrent_kernel, mask, dropout)
    wanted |= {"h": (h, (batch, units)), "bias": (bias, (units,))}
    check_shapes("simple_rnn", x, wanted)
    return Spec((batch, time, units), x.dtype), Spec((batch, units), x.dtype)


@_simple_rnn.decomposition
def _simple_rnn_steps(
    x: Tensor,
    h: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    dropout: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    products = inputs(x, kernel, bias)
    states = []
    for step in order(x.shape[1], reverse):
        z = getitem(products, (slice(None), step)) + recurrent(h, recurrent_kernel, dropout)
        h = kept(mask, step, tanh(z), h)
        states.append(h)
    return stack(in_time(states, reverse), 1), h


@_simple_rnn.vjp("x", "h", "kernel", "recurrent_kernel", "bias")
def _(
    x: Tensor,
    h: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    dropout: Tensor | None,
    y: Tensor,
    reverse: bool,
    wanted: frozenset[str],
    grad_y: Tensor | None = None,
    grad_last_h: Tensor | None = None,
) -> Gradients:
    sources = x, h, kernel, recurrent_kernel, bias
    saved = y, mask, dropout
    return _simple_rnn_grad(
        grad_y, grad_last_h, *sources, *saved, reverse=reverse, by_x="x" in wanted
    )


@primitive(outputs=_GRADS, flat=("y", *_CONSTANT))
def _simple_rnn_grad(
    grad_y: Typed | None,
    grad_last_h: Typed | None,
    x: Typed,
    h: Typed,
    kernel: Typed | None,
    recurrent_kernel: Typed,
    bias: Typed | None,
    y: Typed,
    mask: Typed | None,
    dropout: Typed | None,
    *,
    reverse: bool,
    by_x: bool,
) -> tuple[Spec | None, ...]:
    """Gradients of `simple_rnn`; y is what it gave."""
    return gradient_specs(by_x, x, h, kernel, recurrent_kernel, bias)


@_simple_rnn_grad.decomposition
def _(
    grad_y: Tensor | None,
    grad_last_h: Tensor | None,
    x: Tensor,
    h: Tensor,
    kernel: Tensor | None,
    recurrent_kernel: Tensor,
    bias: Tensor | None,
    y: Tensor,
    mask: Tensor | None,
    dropout: Tensor | None,
    reverse: bool,
    by_x: bool,
) -> tuple[Tensor | None, ...]:
    def steps(*sources: Tensor) -> tuple[Tensor, ...]:
        return _simple_rnn_steps(*sources, mask=mask, dropout=dropout, reverse=reverse)

    sources = x, h, kernel, recurrent_kernel, bias
    found = gradients_through(steps, sources, (grad_y, grad_last_h))
    return (found[0] if by_x else None, *found[1:])


differentiate_decomposition(_simple_rnn_grad)

simple_rnn = _simple_rnn
