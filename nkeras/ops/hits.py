"""How often the best class is the right one: what accuracies count."""

from __future__ import annotations

from nkeras.core.errors import short
from nkeras.core.primitive import primitive
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.elementwise import equal
from nkeras.ops.reduction import argmax_
from nkeras.ops.shape import cast


def _spec(owner: str, scores: Typed, dtype: str) -> Spec:
    if scores.shape[-1] == 0:
        raise ValueError(f"{owner}: there are no classes. Received: shape {short(scores.shape)}")
    return Spec(scores.shape[:-1], dtype)


@primitive(flat=("labels", "scores"))
def label_hits(labels: Typed, scores: Typed, *, dtype: str) -> Spec:
    """1 where the first largest score along the last axis is that of the label, else 0."""
    return _spec("label_hits", scores, dtype)


@label_hits.decomposition
def _(labels: Tensor, scores: Tensor, dtype: str) -> Tensor:
    place = argmax_(scores, axis=len(scores.shape) - 1, keepdims=False)
    return cast(equal(labels, cast(place, labels.dtype)), dtype)


@primitive(flat=("targets", "scores"))
def target_hits(targets: Typed, scores: Typed, *, dtype: str) -> Spec:
    """1 where the first largest score and target along the last axis share their place, else 0."""
    return _spec("target_hits", scores, dtype)


@target_hits.decomposition
def _(targets: Tensor, scores: Tensor, dtype: str) -> Tensor:
    axis = len(scores.shape) - 1
    places = [argmax_(x, axis=axis, keepdims=False) for x in (targets, scores)]
    return cast(equal(*places), dtype)
