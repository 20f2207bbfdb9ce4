"""Cross-entropies fused: with softmax from logits, with their scaling from probabilities."""

from __future__ import annotations

import numpy as np

from nkeras.backend.scalars import losses
from nkeras.core.gradient_rule import differentiate_decomposition
from nkeras.core.primitive import primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.core.tensor import Tensor
from nkeras.ops.elementwise import (
    clip,
    elementwise,
    equal,
    exp,
    greater,
    less,
    log,
    logical_or,
    negative,
    where_,
)
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.normalization import log_softmax_, log_softmax_grad
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import cast, expand_dims, squeeze

sigmoid_cross_entropy = elementwise(
    losses.sigmoid_cross_entropy, "float", "Cross-entropy of target and sigmoid(logits), stable."
)
binary_cross_entropy = elementwise(
    losses.binary_cross_entropy,
    "float",
    "Cross-entropy of target and a probability, which is clipped to [low, high].",
)
huber = elementwise(losses.huber, "float", "Half the squared error up to delta, linear beyond.")


@primitive(outputs=("loss", "log_probabilities"), flat=("labels",))
def sparse_softmax_cross_entropy(logits: Typed, labels: Typed) -> tuple[Spec, Spec]:
    """`-log(softmax(logits))[label]` of each row, and the log-probabilities."""
    if len(logits.shape) != 2 or tuple(labels.shape) != (logits.shape[0],):
        raise ValueError(
            "sparse_softmax_cross_entropy: logits (rows, classes) and labels (rows,) are needed. "
            f"Received shapes {logits.shape} and {labels.shape}"
        )
    return Spec((logits.shape[0],), logits.dtype), Spec(logits.shape, logits.dtype)


