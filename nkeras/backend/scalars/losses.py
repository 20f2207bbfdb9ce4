"""Elementwise parts of losses."""

# pyright: reportMissingParameterType=false
from __future__ import annotations

from nkeras.backend.derive import absolute, exp, log, log1p, where
from nkeras.backend.scalar import scalar
from nkeras.backend.scalars.activation import sigmoid


@scalar
def sigmoid_cross_entropy(target, logits):
    """`-target * log(sigmoid(logits)) - (1 - target) * log(1 - sigmoid(logits))`, stable."""
    return where(logits > 0.0, logits, 0.0) - logits * target + log1p(exp(-absolute(logits)))


@sigmoid_cross_entropy.derivative
def sigmoid_cross_entropy_grad_logits(grad_y, target, logits):
    return grad_y * (sigmoid(logits) - target)


@scalar
def binary_cross_entropy(target, output, low, high):
    """`-target * log(p) - (1 - target) * log(1 - p)`, where p is the output within limits."""
    p = where(output < low, low, where(output > high, high, output))
    return -(target * log(p) + (1.0 - target) * log(1.0 - p))


@scalar
def huber(error, delta):
    """Quadratic below `delta`, linear above (https://keras.io/api/losses/regression_losses/)."""
    size = absolute(error)
    return where(size <= delta, 0.5 * error * error, delta * (size - 0.5 * delta))
