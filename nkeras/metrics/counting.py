"""True and false positives and negatives by threshold, counted without reading anything back.

Thresholds `i / (count - 1)` are counted in one pass: each prediction falls into one bucket, and a
cumulative sum from above gives what lies over each threshold. Others are compared one by one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nkeras.core import config
from nkeras.core.errors import short
from nkeras.core.primitive import to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import TensorLike
from nkeras.core.variable import Variable
from nkeras.losses.weighting import aligned, along_leading
from nkeras.metrics.metric import Metric
from nkeras.ops.elementwise import ceil, clip, greater, less, maximum, multiply, negative, where_
from nkeras.ops.indexing import scatter_nd
from nkeras.ops.reduction import argsort_, cumsum_
from nkeras.ops.reduction import sum as sum_
from nkeras.ops.shape import broadcast_to, cast, expand_dims, flip, reshape, stack
from nkeras.ops.subscripts import getitem

NEGATIVE_INFINITY = -1e10


def thresholds_of(thresholds: Any, default: float = 0.5) -> list[float]:
    """Thresholds as a list.

    Raises:
        ValueError: one is not in [0, 1].
    """
    if thresholds is None:
        return [default]
    values = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    wrong = [value for value in values if value is None or value < 0 or value > 1]
    if wrong:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {short(wrong)}")
    return values


def are_even(thresholds: Sequence[float]) -> bool:
    """Whether the thresholds are 0, 1 / (count - 1), ..., 1."""
    count = len(thresholds)
    if count < 3:
        return False
    even = np.arange(count, dtype=np.float32) / (count - 1)
    return bool(np.allclose(thresholds, even, atol=config.epsilon()))


class CountingMetric(Metric):
    """A metric of some of the counts `tp`, `fp`, `tn`, `fn`, for each threshold.

    Attributes:
        thresholds: ascending.
        top_k: only the `k` largest predictions of each sample can be positive; None for all.
        class_id: only this class counts; None for all.
    """

    thresholds: list[float]
    top_k: int | None = None
    class_id: int | None = None
    _even: bool
    _cells: dict[str, Variable]

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Add a batch.

        Args:
            y_true: targets 0 and 1 `(batch, ...)`.
            y_pred: predictions in [0, 1] of the same shape.
            sample_weight: None, or weights of the leading dimensions.
        """
        update_counts(
            self._cells,
            y_true,
            y_pred,
            self.thresholds,
            even=self._even,
            owner=self.name,
            top_k=self.top_k,
            class_id=self.class_id,
            sample_weight=sample_weight,
        )

    def _of_each_threshold(self, value: Tensor) -> Tensor:
        """What `(thresholds,)` numbers give as the result: a scalar for one threshold."""
        return getitem(value, 0) if len(self.thresholds) == 1 else value


