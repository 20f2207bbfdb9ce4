"""Gradients made smaller: one by one, or all together by their common norm."""

from __future__ import annotations

from collections.abc import Sequence

from nkeras import ops
from nkeras.core.tensor import Tensor
from nkeras.ops.accumulating import clip_together
from nkeras.ops.elementwise import root_of_squares


def clip_by_norm(grad: Tensor, clipnorm: float) -> Tensor:
    """The gradient, scaled so that its L2 norm is at most `clipnorm`."""
    norm = root_of_squares(ops.sum(ops.square(grad)))
    return grad * (clipnorm / ops.maximum(norm, clipnorm))


def global_norm(grads: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all gradients as one vector."""
    return root_of_squares(sum(ops.sum(ops.square(grad)) for grad in grads))


def clip_by_global_norm(grads: Sequence[Tensor], clipnorm: float) -> list[Tensor]:
    """The gradients, scaled to a common L2 norm of at most `clipnorm`; NaN if it is infinite."""
    if len({grad.dtype for grad in grads}) == 1:
        return list(clip_together(*grads, clipnorm=float(clipnorm)))
    norm = global_norm(grads)
    scale = clipnorm / ops.maximum(norm, clipnorm) + (norm - norm)
    return [grad * ops.cast(scale, grad.dtype) for grad in grads]
