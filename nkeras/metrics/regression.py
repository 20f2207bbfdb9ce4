"""Metrics of real-valued targets.

Source: https://keras.io/api/metrics/regression_metrics/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.regression import cosine_similarity as cosine_loss
from nkeras.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from nkeras.losses.weighting import aligned
from nkeras.metrics.named import NamedMetric
from nkeras.metrics.reduction import Mean
from nkeras.ops.elementwise import negative, sqrt, square
from nkeras.ops.shape import cast


@op
def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Tensor:
    """Cosine of the angle between the vectors along an axis: 1 is the best.

    Args:
        y_true: targets `(batch, ..., outputs)`.
        y_pred: predictions of the same shape.
        axis: axis of the vectors.

    Returns:
        Tensor without the axis.

    Raises:
        ValueError: the shapes differ.
    """
    return negative(cosine_loss(y_true, y_pred, axis))


class MeanSquaredError(NamedMetric, fn=mean_squared_error):
    """Mean of `nkeras.losses.mean_squared_error`."""


class RootMeanSquaredError(Mean):
    """Square root of the mean of squared errors.

    Args:
        name: name.
        dtype: dtype to compute in.

    Example:
        >>> import nkeras
        >>> float(nkeras.metrics.RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]]))
        3.0

    Source: https://keras.io/api/metrics/regression_metrics/#rootmeansquarederror-class
    """

    _direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: PolicyLike = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Take in targets and predictions `(batch, ...)` and weights of leading dimensions."""
        y_pred = cast(to_tensor(y_pred), self.dtype)
        y_true, y_pred = aligned(y_true, y_pred, "RootMeanSquaredError")
        super().update_state(square(y_pred - y_true), sample_weight=sample_weight)

    def result(self) -> Tensor:
        """The root, a scalar."""
        return sqrt(super().result())


class MeanAbsoluteError(NamedMetric, fn=mean_absolute_error):
    """Mean of `nkeras.losses.mean_absolute_error`."""


class MeanAbsolutePercentageError(NamedMetric, fn=mean_absolute_percentage_error):
    """Mean of `nkeras.losses.mean_absolute_percentage_error`."""


class MeanSquaredLogarithmicError(NamedMetric, fn=mean_squared_logarithmic_error):
    """Mean of `nkeras.losses.mean_squared_logarithmic_error`."""


class CosineSimilarity(NamedMetric, fn=cosine_similarity):
    """Mean of `nkeras.metrics.cosine_similarity`."""

    config_omits: ClassVar[Mapping[str, object]] = {"axis": -1}
    _direction = "up"

    def __init__(
        self, name: str = "cosine_similarity", dtype: PolicyLike = None, axis: int = -1
    ) -> None:
        super().__init__(name, dtype)
        self.axis = axis


class LogCoshError(NamedMetric, fn=log_cosh):
    """Mean of `nkeras.losses.log_cosh`."""

    def __init__(self, name: str = "logcosh", dtype: PolicyLike = None) -> None:
        super().__init__(name, dtype)
