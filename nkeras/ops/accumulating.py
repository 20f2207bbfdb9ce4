"""What happens to many variables at once in a step: sums over steps, and decay."""

from __future__ import annotations

from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.optimizers import descended


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
