"""Correlations of predictions with targets.

Source: https://keras.io/api/metrics/regression_metrics/
"""

from __future__ import annotations

from nkeras.core import config
from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.weighting import aligned
from nkeras.metrics.named import NamedMetric
from nkeras.ops.elementwise import square
from nkeras.ops.reduction import mean
from nkeras.ops.statistics import std, var


@op
def pearson_correlation(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Tensor:
    """Mean product of the standardised targets and predictions along an axis, in [-1, 1].

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.
        axis: axis along which they are correlated.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "pearson_correlation")
    scaled = [
        (y - mean(y, axis=axis, keepdims=True)) / std(y, axis=axis, keepdims=True)
        for y in (y_true, y_pred)
    ]
    return mean(scaled[0] * scaled[1], axis=axis)


@op
def concordance_correlation(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Tensor:
    """Twice the covariance over the sum of both variances and the squared distance of the means.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.
        axis: axis along which they are correlated.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "concordance_correlation")
    true_mean, mean_pred = mean(y_true, axis=axis, keepdims=True), mean(y_pred, axis, True)
    spread = var(y_true, axis=axis, keepdims=True) + var(y_pred, axis=axis, keepdims=True)
    covariance = (y_true - mean_pred) * (y_pred - mean_pred)
    norm = spread + square(true_mean - mean_pred) + config.epsilon()
    return mean(2.0 * covariance / norm, axis=axis)


class PearsonCorrelation(NamedMetric, fn=pearson_correlation):
    """Mean of `nkeras.metrics.pearson_correlation`."""

    _direction = "up"

    def __init__(
        self, name: str = "pearson_correlation", dtype: PolicyLike = None, axis: int = -1
    ) -> None:
        super().__init__(name, dtype)
        self.axis = axis


class ConcordanceCorrelation(NamedMetric, fn=concordance_correlation):
    """Mean of `nkeras.metrics.concordance_correlation`."""

    _direction = "up"

    def __init__(
        self, name: str = "concordance_correlation", dtype: PolicyLike = None, axis: int = -1
    ) -> None:
        super().__init__(name, dtype)
        self.axis = axis
