"""Accuracies: how often predictions equal targets.

Source: https://keras.io/api/metrics/accuracy_metrics/
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from nkeras.core import config
from nkeras.core.errors import refuse
from nkeras.core.primitive import op, to_tensor
from nkeras.core.tensor import Tensor
from nkeras.core.typing import PolicyLike, TensorLike
from nkeras.losses.weighting import aligned
from nkeras.metrics.named import NamedMetric
from nkeras.ops.elementwise import equal, greater, greater_equal, less, logical_and, where_
from nkeras.ops.hits import label_hits, target_hits
from nkeras.ops.indexing import take_along_axis_
from nkeras.ops.reduction import argmax_, reduce_any, reduce_sum
from nkeras.ops.shape import cast, expand_dims, reshape, squeeze
from nkeras.ops.subscripts import getitem


def _refuse(owner: str, y_true: Tensor, y_pred: Tensor, expected: str) -> None:
    raise ValueError(
        f"{owner}: {expected}. Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
    )


def best_class(x: Tensor) -> Tensor:
    """Position of the first largest element along the last axis, int32."""
    return argmax_(x, axis=len(x.shape) - 1, keepdims=False)


@op
def accuracy(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """1 where targets and predictions are equal, else 0.

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.

    Returns:
        Tensor of that shape, `floatx`.

    Raises:
        ValueError: the shapes differ.
    """
    return cast(equal(*aligned(y_true, y_pred, "accuracy")), config.floatx())


@op
def binary_accuracy(y_true: TensorLike, y_pred: TensorLike, threshold: float = 0.5) -> Tensor:
    """1 where the target equals whether the prediction is above a threshold, else 0.

    Args:
        y_true: targets 0 and 1.
        y_pred: predictions of the same shape.
        threshold: predictions above it are 1.

    Returns:
        Tensor of that shape, `floatx`.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> nkeras.metrics.binary_accuracy([[1], [0]], [[0.6], [0.7]]).numpy()
        array([[1.],
               [0.]], dtype=float32)
    """
    y_pred = to_tensor(y_pred)
    positive = cast(greater(y_pred, threshold), config.floatx())
    return cast(equal(*aligned(y_true, positive, "binary_accuracy")), config.floatx())


@op
def categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """1 where the largest prediction belongs to the class of a one-hot target, else 0.

    Args:
        y_true: one-hot targets `(batch, ..., classes)`.
        y_pred: predictions of the same shape.

    Returns:
        Tensor `(batch, ...)`, `floatx`.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> import nkeras
        >>> nkeras.metrics.categorical_accuracy([[0, 1], [0, 1]], [[0.1, 0.9], [0.8, 0.2]]).numpy()
        array([1., 0.], dtype=float32)
    """
    y_true, y_pred = to_tensor(y_true), to_tensor(y_pred)
    if y_true.shape != y_pred.shape or not y_pred.shape:
        expected = "one-hot targets must have the shape (batch, ..., classes) of the predictions"
        _refuse("categorical_accuracy", y_true, y_pred, expected)
    return target_hits(y_true, y_pred, dtype=config.floatx())


def _labels(
    y_true: TensorLike, y_pred: TensorLike, owner: str
) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Labels without a last axis of size 1, predictions, and the shape of the result."""
    y_true, y_pred = to_tensor(y_true), to_tensor(y_pred)
    shape = y_true.shape
    if len(shape) == len(y_pred.shape) and shape[-1:] == (1,):
        y_true = squeeze(y_true, -1)
    if not y_pred.shape or y_true.shape != y_pred.shape[:-1]:
        expected = "labels (batch, ...) fit predictions (batch, ..., classes)"
        _refuse(owner, y_true, y_pred, expected)
    return y_true, y_pred, shape


@op
def sparse_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> Tensor:
    """1 where the largest prediction belongs to the labelled class, else 0.

    Args:
        y_true: labels `(batch, ...)`, or with a last axis of size 1.
        y_pred: predictions `(batch, ..., classes)`.

    Returns:
        Tensor `(batch, ...)`, `floatx`.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import nkeras
        >>> nkeras.metrics.sparse_categorical_accuracy([1, 1], [[0.1, 0.9], [0.8, 0.2]]).numpy()
        array([1., 0.], dtype=float32)
    """
    y_true, y_pred, shape = _labels(y_true, y_pred, "sparse_categorical_accuracy")
    matches = label_hits(y_true, y_pred, dtype=config.floatx())
    # (batch, 1) labels give (batch,) matches, (batch, steps, 1) give (batch, steps).
    return squeeze(matches, -1) if len(shape) > 1 and matches.shape[-1:] == (1,) else matches


