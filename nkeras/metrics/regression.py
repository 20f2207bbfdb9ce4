"""Metrics of real-valued targets.

Source: https://keras.io/api/metrics/regression_metrics/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nkeras.core.primitive import op, to_tensor
from nkeras.losses.regression import cosine_similarity as cosine_loss
from nkeras.losses.regression import (
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from nkeras.losses.weighting import aligned
from nkeras.metrics.reduction import Mean, NamedMetric
from nkeras.ops.elementwise import negative, sqrt, square
from nkeras.ops.shape import cast


@op
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
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


class MeanSquaredError(NamedMetric):
    """Mean of `nkeras.losses.mean_squared_error`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/regression_metrics/
    """

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(mean_squared_error, name, dtype)


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

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Take in targets and predictions `(batch, ...)` and weights of leading dimensions."""
        y_pred = cast(to_tensor(y_pred), self.dtype)
        y_true, y_pred = aligned(y_true, y_pred, "RootMeanSquaredError")
        super().update_state(square(y_pred - y_true), sample_weight=sample_weight)

    def result(self) -> Any:
        """The root, a scalar."""
        return sqrt(super().result())


class MeanAbsoluteError(NamedMetric):
    """Mean of `nkeras.losses.mean_absolute_error`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/regression_metrics/
    """

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(NamedMetric):
    """Mean of `nkeras.losses.mean_absolute_percentage_error`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/regression_metrics/
    """

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(NamedMetric):
    """Mean of `nkeras.losses.mean_squared_logarithmic_error`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/regression_metrics/
    """

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(mean_squared_logarithmic_error, name, dtype)


class CosineSimilarity(NamedMetric):
    """Mean of `nkeras.metrics.cosine_similarity`.

    Args:
        name: name.
        dtype: dtype to compute in.
        axis: axis of the vectors.

    Source: https://keras.io/api/metrics/regression_metrics/
    """

    config_omits: ClassVar[Mapping[str, Any]] = {"axis": -1}
    _direction = "up"

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)


class LogCoshError(NamedMetric):
    """Mean of `nkeras.losses.log_cosh`.

    Args:
        name: name.
        dtype: dtype to compute in.

    Source: https://keras.io/api/metrics/regression_metrics/
    """

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(log_cosh, name, dtype)
