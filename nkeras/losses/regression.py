"""Losses of real-valued targets.

Source: https://keras.io/api/losses/regression_losses/
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from nkeras.core import config
from nkeras.core.errors import is_a, refuse
from nkeras.core.primitive import op
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.loss import NamedLoss
from nkeras.losses.weighting import aligned
from nkeras.ops import loss as loss_ops
from nkeras.ops.elementwise import (
    absolute,
    log,
    logaddexp,
    maximum,
    negative,
    rsqrt,
    square,
)
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_


@op
def mean_squared_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean((y_true - y_pred)**2)` over the last axis.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> nkeras.losses.mean_squared_error([[1.0, 3.0]], [[1.0, 1.0]]).numpy()
        array([2.], dtype=float32)
    """
    y_true, y_pred = aligned(y_true, y_pred, "mean_squared_error")
    return mean(square(y_true - y_pred), axis=-1)


@op
def mean_absolute_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean(|y_true - y_pred|)` over the last axis.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "mean_absolute_error")
    return mean(absolute(y_true - y_pred), axis=-1)


@op
def mean_absolute_percentage_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))` over the last axis.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "mean_absolute_percentage_error")
    share = absolute((y_true - y_pred) / maximum(absolute(y_true), config.epsilon()))
    return 100.0 * mean(share, axis=-1)


@op
def mean_squared_logarithmic_error(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean((log(y_true + 1) - log(y_pred + 1))**2)` over the last axis, both at least epsilon.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "mean_squared_logarithmic_error")
    epsilon = config.epsilon()
    difference = log(maximum(y_pred, epsilon) + 1.0) - log(maximum(y_true, epsilon) + 1.0)
    return mean(square(difference), axis=-1)


@op
def log_cosh(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis, stable.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "log_cosh")
    error = y_pred - y_true
    return mean(logaddexp(error, negative(error)) - math.log(2.0), axis=-1)


@op
def huber(y_true: TensorLike, y_pred: TensorLike, delta: float = 1.0) -> Tensor:
    """Mean of `error**2 / 2`, or `delta * |error| - delta**2 / 2` beyond `delta`.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.
        delta: where the quadratic part ends.

    Returns:
        Tensor `(batch, ...)`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "huber")
    return mean(loss_ops.huber(y_pred - y_true, delta), axis=-1)


def unit(x: Tensor, axis: int) -> Tensor:
    """`x` divided by its Euclidean norm along the axis, which counts as at least epsilon."""
    squares = sum_(square(x), axis=axis, keepdims=True)
    return x * rsqrt(maximum(squares, config.epsilon() ** 2))


@op
def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Tensor:
    """Minus the cosine of the angle between the vectors along an axis: -1 is the best.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.
        axis: axis of the vectors.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = aligned(y_true, y_pred, "cosine_similarity")
    return negative(sum_(unit(y_true, axis) * unit(y_pred, axis), axis=axis))


class MeanSquaredError(NamedLoss, fn=mean_squared_error):
    """Mean of squared errors: see `nkeras.losses.mean_squared_error`."""


class MeanAbsoluteError(NamedLoss, fn=mean_absolute_error):
    """Mean of absolute errors: see `nkeras.losses.mean_absolute_error`."""


class MeanAbsolutePercentageError(NamedLoss, fn=mean_absolute_percentage_error):
    """Mean of errors in percent: see `nkeras.losses.mean_absolute_percentage_error`."""


class MeanSquaredLogarithmicError(NamedLoss, fn=mean_squared_logarithmic_error):
    """Mean squared ratio in logarithms: see `nkeras.losses.mean_squared_logarithmic_error`."""


class CosineSimilarity(NamedLoss, fn=cosine_similarity):
    """Minus the cosine of the angle: see `nkeras.losses.cosine_similarity`."""

    config_omits: ClassVar[Mapping[str, object]] = {**NamedLoss.config_omits, "axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis


class Huber(NamedLoss, fn=huber):
    """Squared error near zero, absolute error beyond: see `nkeras.losses.huber`."""

    config_omits: ClassVar[Mapping[str, object]] = {**NamedLoss.config_omits, "delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: PolicyLike = None,
    ) -> None:
        if is_a(delta, (int, float)) and not delta > 0:
            refuse("delta", delta, "greater than 0", "Huber")
        super().__init__(reduction, name, dtype)
        self.delta = delta


class LogCosh(NamedLoss, fn=log_cosh):
    """Logarithm of the hyperbolic cosine of the error: see `nkeras.losses.log_cosh`."""
