"""The coefficient of determination.

Source: https://keras.io/api/metrics/regression_metrics/#r2score-class
"""

from __future__ import annotations

import math

import numpy as np

from nkeras.core.errors import is_a, refuse, warn
from nkeras.core.host import on_host
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.weighting import aligned, along_leading
from nkeras.metrics.metric import Metric
from nkeras.ops.elementwise import greater, isinf, square, where_
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import cast

_SUMS = ("squared_sum", "sum", "total_mse", "count")
_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """`1 - sum((y_true - y_pred)**2) / sum((y_true - mean(y_true))**2)`: 1 is perfect.

    Args:
        class_aggregation: None (a score for each output), `"uniform_average"` (their mean) or
            `"variance_weighted_average"` (their mean weighted by the variances of the targets).
        num_regressors: number of inputs of the model, for the adjusted score
            `1 - (1 - score) * (n - 1) / (n - num_regressors - 1)` of n samples; 0 for the plain
            one.
        name: name.
        dtype: dtype.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import nkeras
        >>> metric = nkeras.metrics.R2Score()
        >>> metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
        >>> round(float(metric.result()), 4)
        0.5714

    Source: https://keras.io/api/metrics/regression_metrics/#r2score-class (which counts each output
    of a sample as a sample in the adjusted score).
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in _AGGREGATIONS:
            refuse("class_aggregation", class_aggregation, f"one of {_AGGREGATIONS}", "R2Score")
        if not is_a(num_regressors, int) or num_regressors < 0:
            refuse("num_regressors", num_regressors, "an int, at least 0", "R2Score")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable((), None, self.dtype, name="num_samples")
        self._built = False

    def _build(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(
                f"R2Score: `y_true` and `y_pred` must be (batch, outputs). Received shape: {shape}"
            )
        if not self._built:
            for attribute in _SUMS:
                name = "residual" if attribute == "total_mse" else attribute
                variable = self.add_variable((shape[1],), None, self.dtype, name=name)
                setattr(self, attribute, variable)
            self._built = True

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Add a batch.

        Args:
            y_true: targets `(batch, outputs)`.
            y_pred: predictions of the same shape.
            sample_weight: None, or weights `(batch,)` or `(batch, outputs)`.
        """
        y_true, y_pred = aligned(
            cast(to_tensor(y_true), self.dtype), cast(to_tensor(y_pred), self.dtype), "R2Score"
        )
        self._build(y_true.shape)
        weight = to_tensor(1.0 if sample_weight is None else sample_weight, None)
        weight = along_leading(cast(weight, self.dtype), y_true.shape, self.name)
        weighted = y_true * weight
        added = (y_true * weighted, weighted, square(y_true - y_pred) * weight, y_true * 0 + weight)
        for attribute, values in zip(_SUMS, added, strict=True):
            getattr(self, attribute).assign_add(sum_(values, axis=0))
        self.num_samples.assign_add(cast(to_tensor(math.prod(y_true.shape)), self.dtype))

    def result(self) -> Tensor:
        """The score: `(outputs,)` where `class_aggregation` is None, else a scalar."""
        if not self._built:
            raise ValueError("R2Score: there is no result before the first update.")
        squares, total, residual, count = (getattr(self, name).value for name in _SUMS)
        spread = squares - total * (total / count)
        scores = 1.0 - residual / spread
        score = where_(isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score = mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = sum_(spread * score) / sum_(spread)
        return self._adjusted(score, count.shape[0]) if self.num_regressors else score

    def _adjusted(self, score: Tensor, outputs: int) -> Tensor:
        samples = self.num_samples.value / float(outputs)
        on_host(self._check_samples, samples)
        left = samples - (self.num_regressors + 1.0)
        is_enough = greater(left, 0.0)
        factor = (samples - 1.0) / where_(is_enough, left, 1.0)
        return where_(is_enough, 1.0 - (1.0 - score) * factor, score)

    def _check_samples(self, samples: np.ndarray) -> None:
        if samples <= self.num_regressors + 1:
            warn(
                "R2Score: the adjusted score needs more samples than num_regressors + 1, "
                f"{self.num_regressors + 1}. The plain score is given for {int(samples)}."
            )
