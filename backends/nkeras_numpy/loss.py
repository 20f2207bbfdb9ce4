"""Fused losses."""

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.normalization import log_softmax


@in_float32
def sparse_softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """``-log_softmax(logits)`` at the labels, ``(rows,)``, and the log probabilities."""
    rows = namespace(logits).arange(logits.shape[0])
    log_probabilities = log_softmax(logits, axis=1)
    return -log_probabilities[rows, labels], log_probabilities


@in_float32
def sparse_softmax_cross_entropy_grad(
    grad_loss: Array, log_probabilities: Array, labels: Array
) -> Array:
    xp = namespace(log_probabilities)
    difference = xp.exp(log_probabilities)
    difference[xp.arange(labels.shape[0]), labels] -= 1
    return difference * grad_loss[:, None]
