"""Fused losses."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from nkeras_numba_cpu.compile import parallel
from nkeras_numba_cpu.memory import empty, operand, stored
from nkeras_numba_cpu.normalization import log_softmax


def sparse_softmax_cross_entropy(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`-log_softmax(logits)` at the labels, `(rows,)`, and the log probabilities."""
    log_probabilities = log_softmax(logits, axis=1)
    return -log_probabilities[np.arange(labels.shape[0]), labels], log_probabilities


def sparse_softmax_cross_entropy_grad(
    grad_loss: np.ndarray, log_probabilities: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """`(exp(log_p) - onehot) * grad_loss[:, None]`."""
    if log_probabilities.size == 0:
        return empty(log_probabilities.shape, log_probabilities.dtype)
    source = operand(log_probabilities)
    result = empty(source.shape, source.dtype)
    _cross_entropy_grad(
        source.size * 10,
        operand(grad_loss),
        source,
        operand(np.asarray(labels, np.int64)),
        result,
    )
    return stored(result, log_probabilities.dtype)


@parallel
def _cross_entropy_grad(grad_loss, log_probabilities, labels, grad_x):
    rows, classes = log_probabilities.shape
    one = grad_x.dtype.type(1)
    for row in prange(rows):
        scale = grad_loss[row]
        for j in range(classes):
            probability = math.exp(log_probabilities[row, j])
            grad_x[row, j] = (probability - one if j == labels[row] else probability) * scale
