"""Counts of the confusion matrix, precision and recall.

Source: https://keras.io/api/metrics/classification_metrics/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike
from nkeras.metrics.counting import NEGATIVE_INFINITY, CountingMetric, are_even, thresholds_of
from nkeras.ops.elementwise import add, divide_no_nan


class _Count(CountingMetric):
    """One cell of the confusion matrix, for each threshold."""

    cell: ClassVar[str]
    config_reads: ClassVar[Mapping[str, str]] = {
        **CountingMetric.config_reads,
        "thresholds": "init_thresholds",
    }

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = thresholds_of(thresholds)
        self._even = are_even(self.thresholds)
        self.accumulator = self.add_variable((len(self.thresholds),), None, name="accumulator")
        self._cells = {self.cell: self.accumulator}

    def result(self) -> Tensor:
        """The count: a scalar for one threshold, else `(thresholds,)`."""
        return self._of_each_threshold(self.accumulator.value)


class TruePositives(_Count):
    """Weighted count of positives that are predicted as such.

    Args:
        thresholds: number or list in [0, 1]; predictions above it are positive; 0.5 by default.
        name: name.
        dtype: dtype.

    Example:
        >>> import nkeras
        >>> float(nkeras.metrics.TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
        2.0

    Source: https://keras.io/api/metrics/classification_metrics/#truepositives-class
    """

    cell = "tp"


class TrueNegatives(_Count):
    """Weighted count of negatives that are predicted as such.

    Args:
        thresholds: number or list in [0, 1]; predictions above it are positive; 0.5 by default.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#truenegatives-class
    """

    cell = "tn"


class FalsePositives(_Count):
    """Weighted count of negatives that are predicted as positive.

    Args:
        thresholds: number or list in [0, 1]; predictions above it are positive; 0.5 by default.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#falsepositives-class
    """

    cell = "fp"


class FalseNegatives(_Count):
    """Weighted count of positives that are predicted as negative.

    Args:
        thresholds: number or list in [0, 1]; predictions above it are positive; 0.5 by default.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#falsenegatives-class
    """

    cell = "fn"


class _Share(CountingMetric):
    """True positives divided by their sum with another cell, for each threshold."""

    other: ClassVar[str]
    config_reads: ClassVar[Mapping[str, str]] = _Count.config_reads
    other_name: ClassVar[str]
    _direction = "up"

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = thresholds_of(thresholds, 0.5 if top_k is None else NEGATIVE_INFINITY)
        self._even = are_even(self.thresholds)
        count = (len(self.thresholds),)
        self.true_positives = self.add_variable(count, None, name="true_positives")
        other = self.add_variable(count, None, name=self.other_name)
        setattr(self, self.other_name, other)
        self._cells = {"tp": self.true_positives, self.other: other}

    def result(self) -> Tensor:
        """The share: a scalar for one threshold, else `(thresholds,)`; 0 where nothing counts."""
        hits = self.true_positives.value
        return self._of_each_threshold(divide_no_nan(hits, add(hits, self._cells[self.other])))


class Precision(_Share):
    """How many of those predicted positive are: `tp / (tp + fp)`.

    Args:
        thresholds: number or list in [0, 1]; predictions above it are positive; 0.5 by default.
        top_k: only the `k` largest predictions of each sample can be positive.
        class_id: only this class counts.
        name: name.
        dtype: dtype.

    Example:
        >>> import nkeras
        >>> round(float(nkeras.metrics.Precision()([0, 1, 1, 1], [1, 0, 1, 1])), 4)
        0.6667

    Source: https://keras.io/api/metrics/classification_metrics/#precision-class
    """

    other = "fp"
    other_name = "false_positives"


class Recall(_Share):
    """How many of the positives are predicted as such: `tp / (tp + fn)`.

    Args:
        thresholds: number or list in [0, 1]; predictions above it are positive; 0.5 by default.
        top_k: only the `k` largest predictions of each sample can be positive.
        class_id: only this class counts.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#recall-class
    """

    other = "fn"
    other_name = "false_negatives"
