"""Metrics at an operating point of the four counts by threshold.

Source: https://keras.io/api/metrics/classification_metrics/
"""

from __future__ import annotations

from typing import ClassVar

from nkeras.core.errors import short
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike
from nkeras.core.variable import Variable
from nkeras.metrics.counting import CountingMetric
from nkeras.metrics.metric import Metric
from nkeras.ops.elementwise import divide_no_nan, greater_equal, where_
from nkeras.ops.reduction import max as max_

CELLS = {
    "tp": "true_positives",
    "fp": "false_positives",
    "tn": "true_negatives",
    "fn": "false_negatives",
}


def add_cells(metric: Metric, shape: tuple[int, ...]) -> dict[str, Variable]:
    """The four counts as variables, also attributes of the metric."""
    cells = {}
    for cell, name in CELLS.items():
        cells[cell] = metric.add_variable(shape, None, name=name)
        setattr(metric, name, cells[cell])
    return cells


def values(cells: dict[str, Variable]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tensors of the four counts: tp, fp, tn, fn."""
    return cells["tp"].value, cells["fp"].value, cells["tn"].value, cells["fn"].value


def even_thresholds(count: int) -> list[float]:
    """`0, 1 / (count - 1), ..., 1`."""
    return [i / (count - 1) for i in range(count)]


class _BestUnderConstraint(CountingMetric):
    """The largest of one quantity over the thresholds where another is at least a value."""

    constraint: ClassVar[str]
    _direction = "up"

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: PolicyLike,
    ) -> None:
        if not 0 <= value <= 1:
            raise ValueError(
                f"{type(self).__name__}: argument `{self.constraint}` must be in [0, 1]. "
                f"Received: {self.constraint}={short(value)}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                f"{type(self).__name__}: argument `num_thresholds` must be an integer > 0. "
                f"Received: num_thresholds={short(num_thresholds)}"
            )
        super().__init__(name=name, dtype=dtype)
        self.value = value
        setattr(self, self.constraint, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self._even = num_thresholds > 1
        self.thresholds = even_thresholds(num_thresholds) if self._even else [0.5]
        self._cells = add_cells(self, (len(self.thresholds),))

    def quantities(self) -> tuple[Tensor, Tensor]:
        """The constrained quantity and the one to be largest, for each threshold."""
        raise NotImplementedError

    def result(self) -> Tensor:
        """The largest value, a scalar; 0 where no threshold fulfils the constraint."""
        constrained, dependent = self.quantities()
        feasible = greater_equal(constrained, self.value)
        return max_(where_(feasible, dependent, 0.0), initial=0.0)

    def _sensitivity(self) -> Tensor:
        tp, _, _, fn = values(self._cells)
        return divide_no_nan(tp, tp + fn)

    def _specificity(self) -> Tensor:
        _, fp, tn, _ = values(self._cells)
        return divide_no_nan(tn, tn + fp)

    def _precision(self) -> Tensor:
        tp, fp, _, _ = values(self._cells)
        return divide_no_nan(tp, tp + fp)


class SensitivityAtSpecificity(_BestUnderConstraint):
    """Best sensitivity at a threshold where the specificity is at least a value.

    Args:
        specificity: the value, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#sensitivityatspecificity-class
    """

    constraint = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def quantities(self) -> tuple[Tensor, Tensor]:
        """Specificity and sensitivity."""
        return self._specificity(), self._sensitivity()


class SpecificityAtSensitivity(_BestUnderConstraint):
    """Best specificity at a threshold where the sensitivity is at least a value.

    Args:
        sensitivity: the value, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#specificityatsensitivity-class
    """

    constraint = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def quantities(self) -> tuple[Tensor, Tensor]:
        """Sensitivity and specificity."""
        return self._sensitivity(), self._specificity()


class PrecisionAtRecall(_BestUnderConstraint):
    """Best precision at a threshold where the recall is at least a value.

    Args:
        recall: the value, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#precisionatrecall-class
    """

    constraint = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def quantities(self) -> tuple[Tensor, Tensor]:
        """Recall and precision."""
        return self._sensitivity(), self._precision()


class RecallAtPrecision(_BestUnderConstraint):
    """Best recall at a threshold where the precision is at least a value.

    Args:
        precision: the value, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this class counts.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#recallatprecision-class
    """

    constraint = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def quantities(self) -> tuple[Tensor, Tensor]:
        """Precision and recall."""
        return self._precision(), self._sensitivity()