def _in_top_k(labels: Tensor, predictions: Tensor, k: int) -> Tensor:
    """Whether fewer than k of the predictions `(rows, classes)` are larger than the label's.

    Labels out of range are in no top k; nothing is read back from a device.
    """
    labels, classes = cast(labels, "int32"), predictions.shape[-1]
    valid = logical_and(greater_equal(labels, 0), less(labels, classes))
    inside = where_(valid, labels, to_tensor(0))
    own = take_along_axis_(predictions, expand_dims(inside, 1), axis=1)
    above = cast(greater(predictions, own), "int32")
    rank = reduce_sum(above, axis=(1,), keepdims=False)
    is_number = squeeze(equal(own, own), 1)
    return logical_and(logical_and(less(rank, k), is_number), valid)


@op
def top_k_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike, k: int = 5) -> Tensor:
    """1 where the class of a one-hot target is among the `k` largest predictions, else 0.

    Args:
        y_true: one-hot targets `(batch, ..., classes)`.
        y_pred: predictions of the same shape.
        k: how many.

    Returns:
        Tensor `(batch, ...)`, `floatx`.

    Raises:
        ValueError: the shapes differ.
    """
    y_true, y_pred = to_tensor(y_true), to_tensor(y_pred)
    if y_true.shape != y_pred.shape or not y_pred.shape:
        expected = "one-hot targets must have the shape (batch, ..., classes) of the predictions"
        _refuse("top_k_categorical_accuracy", y_true, y_pred, expected)
    return sparse_top_k_categorical_accuracy(best_class(y_true), y_pred, k)


@op
def sparse_top_k_categorical_accuracy(
    y_true: TensorLike, y_pred: TensorLike, k: int = 5, from_sorted_ids: bool = False
) -> Tensor:
    """1 where the label is among the `k` largest predictions, else 0.

    Args:
        y_true: labels `(batch, ...)`, or with a last axis of size 1.
        y_pred: predictions `(batch, ..., classes)`.
        k: how many.
        from_sorted_ids: whether `y_pred` are class labels, the best first, instead.

    Returns:
        Tensor of the shape of `y_true`, `floatx`.

    Raises:
        ValueError: the shapes do not fit.
    """
    y_true, y_pred, shape = _labels(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    labels = reshape(y_true, (math.prod(y_true.shape),))
    predictions = reshape(y_pred, (math.prod(y_true.shape), y_pred.shape[-1]))
    if from_sorted_ids:
        best = getitem(predictions, (slice(None), slice(k)))
        found = equal(expand_dims(cast(labels, best.dtype), 1), best)
        matches = reduce_any(found, axis=(1,), keepdims=False)
    else:
        matches = _in_top_k(labels, predictions, k)
    return reshape(cast(matches, config.floatx()), shape)


class Accuracy(NamedMetric, fn=accuracy):
    """How often predictions equal targets.

    Example:
        >>> import nkeras
        >>> float(nkeras.metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4]))
        0.75
    """

    _direction = "up"


class BinaryAccuracy(NamedMetric, fn=binary_accuracy):
    """How often predictions above a threshold are right."""

    _direction = "up"

    def __init__(
        self, name: str = "binary_accuracy", dtype: PolicyLike = None, threshold: float = 0.5
    ) -> None:
        super().__init__(name, dtype)
        self.threshold = threshold


class CategoricalAccuracy(NamedMetric, fn=categorical_accuracy):
    """How often the largest prediction belongs to the class of a one-hot target."""

    _direction = "up"


class SparseCategoricalAccuracy(NamedMetric, fn=sparse_categorical_accuracy):
    """How often the largest prediction belongs to the labelled class."""

    _direction = "up"


def _checked_k(k: int, owner: str) -> int:
    if isinstance(k, bool) or not hasattr(k, "__index__") or int(k) < 1:
        refuse("k", k, "an int, at least 1", owner)
    return int(k)


class TopKCategoricalAccuracy(NamedMetric, fn=top_k_categorical_accuracy):
    """How often the class of a one-hot target is among the `k` largest predictions."""

    _direction = "up"

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: PolicyLike = None
    ) -> None:
        super().__init__(name, dtype)
        self.k = _checked_k(k, type(self).__name__)


class SparseTopKCategoricalAccuracy(NamedMetric, fn=sparse_top_k_categorical_accuracy):
    """How often the label is among the `k` largest predictions."""

    config_omits: ClassVar[Mapping[str, object]] = {"from_sorted_ids": False}
    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: PolicyLike = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(name, dtype)
        self.k = _checked_k(k, type(self).__name__)
        self.from_sorted_ids = from_sorted_ids