def update_counts(
    variables: Mapping[str, Variable],
    y_true: TensorLike,
    y_pred: TensorLike,
    thresholds: Sequence[float],
    *,
    even: bool,
    owner: str,
    top_k: int | None = None,
    class_id: int | None = None,
    sample_weight: TensorLike | None = None,
    label_weights: TensorLike | None = None,
    multi_label: bool = False,
) -> None:
    """Add a batch to the variables `tp`, `fp`, `tn`, `fn` (those that there are).

    Args:
        variables: of shape `(thresholds,)`, or `(thresholds, labels)` if `multi_label`.
        y_true: targets 0 and 1 `(batch, ...)`.
        y_pred: predictions of the same shape.
        thresholds: ascending.
        even: whether they are evenly distributed over [0, 1].
        owner: name of the metric, for errors.
        top_k: only the `k` largest predictions along the last axis can be positive.
        class_id: only this position of the last axis counts.
        sample_weight: None, or weights of the leading dimensions of `y_true`.
        label_weights: None, or weights of the last axis; not together with `multi_label`.
        multi_label: count for each label `(batch, labels)`.

    Raises:
        ValueError: shapes or arguments do not fit.
    """
    dtype = next(iter(variables.values())).dtype
    y_true, y_pred = aligned(y_true, cast(to_tensor(y_pred), dtype), owner)
    weight = None
    if sample_weight is not None:
        weight = along_leading(cast(to_tensor(sample_weight), dtype), y_pred.shape, owner)
    if top_k is not None:
        y_pred = _only_top(y_pred, top_k, owner)
    if class_id is not None:
        y_true, y_pred = _column(y_true, class_id, owner), _column(y_pred, class_id, owner)
    weights = _weights(weight, label_weights, y_pred, owner)
    columns = y_pred.shape[-1] if multi_label else 1
    shape = (math.prod(y_pred.shape) // max(columns, 1), columns)
    positive = reshape(cast(cast(y_true, "bool"), dtype), shape)
    negative_ = 1.0 - positive
    if weights is not None:
        weights = reshape(weights, shape)
        positive, negative_ = multiply(positive, weights), multiply(negative_, weights)
    counted = _by_bucket if even else _by_comparison
    counts = counted(positive, negative_, reshape(y_pred, shape), thresholds, frozenset(variables))
    for name, variable in variables.items():
        variable.assign_add(reshape(counts[name], variable.shape))


def _only_top(y_pred: Tensor, k: int, owner: str) -> Tensor:
    """All but the k largest predictions of each row are minus infinity."""
    size = y_pred.shape[-1] if y_pred.shape else 0
    if not 1 <= k <= size:
        raise ValueError(
            f"{owner}: argument `top_k` must be in [1, {size}]. Received: top_k={short(k)}"
        )
    axis = len(y_pred.shape) - 1
    rank = argsort_(argsort_(negative(y_pred), axis=axis), axis=axis)
    return where_(less(rank, k), y_pred, NEGATIVE_INFINITY)


def _column(x: Tensor, class_id: int, owner: str) -> Tensor:
    if len(x.shape) < 2 or not -x.shape[-1] <= class_id < x.shape[-1]:
        raise ValueError(
            f"{owner}: with `class_id` predictions must be (batch, classes), and it must name a "
            f"class. Received: class_id={class_id}, y_pred.shape={x.shape}"
        )
    return getitem(x, (Ellipsis, class_id, None))


def _weights(
    sample_weight: TensorLike | None,
    label_weights: TensorLike | None,
    y_pred: Tensor,
    owner: str,
) -> Tensor | None:
    """One weight for each prediction, or None."""
    weights = None
    for given, name in ((sample_weight, "sample_weight"), (label_weights, "label_weights")):
        if given is None:
            continue
        weight = cast(to_tensor(given), y_pred.dtype)
        try:
            weight = broadcast_to(weight, y_pred.shape)
        except ValueError:
            raise ValueError(
                f"{owner}: `{name}` of shape {weight.shape} does not fit predictions of shape "
                f"{y_pred.shape}."
            ) from None
        weights = weight if weights is None else multiply(weights, weight)
    return weights


def _by_bucket(
    positive: Tensor,
    negative: Tensor,
    y_pred: Tensor,
    thresholds: Sequence[float],
    wanted: frozenset[str],
) -> dict[str, Tensor]:
    """Counts `(thresholds, columns)` from weighted labels and predictions `(rows, columns)`."""
    count, (rows, columns) = len(thresholds), y_pred.shape
    bucket = ceil(clip(y_pred, 0.0, 1.0) * float(count - 1)) - 1.0
    if thresholds[0] < 0.0 or thresholds[-1] > 1.0:
        bucket = maximum(bucket, 0.0)
    # Row 0 takes what is above no threshold (and NaN, whatever it is as an integer).
    bucket = clip(cast(bucket, "int32"), -1, count - 1) + 1
    column = to_tensor(np.broadcast_to(np.arange(columns, dtype="int32"), (rows, columns)))
    place = reshape(stack([bucket, column], axis=-1), (rows * columns, 2))

    def above(labels: Tensor) -> Tensor:
        flat = reshape(labels, (rows * columns,))
        sums = scatter_nd(place, flat, shape=(count + 1, columns))
        return getitem(flip(cumsum_(flip(sums, 0), axis=0), 0), slice(1, None))

    counts = {"tp": above(positive), "fp": above(negative)}
    if "fn" in wanted:
        counts["fn"] = sum_(positive, axis=0) - counts["tp"]
    if "tn" in wanted:
        counts["tn"] = sum_(negative, axis=0) - counts["fp"]
    return counts


def _by_comparison(
    positive: Tensor,
    negative: Tensor,
    y_pred: Tensor,
    thresholds: Sequence[float],
    wanted: frozenset[str],
) -> dict[str, Tensor]:
    """Counts `(thresholds, columns)` from weighted labels and predictions `(rows, columns)`."""
    limits = to_tensor(np.asarray(thresholds).reshape(-1, 1, 1), y_pred.dtype)
    over = cast(greater(expand_dims(y_pred, 0), limits), y_pred.dtype)
    parts = {"tp": (positive, True), "fp": (negative, True), "fn": (positive, False)}
    parts["tn"] = (negative, False)
    counts = {}
    for name in wanted:
        labels, is_over = parts[name]
        counts[name] = sum_((over if is_over else 1.0 - over) * expand_dims(labels, 0), axis=1)
    return counts
