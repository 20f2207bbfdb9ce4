"""What happens to many arrays at once in a step: sums over steps, decay, a common norm."""

from __future__ import annotations

from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.elementwise import maximum, root_of_squares, square
from nkeras.ops.optimizers import descended
from nkeras.ops.reduction import sum as reduce_sum


@primitive(outputs=("w_new",), flat=("w", "change"), live=("by",), donated={"w_new": "w"})
def accumulate_update(w: Typed, change: Typed, *, by: float) -> Spec:
    """`w + by * change`: what sums over steps are made of."""
    if change.shape != w.shape or change.dtype != w.dtype:
        raise ValueError(
            f"accumulate_update: what is added must have the shape {w.shape} and dtype {w.dtype} "
            f"of the variable. Received: shape {change.shape}, dtype {change.dtype}."
        )
    return Spec(w.shape, w.dtype)


@accumulate_update.decomposition
def _(w: Tensor, change: Tensor, by: float) -> Tensor:
    return descended(w, -by, change)


@primitive(outputs=("w_new",), flat=("w",), live=("keep",), donated={"w_new": "w"})
def decay_update(w: Typed, *, keep: float) -> Spec:
    """`w * keep`: weight decay."""
    return Spec(w.shape, w.dtype)


@decay_update.decomposition
def _(w: Tensor, keep: float) -> Tensor:
    return w * keep


@primitive(flat=("grads",))
def clip_together(*grads: Typed, clipnorm: float) -> tuple[Spec | None, ...]:
    """All gradients scaled to a common L2 norm of at most `clipnorm`; NaN if it is infinite."""
    for grad in grads:
        if grad.dtype != grads[0].dtype:
            raise ValueError(
                f"clip_together: gradients must have one dtype. Received: {grads[0].dtype} and "
                f"{grad.dtype}."
            )
    return tuple(Spec(grad.shape, grad.dtype) for grad in grads)


@clip_together.decomposition
def _(*grads: Tensor, clipnorm: float) -> tuple[Tensor | None, ...]:
    norm = root_of_squares(sum(reduce_sum(square(grad)) for grad in grads))
    scale = clipnorm / maximum(norm, clipnorm) + (norm - norm)
    return tuple(grad * scale for grad in grads)
