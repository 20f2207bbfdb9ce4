"""Optimizer updates by the gradient of rows that were taken from a variable, as embeddings do.

Plans (`nkeras.replay.rewrite`) use them where the other rows would stay what they are, so that a
step costs as much as the rows that it used, whatever the size of the variable.
"""

from __future__ import annotations

from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.indexing import take_grad
from nkeras.ops.optimizers import adagrad_update, sgd_update


def _check(owner: str, w: Typed, grad_y: Typed, indices: Typed) -> None:
    shape = (*indices.shape, *w.shape[1:])
    if tuple(grad_y.shape) != shape or grad_y.dtype != w.dtype:
        raise ValueError(
            f"{owner}: the gradient must have the shape {shape} and dtype {w.dtype} of rows at "
            f"indices {indices.shape} of {w.shape}. Received: shape {grad_y.shape}, dtype "
            f"{grad_y.dtype}."
        )


@primitive(
    outputs=("w_new",),
    flat=("w", "grad_y", "indices"),
    live=("learning_rate",),
    donated={"w_new": "w"},
)
def sgd_row_update(w: Typed, grad_y: Typed, indices: Typed, *, learning_rate: float) -> Spec:
    """`sgd_update` without momentum, by gradients of rows."""
    _check("sgd_row_update", w, grad_y, indices)
    return Spec(w.shape, w.dtype)


@sgd_row_update.decomposition
def _(w: Tensor, grad_y: Tensor, indices: Tensor, learning_rate: float) -> Tensor:
    grad = take_grad(grad_y, indices, shape=w.shape, axis=0)
    return sgd_update(w, grad, None, learning_rate=learning_rate, momentum=0.0, nesterov=False)[0]


@primitive(
    outputs=("w_new", "a_new"),
    flat=("w", "grad_y", "indices", "a"),
    live=("learning_rate",),
    donated={"w_new": "w", "a_new": "a"},
)
def adagrad_row_update(
    w: Typed, grad_y: Typed, indices: Typed, a: Typed, *, learning_rate: float, epsilon: float
) -> tuple[Spec, Spec]:
    """`adagrad_update` by gradients of rows."""
    _check("adagrad_row_update", w, grad_y, indices)
    return Spec(w.shape, w.dtype), Spec(w.shape, w.dtype)


@adagrad_row_update.decomposition
def _(
    w: Tensor, grad_y: Tensor, indices: Tensor, a: Tensor, learning_rate: float, epsilon: float
) -> tuple[Tensor, ...]:
    grad = take_grad(grad_y, indices, shape=w.shape, axis=0)
    return adagrad_update(w, grad, a, learning_rate=learning_rate, epsilon=epsilon)
