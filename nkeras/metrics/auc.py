"""Area under the ROC or precision-recall curve.

Source: https://keras.io/api/metrics/classification_metrics/#auc-class
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nkeras.core import config
from nkeras.core.errors import short
from nkeras.core.primitive import shape_of, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.core.variable import Variable
from nkeras.metrics.counting import are_even, update_counts
from nkeras.metrics.four_counts import add_cells, even_thresholds, values
from nkeras.metrics.metric import Metric
from nkeras.ops.activation import sigmoid
from nkeras.ops.elementwise import (
    divide_no_nan,
    equal,
    greater,
    log,
    logical_and,
    maximum,
    minimum,
    where_,
)
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.subscripts import getitem

CURVES = {
    "PR": "PR",
    "pr": "PR",
    "ROC": "ROC",
    "roc": "ROC",
    "PRGAIN": "PRGAIN",
    "prgain": "PRGAIN",
}
METHODS = ("interpolation", "majoring", "minoring")


class AUC(Metric):
    """Area under a curve of rates by threshold, approximated by a Riemann sum.

    Args:
        num_thresholds: number of thresholds, evenly distributed.
        curve: `"ROC"`, `"PR"` or `"PRGAIN"`.
        summation_method: `"interpolation"` (for PR the one of Davis and Goadrich,
            https://doi.org/10.1145/1143844.1143874), `"minoring"` or `"majoring"`.
        name: name.
        dtype: dtype.
        thresholds: thresholds between 0 and 1 instead of even ones.
        multi_label: whether `y_true` and `y_pred` are `(batch, labels)` and the areas of all labels
            are averaged.
        num_labels: number of labels, if the variables shall be made at once.
        label_weights: weight of each label: in the average of areas if `multi_label`, else of its
            column's predictions.
        from_logits: whether predictions are logits.

    Raises:
        ValueError: unknown curve or method, too few thresholds, or `num_labels` without
            `multi_label`.

    Example:
        >>> import nkeras
        >>> float(nkeras.metrics.AUC()([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
        0.75
    """

    config_reads: ClassVar[Mapping[str, str]] = {
        **Metric.config_reads,
        "thresholds": "_given_thresholds",
        "from_logits": "_from_logits",
    }
    config_omits: ClassVar[Mapping[str, object]] = {"thresholds": None}
    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: PolicyLike = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: TensorLike | None = None,
        from_logits: bool = False,
    ) -> None:
        if curve not in CURVES:
            raise ValueError(
                f'AUC: argument `curve` must be "PR", "ROC" or "PRGAIN". Received: {short(curve)}'
            )
        if str(summation_method).lower() not in METHODS:
            raise ValueError(
                f"AUC: argument `summation_method` must be one of {METHODS}. "
                f"Received: {short(summation_method)}"
            )
        if num_labels and not multi_label:
            raise ValueError("AUC: `num_labels` is needed only when `multi_label` is True.")
        self.curve = CURVES[curve]
        self.summation_method = summation_method.lower()
        self._set_thresholds(num_thresholds, thresholds)
        super().__init__(name=name, dtype=dtype)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = (
            None if label_weights is None else np.asarray(label_weights, "float64").tolist()
        )
        self._from_logits = from_logits
        self._cells: dict[str, Variable] = {}
        if not multi_label:
            self._cells = add_cells(self, (self.num_thresholds,))
        elif num_labels:
            self._build((None, num_labels))

    def _set_thresholds(self, num_thresholds: int, thresholds: Sequence[float] | None) -> None:
        """A threshold just below 0 and one just above 1 stand at the ends."""
        if thresholds is not None:
            inner = sorted(float(threshold) for threshold in thresholds)
            self._even = are_even([0.0, *inner, 1.0])
        elif num_thresholds <= 1:
            raise ValueError(
                "AUC: argument `num_thresholds` must be an integer > 1. "
                f"Received: num_thresholds={short(num_thresholds)}"
            )
        else:
            inner, self._even = even_thresholds(num_thresholds)[1:-1], True
        self.num_thresholds = len(inner) + 2
        self._given_thresholds = None if thresholds is None else inner
        self._thresholds = [0.0 - config.epsilon(), *inner, 1.0 + config.epsilon()]

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, with the two outer ones."""
        return list(self._thresholds)

    def _build(self, shape: tuple[Any, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(
                "AUC: `y_pred` must have rank 2 when `multi_label` is True. "
                f"Received: y_pred.shape={short(shape)}"
            )
        self._cells = add_cells(self, (self.num_thresholds, int(shape[1])))

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Add a batch.

        Args:
            y_true: targets 0 and 1 `(batch, ...)`.
            y_pred: predictions in [0, 1] (or logits) of the same shape.
            sample_weight: None, or weights of the leading dimensions.
        """
        if not self._cells:
            self._build(shape_of(y_pred))
        if self._from_logits:
            y_pred = sigmoid(y_pred)
        update_counts(
            self._cells,
            y_true,
            y_pred,
            self._thresholds,
            even=self._even,
            owner=self.name,
            sample_weight=sample_weight,
            label_weights=None if self.multi_label else self.label_weights,
            multi_label=self.multi_label,
        )

    def result(self) -> Tensor:
        """The area, a scalar."""
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._total(self._interpolated())
        x, y = self._coordinates()
        y_low, y_high = _lower(y), _upper(y)
        if self.summation_method == "interpolation":
            heights = (y_low + y_high) / 2.0
        else:
            heights = (minimum if self.summation_method == "minoring" else maximum)(y_low, y_high)
        return self._total((_lower(x) - _upper(x)) * heights)

    def _coordinates(self) -> tuple[Tensor, Tensor]:
        """Points of the curve, one for each threshold."""
        tp, fp, tn, fn = values(self._cells)
        recall = divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            return divide_no_nan(fp, fp + tn), recall
        if self.curve == "PR":
            return recall, divide_no_nan(tp, tp + fp)
        scale = divide_no_nan(tp + fn, tn + fp)
        none = equal(tp, 0.0)
        recall_gain = where_(none, 0.0, 1.0 - scale * divide_no_nan(fn, tp))
        precision_gain = where_(none, 1.0, 1.0 - scale * divide_no_nan(fp, tp))
        return maximum(recall_gain, 0.0), precision_gain

    def _interpolated(self) -> Tensor:
        """Areas between neighbouring points of the PR curve, true positives interpolated."""
        tp, fp, _, fn = values(self._cells)
        p = tp + fp
        tp_step, p_step = _lower(tp) - _upper(tp), _lower(p) - _upper(p)
        slope = divide_no_nan(tp_step, maximum(p_step, 0.0))
        intercept = _upper(tp) - slope * _upper(p)
        both = logical_and(greater(_lower(p), 0.0), greater(_upper(p), 0.0))
        ratio = where_(both, divide_no_nan(_lower(p), maximum(_upper(p), 0.0)), 1.0)
        area = slope * (tp_step + intercept * log(ratio))
        return divide_no_nan(area, maximum(_upper(tp) + _upper(fn), 0.0))

    def _total(self, parts: TensorLike) -> Tensor:
        if not self.multi_label:
            return sum_(parts)
        by_label = sum_(parts, axis=0)
        if self.label_weights is None:
            return mean(by_label)
        weights = to_tensor(self.label_weights, by_label.dtype)
        return divide_no_nan(sum_(by_label * weights), sum_(weights))


def _lower(x: TensorLike) -> Tensor:
    """All thresholds but the last."""
    return getitem(x, slice(None, -1))


def _upper(x: TensorLike) -> Tensor:
    """All thresholds but the first."""
    return getitem(x, slice(1, None))
