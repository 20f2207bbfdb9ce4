"""F scores: the harmonic mean of precision and recall.

Source: https://keras.io/api/metrics/classification_metrics/#fbetascore-class
"""

from __future__ import annotations

from nkeras.core import config
from nkeras.core.errors import refuse
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.weighting import along_leading
from nkeras.metrics.metric import Metric
from nkeras.ops.elementwise import absolute, greater, greater_equal, logical_and
from nkeras.ops.reduction import max as max_
from nkeras.ops.reduction import mean
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import cast

_NAMES = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")


class FBetaScore(Metric):
    """`(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`.

    Args:
        average: None (a score for each class), `"micro"` (counts of all classes together),
            `"macro"` (mean over classes) or `"weighted"` (mean weighted by true instances).
        beta: how much more recall counts than precision.
        threshold: predictions above it are positive; None: the largest of each sample.
        name: name.
        dtype: dtype.

    Raises:
        ValueError: an argument is out of range.

    Source: https://keras.io/api/metrics/classification_metrics/#fbetascore-class
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            refuse("average", average, "None, 'micro', 'macro' or 'weighted'", owner)
        if not isinstance(beta, float) or beta <= 0.0:
            refuse("beta", beta, "a Python float > 0", owner)
        if threshold is not None and not (isinstance(threshold, float) and 0.0 < threshold <= 1.0):
            refuse("threshold", threshold, "None or a Python float in (0, 1]", owner)
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._built = False

    def _build(self, y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]) -> None:
        if len(y_pred_shape) != 2 or y_true_shape != y_pred_shape:
            raise ValueError(
                f"{type(self).__name__}: `y_true` and `y_pred` must both be (batch, classes). "
                f"Received: y_true.shape={y_true_shape}, y_pred.shape={y_pred_shape}"
            )
        if not self._built:
            shape = () if self.average == "micro" else (y_pred_shape[1],)
            for name in _NAMES:
                setattr(self, name, self.add_variable(shape, None, self.dtype, name=name))
            self._built = True

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Add a batch.

        Args:
            y_true: targets 0 and 1 `(batch, classes)`.
            y_pred: predictions of the same shape.
            sample_weight: None, or weights `(batch,)`.
        """
        y_true, y_pred = cast(to_tensor(y_true), self.dtype), cast(to_tensor(y_pred), self.dtype)
        self._build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            largest = greater_equal(y_pred, max_(y_pred, axis=-1, keepdims=True))
            positive = logical_and(largest, greater(absolute(y_pred), 1e-9))
        else:
            positive = greater(y_pred, self.threshold)
        y_pred = cast(positive, self.dtype)
        weight = 1.0
        if sample_weight is not None:
            weight = cast(to_tensor(sample_weight), self.dtype)
            weight = along_leading(weight, y_pred.shape, self.name)
        axis = None if self.average == "micro" else 0
        counts = (y_pred * y_true, y_pred * (1.0 - y_true), (1.0 - y_pred) * y_true, y_true)
        for name, count in zip(_NAMES, counts, strict=True):
            getattr(self, name).assign_add(sum_(count * weight, axis=axis))

    def result(self) -> Tensor:
        """The score: `(classes,)` where `average` is None, else a scalar."""
        if not self._built:
            raise ValueError(f"{type(self).__name__}: there is no result before the first update.")
        hits, excess, missed, true = (getattr(self, name).value for name in _NAMES)
        epsilon = config.epsilon()
        precision, recall = hits / (hits + excess + epsilon), hits / (hits + missed + epsilon)
        square = self.beta**2
        score = precision * recall / (square * precision + recall + epsilon) * (1.0 + square)
        if self.average == "weighted":
            return sum_(score * (true / (sum_(true) + epsilon)))
        return score if self.average is None else mean(score)


class F1Score(FBetaScore):
    """`2 * precision * recall / (precision + recall)`.

    Args:
        average: None, `"micro"`, `"macro"` or `"weighted"`, as in `FBetaScore`.
        threshold: predictions above it are positive; None: the largest of each sample.
        name: name.
        dtype: dtype.

    Source: https://keras.io/api/metrics/classification_metrics/#f1score-class
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: PolicyLike = None,
    ) -> None:
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)
