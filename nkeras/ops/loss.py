"""Cross-entropy from logits, fused with softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from nkeras.backend.scalars import losses
from nkeras.core.primitive import primitive, to_tensor
from nkeras.core.spec import Spec, Typed
from nkeras.ops.elementwise import elementwise, equal, exp, negative
from nkeras.ops.indexing import take_along_axis
from nkeras.ops.normalization import _log_softmax, _log_softmax_grad
from nkeras.ops.reduction import reduce_sum
from nkeras.ops.shape import cast, expand_dims, squeeze

sigmoid_cross_entropy = elementwise(
    losses.sigmoid_cross_entropy, "float", "Cross-entropy of target and sigmoid(logits), stable."
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
def _(logits: Any, labels: Any) -> tuple[Any, Any]:
    log_probabilities = _log_softmax(logits, axis=1)
    chosen = take_along_axis(log_probabilities, expand_dims(labels, 1), 1)
    return negative(squeeze(chosen, 1)), log_probabilities


@sparse_softmax_cross_entropy.vjp("logits")
def _(
    grad_loss: Any, labels: Any, log_probabilities: Any, grad_log_probabilities: Any = None
) -> Any:
    grad = sparse_softmax_cross_entropy_grad(grad_loss, log_probabilities, labels)
    if grad_log_probabilities is not None:
        grad = grad + _log_softmax_grad(grad_log_probabilities, log_probabilities, axis=1)
    return grad


@primitive(outputs=("grad_logits",), flat=("labels",))
def sparse_softmax_cross_entropy_grad(
    grad_loss: Typed, log_probabilities: Typed, labels: Typed
) -> Spec:
    """`(softmax - onehot) * grad_loss` of each row."""
    return Spec(log_probabilities.shape, log_probabilities.dtype)


def _softmax_minus_onehot(log_probabilities: Any, labels: Any) -> Any:
    classes = to_tensor(np.arange(log_probabilities.shape[1]), "int32")
    onehot = cast(equal(expand_dims(labels, 1), classes), log_probabilities.dtype)
    return exp(log_probabilities) - onehot


@sparse_softmax_cross_entropy_grad.decomposition
def _(grad_loss: Any, log_probabilities: Any, labels: Any) -> Any:
    return _softmax_minus_onehot(log_probabilities, labels) * expand_dims(grad_loss, 1)


@sparse_softmax_cross_entropy_grad.vjp("grad_loss")
def _(grad_grad_logits: Any, log_probabilities: Any, labels: Any) -> Any:
    product = grad_grad_logits * _softmax_minus_onehot(log_probabilities, labels)
    return reduce_sum(product, axis=(1,), keepdims=False)


@sparse_softmax_cross_entropy_grad.vjp("log_probabilities")
def _(grad_grad_logits: Any, grad_loss: Any, log_probabilities: Any) -> Any:
    return grad_grad_logits * exp(log_probabilities) * expand_dims(grad_loss, 1)
