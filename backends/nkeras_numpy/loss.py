"""Fused losses. A label out of range gives the loss NaN and the gradient 0."""

from __future__ import annotations

import math

from nkeras_numpy.namespace import Array, in_float32, namespace
from nkeras_numpy.normalization import log_softmax
from nkeras_numpy.registry import KERNELS


def _places(labels: Array, classes: int) -> tuple[Array, Array, Array]:
    """Rows, labels in range, and whether they were."""
    xp = namespace(labels)
    valid = (labels >= 0) & (labels < classes)
    return xp.arange(len(labels)), xp.where(valid, labels, 0), valid


@KERNELS.register
@in_float32
def sparse_softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """``-log_softmax(logits)`` at the labels, ``(rows,)``, and the log probabilities."""
    rows, labels, valid = _places(labels, logits.shape[1])
    log_probabilities = log_softmax(logits, axis=1)
    loss = -log_probabilities[rows, labels]
    return namespace(loss).where(valid, loss, loss.dtype.type(math.nan)), log_probabilities


@KERNELS.register
@in_float32
def sparse_softmax_cross_entropy_grad(
    grad_loss: Array, log_probabilities: Array, labels: Array
) -> Array:
    xp = namespace(log_probabilities)
    difference = xp.exp(log_probabilities)
    rows, labels, valid = _places(labels, difference.shape[1])
    difference[rows, labels] -= 1
    return xp.where(valid[:, None], difference * grad_loss[:, None], difference.dtype.type(0))


@KERNELS.register
@in_float32
def softmax_cross_entropy(target: Array, logits: Array) -> tuple[Array, Array]:
    """``-sum(target * log_softmax(logits))``, ``(rows,)``, and the log probabilities."""
    log_probabilities = log_softmax(logits, axis=1)
    return -(target * log_probabilities).sum(axis=1), log_probabilities


@KERNELS.register
@in_float32
def softmax_cross_entropy_grad(grad_loss: Array, target: Array, log_probabilities: Array) -> Array:
    chances = namespace(log_probabilities).exp(log_probabilities)
    return (chances * target.sum(axis=1, keepdims=True) - target) * grad_loss[:, None]


@KERNELS.register
@in_float32
def sparse_cross_entropy(probabilities: Array, labels: Array, *, epsilon: float) -> Array:
    """``-log(clip(p[label] / sum(p)))``, ``(rows,)``."""
    xp = namespace(probabilities)
    rows, labels, valid = _places(labels, probabilities.shape[1])
    chosen = probabilities[rows, labels] / probabilities.sum(axis=1)
    loss = -xp.log(xp.clip(chosen, epsilon, 1.0 - epsilon))
    return xp.where(valid, loss, loss.dtype.type(math.nan))


@KERNELS.register
@in_float32
def sparse_cross_entropy_grad(
    grad_loss: Array, probabilities: Array, labels: Array, *, epsilon: float
) -> Array:
    xp = namespace(probabilities)
    rows, labels, valid = _places(labels, probabilities.shape[1])
    total, chosen = probabilities.sum(axis=1), probabilities[rows, labels]
    outside = (chosen / total < epsilon) | (chosen / total > 1.0 - epsilon) | ~valid
    scale = xp.where(outside, 0, grad_loss).astype(probabilities.dtype)
    grad = xp.zeros_like(probabilities) + (scale / total)[:, None]
    grad[rows, labels] -= scale / xp.where(outside, 1, chosen)
    return grad


@KERNELS.register
@in_float32
def cross_entropy(target: Array, probabilities: Array, *, epsilon: float) -> Array:
    """``-sum(target * log(clip(p / sum(p))))``, ``(rows,)``."""
    xp = namespace(probabilities)
    chances = probabilities / probabilities.sum(axis=1, keepdims=True)
    return -(target * xp.log(xp.clip(chances, epsilon, 1.0 - epsilon))).sum(axis=1)


@KERNELS.register
@in_float32
def cross_entropy_grad(
    grad_loss: Array, target: Array, probabilities: Array, *, epsilon: float
) -> Array:
    xp = namespace(probabilities)
    total = probabilities.sum(axis=1, keepdims=True)
    chances = probabilities / total
    outside = (chances < epsilon) | (chances > 1.0 - epsilon)
    grad = xp.where(outside, 0, -target / xp.where(outside, 1, chances)).astype(total.dtype)
    mean = (grad * chances).sum(axis=1, keepdims=True)
    return (grad - mean) * grad_loss[:, None] / total