@sparse_softmax_cross_entropy.decomposition
def _(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    log_probabilities = log_softmax_(logits, axis=1)
    chosen = take_along_axis(log_probabilities, expand_dims(labels, 1), 1)
    return negative(squeeze(chosen, 1)), log_probabilities


@sparse_softmax_cross_entropy.vjp("logits")
def _(
    grad_loss: Tensor,
    labels: Tensor,
    log_probabilities: Tensor,
    grad_log_probabilities: Tensor | None = None,
) -> Tensor:
    grad = sparse_softmax_cross_entropy_grad(grad_loss, log_probabilities, labels)
    if grad_log_probabilities is not None:
        grad = grad + log_softmax_grad(grad_log_probabilities, log_probabilities, axis=1)
    return grad


@primitive(outputs=("grad_logits",), flat=("labels",))
def sparse_softmax_cross_entropy_grad(
    grad_loss: Typed, log_probabilities: Typed, labels: Typed
) -> Spec:
    """`(softmax - onehot) * grad_loss` of each row."""
    return Spec(log_probabilities.shape, log_probabilities.dtype)


def _softmax_minus_onehot(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    return exp(log_probabilities) - _onehot(labels, log_probabilities)


def _onehot(labels: Tensor, like: Tensor) -> Tensor:
    classes = to_tensor(np.arange(like.shape[1]), "int32")
    return cast(equal(expand_dims(labels, 1), classes), like.dtype)


@sparse_softmax_cross_entropy_grad.decomposition
def _(grad_loss: Tensor, log_probabilities: Tensor, labels: Tensor) -> Tensor:
    return _softmax_minus_onehot(log_probabilities, labels) * expand_dims(grad_loss, 1)


@sparse_softmax_cross_entropy_grad.vjp("grad_loss")
def _(grad_grad_logits: Tensor, log_probabilities: Tensor, labels: Tensor) -> Tensor:
    product = grad_grad_logits * _softmax_minus_onehot(log_probabilities, labels)
    return reduce_sum(product, axis=(1,), keepdims=False)


@sparse_softmax_cross_entropy_grad.vjp("log_probabilities")
def _(grad_grad_logits: Tensor, grad_loss: Tensor, log_probabilities: Tensor) -> Tensor:
    return grad_grad_logits * exp(log_probabilities) * expand_dims(grad_loss, 1)


@primitive(outputs=("loss", "log_probabilities"))
def softmax_cross_entropy(target: Typed, logits: Typed) -> tuple[Spec, Spec]:
    """`-sum(target * log(softmax(logits)))` of each row, and the log-probabilities."""
    loss = _specs("softmax_cross_entropy", logits, "target", target, 2)
    return loss, Spec(logits.shape, logits.dtype)


@softmax_cross_entropy.decomposition
def _(target: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    log_probabilities = log_softmax_(logits, axis=1)
    product = target * log_probabilities
    return negative(reduce_sum(product, axis=(1,), keepdims=False)), log_probabilities


@softmax_cross_entropy.vjp("target")
def _(grad_loss: Tensor, log_probabilities: Tensor) -> Tensor:
    return negative(expand_dims(grad_loss, 1)) * log_probabilities


@softmax_cross_entropy.vjp("logits")
def _(
    grad_loss: Tensor,
    target: Tensor,
    log_probabilities: Tensor,
    grad_log_probabilities: Tensor | None = None,
) -> Tensor:
    grad = softmax_cross_entropy_grad(grad_loss, target, log_probabilities)
    if grad_log_probabilities is not None:
        grad = grad + log_softmax_grad(grad_log_probabilities, log_probabilities, axis=1)
    return grad


@primitive(outputs=("grad_logits",))
def softmax_cross_entropy_grad(grad_loss: Typed, target: Typed, log_probabilities: Typed) -> Spec:
    """`(softmax * sum(target) - target) * grad_loss` of each row."""
    return Spec(log_probabilities.shape, log_probabilities.dtype)


@softmax_cross_entropy_grad.decomposition
def _(grad_loss: Tensor, target: Tensor, log_probabilities: Tensor) -> Tensor:
    difference = exp(log_probabilities) * _total(target) - target
    return difference * expand_dims(grad_loss, 1)


differentiate_decomposition(softmax_cross_entropy_grad)


def _specs(owner: str, scores: Typed, name: str, other: Typed, rank: int) -> Spec:
    """The spec of one loss for each row; `other` has the shape of the first `rank` axes."""
    if len(scores.shape) != 2 or tuple(other.shape) != tuple(scores.shape[:rank]):
        raise ValueError(
            f"{owner}: scores (rows, classes) and `{name}` that fits are needed. "
            f"Received shapes {scores.shape} and {other.shape}"
        )
    return Spec(scores.shape[:1], scores.dtype)


def _total(x: Tensor) -> Tensor:
    return reduce_sum(x, axis=(1,), keepdims=True)


@primitive(outputs=("loss",), flat=("labels",))
def sparse_cross_entropy(probabilities: Typed, labels: Typed, *, epsilon: float) -> Spec:
    """`-log(p[label] / sum(p))` of each row, with the quotient kept `epsilon` off 0 and 1."""
    return _specs("sparse_cross_entropy", probabilities, "labels", labels, 1)


@sparse_cross_entropy.decomposition
def _(probabilities: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    chosen = take_along_axis(probabilities, expand_dims(labels, 1), 1)
    chances = clip(chosen / _total(probabilities), epsilon, 1.0 - epsilon)
    return negative(log(squeeze(chances, 1)))


@sparse_cross_entropy.vjp("probabilities")
def _(grad_loss: Tensor, probabilities: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    return sparse_cross_entropy_grad(grad_loss, probabilities, labels, epsilon=epsilon)


@primitive(outputs=("grad_probabilities",), flat=("labels",))
def sparse_cross_entropy_grad(
    grad_loss: Typed, probabilities: Typed, labels: Typed, *, epsilon: float
) -> Spec:
    """The gradient of `sparse_cross_entropy`: zero in rows that were clipped."""
    return Spec(probabilities.shape, probabilities.dtype)


@sparse_cross_entropy_grad.decomposition
def _(grad_loss: Tensor, probabilities: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    total = _total(probabilities)
    chosen = take_along_axis(probabilities, expand_dims(labels, 1), 1)
    chance = chosen / total
    outside = logical_or(less(chance, epsilon), greater(chance, 1.0 - epsilon))
    scale = where_(outside, 0.0, expand_dims(grad_loss, 1))
    share = scale / where_(outside, 1.0, chosen)
    return scale / total - _onehot(labels, probabilities) * share


differentiate_decomposition(sparse_cross_entropy_grad)


@primitive(outputs=("loss",))
def cross_entropy(target: Typed, probabilities: Typed, *, epsilon: float) -> Spec:
    """`-sum(target * log(p / sum(p)))` of each row, with quotients kept off 0 and 1."""
    return _specs("cross_entropy", probabilities, "target", target, 2)


@cross_entropy.decomposition
def _(target: Tensor, probabilities: Tensor, epsilon: float) -> Tensor:
    log_chances = _log_chances(probabilities, epsilon)
    return negative(reduce_sum(target * log_chances, axis=(1,), keepdims=False))


def _log_chances(probabilities: Tensor, epsilon: float) -> Tensor:
    return log(clip(probabilities / _total(probabilities), epsilon, 1.0 - epsilon))


@cross_entropy.vjp("target")
def _(grad_loss: Tensor, probabilities: Tensor, epsilon: float) -> Tensor:
    return negative(expand_dims(grad_loss, 1)) * _log_chances(probabilities, epsilon)


@cross_entropy.vjp("probabilities")
def _(grad_loss: Tensor, target: Tensor, probabilities: Tensor, epsilon: float) -> Tensor:
    return cross_entropy_grad(grad_loss, target, probabilities, epsilon=epsilon)


@primitive(outputs=("grad_probabilities",))
def cross_entropy_grad(
    grad_loss: Typed, target: Typed, probabilities: Typed, *, epsilon: float
) -> Spec:
    """The gradient of `cross_entropy` by the probabilities."""
    return Spec(probabilities.shape, probabilities.dtype)


@cross_entropy_grad.decomposition
def _(grad_loss: Tensor, target: Tensor, probabilities: Tensor, epsilon: float) -> Tensor:
    total = _total(probabilities)
    chances = probabilities / total
    outside = logical_or(less(chances, epsilon), greater(chances, 1.0 - epsilon))
    slopes = where_(outside, 0.0, negative(target) / where_(outside, 1.0, chances))
    return (slopes - _total(slopes * chances)) * expand_dims(grad_loss, 1) / total


differentiate_decomposition(cross_entropy_grad)
